/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/joined.c: whoever joins a network is refused where its own profile is the stricter one. */
#include "tests/unit/plan-tools.h"

static struct profile *profile_of(const char *egress)
{
	cleanup_free char *text = alloc_printf("{'version':1,'egress':%s}", egress);
	cleanup_json_tree struct json_tree *tree = parse_text(text);
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (profile_from_json(json_root(tree), "p", &profile, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(2);
	}
	return profile;
}

static void plan_both(const struct plan_input *input, struct plan *plan)
{
	plan_network(input, plan);
	plan_joined(input, plan);
}

/* The key by which it is refused; "" for none. */
static void is_key(const char *own_egress, const char *owner_egress, const char *wanted, const char *what)
{
	struct profile *own = profile_of(own_egress), *owner = profile_of(owner_egress);
	struct fact_namespace namespace = { .owner_key = (char *)"k", .owner_id = (char *)"c0", .owner_profile = owner };
	struct facts facts = { .namespaces = &namespace, .namespace_count = 1 };
	cleanup_outcome struct outcome outcome =
		plan_document_text(plan_both, own, &facts, "{'linux':{'namespaces':[{'type':'network','path':'/ns'}]}}");
	cleanup_free char *line = alloc_printf("/linux/namespaces/0: the network of container c0, which runs under profile 'p', is not "
					       "held as strictly (%s)", wanted);

	IS_STR(outcome.refusals, *wanted ? line : "", "joined: %s", what);
	profile_free(own);
	profile_free(owner);
}

#define ALLOW "'allow':['10.0.0.0/8:443','10.0.0.0/8:80']"
#define GROUP(bytes, of) "{" ALLOW ",'caps':{'@g':{'bytes':'" bytes "','of':[" of "]}}}"

static void test_rules(void)
{
	is_key("{" ALLOW "}", "{" ALLOW "}", "", "the same passes");
	is_key("{" ALLOW "}", "{'allow':['10.0.0.0/8:443']}", "", "one that allows less holds, too");
	is_key("{'allow':['10.0.0.0/8:443']}", "{" ALLOW "}", "egress.allow", "one that allows more doesn't");
	is_key("{" ALLOW ",'rate':'1M/s'}", "{" ALLOW "}", "egress.rate", "nor one without a rate");
}

static void test_caps(void)
{
	is_key("{" ALLOW ",'caps':{'10.1.0.0/16:*':'1M'}}", "{" ALLOW "}", "egress.caps", "a cap that isn't held there is missed");
	is_key("{" ALLOW ",'caps':{'10.1.0.0/16:*':'1M'}}", "{" ALLOW ",'caps':{'10.1.0.0/16:*':'2M'}}", "egress.caps", "as is a wider one");
	is_key("{" ALLOW ",'caps':{'10.1.0.0/16:*':'2M'}}", "{" ALLOW ",'caps':{'10.1.0.0/16:*':'1M'}}", "", "a narrower one holds");
	is_key("{" ALLOW ",'caps':{'10.1.0.0/16:*':'unlimited'}}", "{" ALLOW "}", "", "one without a bound need not be held");
	is_key(GROUP("1M", "'10.1.0.0/16:*','10.2.0.0/16:*'"), GROUP("1M", "'10.2.0.0/16:*','10.1.0.0/16:*','10.3.0.0/16:*'"), "",
	       "a group that holds more there counts more");
	is_key(GROUP("1M", "'10.1.0.0/16:*','10.2.0.0/16:*'"), GROUP("1M", "'10.1.0.0/16:*'"), "egress.caps",
	       "one that held less when that one began doesn't count what is ours");
}

int main(void)
{
	test_rules();
	test_caps();
	return tap_done();
}
