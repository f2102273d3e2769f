/* What doctor finds, over a node and a service that answer as the test says: one thing wrong at a
 * time. */
#include "common/crypto/hash.h"
#include "common/governance/timelock.h"
#include "daemon/govern/doctor.h"
#include "daemon/io/role.h"
#include "tests/unit/doctor_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* Public test keys of anvil: an owner of the Safe, and two accounts that are none. */
static const char owner_key[] =
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d\n";
static const char delegate_key[] =
        "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba\n";
static const char executor_key[] =
        "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e\n";
static const char executor_address[] = "0x976EA74026E726554dB657fA54763abd0C3a0aa9";

static const char safe_info[] =
        "{\"address\":\"0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B\",\"nonce\":\"42\","
        "\"threshold\":2,"
        "\"owners\":[\"0x90F79bf6EB2c4f870365E785982E1f101E93b906\","
        "\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\","
        "\"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC\"],\"modules\":[],"
        "\"guard\":\"0x0000000000000000000000000000000000000000\",\"version\":\"1.4.1+L2\"}";
#define DELEGATES(safe, delegator, expiry)                                                         \
	"{\"count\":1,\"next\":null,\"previous\":null,\"results\":[{\"safe\":" safe ","            \
	"\"delegate\":\"0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc\",\"delegator\":\"" delegator   \
	"\",\"label\":\"registrard\",\"expiryDate\":" expiry "}]}"
#define OWNER "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
#define STRANGER "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
#define THIS_SAFE "\"0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B\""

static const struct world_options plain = {.target = "", .chain = ""};
static const struct world_options with_keys = {.target = "    execute: direct\n",
                                               .chain = "",
                                               .with_service = true,
                                               .proposer_key = delegate_key,
                                               .executor_key = executor_key};

/* --- asking ----------------------------------------------------------------------------------- */

/* Rows that are neither ok nor about the machine the test runs on. */
static size_t complaints(const struct jval *report)
{
	size_t count = 0;

	for (size_t i = 0; i < jval_count(report); i++) {
		const struct jval *row = jval_at(report, i);
		if (strcmp(jval_get_string(row, "result"), "ok") == 0 ||
		    strcmp(jval_get_string(row, "check"), "Landlock") == 0)
			continue;
		count++;
		print_message("%s: %s: %s\n", jval_get_string(row, "check"),
		              jval_get_string(row, "result"), jval_get_string(row, "found"));
	}
	return count;
}

/* --- everything right ------------------------------------------------------------------------- */

static void test_everything_right(void **state)
{
	struct govern_world *w = *state;
	struct jval *report;

	w->safe_info = safe_info;
	w->delegates = DELEGATES(THIS_SAFE, OWNER, "null");
	govern_world_start(w, &with_keys);
	struct address key;
	assert_int_equal(address_parse(&key, executor_address, NULL), 0);
	world_role(w, &timelock_role_executor, &key, true);
	report = doctor_examine(w);
	assert_int_equal(complaints(report), 0);
	expect_row(report, "RPC endpoint and chain id", "ok", "answers for chain 8453");
	expect_row(report, "head", "ok", "block 1000 of ");
	expect_row(report, "finality", "ok", "\"finalized\" is block 936");
	expect_row(report, "Multicall3", "ok", "present");
	expect_row(report, "fee limit", "ok", "gwei");
	expect_row(report, "kms has code", "ok", "0x67d2");
	expect_row(report, "kms check", "ok", "allowedOsImages(bytes32)");
	expect_row(report, "kms owner", "ok", "the timelock 0xa852");
	expect_row(report, "kms generation", "ok", "one step");
	expect_row(report, "app check", "ok", "allowedComposeHashes(bytes32)");
	expect_row(report, "Safe's version", "ok", "1.4.1");
	expect_row(report, "Safe's owners", "ok", "threshold 2 of 3: 0x7099");
	expect_row(report, "Safe's guard", "ok", "none");
	expect_row(report, "Safe's service", "ok", "the chain's owners and threshold");
	expect_row(report, "timelock's delay", "ok", "1h");
	expect_row(report, "timelock's proposer", "ok", "PROPOSER_ROLE");
	expect_row(report, "timelock's executor", "ok", "the executor key has EXECUTOR_ROLE");
	expect_row(report, "proposer key", "ok", "is a delegate of the owner 0x7099");
	expect_row(report, "executor key", "ok", "neither schedule nor cancel");
	expect_row(report, "executor key's gas money", "ok", "1000000000 wei");
	expect_row(report, "signer", "ok", "runs as process");
	expect_row(report, "configuration", "ok", "registrard.yaml");
	expect_row(report, "watched folder", "ok", "can be read");
	jval_free(report);
}

static void test_without_service_and_keys(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	w->node.has_multicall = true;
	struct jval *report = doctor_examine(w);
	assert_int_equal(complaints(report), 0);
	expect_row(report, "Safe's service", "ok", "none");
	expect_row(report, "proposer key", "ok", "none");
	expect_row(report, "signer", "ok", "not needed");
	assert_int_equal(w->service_requests, 0);
	jval_free(report);
}

/* --- this machine ----------------------------------------------------------------------------- */

static void test_the_configuration_s_mode(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	assert_int_equal(chmod(w->config_path, 0660), 0);
	doctor_finds(w, "configuration", "warning", "mode 0660");
	assert_int_equal(chmod(w->config_path, 0666), 0);
	doctor_finds(w, "configuration", "failure", "mode 0666");
	assert_int_equal(unlink(w->config_path), 0);
	doctor_finds(w, "configuration", "warning", "No such file");
}

static void test_secrets_that_are_open_to_everybody(void **state)
{
	struct govern_world *w = *state;
	const char *key = arena_printf(&w->arena, "%s/proposer_key_file", w->folder);

	govern_world_start(w, &(struct world_options){
	                              .target = "", .chain = "", .proposer_key = delegate_key});
	doctor_finds(w, "secret file", "ok", "mode 0600");
	assert_int_equal(chmod(key, 0644), 0);
	doctor_finds(w, "secret file", "failure", "mode 0644");
	assert_int_equal(unlink(key), 0);
	doctor_finds(w, "secret file", "warning", "No such file");
}

static void test_watched_folders(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	assert_int_equal(rmdir(w->watched), 0);
	doctor_finds(w, "watched folder", "warning", "No such file");
	assert_int_equal(symlink(w->config_path, w->watched), 0);
	doctor_finds(w, "watched folder", "failure", "Not a directory");
}

/* --- the chain -------------------------------------------------------------------------------- */

static void test_an_endpoint_of_another_chain(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	w->node.chain_id = 1;
	struct jval *report = doctor_examine(w);
	expect_row(report, "RPC endpoint and chain id", "failure", "another chain");
	expect_row(report, "head", "unknown", "");
	expect_row(report, "contracts", "unknown", "no head");
	jval_free(report);
	/* It is asked anew each time. */
	w->node.chain_id = WORLD_CHAIN;
	doctor_finds(w, "RPC endpoint and chain id", "ok", "");
}

static void test_an_endpoint_that_is_down(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	w->node.fail_times = 1000;
	w->node.fail_status = 503;
	struct jval *report = doctor_examine(w);
	expect_row(report, "RPC endpoint and chain id", "failure", "503");
	expect_row(report, "head", "unknown", "");
	expect_row(report, "contracts", "unknown", "");
	jval_free(report);
}

/* One of two answers: enough for a quorum of one, too few for two. */
static void examine_with_spare(struct govern_world *w, const char *chain, const char *result)
{
	size_t bad = 0;

	/* Nobody listens on port 1. */
	govern_world_start(w, &(struct world_options){.target = "",
	                                              .chain = chain,
	                                              .spare_rpc = "http://127.0.0.1:1"});
	struct jval *report = doctor_examine(w);
	expect_row(report, "RPC endpoint and chain id", "ok", "");
	for (size_t i = 0; i < jval_count(report); i++) {
		const struct jval *row = jval_at(report, i);
		if (strncmp(jval_get_string(row, "check"), "RPC", 3) != 0 ||
		    strstr(jval_get_string(row, "found"), "127.0.0.1:1:") == NULL)
			continue;
		bad++;
		assert_string_equal(jval_get_string(row, "result"), result);
	}
	assert_true(bad > 0);
	jval_free(report);
}

static void test_a_spare_endpoint_that_is_down(void **state)
{
	examine_with_spare(*state, "    quorum: 1\n", "warning");
}

static void test_too_few_endpoints(void **state)
{
	struct govern_world *w = *state;

	examine_with_spare(w, "    quorum: 2\n", "failure");
}

static void test_an_old_head_and_a_clock_ahead(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	w->node.genesis_time -= 3600;
	w->node.fork = 1; /* else the head seems to stand still */
	doctor_finds(w, "head", "warning", "s old");
	w->node.genesis_time += 2 * 3600;
	w->node.fork = 2;
	doctor_finds(w, "head", "warning", "ahead of this machine's clock");
}

static void test_a_chain_without_the_tag(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	w->node.finalized_null = true;
	doctor_finds(w, "finality", "warning", "no block tagged \"finalized\"");
	w->node.finalized_null = false;
	w->node.finalized_refused = true;
	doctor_finds(w, "finality", "warning", "no block tagged \"finalized\"");
}

static void test_other_finality(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(
	        w, &(struct world_options){.target = "", .chain = "    confirmations: latest\n"});
	doctor_finds(w, "finality", "warning", "newest");
}

static void test_a_depth_is_finality(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(
	        w, &(struct world_options){.target = "", .chain = "    confirmations: 12\n"});
	doctor_finds(w, "finality", "ok", "12");
}

static void test_no_multicall(void **state)
{
	struct govern_world *w = *state;

	w->node.has_multicall = false;
	govern_world_start(w, &plain);
	struct jval *report = doctor_examine(w);
	expect_row(report, "Multicall3", "warning", "not on this chain");
	expect_row(report, "kms owner", "ok", "the timelock"); /* read singly */
	jval_free(report);
}

static void test_a_fee_over_the_limit(void **state)
{
	struct govern_world *w = *state;

	w->safe_info = safe_info;
	w->node.base_fee = 60000000000;
	govern_world_start(w, &with_keys);
	doctor_finds(w, "fee limit", "warning", "60 gwei, max_fee_gwei is 50");
}

/* --- the contracts ---------------------------------------------------------------------------- */

static void test_no_code(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	w->without_code = w->kms;
	struct jval *report = doctor_examine(w);
	expect_row(report, "kms has code", "failure", "no contract");
	expect_fix(report, "kms has code", "`kms`");
	expect_row(report, "kms check", "failure", "neither");
	expect_row(report, "kms owner", "failure", "owner()");
	jval_free(report);
	w->without_code = w->safe;
	report = doctor_examine(w);
	expect_row(report, "Safe has code", "failure", "no contract");
	expect_row(report, "Safe's owners", "failure", "does not answer");
	jval_free(report);
	w->without_code = w->timelock;
	report = doctor_examine(w);
	expect_row(report, "timelock's delay", "failure", "getMinDelay");
	expect_row(report, "timelock's proposer", "unknown", "hasRole");
	expect_row(report, "timelock's executor", "unknown", "hasRole");
	jval_free(report);
}

static struct bytes zero_lookup(struct govern_world *w, const uint8_t selector[4])
{
	uint8_t data[36] = {0};

	memcpy(data, selector, 4);
	return arena_copy(&w->arena, bytes_of(data, sizeof(data)));
}

static void test_getters(void **state)
{
	struct govern_world *w = *state;
	struct bytes direct = zero_lookup(w, is_authorized_selector);
	struct bytes mapping = zero_lookup(w, kind_getter_selector(KIND_OS_IMAGE));
	uint8_t yes[32] = {[31] = 1}, no[32] = {0};

	govern_world_start(w, &plain);
	world_says(w, &w->kms, direct, bytes_of(no, 32));
	doctor_finds(w, "kms check", "ok", "isAuthorized(bytes32) and allowedOsImages(bytes32)");
	world_says(w, &w->kms, direct, bytes_of(yes, 32));
	doctor_finds(w, "kms check", "failure", "disagree");
	world_says(w, &w->kms, direct, bytes_of(no, 32));
	world_reverts(w, &w->kms, mapping);
	doctor_finds(w, "kms check", "ok", "isAuthorized(bytes32)");
	world_reverts(w, &w->kms, direct);
	doctor_finds(w, "kms check", "failure", "neither");
}

static void test_a_getter_that_the_configuration_wants_otherwise(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(
	        w, &(struct world_options){.target = "    check: isAuthorized\n", .chain = ""});
	struct jval *report = doctor_examine(w);
	expect_row(report, "kms check", "failure", "only allowedOsImages(bytes32) answers");
	expect_fix(report, "kms check", "check: auto");
	jval_free(report);
}

/* --- the Safe and the timelock ------------------------------------------------------------------
 */

static void test_the_safe(void **state)
{
	struct govern_world *w = *state;
	uint8_t version[96] = {[31] = 0x20, [63] = 5, [64] = '1', '.', '2', '.', '0'};

	govern_world_start(w, &plain);
	w->guard.b[31] = 1;
	doctor_finds(w, "Safe's guard", "warning", "unknown rules");
	world_view_number(w, &w->safe, VIEW_SAFE_THRESHOLD, 1);
	doctor_finds(w, "Safe's owners", "warning", "threshold 1 of 3");
	world_says(w, &w->safe, view_call(VIEW_SAFE_VERSION), bytes_of(version, sizeof(version)));
	doctor_finds(w, "Safe's version", "failure", "1.2.0");
	world_reverts(w, &w->safe, view_call(VIEW_SAFE_VERSION));
	doctor_finds(w, "Safe's version", "failure", "VERSION()");
}

static void test_roles(void **state)
{
	struct govern_world *w = *state;
	const struct address nobody = {{0}};

	govern_world_start(w, &plain);
	world_role(w, &timelock_role_proposer, &w->safe, false);
	doctor_finds(w, "timelock's proposer", "failure", "PROPOSER_ROLE");
	world_role(w, &timelock_role_executor, &w->safe, false);
	doctor_finds(w, "timelock's executor", "failure", "neither");
	world_role(w, &timelock_role_executor, &nobody, true);
	doctor_finds(w, "timelock's executor", "ok", "open");
	world_view_number(w, &w->timelock, VIEW_MIN_DELAY, 0);
	doctor_finds(w, "timelock's delay", "warning", "0 s");
}

static void test_the_executor_key(void **state)
{
	struct govern_world *w = *state;
	const struct address nobody = {{0}};
	struct address key;

	w->safe_info = safe_info;
	assert_int_equal(address_parse(&key, executor_address, NULL), 0);
	govern_world_start(w, &with_keys);
	/* `direct`: what the Safe may do does not help. */
	doctor_finds(w, "timelock's executor", "failure", "the Safe has EXECUTOR_ROLE");
	world_role(w, &timelock_role_executor, &nobody, true);
	doctor_finds(w, "timelock's executor", "ok", "open");
	world_role(w, &timelock_role_canceller, &key, true);
	doctor_finds(w, "executor key", "failure", "CANCELLER_ROLE");
	world_role(w, &timelock_role_proposer, &key, true);
	doctor_finds(w, "executor key", "failure", "PROPOSER_ROLE");
	w->balance = 0;
	doctor_finds(w, "executor key's gas money", "failure", "holds nothing");
}

/* --- the proposer key and the service ----------------------------------------------------------
 */

static void test_delegates(void **state)
{
	struct govern_world *w = *state;

	w->safe_info = safe_info;
	govern_world_start(w, &with_keys);
	w->delegates = DELEGATES("null", OWNER, "\"2999-01-01T00:00:00Z\"");
	doctor_finds(w, "proposer key", "ok", "is a delegate"); /* of every Safe of that owner */
	assert_non_null(
	        strstr(w->service_path, "?delegate=0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"));
	w->delegates = DELEGATES(THIS_SAFE, OWNER, "\"2001-01-01T00:00:00Z\"");
	doctor_finds(w, "proposer key", "failure", "until 2001");
	w->delegates = DELEGATES("\"" STRANGER "\"", OWNER, "null");
	doctor_finds(w, "proposer key", "failure", "no delegate"); /* of another Safe */
	w->delegates = DELEGATES(THIS_SAFE, STRANGER, "null");
	doctor_finds(w, "proposer key", "failure", "no delegate"); /* of who is no owner */
	w->delegates = "{\"results\":[]}";
	struct jval *report = doctor_examine(w);
	expect_row(report, "proposer key", "failure", "no delegate");
	expect_fix(report, "proposer key", "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc");
	jval_free(report);
	w->delegates = "nonsense";
	doctor_finds(w, "proposer key", "unknown", "cannot be read");
}

static void examine_owner_key(struct govern_world *w, const char *target, unsigned threshold,
                              const char *result)
{
	w->safe_info = safe_info;
	govern_world_start(w, &(struct world_options){.target = target,
	                                              .chain = "",
	                                              .with_service = true,
	                                              .proposer_key = owner_key});
	world_view_number(w, &w->safe, VIEW_SAFE_THRESHOLD, threshold);
	doctor_finds(w, "proposer key", result, "is an owner");
}

static void test_an_owner_s_key(void **state)
{
	examine_owner_key(*state, "", 2, "failure");
}

static void test_an_owner_s_key_that_may_confirm(void **state)
{
	examine_owner_key(*state, "    proposer_may_confirm: yes\n", 2, "warning");
}

static void test_an_owner_s_key_that_would_decide_alone(void **state)
{
	examine_owner_key(*state, "    proposer_may_confirm: yes\n", 1, "failure");
}

static void test_a_key_without_a_service(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &(struct world_options){
	                              .target = "", .chain = "", .proposer_key = delegate_key});
	doctor_finds(w, "proposer key", "warning", "no service");
}

static void test_a_service_that_is_wrong(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &with_keys);
	struct jval *report = doctor_examine(w); /* 404: it does not know the Safe */
	expect_row(report, "Safe's service", "failure", "");
	expect_fix(report, "Safe's service", "does not know the Safe");
	expect_row(report, "proposer key", "unknown", "");
	jval_free(report);
	w->safe_info = safe_info;
	world_view_number(w, &w->safe, VIEW_SAFE_THRESHOLD, 3);
	doctor_finds(w, "Safe's service", "failure", "threshold 2 of 3 owners, the chain 3 of 3");
	w->service_status = 503;
	doctor_finds(w, "Safe's service", "failure", "503");
	w->service_status = 401;
	report = doctor_examine(w);
	expect_row(report, "Safe's service", "failure", "401");
	expect_fix(report, "Safe's service", "api_key_file");
	jval_free(report);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct jval *examine_briefly(struct govern_world *w)
{
	struct doctor_answer answer = {.loop = w->loop};

	doctor_start(w->govern, 200, doctor_told, &answer);
	world_run(w);
	return answer.report;
}

static void test_a_node_that_never_answers(void **state)
{
	struct govern_world *w = *state;

	w->node.hang = true;
	govern_world_start(w, &plain);
	struct jval *report = examine_briefly(w);
	expect_row(report, "RPC endpoint and chain id", "unknown", "no answer within 200 ms");
	expect_row(report, "examination", "unknown", "its chain did not answer");
	jval_free(report);
}

static void test_a_service_that_never_answers(void **state)
{
	struct govern_world *w = *state;

	w->service_hangs = true;
	govern_world_start(w, &with_keys);
	struct jval *report = examine_briefly(w);
	expect_row(report, "Safe's service", "unknown", "no answer within 200 ms");
	expect_row(report, "kms owner", "ok", "the timelock"); /* what was found until then */
	jval_free(report);
}

static void test_cancelled_at_any_point(void **state)
{
	struct govern_world *w = *state;
	struct doctor_answer answer = {.loop = w->loop};

	w->safe_info = safe_info;
	govern_world_start(w, &with_keys);
	for (int ms = 0; ms < 30; ms += 2) {
		struct govern_op *op = govern_doctor(w->govern, doctor_told, &answer);
		world_run_for(w, ms);
		if (answer.report == NULL)
			govern_cancel(op);
		jval_free(answer.report);
		answer.report = NULL;
	}
	govern_cancel(NULL);
}

static void test_two_at_once(void **state)
{
	struct govern_world *w = *state;
	struct doctor_answer first = {.loop = w->loop}, second = {.loop = w->loop};

	govern_world_start(w, &plain);
	govern_doctor(w->govern, doctor_told, &first);
	govern_doctor(w->govern, doctor_told, &second);
	while (first.report == NULL || second.report == NULL)
		world_run(w);
	assert_int_equal(jval_count(first.report), jval_count(second.report));
	jval_free(first.report);
	jval_free(second.report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_everything_right),
	        TEST(test_without_service_and_keys),
	        TEST(test_the_configuration_s_mode),
	        TEST(test_secrets_that_are_open_to_everybody),
	        TEST(test_watched_folders),
	        TEST(test_an_endpoint_of_another_chain),
	        TEST(test_an_endpoint_that_is_down),
	        TEST(test_a_spare_endpoint_that_is_down),
	        TEST(test_too_few_endpoints),
	        TEST(test_an_old_head_and_a_clock_ahead),
	        TEST(test_a_chain_without_the_tag),
	        TEST(test_other_finality),
	        TEST(test_a_depth_is_finality),
	        TEST(test_no_multicall),
	        TEST(test_a_fee_over_the_limit),
	        TEST(test_no_code),
	        TEST(test_getters),
	        TEST(test_a_getter_that_the_configuration_wants_otherwise),
	        TEST(test_the_safe),
	        TEST(test_roles),
	        TEST(test_the_executor_key),
	        TEST(test_delegates),
	        TEST(test_an_owner_s_key),
	        TEST(test_an_owner_s_key_that_may_confirm),
	        TEST(test_an_owner_s_key_that_would_decide_alone),
	        TEST(test_a_key_without_a_service),
	        TEST(test_a_service_that_is_wrong),
	        TEST(test_a_node_that_never_answers),
	        TEST(test_a_service_that_never_answers),
	        TEST(test_cancelled_at_any_point),
	        TEST(test_two_at_once),
	};

	if (argc > 1 && strcmp(argv[1], "--role=signer") == 0)
		return signer_role_main(ROLE_SOCKET);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
