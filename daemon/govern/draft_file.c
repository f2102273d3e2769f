#include "daemon/govern/draft_file.h"

#include "common/governance/cast.h"
#include "common/governance/txbuilder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- rendering ----------------------------------------------------------------------------------
 */

static void render_tx_builder(struct buf *out, const struct draft_call *draft,
                              const struct contract_call *call)
{
	struct txbuilder_meta meta = {
	        .chain_id = draft->chain_id,
	        .safe = draft->safe,
	        .name = draft->name,
	        .description = draft->description,
	        .created_ms = draft->created_at.ms,
	};
	txbuilder_write(out, &meta, call, 1);
}

int draft_render(struct buf *out, const struct draft_call *draft, const char *format,
                 struct error *error)
{
	struct contract_call call = {.to = draft->to, .data = draft->data};
	char to[ADDRESS_TEXT_SIZE];

	if (strcmp(format, "tx-builder") == 0) {
		render_tx_builder(out, draft, &call);
	} else if (strcmp(format, "calldata") == 0) {
		buf_printf(out, "%s 0x", address_text(to, &draft->to));
		buf_append_hex(out, draft->data);
		buf_append_byte(out, '\n');
	} else if (strcmp(format, "cast") == 0) {
		cast_send(out, &call, &draft->safe);
		buf_append_byte(out, '\n');
	} else {
		return error_set(error, ERR_INVALID,
		                 "no export format \"%s\"; expected tx-builder, calldata or cast",
		                 format);
	}
	return 0;
}

static char *describe(struct arena *arena, const struct proposal *proposal)
{
	struct buf text = {0};
	char value[HASH32_TEXT_SIZE];

	for (size_t i = 0; i < proposal->call_count; i++)
		buf_printf(&text, "%s%s %s %s", i > 0 ? "; " : "",
		           action_name(proposal->calls[i].action),
		           kind_name(proposal->calls[i].kind),
		           hash32_text(value, &proposal->calls[i].value));
	char *copy = arena_strdup(arena, buf_text(&text));
	buf_free(&text);
	return copy;
}

static struct draft_call draft_of(struct arena *arena, const struct proposal *proposal,
                                  const char *purpose, unsigned attempt)
{
	return (struct draft_call){
	        .chain_id = proposal->chain_id,
	        .safe = proposal->safe,
	        .name = arena_printf(arena, "p%lld-%s-%u", (long long)proposal->id.n, purpose,
	                             attempt),
	        .description = describe(arena, proposal),
	        .created_at = proposal->created_at,
	};
}

static struct draft_call draft_of_row(struct arena *arena, const struct proposal *proposal,
                                      const struct safe_tx_row *row)
{
	struct draft_call draft =
	        draft_of(arena, proposal, purpose_name(row->purpose), row->attempt);

	draft.to = row->to;
	draft.data = row->data;
	return draft;
}

int draft_current(struct draft_call *out, struct arena *arena, struct store *store,
                  const struct proposal *proposal)
{
	struct safe_tx_list txs;

	*out = (struct draft_call){0};
	store_safe_tx_list(store, arena, proposal->id, &txs);
	if (txs.count == 0)
		return ERR_NOT_FOUND;
	*out = draft_of_row(arena, proposal, &txs.items[txs.count - 1]);
	return 0;
}

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

static int write_form(const struct config *config, const struct draft_call *draft,
                      const char *format, const char *suffix, struct error *error)
{
	char path[4096];
	struct buf text = {0};

	snprintf(path, sizeof(path), "%s/drafts/%s.%s", config->state_dir, draft->name, suffix);
	if (stands(path, draft->created_at))
		return 0;
	int rc = draft_render(&text, draft, format, error);
	if (rc == 0)
		rc = write_whole(path, buf_bytes(&text), error);
	buf_free(&text);
	return rc;
}

static void write_forms(struct lane *lane, const struct draft_call *draft)
{
	const struct config *config = lane->parts->config;
	char folder[4096];
	struct error error;

	snprintf(folder, sizeof(folder), "%s/drafts", config->state_dir);
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		lane_alarm(lane, ALARM_DRAFT_FILE, draft->name, "cannot make %s: %s", folder,
		           strerror(errno));
	else if (write_form(config, draft, "tx-builder", "json", &error) != 0 ||
	         write_form(config, draft, "cast", "cast", &error) != 0)
		lane_alarm(lane, ALARM_DRAFT_FILE, draft->name,
		           "its draft file could not be written: %s", error.text);
}

void draft_file_write(struct lane *lane, struct proposal_id id)
{
	struct store *store = lane->parts->store;
	struct arena arena = {0};
	struct proposal proposal;
	struct safe_tx_list txs;

	if (store_proposal_get(store, &arena, id, &proposal) == 0) {
		store_safe_tx_list(store, &arena, id, &txs);
		for (size_t i = 0; i < txs.count; i++) {
			struct draft_call draft = draft_of_row(&arena, &proposal, &txs.items[i]);
			write_forms(lane, &draft);
		}
	}
	arena_free(&arena);
}

void draft_file_write_execute(struct lane *lane, const struct proposal *proposal)
{
	struct arena arena = {0};
	struct buf data = {0};
	struct timelock_batch batch = proposal_batch(&arena, proposal);
	struct draft_call draft = draft_of(&arena, proposal, purpose_name(PURPOSE_EXECUTE), 1);

	timelock_encode_execute(&data, &batch);
	draft.to = proposal->timelock;
	draft.data = buf_bytes(&data);
	write_forms(lane, &draft);
	buf_free(&data);
	arena_free(&arena);
}
