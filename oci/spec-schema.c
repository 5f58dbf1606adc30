/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OCI runtime specification as data. */
#include "oci/spec.h"

/* Maps whose keys somebody else defines; all others have the specification's names only. */
const char *const oci_config_free_form[] = {
	"/annotations", "/linux/sysctl", "/linux/resources/unified", "/linux/resources/rdma", "/linux/netDevices", NULL,
};
