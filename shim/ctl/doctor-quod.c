/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl doctor, quod itself: its programs and places, the runtimes underneath, profiles, the audit trail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/doctor.h"
#include "shim/ctl/foreign.h"
#include "shim/ctl/profile.h"
#include "shim/ctl/trail.h"
#include "shim/policy/selection.h"
#include "shim/runtime-safety.h"

static void check_program(struct doctor *doctor, const char *path)
{
	struct err err = ERR_INIT;

	if (access(path, X_OK) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "quod", path, "install quod whole", "%s", strerror(errno));
	else if (file_check_owner_chain(path, 0, false, &err) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "quod", path, "chown root and chmod go-w what is named", "%s", err.text);
	else
		doctor_add(doctor, DOCTOR_OK, "quod", path, NULL, "there, and root's");
}

/* `open`: permission bits that may not be set. */
static void check_place(struct doctor *doctor, const char *path, mode_t open)
{
	cleanup_free char *advice = alloc_printf("chown root %s && chmod %s %s", path, open & 044 ? "go-rwx" : "go-w", path);
	struct err err = ERR_INIT;
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (file_check_owner_chain(path, 0, false, &err) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "quod", path, advice, "%s", err.text);
	else if (st.st_mode & open)
		doctor_add(doctor, DOCTOR_PROBLEM, "quod", path, advice, "mode %04o", st.st_mode & 07777);
	else
		doctor_add(doctor, DOCTOR_OK, "quod", path, NULL, "root's, mode %04o", st.st_mode & 07777);
}

static void check_places(struct doctor *doctor)
{
	const struct state_places *places = &doctor->ctl->places;

	check_program(doctor, QUOD_BINDIR "/quod");
	check_program(doctor, QUOD_LIBEXECDIR "/quod-hook");
	check_program(doctor, QUOD_LIBEXECDIR "/quod-warden");
	if (geteuid() != 0)
		return;
	check_place(doctor, QUOD_SYSCONFDIR, 022);
	check_place(doctor, QUOD_SYSCONFDIR "/quod.json", 022);
	for (size_t i = 0; doctor->ctl->paths.profile_dirs[i]; i++)
		check_place(doctor, doctor->ctl->paths.profile_dirs[i], 022);
	for (size_t i = 0; doctor->ctl->paths.group_dirs[i]; i++)
		check_place(doctor, doctor->ctl->paths.group_dirs[i], 022);
	check_place(doctor, places->run_dir, 077);
	check_place(doctor, places->ledger_dir, 077);
	check_place(doctor, places->audit_head, 077);
	if (doctor->shim.config)
		check_place(doctor, doctor->shim.audit.file, 077);
}

static void check_runtime(struct doctor *doctor, const char *path)
{
	char *argv[] = { (char *)path, (char *)"--version", NULL };
	cleanup_buf struct buf output = BUF_INIT, found = BUF_INIT;
	struct err err = ERR_INIT;

	if (runtime_run(path, argv, &output, &err) != 0 || runtime_find_escapes(output.data ? output.data : "", &found, &err) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "runtime", path, "name another one in quod.json, \"runtime\"", "its version can't be told%s%s",
			   err.code ? ": " : "", err.text);
	else if (found.len)
		doctor_add(doctor, DOCTOR_PROBLEM, "runtime", path,
			   "use a later version; or see whether the distribution has put the corrections into this one (its changelog): the number "
			   "alone doesn't say", "%.*s: known escapes: %s", (int)strcspn(output.data, "\n"), output.data, found.data);
	else
		doctor_add(doctor, DOCTOR_OK, "runtime", path, NULL, "%.*s", (int)strcspn(output.data, "\n"), output.data);
}

/* The configuration's, and what engines find by themselves. */
static void check_runtimes(struct doctor *doctor)
{
	char *usual[] = { (char *)"runc", (char *)"crun" };
	struct strings names = { usual, ARRAY_SIZE(usual) }, seen = { NULL, 0 };

	if (doctor->shim.config)
		names = doctor->shim.config->runtime;
	for (size_t i = 0; i < names.count; i++) {
		struct strings one = { &names.items[i], 1 };
		cleanup_free char *path = NULL;
		struct err err = ERR_INIT;

		if (runtime_find(&one, &path, &err) < 0 || strings_has(&seen, path))
			continue;
		strings_add(&seen, path);
		check_runtime(doctor, path);
	}
	if (!seen.count)
		doctor_add(doctor, DOCTOR_PROBLEM, "runtime", "none", "install runc or crun, or name one in quod.json, \"runtime\"",
			   "no container can start");
	strings_free(&seen);
}

static void check_profile(struct doctor *doctor, const char *name)
{
	struct strings errors = { NULL, 0 };
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (profile_load(name, &doctor->ctl->paths, &profile, &err) < 0)
		strings_add(&errors, err.text);
	else if (profile->file)
		ctl_profile_find_errors(doctor->ctl, profile->file, &errors);
	for (size_t i = 0; i < errors.count; i++)
		doctor_add(doctor, DOCTOR_PROBLEM, "profile", name, "correct it: containers under it are refused", "%s", errors.items[i]);
	if (!errors.count && profile && !profile->seccomp.floor)
		doctor_add(doctor, DOCTOR_NOTE, "profile", name, "\"floor\": true, unless you know why not", "seccomp.floor is off");
	else if (!errors.count)
		doctor_add(doctor, DOCTOR_OK, "profile", name, NULL, "passes profile check");
	profile_free(profile);
	strings_free(&errors);
}

static void need_profile(struct doctor *doctor, const struct strings *names, const char *key, const char *name)
{
	if (!strings_has(names, name) && strcmp(name, PROFILE_UNMANAGED))
		doctor_add(doctor, DOCTOR_PROBLEM, "profile", name, "write it, or name another one in quod.json",
			   "%s names it, and there is none of that name", key);
}

static void check_profiles(struct doctor *doctor)
{
	const struct host_config *config = doctor->shim.config;
	struct strings names = { NULL, 0 };
	struct err err = ERR_INIT;

	if (profile_list(&doctor->ctl->paths, &names, &err) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "profile", "list", "correct what is named", "%s", err.text);
	for (size_t i = 0; i < names.count; i++)
		check_profile(doctor, names.items[i]);
	if (config) {
		need_profile(doctor, &names, "default_profile", config->default_profile);
		for (size_t i = 0; i < config->rule_count; i++)
			need_profile(doctor, &names, "a rule", config->rules[i].profile);
		for (size_t i = 0; i < config->selectable.count; i++)
			need_profile(doctor, &names, "selectable", config->selectable.items[i]);
	}
	strings_free(&names);
}

/* Where the trail lies, or will: a full disk refuses containers. */
static void check_room(struct doctor *doctor, const char *file)
{
	cleanup_free char *dir = alloc_copy(file);
	struct statvfs fs;

	for (char *slash; (slash = strrchr(dir, '/')) && slash > dir;) {
		*slash = '\0';
		if (statvfs(dir, &fs) == 0)
			break;
	}
	if (statvfs(dir, &fs) < 0 || !fs.f_blocks)
		return;
	if (fs.f_bavail < fs.f_blocks / 50)
		doctor_add(doctor, DOCTOR_PROBLEM, "audit", "room", "make room there: a record that can't be written refuses the container",
			   "%s: %llu MiB are free", dir, (unsigned long long)fs.f_bavail * fs.f_frsize >> 20);
}

static void check_audit(struct doctor *doctor)
{
	const struct audit_settings *settings = &doctor->shim.audit;
	struct audit_check check = { 0 };
	struct err err = ERR_INIT;

	if (!doctor->shim.config)
		return;
	if (ctl_audit_check(doctor->ctl, settings, NULL, &check, &err) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "audit", "trail", "see quodctl audit verify", "%s", err.text);
	else if (check.first_bad)
		doctor_add(doctor, DOCTOR_PROBLEM, "audit", "trail",
			   "find out who changed it (quodctl audit verify --head with a head from syslog says up to where it is whole), then move it "
			   "and its head away together", "%s", check.first_bad);
	else
		doctor_add(doctor, DOCTOR_OK, "audit", "trail", NULL, "whole, %llu records", (unsigned long long)check.records);
	free(check.first_bad);
	check_room(doctor, settings->file);
	if (doctor->shim.config->audit_continue)
		doctor_add(doctor, DOCTOR_NOTE, "audit", "on_error", "\"on_error\": \"refuse\"", "continue: containers run without a record");
	if (!settings->anchor_syslog)
		doctor_add(doctor, DOCTOR_NOTE, "audit", "anchor", "\"anchor\": \"syslog\", and send syslog to another host",
			   "none: root can write the trail anew");
	else if (access("/dev/log", F_OK) < 0)
		doctor_add(doctor, DOCTOR_PROBLEM, "audit", "anchor", "start a syslog daemon or journald, or set \"anchor\": \"none\"",
			   "syslog, and nothing listens at /dev/log: the chain's head is kept nowhere else");
	else
		doctor_add(doctor, DOCTOR_OK, "audit", "anchor", NULL, "syslog");
}

static void check_slipped_by(struct doctor *doctor)
{
	struct foreign_list foreign;
	struct live_list live;
	struct err err = ERR_INIT;

	if (live_read(doctor->ctl, &live, &err) < 0) {
		doctor_add(doctor, DOCTOR_PROBLEM, "quod", "containers", "see quodctl ps", "%s", err.text);
		live_release(&live);
		return;
	}
	foreign_find(&live, &foreign);
	if (foreign.count)
		doctor_add(doctor, DOCTOR_NOTE, "quod", "containers", "quodctl ps --all lists them; quodctl setup closes the ways",
			   "%zu under quod, %zu not", live.count, foreign.count);
	else
		doctor_add(doctor, DOCTOR_OK, "quod", "containers", NULL, "%zu under quod, none seen that is not", live.count);
	foreign_release(&foreign);
	live_release(&live);
}

void doctor_quod(struct doctor *doctor)
{
	check_places(doctor);
	check_slipped_by(doctor);
	check_runtimes(doctor);
	check_profiles(doctor);
	check_audit(doctor);
}
