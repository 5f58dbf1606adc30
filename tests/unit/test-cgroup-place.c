/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where systemd puts a scope. */
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/cgroup-place.h"
#include "tests/unit/tap.h"

static const struct {
	const char *path, *place;
} samples[] = {
	{ "system.slice:docker:4711", "system.slice/docker-4711.scope" },
	{ ":docker:4711", "system.slice/docker-4711.scope" },
	{ "machine.slice:libpod:c1", "machine.slice/libpod-c1.scope" },
	{ "kubepods-besteffort-pod12_3.slice:cri-containerd:c1",
	  "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod12_3.slice/cri-containerd-c1.scope" },
	{ "a.slice::c1", "a.slice/-c1.scope" },
	{ "user-1000.slice:x:c1", "user.slice/user-1000.slice/x-c1.scope" },
	{ "/docker/c1", NULL },
	{ "a.slice:c1", NULL },
	{ "", NULL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		cleanup_free char *place = cgroup_place_systemd(samples[i].path);

		OK(!place == !samples[i].place && (!place || !strcmp(place, samples[i].place)), "cgroup-place: %s is at %s",
		   samples[i].path, samples[i].place ? samples[i].place : "no place");
	}
	return tap_done();
}
