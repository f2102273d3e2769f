/* Measurements and their evidence; above all the rule that nothing comes back by itself. */
#include "tests/unit/death.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct evidence some_evidence(enum evidence_level level, const char *artifact)
{
	return (struct evidence){.level = level,
	                         .source = "folder",
	                         .artifact = artifact,
	                         .artifact_sha256 = store_fixture_hash(7),
	                         .details = "{\"format\":\"eif\"}"};
}

static struct measurement_id record(struct store_fixture *f, const struct evidence *evidence,
                                    bool *created)
{
	struct hash32 value = store_fixture_hash(1);

	store_begin(f->store);
	struct measurement_id id = store_measurement_record(f->store, "payments", KIND_COMPOSE,
	                                                    &value, evidence, created);
	store_commit(f->store);
	return id;
}

static void set_status(struct store_fixture *f, struct measurement_id id,
                       enum measurement_status status, const char *reason)
{
	store_begin(f->store);
	store_measurement_set_status(f->store, id, status, reason);
	store_commit(f->store);
}

static void approve(struct store_fixture *f, struct measurement_id id)
{
	store_begin(f->store);
	store_measurement_approve(f->store, id, "root");
	store_commit(f->store);
}

static void a_new_value_is_new_and_wanted(void **state)
{
	struct store_fixture *f = *state;
	struct evidence evidence = some_evidence(LEVEL_CLAIMED, "/a");
	bool created;
	struct measurement_id id = record(f, &evidence, &created);

	assert_true(created);
	struct measurement m = store_fixture_measurement(f, id);
	struct hash32 value = store_fixture_hash(1);
	assert_int_equal(m.id.n, id.n);
	assert_string_equal(m.target, "payments");
	assert_int_equal(m.kind, KIND_COMPOSE);
	assert_true(hash32_equal(&m.value, &value));
	assert_true(m.wanted);
	assert_int_equal(m.status, MEASUREMENT_NEW);
	assert_null(m.reason);
	assert_int_equal(m.level, LEVEL_CLAIMED);
	assert_false(m.is_signed);
	assert_false(m.approved);
	assert_int_equal(m.first_seen.ms, f->now);
	assert_int_equal(m.status_since.ms, f->now);

	store_fixture_reopen(f);
	struct measurement found;
	assert_int_equal(store_measurement_find(f->store, &f->arena, "payments", KIND_COMPOSE,
	                                        &value, &found),
	                 0);
	assert_int_equal(found.id.n, id.n);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct store_fixture *f = *state;
	struct hash32 value = store_fixture_hash(1);
	struct measurement m = {.kind = 5};

	assert_int_equal(store_measurement_get(f->store, &f->arena, (struct measurement_id){1}, &m),
	                 ERR_NOT_FOUND);
	assert_int_equal(m.kind, 0);
	store_fixture_record(f, 1);
	assert_int_equal(
	        store_measurement_find(f->store, &f->arena, "payments", KIND_COMPOSE, &value, &m),
	        ERR_NOT_FOUND);
	assert_int_equal(
	        store_measurement_find(f->store, &f->arena, "other", KIND_OS_IMAGE, &value, &m),
	        ERR_NOT_FOUND);
}

static void the_same_bytes_at_the_same_place_are_one_evidence(void **state)
{
	struct store_fixture *f = *state;
	struct evidence evidence = some_evidence(LEVEL_CLAIMED, "/a");
	struct evidence_list list;
	bool created;
	struct measurement_id id = record(f, &evidence, &created);

	assert_int_equal(record(f, &evidence, &created).n, id.n);
	assert_false(created);
	store_evidence_list(f->store, &f->arena, id, &list);
	assert_int_equal(list.count, 1);

	evidence.artifact = "/b";
	evidence.is_signed = true;
	record(f, &evidence, &created);
	evidence.artifact_sha256 = store_fixture_hash(8);
	evidence.level = LEVEL_RECOMPUTED;
	record(f, &evidence, &created);
	evidence.level = LEVEL_CLAIMED; /* weaker evidence adds, and does not weaken */
	record(f, &evidence, &created);
	store_evidence_list(f->store, &f->arena, id, &list);
	assert_int_equal(list.count, 4);
	assert_string_equal(list.items[0].artifact, "/a");
	assert_string_equal(list.items[0].source, "folder");
	assert_string_equal(list.items[0].details, "{\"format\":\"eif\"}");
	assert_int_equal(list.items[0].at.ms, f->now);
	assert_false(list.items[0].is_signed);
	assert_true(list.items[1].is_signed);
	assert_int_equal(list.items[2].level, LEVEL_RECOMPUTED);
	struct hash32 sha = store_fixture_hash(8);
	assert_true(hash32_equal(&list.items[2].artifact_sha256, &sha));

	struct measurement m = store_fixture_measurement(f, id);
	assert_int_equal(m.level, LEVEL_RECOMPUTED);
	assert_true(m.is_signed);
}

static void lists_answer_their_filters(void **state)
{
	struct store_fixture *f = *state;
	struct address kms = store_fixture_address(9);
	struct hash32 value = store_fixture_hash(2);
	struct evidence evidence = some_evidence(LEVEL_CLAIMED, "/a");
	struct measurement_list list;
	bool created;

	store_fixture_record(f, 1);
	struct measurement_id second = store_fixture_record(f, 2);
	store_begin(f->store);
	store_target_put(f->store, "other", 1, &kms, NULL);
	struct measurement_id third = store_measurement_record(f->store, "other", KIND_OS_IMAGE,
	                                                       &value, &evidence, &created);
	store_commit(f->store);
	assert_true(created);
	set_status(f, third, MEASUREMENT_HELD, "why");

	const struct {
		struct measurement_filter filter;
		size_t count;
		int64_t first;
	} cases[] = {
	        {{0}, 3, 1},
	        {{.target = "payments"}, 2, 1},
	        {{.target = "nobody"}, 0, 0},
	        {{.value = &value}, 2, second.n},
	        {{.value = &value, .target = "other"}, 1, third.n},
	        {{.value = &value, .status = MEASUREMENT_HELD}, 1, third.n},
	        {{.status = MEASUREMENT_NEW}, 2, 1},
	        {{.status = MEASUREMENT_NEW, .target = "other"}, 0, 0},
	        {{.status = MEASUREMENT_REVOKED}, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		store_measurement_list(f->store, &f->arena, &cases[i].filter, &list);
		assert_int_equal(list.count, cases[i].count);
		if (list.count > 0)
			assert_int_equal(list.items[0].id.n, cases[i].first);
		for (size_t k = 1; k < list.count; k++)
			assert_true(list.items[k - 1].id.n < list.items[k].id.n);
	}
}

static void a_change_is_an_event_and_no_change_is_none(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	store_fixture_pass(f, 5000);
	set_status(f, id, MEASUREMENT_HELD, "claimed is not enough");
	assert_string_equal(store_fixture_last_event(f),
	                    "measurement m1: new -> held: claimed is not enough");
	struct measurement m = store_fixture_measurement(f, id);
	assert_int_equal(m.status, MEASUREMENT_HELD);
	assert_string_equal(m.reason, "claimed is not enough");
	assert_int_equal(m.status_since.ms, f->now);
	assert_int_equal(m.first_seen.ms, STORE_FIXTURE_START);

	int64_t since = f->now;
	int64_t events = store_fixture_number(f, "SELECT count(*) FROM event");
	store_fixture_pass(f, 5000);
	set_status(f, id, MEASUREMENT_HELD, "claimed is not enough");
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM event"), events);
	set_status(f, id, MEASUREMENT_HELD, "another reason");
	assert_string_equal(store_fixture_last_event(f), "measurement m1: held: another reason");
	assert_int_equal(store_fixture_measurement(f, id).status_since.ms, since);

	set_status(f, id, MEASUREMENT_AUTHORIZED, NULL);
	assert_string_equal(store_fixture_last_event(f), "measurement m1: held -> authorized");
	assert_null(store_fixture_measurement(f, id).reason);
}

static void evidence_lifts_nothing(void **state)
{
	struct store_fixture *f = *state;
	const enum measurement_status statuses[] = {MEASUREMENT_HELD, MEASUREMENT_REVOKED,
	                                            MEASUREMENT_REFUSED};
	struct evidence evidence = some_evidence(LEVEL_ATTESTED, "/again");
	bool created;

	for (unsigned i = 0; i < ARRAY_LEN(statuses); i++) {
		struct measurement_id id = store_fixture_record(f, i + 1);
		struct hash32 value = store_fixture_hash(i + 1);
		set_status(f, id, statuses[i], "a reason");
		store_begin(f->store);
		store_measurement_set_wanted(f->store, id, false, "a person said so");
		store_measurement_record(f->store, "payments", KIND_OS_IMAGE, &value, &evidence,
		                         &created);
		store_commit(f->store);
		assert_false(created);
		struct measurement m = store_fixture_measurement(f, id);
		assert_int_equal(m.status, statuses[i]);
		assert_false(m.wanted);
		assert_int_equal(m.level, LEVEL_ATTESTED); /* but it is recorded */
	}
}

struct lift {
	struct store_fixture *f;
	struct measurement_id id;
	enum measurement_status to;
};

static void try_lift(void *arg)
{
	struct lift *lift = arg;

	set_status(lift->f, lift->id, lift->to, "by itself");
}

/* Every pair of statuses: which changes set_status makes and which it refuses. */
static void set_status_lifts_nothing(void **state)
{
	struct store_fixture *f = *state;
	unsigned n = 0;

	for (int from = MEASUREMENT_NEW; from <= MEASUREMENT_REFUSED; from++) {
		for (int to = MEASUREMENT_NEW; to <= MEASUREMENT_REFUSED; to++) {
			struct lift lift = {f, store_fixture_record(f, ++n),
			                    (enum measurement_status)to};
			set_status(f, lift.id, (enum measurement_status)from, "before");
			const char *said = death_stderr(&f->arena, try_lift, &lift);
			bool lifts = to == MEASUREMENT_NEW || to == MEASUREMENT_PROPOSED;
			bool refused = (lifts &&
			                (from == MEASUREMENT_HELD || from == MEASUREMENT_REVOKED ||
			                 from == MEASUREMENT_REFUSED)) ||
			               (to == MEASUREMENT_NEW && from == MEASUREMENT_AUTHORIZED);
			assert_int_equal(store_fixture_measurement(f, lift.id).status,
			                 refused ? from : to);
			if (refused)
				assert_non_null(strstr(said, "only an approval makes it"));
			else
				assert_string_equal(said, "");
		}
	}
}

static void revoked_means_wanted_absent(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	approve(f, id);
	set_status(f, id, MEASUREMENT_AUTHORIZED, NULL);
	set_status(f, id, MEASUREMENT_REVOKED, "removed on chain");
	struct measurement m = store_fixture_measurement(f, id);
	assert_int_equal(m.status, MEASUREMENT_REVOKED);
	assert_false(m.wanted);
	assert_false(m.approved); /* the approval was for what came before */

	set_status(f, id, MEASUREMENT_AUTHORIZED, "added outside");
	m = store_fixture_measurement(f, id);
	assert_int_equal(m.status, MEASUREMENT_AUTHORIZED);
	assert_false(m.wanted); /* the chain's answer is not a person's word here */
}

static void approve_is_what_lifts(void **state)
{
	struct store_fixture *f = *state;
	const struct {
		enum measurement_status before, after;
	} cases[] = {
	        {MEASUREMENT_NEW, MEASUREMENT_NEW},
	        {MEASUREMENT_HELD, MEASUREMENT_NEW},
	        {MEASUREMENT_REVOKED, MEASUREMENT_NEW},
	        {MEASUREMENT_AUTHORIZED, MEASUREMENT_AUTHORIZED},
	        {MEASUREMENT_PROPOSED, MEASUREMENT_PROPOSED},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct measurement_id id = store_fixture_record(f, i + 1);
		set_status(f, id, cases[i].before, "before");
		store_begin(f->store);
		store_measurement_set_wanted(f->store, id, false, "revoked by hand");
		store_commit(f->store);
		assert_false(store_fixture_measurement(f, id).wanted);
		approve(f, id);
		struct measurement m = store_fixture_measurement(f, id);
		assert_int_equal(m.status, cases[i].after);
		assert_true(m.wanted);
		assert_true(m.approved);
	}
}

static void approve_does_not_lift_a_refusal(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	set_status(f, id, MEASUREMENT_REFUSED, "debug enclave");
	approve(f, id);
	struct measurement m = store_fixture_measurement(f, id);
	assert_int_equal(m.status, MEASUREMENT_REFUSED);
	assert_string_equal(m.reason, "debug enclave");
	assert_false(m.approved);
}

static void approve_of_what_is_under_way_waits_for_it(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	store_fixture_propose(f, ACTION_ADD, 1, id);
	set_status(f, id, MEASUREMENT_HELD, "an operator");
	approve(f, id);
	assert_int_equal(store_fixture_measurement(f, id).status, MEASUREMENT_PROPOSED);
}

static void wanted_absent_takes_the_approval_back(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	approve(f, id);
	store_begin(f->store);
	store_measurement_set_wanted(f->store, id, false, "revoked by root");
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f),
	                    "measurement m1: wanted absent: revoked by root");
	assert_false(store_fixture_measurement(f, id).approved);
	store_begin(f->store);
	store_measurement_set_wanted(f->store, id, true, "registered by root");
	store_commit(f->store);
	assert_false(store_fixture_measurement(f, id).approved);
	assert_true(store_fixture_measurement(f, id).wanted);
}

static bool lift(struct store_fixture *f, struct measurement_id id, const char *held_for)
{
	store_begin(f->store);
	bool lifted = store_measurement_lift(f->store, id, held_for, "recomputed now");
	store_commit(f->store);
	return lifted;
}

static void only_the_named_hold_is_lifted(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	assert_false(lift(f, id, "evidence")); /* not held at all */
	set_status(f, id, MEASUREMENT_HELD, "p7 rejected: nonce 3 was used");
	assert_false(lift(f, id, "evidence"));
	assert_false(lift(f, id, ""));
	set_status(f, id, MEASUREMENT_HELD, "evidence claimed is below recomputed");
	assert_true(lift(f, id, "evidence"));
	assert_int_equal(store_fixture_measurement(f, id).status, MEASUREMENT_NEW);
	assert_string_equal(store_fixture_last_event(f),
	                    "measurement m1: held -> new: recomputed now");

	store_fixture_propose(f, ACTION_ADD, 1, id);
	set_status(f, id, MEASUREMENT_HELD, "evidence claimed is below recomputed");
	assert_true(lift(f, id, "evidence"));
	assert_int_equal(store_fixture_measurement(f, id).status, MEASUREMENT_PROPOSED);

	set_status(f, id, MEASUREMENT_HELD, "evidence claimed is below recomputed");
	store_begin(f->store);
	store_measurement_set_wanted(f->store, id, false, "evidence: revoked by root");
	store_commit(f->store);
	assert_false(lift(f, id, "evidence"));
	set_status(f, id, MEASUREMENT_REVOKED, "evidence");
	assert_false(lift(f, id, "evidence"));
}

static void a_target_is_written_once_and_again_when_it_changes(void **state)
{
	struct store_fixture *f = *state;
	struct address kms = store_fixture_address(1), app = store_fixture_address(2);

	int64_t events = store_fixture_number(f, "SELECT count(*) FROM event");
	store_begin(f->store);
	store_target_put(f->store, "payments", STORE_FIXTURE_CHAIN, &kms, &app);
	store_commit(f->store);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM event"), events);

	store_begin(f->store);
	store_target_put(f->store, "payments", STORE_FIXTURE_CHAIN, &kms, NULL);
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f),
	                    "daemon payments: target changed: chain 8453, registry "
	                    "0xcd00000000000000000000000000000000000001");
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM target WHERE app IS NULL"),
	                 1);
}

static void record_for_no_target(void *arg)
{
	struct store_fixture *f = arg;
	struct evidence evidence = some_evidence(LEVEL_CLAIMED, "/a");
	struct hash32 value = store_fixture_hash(1);
	bool created;

	store_begin(f->store);
	store_measurement_record(f->store, "nobody", KIND_OS_IMAGE, &value, &evidence, &created);
}

static void change_nothing(void *arg)
{
	set_status(arg, (struct measurement_id){99}, MEASUREMENT_HELD, "why");
}

static void what_cannot_be_aborts(void **state)
{
	death_expect(record_for_no_target, *state, "target \"nobody\" was never put");
	death_expect(change_nothing, *state, "no measurement m99");
}

static void names(void **state)
{
	(void)state;
	const char *const expected[] = {"new",        "held",    "proposed",
	                                "authorized", "revoked", "refused"};

	for (int i = 0; i < 6; i++)
		assert_string_equal(measurement_status_name((enum measurement_status)(i + 1)),
		                    expected[i]);
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(a_new_value_is_new_and_wanted),
	        WITH_STORE(what_is_not_there_is_not_found),
	        WITH_STORE(the_same_bytes_at_the_same_place_are_one_evidence),
	        WITH_STORE(lists_answer_their_filters),
	        WITH_STORE(a_change_is_an_event_and_no_change_is_none),
	        WITH_STORE(evidence_lifts_nothing),
	        WITH_STORE(set_status_lifts_nothing),
	        WITH_STORE(revoked_means_wanted_absent),
	        WITH_STORE(approve_is_what_lifts),
	        WITH_STORE(approve_does_not_lift_a_refusal),
	        WITH_STORE(approve_of_what_is_under_way_waits_for_it),
	        WITH_STORE(wanted_absent_takes_the_approval_back),
	        WITH_STORE(only_the_named_hold_is_lifted),
	        WITH_STORE(a_target_is_written_once_and_again_when_it_changes),
	        WITH_STORE(what_cannot_be_aborts),
	        cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
