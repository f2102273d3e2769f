/* Rows of the store as the JSON that scripts read: every field, and what waits for whom. */
#include "common/store/alarm.h"
#include "common/store/store_event.h"
#include "common/store/store_blocked.h"
#include "daemon/api/report.h"

#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The keys of an object, in order, joined by spaces. */
static int append_key(const char *key, const struct jval *value, void *arg)
{
	(void)value;
	buf_printf(arg, "%s%s", ((struct buf *)arg)->len > 0 ? " " : "", key);
	return 0;
}

static void assert_keys(const struct jval *object, const char *expected)
{
	struct buf keys = {0};

	jval_each(object, append_key, &keys);
	assert_string_equal(buf_text(&keys), expected);
	buf_free(&keys);
}

static void assert_json(const struct jval *value, const char *expected)
{
	struct buf text = {0};

	jval_write(&text, value, JVAL_COMPACT);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
}

static void assert_member(const struct jval *object, const char *key, const char *expected)
{
	assert_json(jval_get(object, key), expected);
}

static struct jval *measurement_report(struct store_fixture *f, struct measurement_id id)
{
	struct measurement m = store_fixture_measurement(f, id);

	return report_measurement(f->store, &f->arena, &m);
}

static struct jval *proposal_report(struct store_fixture *f, struct proposal_id id)
{
	struct proposal p;

	assert_int_equal(store_proposal_get(f->store, &f->arena, id, &p), 0);
	return report_proposal(f->store, &f->arena, &p);
}

static void a_measurement_has_every_field(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 7);
	struct jval *report = measurement_report(f, id);

	assert_keys(
	        report,
	        "id kind value target wanted status reason pending evidence first_seen proposals");
	assert_member(report, "id", "\"m1\"");
	assert_member(report, "kind", "\"os-image\"");
	assert_member(report, "target", "\"payments\"");
	assert_member(report, "wanted", "\"present\"");
	assert_member(report, "status", "\"new\"");
	assert_member(report, "reason", "null");
	assert_member(report, "pending", "null");
	assert_member(report, "proposals", "[]");
	const struct jval *evidence = jval_at(jval_get(report, "evidence"), 0);
	assert_keys(evidence, "level signed source artifact details");
	assert_true(jval_is_object(jval_get(evidence, "details")) ||
	            jval_is_null(jval_get(evidence, "details")));
	const char *value = jval_get_string(report, "value");
	assert_int_equal(strlen(value), 66);
	assert_int_equal(strspn(value + 2, "0123456789abcdef"), 64);
	jval_free(report);
}

static void pending_is_what_a_live_proposal_does(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 7);
	struct proposal_id p = store_fixture_propose(f, ACTION_ADD, 7, id);
	struct jval *report = measurement_report(f, id);

	assert_member(report, "status", "\"proposed\"");
	assert_member(report, "pending", "\"add\"");
	assert_member(report, "proposals", "[\"p1\"]");
	jval_free(report);

	store_fixture_move(f, p, STATE_DRAFTED, STATE_EXPIRED, "grew old");
	report = measurement_report(f, id);
	assert_member(report, "status", "\"held\"");
	assert_member(report, "pending", "null");
	assert_member(report, "proposals", "[\"p1\"]");
	jval_free(report);
}

static void a_proposal_has_every_field(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 7);
	struct proposal_id p = store_fixture_propose(f, ACTION_ADD, 7, id);
	struct jval *report = proposal_report(f, p);

	assert_keys(report, "id target origin state flags calls safe safe_txs safe_tx_hash "
	                    "safe_nonce confirmations "
	                    "threshold operation_id ready_at history");
	assert_member(report, "state", "\"drafted\"");
	assert_member(report, "flags", "[]");
	assert_member(report, "safe_nonce", "null");
	assert_member(report, "ready_at", "null");
	assert_keys(jval_at(jval_get(report, "calls"), 0), "to data action kind value");
	const struct jval *first = jval_at(jval_get(report, "history"), 0);
	assert_keys(first, "at from to reason tx");
	assert_member(first, "from", "null");
	assert_member(first, "to", "\"drafted\"");
	assert_member(first, "tx", "null");
	jval_free(report);

	/* A time is a date, or nothing. */
	for (int k = 0; k < 2; k++) {
		store_begin(f->store);
		store_proposal_set_ready_at(f->store, p, k == 0 ? UINT64_MAX : 1767225600);
		store_commit(f->store);
		report = proposal_report(f, p);
		assert_member(report, "ready_at", k == 0 ? "null" : "\"2026-01-01T00:00:00Z\"");
		jval_free(report);
	}
}

/* Assigns a nonce and queues the schedule of p; returns its row. */
static struct safe_tx_id queue(struct store_fixture *f, struct proposal_id p, enum purpose purpose,
                               uint64_t nonce)
{
	struct address safe = store_fixture_address(1), to = store_fixture_address(2);
	struct hash32 hash = store_fixture_hash((unsigned)nonce);

	store_begin(f->store);
	const struct safe_tx_row fresh = {
	        .proposal = p,
	        .purpose = purpose,
	        .safe = safe,
	        .to = to,
	        .data = bytes_text("data"),
	};
	struct safe_tx_id id = store_safe_tx_add(f->store, &fresh);
	assert_int_equal(store_safe_tx_assign(f->store, id, nonce, &hash, &f->error), 0);
	store_safe_tx_set_status(f->store, id, SAFE_TX_QUEUED, NULL, 0);
	store_safe_tx_set_confirmations(f->store, id, 1, 2);
	store_commit(f->store);
	return id;
}

static void the_flat_fields_are_of_what_awaits_signatures(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 7);
	struct proposal_id p = store_fixture_propose(f, ACTION_ADD, 7, id);
	struct safe_tx_id tx = queue(f, p, PURPOSE_SCHEDULE, 5);
	struct jval *report = proposal_report(f, p);

	assert_member(report, "safe_nonce", "5");
	assert_member(report, "confirmations", "1");
	assert_member(report, "threshold", "2");
	const struct jval *row = jval_at(jval_get(report, "safe_txs"), 0);
	assert_keys(row, "purpose attempt safe_tx_hash nonce confirmations threshold status tx");
	assert_member(row, "purpose", "\"schedule\"");
	assert_member(row, "status", "\"queued\"");
	assert_string_equal(jval_get_string(row, "safe_tx_hash"),
	                    jval_get_string(report, "safe_tx_hash"));
	jval_free(report);

	struct blocked blocked = {.nonce = 3, .since = {1000}, .what = "nonce 3: nothing, a hole"};
	store_begin(f->store);
	store_blocked_put(f->store, tx, &blocked);
	store_commit(f->store);
	report = proposal_report(f, p);
	const struct jval *front = jval_get(jval_at(jval_get(report, "safe_txs"), 0), "blocked");
	assert_keys(front, "nonce since by");
	assert_member(front, "nonce", "3");
	assert_member(front, "since", "\"1970-01-01T00:00:01.000Z\"");
	assert_member(front, "by", "\"nonce 3: nothing, a hole\"");
	jval_free(report);

	struct hash32 on_chain = store_fixture_hash(99);
	store_begin(f->store);
	store_safe_tx_set_status(f->store, tx, SAFE_TX_EXECUTED, &on_chain, 12);
	store_safe_tx_set_confirmations(f->store, tx, 2, 2);
	store_commit(f->store);
	report = proposal_report(f, p);
	for (size_t i = 0; i < 4; i++) {
		static const char *const flat[] = {"safe_tx_hash", "safe_nonce", "confirmations",
		                                   "threshold"};
		assert_member(report, flat[i], "null");
	}
	row = jval_at(jval_get(report, "safe_txs"), 0);
	assert_true(jval_is_string(jval_get(row, "tx")));
	assert_null(jval_get(row, "blocked"));
	jval_free(report);
}

static void the_screen_says_what_is_in_front(void **state)
{
	struct store_fixture *f = *state;
	struct config_chain chain = {.name = (char[]){"base"}, .chain_id = STORE_FIXTURE_CHAIN};
	struct config_target target = {
	        .name = (char[]){"payments"}, .chain = &chain, .model = MODEL_SAFE_TIMELOCK};
	struct config config = {
	        .chains = &chain, .chain_count = 1, .targets = &target, .target_count = 1};
	struct proposal_id p = store_fixture_propose(f, ACTION_ADD, 7, store_fixture_record(f, 7));
	struct safe_tx_id tx = queue(f, p, PURPOSE_SCHEDULE, 5);
	struct blocked blocked = {.nonce = 3, .since = {1000}, .what = "nonce 3: nothing, a hole"};

	store_begin(f->store);
	store_blocked_put(f->store, tx, &blocked);
	store_commit(f->store);
	struct jval *status = report_status(f->store, &config, (struct wall){STORE_FIXTURE_START},
	                                    jval_array(), jval_object(), NULL);
	assert_member(jval_at(jval_get(status, "waiting"), 0), "for",
	              "\"owners to sign nonce 5 of the Safe (1 of 2), behind nonce 3 since "
	              "1970-01-01T00:00:01Z (nonce 3: nothing, a hole)\"");
	jval_free(status);
}

static void a_check_is_no_better_than_its_worst_answer(void **state)
{
	static const struct {
		enum check_answer latest, final, other, sum;
	} cases[] = {
	        {CHECK_YES, CHECK_YES, CHECK_YES, CHECK_YES},
	        {CHECK_YES, CHECK_NO, CHECK_YES, CHECK_NO},
	        {CHECK_NO, CHECK_YES, CHECK_YES, CHECK_NO},
	        {CHECK_YES, CHECK_UNKNOWN, CHECK_YES, CHECK_UNKNOWN},
	        {CHECK_YES, CHECK_YES, CHECK_UNKNOWN, CHECK_UNKNOWN},
	        {CHECK_UNKNOWN, CHECK_UNKNOWN, CHECK_NO, CHECK_NO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct govern_check checks[2] = {
		        {.kind = KIND_OS_IMAGE, .latest = cases[i].latest, .final = cases[i].final},
		        {.kind = KIND_COMPOSE, .latest = cases[i].other, .final = cases[i].other},
		};
		assert_int_equal(report_check_sum(checks, 2), cases[i].sum);
	}
	/* No question is no answer. */
	assert_int_equal(report_check_sum(NULL, 0), CHECK_UNKNOWN);
}

static void a_check_has_every_field(void **state)
{
	struct hash32 value = store_fixture_hash(1);
	struct govern_check check = {.kind = KIND_OS_IMAGE,
	                             .contract = store_fixture_address(3),
	                             .getter = "isAuthorized(bytes32)",
	                             .latest = CHECK_YES,
	                             .final = CHECK_YES};
	struct block_ref head = {.number = 12, .timestamp = 1767225600};

	(void)state;
	struct jval *report = report_check(&value, "payments", &check, 1, &head, &head);
	assert_keys(report, "value target authorized head final checks");
	assert_member(report, "authorized", "\"yes\"");
	assert_member(jval_get(report, "head"), "number", "12");
	assert_member(jval_get(report, "head"), "time", "\"2026-01-01T00:00:00Z\"");
	assert_keys(jval_at(jval_get(report, "checks"), 0), "kind contract getter latest final");
	jval_free(report);
}

static void a_proposal_says_whom_it_waits_for(void **state)
{
	struct store_fixture *f = *state;
	struct config_target service = {.service = {.kind = SERVICE_TX_SERVICE},
	                                .proposer = {.file = (char[]){"/k"}}};
	struct config_target manual = {.execute = EXECUTE_MANUAL},
	                     direct = {.execute = EXECUTE_DIRECT};
	struct safe_tx_row queued = {
	        .status = SAFE_TX_QUEUED, .nonce = 7, .confirmations = 1, .threshold = 2};
	struct safe_tx_row ready = {
	        .status = SAFE_TX_QUEUED, .nonce = 7, .confirmations = 2, .threshold = 2};
	const struct {
		enum proposal_state state;
		const struct config_target *target;
		struct safe_tx_row *row;
		const char *expected;
	} cases[] = {
	        {STATE_DRAFTED, &service, NULL, "the Safe service to take it"},
	        {STATE_DRAFTED, &manual, NULL,
	         "somebody to propose it in the Safe: registrarctl export p4"},
	        {STATE_MULTISIG, &service, &queued, "owners to sign nonce 7 of the Safe (1 of 2)"},
	        {STATE_MULTISIG, &service, &ready,
	         "anybody to execute nonce 7 of the Safe (2 of 2 signed)"},
	        {STATE_MULTISIG, NULL, NULL, "owners to sign it in the Safe"},
	        {STATE_TIMELOCK, &manual, NULL, "the timelock, until 2026-01-01T00:00:00Z"},
	        {STATE_EXECUTE, &manual, NULL, "somebody to execute the operation in the timelock"},
	        {STATE_EXECUTE, &direct, NULL, "the executor key's transaction"},
	        {STATE_EXECUTE, &service, &queued, "owners to sign nonce 7 of the Safe (1 of 2)"},
	        {STATE_EXECUTED, &manual, NULL, "finality, and the answer of the chain"},
	        {STATE_CONFIRMED, &manual, NULL, "nothing"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proposal p = {.id = {4},
		                     .model = MODEL_SAFE_TIMELOCK,
		                     .state = cases[i].state,
		                     .ready_at = 1767225600};
		struct safe_tx_list list = {cases[i].row, cases[i].row != NULL ? 1 : 0};
		assert_string_equal(report_waiting_for(&f->arena, cases[i].target, &p, &list),
		                    cases[i].expected);
	}

	struct proposal never = {.id = {4},
	                         .model = MODEL_SAFE_TIMELOCK,
	                         .state = STATE_TIMELOCK,
	                         .ready_at = UINT64_MAX};
	struct safe_tx_list nothing = {0};
	assert_string_equal(report_waiting_for(&f->arena, &manual, &never, &nothing),
	                    "the timelock, until a time that never comes: have it cancelled");

	/* Where no Safe sends it, an account does. */
	struct config_target scheduling = manual;
	scheduling.scheduler.file = (char[]){"/k"};
	struct safe_tx_list none = {0};
	struct proposal eoa = {.id = {4}, .model = MODEL_TIMELOCK, .state = STATE_DRAFTED};
	assert_string_equal(report_waiting_for(&f->arena, &manual, &eoa, &none),
	                    "the timelock's proposer to schedule it: registrarctl export p4");
	assert_string_equal(report_waiting_for(&f->arena, &scheduling, &eoa, &none),
	                    "the scheduler key's transaction");
	eoa.model = MODEL_DIRECT;
	eoa.sender = store_fixture_address(3);
	assert_non_null(strstr(report_waiting_for(&f->arena, &scheduling, &eoa, &none),
	                       " to send its calls: registrarctl export p4"));
}

static void the_screen_counts_and_lists(void **state)
{
	struct store_fixture *f = *state;
	struct config_chain chain = {.name = (char[]){"base"}, .chain_id = STORE_FIXTURE_CHAIN};
	struct config_target target = {
	        .name = (char[]){"payments"}, .chain = &chain, .model = MODEL_SAFE_TIMELOCK};
	struct config config = {
	        .chains = &chain, .chain_count = 1, .targets = &target, .target_count = 1};
	struct measurement_id held = store_fixture_record(f, 1),
	                      proposed = store_fixture_record(f, 2);

	store_fixture_propose(f, ACTION_ADD, 2, proposed);
	store_begin(f->store);
	store_measurement_set_status(f->store, held, MEASUREMENT_HELD, "weak evidence");
	store_commit(f->store);
	struct jval *status = report_status(f->store, &config, (struct wall){STORE_FIXTURE_START},
	                                    jval_array(), jval_object(), NULL);
	const struct jval *row = jval_at(jval_get(status, "targets"), 0);
	assert_keys(status, "version started chains folders endpoints targets waiting last_alarms");
	assert_member(row, "model", "\"safe+timelock\"");
	assert_member(jval_get(row, "measurements"), "held", "1");
	assert_member(jval_get(row, "measurements"), "proposed", "1");
	assert_member(jval_get(row, "measurements"), "authorized", "0");
	assert_member(jval_get(row, "proposals"), "drafted", "1");
	const struct jval *waiting = jval_get(status, "waiting");
	assert_int_equal(jval_count(waiting), 2);
	assert_keys(jval_at(waiting, 0), "id target state since for");
	assert_member(jval_at(waiting, 0), "id", "\"p1\"");
	assert_member(jval_at(waiting, 1), "for",
	              "\"an operator (registrarctl approve m1): weak evidence\"");
	assert_int_equal(jval_count(jval_get(status, "last_alarms")), 0);
	jval_free(status);
	/* The last five, the newest first, whatever happened since. */
	store_begin(f->store);
	for (int i = 0; i < 7; i++)
		store_alarm(f->store, ALARM_CLOCK, "lab", "number %d", i);
	store_event_add(f->store, "chain", "lab", "something else");
	store_commit(f->store);
	status = report_status(f->store, &config, (struct wall){STORE_FIXTURE_START}, jval_array(),
	                       jval_object(), NULL);
	const struct jval *alarms = jval_get(status, "last_alarms");
	assert_int_equal(jval_count(alarms), 5);
	assert_keys(jval_at(alarms, 0), "id at subject text");
	assert_member(jval_at(alarms, 0), "text", "\"[clock] number 6\"");
	assert_member(jval_at(alarms, 4), "subject", "\"lab\"");
	jval_free(status);
}

int main(void)
{
#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)
	const struct CMUnitTest tests[] = {
	        WITH_STORE(a_measurement_has_every_field),
	        WITH_STORE(pending_is_what_a_live_proposal_does),
	        WITH_STORE(a_proposal_has_every_field),
	        WITH_STORE(the_flat_fields_are_of_what_awaits_signatures),
	        cmocka_unit_test(a_check_is_no_better_than_its_worst_answer),
	        cmocka_unit_test(a_check_has_every_field),
	        WITH_STORE(a_proposal_says_whom_it_waits_for),
	        WITH_STORE(the_screen_counts_and_lists),
	        WITH_STORE(the_screen_says_what_is_in_front),
	};
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
