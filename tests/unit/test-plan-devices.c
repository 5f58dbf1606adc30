/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/devices.c: nodes by the host's own numbers, rules that open nothing else. */
#include <sys/stat.h>

#include "tests/unit/plan-tools.h"

static struct profile none = { .name = (char *)"none" };
static struct device_rule fuse_rules[] = { { (char *)"/dev/fuse", (char *)"rw" },
					   { (char *)"/dev/dri/*", (char *)"m" } };
static struct profile fuse = { .name = (char *)"fuse", .devices_allow = fuse_rules, .devices_allow_count = 2 };
static struct fact_device host_fuse[] = { { 0, S_IFCHR, 10, 229 } };
static struct facts facts = { .devices = host_fuse, .device_count = 1 };
static struct facts rootless = { .is_rootless = true };

#define DENY "{'allow':false,'access':'rwm'}"

static struct outcome plan_text(const struct profile *profile, const char *devices, const char *rules)
{
	cleanup_free char *text =
		alloc_printf("{'linux':{'devices':[%s],'resources':{'devices':[%s]}}}", devices, rules);

	return plan_document_text(plan_devices, profile, &facts, text);
}

static void is_refused(const struct profile *profile, const char *devices, const char *rules, const char *wanted,
		       const char *what)
{
	cleanup_outcome struct outcome outcome = plan_text(profile, devices, rules);

	IS_STR(outcome.refusals, wanted, "devices: %s", what);
	IS_SETTLED(&outcome, what);
}

static void test_rules(void)
{
	cleanup_outcome struct outcome absent = plan_document_text(plan_devices, &none, &facts, "{'linux':{}}");
	cleanup_outcome struct outcome open_list =
		plan_text(&none, "", "{'allow':true,'type':'c','major':1,'minor':3,'access':'rwm'}");
	cleanup_outcome struct outcome unprivileged =
		plan_document_text(plan_devices, &none, &rootless, "{'linux':{}}");

	IS_AT(&absent, "/linux/resources/devices", "[" DENY "]", "devices: without rules, all is denied first");
	IS_SETTLED(&absent, "a container without device rules");
	IS_AT(&open_list, "/linux/resources/devices",
	      "[" DENY ",{'allow':true,'type':'c','major':1,'minor':3,'access':'rwm'}]",
	      "devices: a list that doesn't begin with it gets it in front");
	IS_SETTLED(&open_list, "a list without deny-all");
	IS_AT(&unprivileged, "/linux", "{}", "devices: rootless there is nothing to set");
	is_refused(
		&none, "",
		DENY
		",{'allow':true,'type':'c','access':'m'},{'allow':true,'type':'b','major':-1,'minor':-1,'access':'m'},"
		"{'allow':true,'type':'c','major':1,'minor':5,'access':'rwm'},{'allow':true,'type':'c','major':136,'"
		"access':'rwm'},"
		"{'allow':false,'type':'c','major':10,'minor':229,'access':'rwm'}",
		"", "the engines' own lists pass");
	is_refused(&none, "", "{'allow':true,'access':'rwm'}",
		   "/linux/resources/devices/0: all devices (a privileged container) are not allowed (devices.allow)",
		   "all devices are refused");
	is_refused(&none, "", DENY ",{'allow':true,'type':'a','access':'r'}",
		   "/linux/resources/devices/1: all devices (a privileged container) are not allowed (devices.allow)",
		   "so is reading all");
	is_refused(&none, "", DENY ",{'allow':true,'type':'b','major':8,'minor':0,'access':'r'}",
		   "/linux/resources/devices/1: access to device b 8:0 is not allowed (devices.allow)",
		   "a disk is refused");
	is_refused(&none, "", DENY ",{'allow':true,'type':'c','access':'rw'}",
		   "/linux/resources/devices/1: access to device c *:* is not allowed (devices.allow)",
		   "all character devices are refused");
	is_refused(&none, "", DENY ",{'allow':true,'type':'c','major':1,'access':'rwm'}",
		   "/linux/resources/devices/1: access to device c 1:* is not allowed (devices.allow)",
		   "a whole major is refused (1:1 is memory)");
}

#define NODE(path, type, numbers) "{'path':'" path "','type':'" type "'," numbers "}"
#define FUSE NODE("/dev/fuse", "c", "'major':10,'minor':229")

static void test_nodes(void)
{
	is_refused(&none, NODE("/dev/null", "c", "'major':1,'minor':3"), DENY, "", "an ordinary node passes");
	is_refused(&none, NODE("/dev/null", "c", "'major':1,'minor':1"), DENY,
		   "/linux/devices/0: device /dev/null (c 1:1) is not allowed (devices.allow)",
		   "memory in the place of null doesn't");
	is_refused(&none, NODE("/dev/sda", "b", "'major':8,'minor':0"), DENY,
		   "/linux/devices/0: device /dev/sda (b 8:0) is not allowed (devices.allow)", "a disk is refused");
	is_refused(&fuse, FUSE, DENY, "", "what the profile names passes");
	is_refused(&fuse, NODE("/dev/fuse", "b", "'major':8,'minor':0"), DENY,
		   "/linux/devices/0: device /dev/fuse (b 8:0) is not the one that this host has there (devices.allow)",
		   "another device in its place doesn't");
	is_refused(&fuse, NODE("/dev/dri/../sda", "c", "'major':10,'minor':229"), DENY,
		   "/linux/devices/0: device /dev/dri/../sda (c 10:229) is not allowed (devices.allow)",
		   "nor does a path that only looks like it");
	is_refused(&fuse, "{'type':'c'}", DENY,
		   "/linux/devices/0: device (none) (c *:*) is not allowed (devices.allow)", "nor one without a path");
	is_refused(&none, NODE("/dev/sda", "b", "'major':8,'minor':0"), "{'allow':true,'access':'rwm'}",
		   "/linux/resources/devices/0: all devices (a privileged container) are not allowed (devices.allow)",
		   "a privileged container gets one reason, not one per device");
}

static void test_access(void)
{
	cleanup_outcome struct outcome lowered =
		plan_text(&fuse, FUSE, DENY ",{'allow':true,'type':'c','major':10,'minor':229,'access':'rwm'}");
	cleanup_outcome struct outcome nothing =
		plan_text(&fuse, NODE("/dev/dri/card0", "c", "'major':10,'minor':229"),
			  DENY ",{'allow':true,'type':'c','major':10,'minor':229,'access':'rw'}");

	IS_AT(&lowered, "/linux/resources/devices/1/access", "'rw'", "devices: access is lowered to the profile's");
	IS_SETTLED(&lowered, "an allowed device");
	IS_AT(&nothing, "/linux/resources/devices/1/allow", "false",
	      "devices: and a rule of which nothing is left denies");
	IS_SETTLED(&nothing, "a device rule of which nothing is left");
	is_refused(&fuse, "", DENY ",{'allow':true,'type':'c','major':10,'minor':229,'access':'rw'}",
		   "/linux/resources/devices/1: access to device c 10:229 is not allowed (devices.allow)",
		   "a rule without its node is refused");
}

int main(void)
{
	test_rules();
	test_nodes();
	test_access();
	return tap_done();
}
