/* The event log, and every way in which somebody could change it afterwards. */
#include "tests/unit/store_fixture.h"

#include "common/crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void add_events(struct store_fixture *f, unsigned count)
{
	store_begin(f->store);
	for (unsigned i = 0; i < count; i++)
		store_event_add(f->store, "operator", "m1", "event number %u", i);
	store_commit(f->store);
}

static void events_are_numbered_and_listed(void **state)
{
	struct store_fixture *f = *state;
	struct event_list list;

	add_events(f, 20); /* event 1 is the fixture's target */
	store_event_list(f->store, &f->arena, 0, 1000, &list);
	assert_int_equal(list.count, 21);
	store_event_list(f->store, &f->arena, 5, 3, &list);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.items[0].id, 6);
	assert_int_equal(list.items[2].id, 8);
	assert_string_equal(list.items[0].type, "operator");
	assert_string_equal(list.items[0].subject, "m1");
	assert_string_equal(list.items[0].text, "event number 4");
	assert_int_equal(list.items[0].at.ms, f->now);
	store_event_list(f->store, &f->arena, 21, 3, &list);
	assert_int_equal(list.count, 0);
	store_event_list(f->store, &f->arena, 0, 0, &list);
	assert_int_equal(list.count, 0);
}

static void one_event_is_one_line(void **state)
{
	struct store_fixture *f = *state;

	store_begin(f->store);
	store_event_add(f->store, "alarm", "p\t1", "%s", "reverted: a\nb\x7f\xc3\xa9");
	store_event_add(f->store, "alarm", "", "%s", "");
	store_commit(f->store);
	struct event_list list;
	store_event_list(f->store, &f->arena, 1, 2, &list);
	assert_string_equal(list.items[0].subject, "p\\x091");
	assert_string_equal(list.items[0].text, "reverted: a\\x0ab\\x7f\xc3\xa9");
	assert_string_equal(list.items[1].text, "");
	int64_t checked;
	assert_int_equal(store_event_verify(f->store, &checked, &f->error), 0);
}

/* The hash as the header defines it, computed here from its parts. */
static void the_hash_is_as_described(void **state)
{
	struct store_fixture *f = *state;
	struct event_list list;

	add_events(f, 3);
	store_event_list(f->store, &f->arena, 0, 10, &list);
	struct hash32 previous = {0};
	for (size_t i = 0; i < list.count; i++) {
		const struct event_row *row = &list.items[i];
		const char *const texts[] = {row->type, row->subject, row->text};
		struct buf buf = {0};
		uint8_t number[8];
		buf_append(&buf, previous.b, 32);
		be64_put(number, (uint64_t)row->id);
		buf_append(&buf, number, 8);
		be64_put(number, (uint64_t)row->at.ms);
		buf_append(&buf, number, 8);
		for (size_t k = 0; k < 3; k++) {
			be64_put(number, strlen(texts[k]));
			buf_append(&buf, number, 8);
			buf_append_text(&buf, texts[k]);
		}
		previous = sha256(buf_bytes(&buf));
		buf_free(&buf);
		assert_true(hash32_equal(&previous, &row->hash));
	}
}

static void a_rolled_back_event_never_was(void **state)
{
	struct store_fixture *f = *state;
	int64_t checked;

	add_events(f, 2);
	store_begin(f->store);
	store_event_add(f->store, "operator", "m1", "not to be");
	store_rollback(f->store);
	add_events(f, 1);
	assert_int_equal(store_event_verify(f->store, &checked, &f->error), 0);
	assert_int_equal(checked, 4);
}

/* What a second program may do to the file, and what verify says to it. Event 1 is the fixture's,
 * 2 to 11 are ours. */
static const struct {
	const char *sql;
	const char *says;
} tampering[] = {
        {"UPDATE event SET text = 'event number 99' WHERE id = 5", "event 5 was changed"},
        {"UPDATE event SET subject = 'm2' WHERE id = 5", "event 5 was changed"},
        {"UPDATE event SET type = 'alarm' WHERE id = 1", "event 1 was changed"},
        {"UPDATE event SET at = at + 1 WHERE id = 11", "event 11 was changed"},
        {"UPDATE event SET hash = randomblob(32) WHERE id = 3", "event 3 was changed"},
        {"UPDATE event SET type = 'operatorm', subject = '1' WHERE id = 4", "event 4 was changed"},
        {"UPDATE event SET text = x.text FROM event x WHERE event.id = 3 AND x.id = 4",
         "event 3 was changed"},
        {"DELETE FROM event WHERE id = 6", "event 6 is missing"},
        {"DELETE FROM event WHERE id = 1", "event 1 is missing"},
        {"DELETE FROM event WHERE id = 11", "event 11 is missing"},
        {"DELETE FROM event WHERE id > 4", "event 5 is missing"},
        {"DELETE FROM event", "event 1 is missing"},
        {"DELETE FROM event WHERE id = 6; UPDATE event SET id = id - 1 WHERE id > 6",
         "event 6 was changed"},
        {"INSERT INTO event SELECT 12, at, type, subject, text, hash FROM event WHERE id = 11",
         "event 12 was changed"},
        {"INSERT INTO event SELECT 0, at, type, subject, text, hash FROM event WHERE id = 11",
         "event 0 was not written by registrard"},
        {"UPDATE event_head SET id = 10", "event 11 was not written by registrard"},
        {"UPDATE event_head SET hash = randomblob(32)", "event 11 was not written by registrard"},
};

static void verify_finds_every_change(void **state)
{
	struct store_fixture *f = *state;
	int64_t checked;

	add_events(f, 10);
	const char *clean = arena_printf(&f->arena, "%s/clean.db", f->folder);
	assert_int_equal(store_backup(f->store, clean, &f->error), 0);
	for (size_t i = 0; i < ARRAY_LEN(tampering); i++) {
		assert_string_equal(
		        store_fixture_sql(f, arena_printf(&f->arena,
		                                          "DROP TRIGGER event_no_update;"
		                                          "DROP TRIGGER event_no_delete;%s",
		                                          tampering[i].sql)),
		        "");
		assert_int_equal(store_event_verify(f->store, &checked, &f->error), ERR_INVALID);
		assert_int_equal(checked, 0);
		if (strstr(f->error.text, tampering[i].says) == NULL)
			fail_msg("\"%s\" after: %s", f->error.text, tampering[i].sql);
		store_close(f->store);
		f->store = NULL;
		assert_int_equal(remove(f->path), 0);
		assert_int_equal(rename(clean, f->path), 0);
		assert_int_equal(store_open(&f->store, f->path, &f->error), 0);
		assert_int_equal(store_backup(f->store, clean, &f->error), 0);
		assert_int_equal(store_event_verify(f->store, &checked, &f->error), 0);
		assert_int_equal(checked, 11);
	}
	assert_int_equal(remove(clean), 0);
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(events_are_numbered_and_listed),
	        WITH_STORE(one_event_is_one_line),
	        WITH_STORE(the_hash_is_as_described),
	        WITH_STORE(a_rolled_back_event_never_was),
	        WITH_STORE(verify_finds_every_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
