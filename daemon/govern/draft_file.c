#include "daemon/govern/draft_file.h"

#include "daemon/govern/draft_form.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- files --------------------------------------------------------------------------------------
 */

static int write_whole(const char *path, struct bytes content, struct error *error)
{
	char temporary[4096 + 4];
	int fd = -1;

	snprintf(temporary, sizeof(temporary), "%.4095s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_set_errno(error, "%s", temporary);
	for (size_t done = 0; done < content.len;) {
		ssize_t wrote = write(fd, content.data + done, content.len - done);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			goto failed;
		done += (size_t)wrote;
	}
	if (close(fd) != 0) {
		fd = -1;
		goto failed;
	}
	fd = -1;
	/* Atomic for readers; the store can make it again, so it need not survive a power cut. */
	if (rename(temporary, path) != 0)
		goto failed;
	return 0;
failed:
	error_set_errno(error, "%s", temporary);
	if (fd >= 0)
		close(fd);
	unlink(temporary);
	return error->code;
}

/* A file that is there stays: people may have written into it. But a database restored from an
 * older backup gives ids again, and then a file older than its proposal is of another one. */
static bool stands(const char *path, struct wall created_at)
{
	struct stat st;

	return lstat(path, &st) == 0 &&
	       (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 >= created_at.ms;
}

static int write_form(const struct config *config, const struct draft_form *draft,
                      const char *format, const char *suffix, struct error *error)
{
	char path[4096];
	struct buf text = {0};

	snprintf(path, sizeof(path), "%s/drafts/%s.%s", config->state_dir, draft->name, suffix);
	if (stands(path, draft->created_at))
		return 0;
	int rc = draft_form_render(&text, draft, format, error);
	if (rc == 0)
		rc = write_whole(path, buf_bytes(&text), error);
	buf_free(&text);
	return rc;
}

static void write_forms(struct lane *lane, const struct draft_form *draft)
{
	const struct config *config = lane->parts->config;
	char folder[4096];
	struct error error;

	snprintf(folder, sizeof(folder), "%s/drafts", config->state_dir);
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		lane_alarm(lane, ALARM_DRAFT_FILE, draft->name, "cannot make %s: %s", folder,
		           strerror(errno));
	else if (write_form(config, draft, "tx-builder", "json", &error) != 0 ||
	         write_form(config, draft, "cast", "cast", &error) != 0 ||
	         (address_is_zero(&draft->safe) &&
	          write_form(config, draft, "calldata", "calldata", &error) != 0))
		lane_alarm(lane, ALARM_DRAFT_FILE, draft->name,
		           "its draft file could not be written: %s", error.text);
	else
		lane_alarm_clear(lane, ALARM_DRAFT_FILE, draft->name);
}

void draft_file_write(struct lane *lane, struct proposal_id id)
{
	struct store *store = lane->parts->store;
	struct arena arena = {0};
	struct proposal proposal;
	struct draft_form form;
	struct safe_tx_list txs;

	if (store_proposal_get(store, &arena, id, &proposal) == 0) {
		/* Others brought it where it is: nobody is to bring it there again. */
		bool external = strcmp(proposal.origin, "external") == 0;
		store_safe_tx_list(store, &arena, id, &txs);
		for (size_t i = 0; i < txs.count; i++) {
			if (external && txs.items[i].has_nonce)
				continue;
			form = draft_form_of_row(&arena, &proposal, &txs.items[i]);
			write_forms(lane, &form);
		}
		if (!external && draft_form_first(&form, &arena, &proposal) == 0)
			write_forms(lane, &form);
	}
	arena_free(&arena);
}

void draft_file_write_execute(struct lane *lane, const struct proposal *proposal)
{
	struct arena arena = {0};
	struct draft_form form;

	if (draft_form_then(&form, &arena, proposal) == 0)
		write_forms(lane, &form);
	arena_free(&arena);
}

void draft_file_write_aside(struct lane *lane, const struct proposal *proposal, const char *name,
                            struct bytes data, const char *note)
{
	struct arena arena = {0};
	struct draft_form form = draft_form_aside(&arena, proposal, name, data, note);

	write_forms(lane, &form);
	arena_free(&arena);
}

void draft_file_write_cancel(struct lane *lane, const struct proposal *proposal)
{
	struct arena arena = {0};
	struct draft_form form;

	draft_form_cancel(&form, &arena, lane->parts->store, proposal);
	write_forms(lane, &form);
	arena_free(&arena);
}

void draft_file_write_reject(struct lane *lane, const struct proposal *proposal,
                             const struct safe_tx_row *row)
{
	struct arena arena = {0};
	struct draft_form form = draft_form_reject(&arena, proposal, row);

	write_forms(lane, &form);
	arena_free(&arena);
}
