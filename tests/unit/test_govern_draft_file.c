/* The files for people: what is in them, that they are whole, and that each is written once. */
#include "daemon/govern/draft_file.h"
#include "daemon/govern/draft_form.h"

#include "common/governance/txbuilder.h"
#include "tests/unit/fixture.h"
#include "tests/unit/store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
	struct store_fixture *f;
	struct config config;
	struct config_chain chain;
	struct govern_parts parts;
	struct lane *lane;
	struct proposal_id id;
	struct proposal proposal;
	struct buf schedule; /* calldata of its first Safe transaction */
};

static void add_schedule(struct world *w)
{
	struct timelock_batch batch = proposal_batch(&w->f->arena, &w->proposal);

	buf_clear(&w->schedule);
	timelock_encode_schedule(&w->schedule, &batch, 3600);
	store_begin(w->f->store);
	const struct safe_tx_row fresh = {
	        .proposal = w->id,
	        .purpose = PURPOSE_SCHEDULE,
	        .safe = w->proposal.safe,
	        .to = w->proposal.timelock,
	        .data = buf_bytes(&w->schedule),
	};
	store_safe_tx_add(w->f->store, &fresh);
	store_commit(w->f->store);
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	store_fixture_setup((void **)&w->f);
	w->chain = (struct config_chain){.name = (char *)"base", .chain_id = STORE_FIXTURE_CHAIN};
	w->config = (struct config){.state_dir = w->f->folder};
	w->parts = (struct govern_parts){.store = w->f->store, .config = &w->config};
	w->lane = xcalloc(1, sizeof(*w->lane));
	w->lane->parts = &w->parts;
	w->lane->config = &w->chain;
	w->lane->troubles = troubles_new(w->f->store, STORE_FIXTURE_CHAIN);
	w->id = store_fixture_propose(w->f, ACTION_ADD, 1, store_fixture_record(w->f, 1));
	assert_int_equal(store_proposal_get(w->f->store, &w->f->arena, w->id, &w->proposal), 0);
	*state = w;
	return 0;
}

static char *folder(struct world *w)
{
	return arena_printf(&w->f->arena, "%s/drafts", w->f->folder);
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;
	DIR *dir = opendir(folder(w));
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		unlink(arena_printf(&w->f->arena, "%s/%s", folder(w), entry->d_name));
	if (dir != NULL)
		closedir(dir);
	rmdir(folder(w));
	lane_free(w->lane);
	buf_free(&w->schedule);
	free(w);
	return store_fixture_teardown(&fixture);
}

static const char *content(struct world *w, const char *name)
{
	return (const char *)fixture_bytes(&w->f->arena,
	                                   arena_printf(&w->f->arena, "%s/%s", folder(w), name))
	        .data;
}

static size_t files(struct world *w)
{
	DIR *dir = opendir(folder(w));
	const struct dirent *entry;
	size_t count = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return count;
}

static void test_the_forms(void **state)
{
	struct world *w = *state;
	struct buf text = {0};
	struct draft_form draft;
	struct error error;

	assert_int_equal(draft_form_current(&draft, &w->f->arena, w->f->store, &w->proposal),
	                 ERR_NOT_FOUND);
	add_schedule(w);
	assert_int_equal(draft_form_current(&draft, &w->f->arena, w->f->store, &w->proposal), 0);
	assert_string_equal(draft.name, "p1-schedule-1");
	assert_int_equal(draft.step_count, 1);
	assert_true(address_equal(&draft.steps[0].to, &w->proposal.timelock));
	assert_true(bytes_equal(draft.steps[0].data, buf_bytes(&w->schedule)));

	assert_int_equal(draft_form_render(&text, &draft, "calldata", &error), 0);
	char to[ADDRESS_TEXT_SIZE];
	assert_non_null(strstr(buf_text(&text), address_text(to, &w->proposal.timelock)));
	assert_non_null(strstr(buf_text(&text), " 0x8f2a0bb0"));
	assert_int_equal(text.len, 42 + 1 + 2 + 2 * w->schedule.len + 1);

	buf_clear(&text);
	assert_int_equal(draft_form_render(&text, &draft, "cast", &error), 0);
	assert_int_equal(strncmp(buf_text(&text), "cast send 0x", 12), 0);
	assert_non_null(strstr(buf_text(&text), "scheduleBatch("));
	assert_int_equal(text.data[text.len - 1], '\n');

	buf_clear(&text);
	assert_int_equal(draft_form_render(&text, &draft, "yaml", &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "tx-builder"));
	assert_int_equal(text.len, 0);
	buf_free(&text);
}

static void test_the_builder_file(void **state)
{
	struct world *w = *state;
	struct buf text = {0};
	struct draft_form draft;
	struct error error;
	struct jval *file;
	char hash[HASH32_TEXT_SIZE], safe[ADDRESS_TEXT_SIZE];

	add_schedule(w);
	assert_int_equal(draft_form_current(&draft, &w->f->arena, w->f->store, &w->proposal), 0);
	assert_int_equal(draft_form_render(&text, &draft, "tx-builder", &error), 0);
	assert_int_equal(jval_parse(&file, buf_bytes(&text), &error), 0);
	assert_string_equal(jval_get_string(file, "chainId"), "8453");
	const struct jval *meta = jval_get(file, "meta");
	struct hash32 checksum = txbuilder_checksum(file);
	assert_string_equal(jval_get_string(meta, "checksum"), hash32_text(hash, &checksum));
	assert_string_equal(jval_get_string(meta, "createdFromSafeAddress"),
	                    address_text(safe, &w->proposal.safe));
	/* People read there what it is about. */
	const char *description = jval_get_string(meta, "description");
	struct hash32 value = store_fixture_hash(1);
	assert_non_null(strstr(description, "add os-image"));
	assert_non_null(strstr(description, hash32_text(hash, &value)));
	const struct jval *txs = jval_get(file, "transactions");
	assert_int_equal(jval_count(txs), 1);
	assert_string_equal(jval_get_string(jval_at(txs, 0), "value"), "0");
	jval_free(file);
	buf_free(&text);
}

static void test_files_are_written_once(void **state)
{
	struct world *w = *state;

	add_schedule(w);
	draft_file_write(w->lane, w->id);
	assert_int_equal(files(w), 2);
	assert_non_null(strstr(content(w, "p1-schedule-1.json"), "\"checksum\""));
	assert_non_null(strstr(content(w, "p1-schedule-1.cast"), "scheduleBatch("));

	/* What people did to a file is theirs. */
	char *path = arena_printf(&w->f->arena, "%s/p1-schedule-1.cast", folder(w));
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("noted", file);
	fclose(file);
	draft_file_write(w->lane, w->id);
	assert_string_equal(content(w, "p1-schedule-1.cast"), "noted");

	/* A further attempt has its own. */
	add_schedule(w);
	draft_file_write(w->lane, w->id);
	assert_int_equal(files(w), 4);
	assert_non_null(strstr(content(w, "p1-schedule-2.cast"), "scheduleBatch("));
}

/* A database restored from an older backup gives the same ids again. */
static void test_a_file_of_another_life_is_replaced(void **state)
{
	struct world *w = *state;
	static const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	add_schedule(w);
	draft_file_write(w->lane, w->id);
	char *path = arena_printf(&w->f->arena, "%s/p1-schedule-1.cast", folder(w));
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("another p1", file);
	fclose(file);
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	draft_file_write(w->lane, w->id);
	assert_non_null(strstr(content(w, "p1-schedule-1.cast"), "scheduleBatch("));
}

static void test_the_execution_s_files(void **state)
{
	struct world *w = *state;

	draft_file_write_execute(w->lane, &w->proposal);
	assert_int_equal(files(w), 2);
	assert_non_null(strstr(content(w, "p1-execute-1.cast"), "executeBatch("));
	/* A folder without the right to write is an alarm, once. */
	unlink(arena_printf(&w->f->arena, "%s/p1-execute-1.cast", folder(w)));
	unlink(arena_printf(&w->f->arena, "%s/p1-execute-1.json", folder(w)));
	assert_int_equal(rmdir(folder(w)), 0);
	FILE *file = fopen(folder(w), "w");
	assert_non_null(file);
	fclose(file);
	draft_file_write_execute(w->lane, &w->proposal);
	assert_non_null(strstr(store_fixture_last_event(w->f), "alarm p1-execute-1: "));
	unlink(folder(w));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_the_forms),
	        TEST(test_the_builder_file),
	        TEST(test_files_are_written_once),
	        TEST(test_a_file_of_another_life_is_replaced),
	        TEST(test_the_execution_s_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
