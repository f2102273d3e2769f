/* What this machine and the configuration show without asking anybody. */
#include "daemon/govern/doctor.h"

#include "common/base/clock.h"
#include "common/measure/sigstore.h"
#include "daemon/sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void examine_config(struct exam *host, const struct config *config)
{
	struct stat info;

	if (config->path == NULL || stat(config->path, &info) != 0) {
		exam_row(host,
		         (struct row){"configuration", FINDING_WARNING,
		                      "Put the file back: the next start needs it."},
		         "%s: %s", config->path != NULL ? config->path : "(none)", strerror(errno));
		return;
	}
	bool by_others = (info.st_mode & S_IWOTH) != 0;
	bool by_group = (info.st_mode & S_IWGRP) != 0;
	bool by_owner = info.st_uid != 0 && info.st_uid != geteuid();
	enum finding result = by_others              ? FINDING_FAILURE
	                      : by_group || by_owner ? FINDING_WARNING
	                                             : FINDING_OK;
	exam_row(host,
	         (struct row){"configuration", result,
	                      result == FINDING_OK ? ""
	                      : by_owner ? "Give the file to root (chown root), since who "
	                                   "can change it decides what is proposed."
	                                 : "Take the write permission away (chmod go-w), since "
	                                   "who can change the file decides what is "
	                                   "proposed."},
	         "%s, mode %04o, owner %u", config->path, info.st_mode & 07777u,
	         (unsigned)info.st_uid);
}

static void examine_state_dir(struct exam *host, const struct config *config)
{
	struct stat info;

	if (stat(config->state_dir, &info) != 0 || access(config->state_dir, W_OK) != 0)
		exam_row(host,
		         (struct row){"state folder", FINDING_FAILURE,
		                      "Let the daemon's user write there."},
		         "%s: %s", config->state_dir, strerror(errno));
	else if ((info.st_mode & S_IWOTH) != 0)
		exam_row(host,
		         (struct row){"state folder", FINDING_FAILURE,
		                      "Take the write permission of others away (chmod o-w)."},
		         "%s, mode %04o", config->state_dir, info.st_mode & 07777u);
	else
		exam_row(host, (struct row){"state folder", FINDING_OK, ""}, "%s, mode %04o",
		         config->state_dir, info.st_mode & 07777u);
}

static void examine_landlock(struct exam *host)
{
	if (sandbox_landlock_available())
		exam_row(host, (struct row){"Landlock", FINDING_OK, ""}, "the kernel has it");
	else
		exam_row(
		        host,
		        (struct row){
		                "Landlock", FINDING_WARNING,
		                "Run a kernel of 5.13 or newer with Landlock switched on "
		                "(lsm=landlock,...): "
		                "without it only the unit file keeps main from opening key files."},
		        "the kernel does not have it");
}

static bool any_key(const struct config *config)
{
	for (size_t i = 0; i < config->target_count; i++)
		if (config->targets[i].proposer.file != NULL ||
		    config->targets[i].executor.file != NULL ||
		    config->targets[i].scheduler.file != NULL)
			return true;
	return false;
}

static void examine_signer(struct exam *host, const struct govern_parts *parts)
{
	pid_t pid = signer_pid(parts->signer);

	if (!any_key(parts->config))
		exam_row(host, (struct row){"signer", FINDING_OK, ""},
		         "not needed: no key is configured");
	else if (pid > 0)
		exam_row(host, (struct row){"signer", FINDING_OK, ""}, "runs as process %d",
		         (int)pid);
	else
		exam_row(host,
		         (struct row){"signer", FINDING_FAILURE,
		                      "Look at the journal for why it ended; it is started again "
		                      "by itself."},
		         "does not run");
}

static void examine_watch(struct exam *host, const struct config_watch *watch)
{
	struct row row = {"watched folder", FINDING_OK, ""};
	DIR *dir = opendir(watch->path);
	int why = errno;

	if (dir != NULL) {
		closedir(dir);
		exam_row(host, row, "%s (%s) can be read", watch->path, watch->target->name);
		return;
	}
	row.result = why == ENOENT ? FINDING_WARNING : FINDING_FAILURE;
	row.fix = why == ENOENT ? "Make the folder: it is watched from then on."
	                        : "Let the daemon's user read the folder.";
	exam_row(host, row, "%s (%s): %s", watch->path, watch->target->name, strerror(why));
}

static void examine_secret(struct exam *host, const char *path)
{
	struct row row = {"secret file", FINDING_OK, ""};
	struct stat info;

	if (path == NULL)
		return;
	if (stat(path, &info) != 0) {
		row.result = FINDING_WARNING;
		row.fix = "Put the file back: the next start needs it.";
		exam_row(host, row, "%s: %s", path, strerror(errno));
		return;
	}
	if ((info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		row.result = FINDING_FAILURE;
		row.fix = "Close the file to others (chmod 0600), and take another key if somebody "
		          "may have read it.";
	}
	exam_row(host, row, "%s, mode %04o", path, info.st_mode & 07777u);
}

static void examine_secrets(struct exam *host, const struct config_target *target)
{
	examine_secret(host, target->proposer.file);
	examine_secret(host, target->proposer.password_file);
	examine_secret(host, target->executor.file);
	examine_secret(host, target->executor.password_file);
	examine_secret(host, target->scheduler.file);
	examine_secret(host, target->scheduler.password_file);
	examine_secret(host, target->service.api_key_file);
}

/* --- HTTP, and who must have signed --------------------------------------------------------------
 */

static void examine_http(struct exam *host, const struct config *config)
{
	const struct config_http *http = &config->http;
	struct row row = {"dropped builds", FINDING_OK, ""};
	struct buf targets = {0};

	if (http->listen == NULL)
		return;
	for (size_t i = 0; i < config->target_count; i++)
		if (config->targets[i].token_file != NULL)
			buf_printf(&targets, "%s%s", targets.len > 0 ? ", " : "",
			           config->targets[i].name);
	if (targets.len == 0) {
		row.result = FINDING_WARNING;
		row.fix = "Give a target a `token_file`, or take `http` away: nobody can drop a "
		          "build.";
	}
	exam_row(host, row, "listens on %s %s, for %s", http->listen,
	         http->tls_cert_file != NULL ? "with TLS" : "(this machine alone)",
	         targets.len > 0 ? buf_text(&targets) : "no target");
	buf_free(&targets);
	if (http->tls_cert_file != NULL)
		examine_secret(host, http->tls_key_file);
	for (size_t i = 0; i < config->target_count; i++)
		examine_secret(host, config->targets[i].token_file);
}

/* Whether what signs today can be verified with this root. */
static bool is_current(const struct sigstore_root *root, int64_t now)
{
	bool authority = false, log = false;

	for (size_t i = 0; i < root->authority_count; i++)
		authority = authority ||
		            (root->authorities[i].from <= now && now <= root->authorities[i].until);
	for (size_t i = 0; i < root->log_count; i++)
		log = log || (root->logs[i].from <= now && now <= root->logs[i].until);
	return authority && log;
}

static void examine_sigstore(struct exam *host, const struct config_target *target)
{
	struct row row = {"required signature", FINDING_OK, ""};
	struct sigstore_root *root = arena_alloc(&host->arena, sizeof(*root));
	struct error error;

	if (sigstore_root_read(&host->arena, target->signing.root, root, &error) != 0) {
		row.result = FINDING_FAILURE;
		row.fix = "Put a trusted root there and restart.";
		exam_row(host, row, "%s: %s: %s", target->name, target->trusted_root_file,
		         error.text);
		return;
	}
	if (!is_current(root, clock_wall().ms / 1000)) {
		row.result = FINDING_WARNING;
		row.fix = "Fetch the current trusted root and restart: what is signed today cannot "
		          "be "
		          "verified with this one.";
	}
	exam_row(host, row, "%s: Sigstore, %s; %zu authorities and %zu logs in %s", target->name,
	         target->signing.workflow, root->authority_count, root->log_count,
	         target->trusted_root_file);
}

static void examine_signing(struct exam *host, const struct config_target *target)
{
	const struct signing *signing = &target->signing;
	struct buf keys = {0};
	char id[MINISIGN_ID_TEXT];

	switch (signing->kind) {
	case SIGNING_NONE:
		return;
	case SIGNING_SIGSTORE:
		examine_sigstore(host, target);
		return;
	case SIGNING_ED25519:
		break;
	}
	for (size_t i = 0; i < signing->keys.count; i++)
		buf_printf(&keys, "%s%s", i > 0 ? ", " : "",
		           minisign_id_text(id, signing->keys.items[i].id));
	exam_row(host, (struct row){"required signature", FINDING_OK, ""}, "%s: Ed25519, by %s",
	         target->name, buf_text(&keys));
	buf_free(&keys);
}

void host_exam(struct exam *host, const struct govern_parts *parts)
{
	const struct config *config = parts->config;

	examine_config(host, config);
	examine_state_dir(host, config);
	examine_landlock(host);
	examine_signer(host, parts);
	for (size_t i = 0; i < config->target_count; i++)
		examine_secrets(host, &config->targets[i]);
	for (size_t i = 0; i < config->watch_count; i++)
		examine_watch(host, &config->watches[i]);
	examine_http(host, config);
	for (size_t i = 0; i < config->target_count; i++)
		examine_signing(host, &config->targets[i]);
}
