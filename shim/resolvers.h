/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which resolvers the warden asks: the profile's, or those that the engine gave the container, or else the host's. */
#ifndef QUOD_SHIM_RESOLVERS_H
#define QUOD_SHIM_RESOLVERS_H

#include "shim/policy/profile.h"
#include "shim/warden/settings.h"

/* Fills resolver_count and resolvers. `resolv_conf` is the engine's file or "". Loopback addresses in it are the container's
 * own and are passed over; in the host's they are the host's. A file that can't be read names none: never an error. */
void resolvers_find(const struct profile *profile, const char *resolv_conf, struct warden_settings *settings);

#endif
