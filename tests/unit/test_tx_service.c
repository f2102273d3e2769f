#include "common/governance/tx_service.h"
#include "common/crypto/hash.h"
#include "common/governance/proposal_origin.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CHAIN_ID = 8453 };
#define SAFE_TEXT "0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B"

static struct arena arena;
static struct jval *transcripts;
static struct address safe;
static struct proposal_place place = {.chain_id = CHAIN_ID};

static const struct jval *transcript(const char *name)
{
	const struct jval *list = jval_get(transcripts, "transcripts");

	for (size_t i = 0; i < jval_count(list); i++) {
		if (strncmp(fixture_string(jval_at(list, i), "name"), name, strlen(name)) == 0)
			return jval_at(list, i);
	}
	die("no transcript %s", name);
}

static const struct jval *answer_value(const char *name)
{
	return jval_get(jval_get(transcript(name), "response"), "body");
}

static struct bytes as_text(const struct jval *value)
{
	struct buf out = {0};

	jval_write(&out, value, JVAL_COMPACT);
	struct bytes copy = arena_copy(&arena, buf_bytes(&out));
	buf_free(&out);
	return copy;
}

static struct bytes answer(const char *name)
{
	return as_text(answer_value(name));
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(&address, text, NULL), 0);
	return address;
}

/* --- what is sent ---------------------------------------------------------------------------- */

static void check_path(const char *name, struct buf *path)
{
	const char *asked = fixture_string(jval_get(transcript(name), "request"), "path");

	assert_string_equal(buf_text(path), strstr(asked, "/api/"));
	buf_free(path);
}

static void test_paths(void **state)
{
	struct buf path = {0};
	struct hash32 hash;

	(void)state;
	assert_int_equal(hash32_parse(&hash,
	                              "0xf272d618511df6685bc62514801994c28e2d1556fa71771febaedd9"
	                              "2e656b279",
	                              NULL),
	                 0);
	tx_service_path_safe(&path, &safe);
	check_path("safe info", &path);
	tx_service_path_propose(&path, &safe);
	check_path("propose as owner", &path);
	tx_service_path_transaction(&path, &hash);
	check_path("read: proposed by owner1", &path);
	tx_service_path_pending(&path, &safe, 43, 100);
	assert_string_equal(buf_text(&path),
	                    "/api/v2/safes/" SAFE_TEXT "/multisig-transactions/"
	                    "?executed=false&nonce__gte=43&ordering=nonce&limit=100&offset=100");
	buf_free(&path);
}

/* Byte by byte what api-kit sends. */
static void test_propose_body(void **state)
{
	const struct jval *body =
	        jval_get(jval_get(transcript("propose as owner"), "request"), "body");
	struct safe_tx tx = {.chain_id = CHAIN_ID, .safe = safe, .operation = 1, .nonce = 42};
	struct address sender = address_of(fixture_string(body, "sender"));
	uint8_t signature[SAFE_SIGNATURE_SIZE];
	struct buf out = {0};

	(void)state;
	tx.to = address_of(fixture_string(body, "to"));
	tx.data = fixture_hex(&arena, body, "data");
	fixture_fixed(signature, sizeof(signature), body, "signature");
	tx_service_propose_body(&out, &tx, &sender, signature, fixture_string(body, "origin"));
	assert_true(bytes_equal(buf_bytes(&out), as_text(body)));
	buf_free(&out);
}

static struct proposal_note note(enum action action, enum kind kind, uint8_t fill)
{
	struct proposal_note made = {.action = action, .kind = kind};

	memset(made.value.b, fill, sizeof(made.value.b));
	memset(made.evidence.b, 0xee, sizeof(made.evidence.b));
	return made;
}

#define X64(d) d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d

static void test_origin_texts(void **state)
{
	struct proposal_note notes[3] = {note(ACTION_ADD, KIND_OS_IMAGE, 0xa1),
	                                 note(ACTION_ADD, KIND_COMPOSE, 0xa1),
	                                 note(ACTION_REMOVE, KIND_DEVICE, 0x0d)};
	char text[PROPOSAL_ORIGIN_SIZE];

	(void)state;
	assert_string_equal(proposal_origin(text, PURPOSE_SCHEDULE, notes, 2),
	                    "{\"name\":\"registrard\",\"note\":\"add os-image+compose 0x" X64(
	                            "a1") ", evidence 0x" X64("ee") "\"}");
	assert_string_equal(proposal_origin(text, PURPOSE_EXECUTE, notes, 3),
	                    "{\"name\":\"registrard\",\"note\":\"execute: add os-image+compose "
	                    "0xa1a1a1a1a1a1a1a1.., evidence 0xeeeeeeee..; "
	                    "remove device 0x0d0d0d0d0d0d0d0d.., evidence 0xeeeeeeee..\"}");
	memset(notes[0].evidence.b, 0, sizeof(notes[0].evidence.b));
	assert_string_equal(proposal_origin(text, PURPOSE_APPLY, notes, 1),
	                    "{\"name\":\"registrard\",\"note\":\"add os-image 0x" X64("a1") "\"}");
}

/* However many values: it fits, it is JSON, and it starts with what the signers must know. */
static void test_origin_always_fits(void **state)
{
	struct proposal_note notes[40];
	char text[PROPOSAL_ORIGIN_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		notes[i] = note(i % 3 == 0 ? ACTION_REMOVE : ACTION_ADD,
		                (enum kind)(KIND_OS_IMAGE + (int)(i % 5)), (uint8_t)(i / 2));
	for (size_t count = 0; count <= ARRAY_LEN(notes); count++) {
		for (int purpose = PURPOSE_SCHEDULE; purpose <= PURPOSE_CANCEL; purpose++) {
			struct jval *origin;
			proposal_origin(text, (enum purpose)purpose, notes, count);
			assert_true(strlen(text) <= 200);
			assert_int_equal(jval_parse(&origin, bytes_text(text), NULL), 0);
			assert_string_equal(jval_get_string(origin, "name"), "registrard");
			const char *shown = jval_get_string(origin, "note");
			assert_non_null(shown);
			if (count > 0)
				assert_non_null(strstr(shown, "remove os-image 0x00000000"));
			if (count > 20)
				assert_non_null(strstr(shown, " more"));
			jval_free(origin);
		}
	}
}

/* --- what comes back -------------------------------------------------------------------------- */

static void test_safe_info(void **state)
{
	struct tx_service_safe info;
	struct error error = {0};

	(void)state;
	assert_int_equal(tx_service_parse_safe(&arena, &info, answer("safe info"), &error), 0);
	assert_true(address_equal(&info.safe, &safe));
	assert_int_equal(info.nonce, 42);
	assert_int_equal(info.threshold, 2);
	assert_int_equal(info.owner_count, 3);
	assert_int_equal(info.module_count, 0);
	assert_true(address_is_zero(&info.guard));
	assert_string_equal(info.version, "1.4.1+L2");
	assert_int_equal(tx_service_parse_safe(&arena, &info, bytes_text("{}"), &error),
	                 ERR_INVALID);
	assert_int_equal(tx_service_parse_safe(&arena, &info, bytes_text("[]"), NULL), ERR_INVALID);
	assert_int_equal(tx_service_parse_safe(&arena, &info, bytes_text(""), &error), ERR_INVALID);
	assert_null(info.owners);
}

static struct proposal_tx read_one(const char *name)
{
	struct proposal_tx tx;
	struct error error = {0};

	if (tx_service_parse_tx(&arena, &tx, &place, answer(name), &error) != 0)
		fail_msg("%s: %s", name, error.text);
	return tx;
}

static void test_one_transaction(void **state)
{
	struct proposal_tx tx = read_one("read: proposed by owner1");

	(void)state;
	assert_int_equal(tx.tx.nonce, 42);
	assert_int_equal(tx.tx.operation, 1);
	assert_true(tx.trusted && !tx.executed && tx.has_proposer && !tx.by_delegate);
	assert_int_equal(tx.confirmations_required, 2);
	assert_int_equal(tx.confirmation_count, 1);
	assert_true(tx.confirmations[0].verified && !tx.confirmations[0].needs_chain);
	assert_string_equal(tx.origin,
	                    "{\"name\":\"dstack-release\",\"url\":\"https://example.org\"}");
	tx = read_one("read: proposed by delegate");
	assert_true(tx.trusted && tx.by_delegate && tx.confirmation_count == 0);
	tx = read_one("read: untrusted");
	assert_false(tx.trusted);
	tx = read_one("read: threshold reached");
	assert_int_equal(tx.confirmation_count, 2);
	assert_true(tx.confirmations[0].verified && tx.confirmations[1].verified);
	tx = read_one("read: executed ok");
	assert_true(tx.executed);
	tx = read_one("read v1"); /* numbers instead of strings */
	assert_int_equal(tx.tx.nonce, 42);
}

/* Any field that enters the hash, changed by the service: refused. */
static void test_a_lie_is_refused(void **state)
{
	static const char *const lies[][2] = {
	        {"to", "\"0x67d269191c92Caf3cD7723F116c85e6E9bf55933\""},
	        {"value", "\"1\""},
	        {"data", "\"0x\""},
	        {"data", "null"},
	        {"operation", "0"},
	        {"safeTxGas", "\"1\""},
	        {"baseGas", "\"1\""},
	        {"gasPrice", "\"1\""},
	        {"gasToken", "\"0x67d269191c92Caf3cD7723F116c85e6E9bf55933\""},
	        {"refundReceiver", "\"0x67d269191c92Caf3cD7723F116c85e6E9bf55933\""},
	        {"nonce", "\"43\""},
	        {"safe", "\"0x67d269191c92Caf3cD7723F116c85e6E9bf55933\""},
	        {"safeTxHash", "\"0x" X64("00") "\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct jval *body = jval_copy(answer_value("read: proposed by owner1")), *value;
		struct proposal_tx tx;
		struct error error = {0};
		assert_int_equal(jval_parse(&value, bytes_text(lies[i][1]), NULL), 0);
		jval_add(body, lies[i][0], value);
		assert_int_equal(tx_service_parse_tx(&arena, &tx, &place, as_text(body), &error),
		                 ERR_DENIED);
		assert_int_equal(strncmp(error.text, "safe", 4), 0);
		assert_true(hash32_is_zero(&tx.safe_tx_hash) && tx.confirmations == NULL);
		jval_free(body);
	}
	struct proposal_tx tx;
	assert_int_equal(tx_service_parse_tx(&arena, &tx,
	                                     &(struct proposal_place){CHAIN_ID + 1, safe},
	                                     answer("read: proposed by owner1"), NULL),
	                 ERR_DENIED);
}

/* A body with one confirmation: this owner, this signature, this often. */
static struct bytes with_confirmation(const char *owner, const char *signature, size_t times)
{
	struct jval *body = jval_copy(answer_value("read: proposed by owner1"));
	struct jval *list = jval_array();

	for (size_t i = 0; i < times; i++) {
		struct jval *item = jval_object();
		jval_add_string(item, "owner", owner);
		jval_add_string(item, "signature", signature);
		jval_push(list, item);
	}
	jval_add(body, "confirmations", list);
	struct bytes text = as_text(body);
	jval_free(body);
	return text;
}

static void test_confirmations_are_verified(void **state)
{
	const struct jval *real =
	        jval_at(jval_get(answer_value("read: proposed by owner1"), "confirmations"), 0);
	const char *owner = fixture_string(real, "owner"),
	           *signature = fixture_string(real, "signature");
	struct proposal_tx tx;

	(void)state;
	assert_int_equal(tx_service_parse_tx(&arena, &tx, &place,
	                                     with_confirmation(owner, signature, 3), NULL),
	                 0);
	assert_int_equal(tx.confirmation_count, 1); /* said three times */
	assert_true(tx.confirmations[0].verified);
	assert_int_equal(tx_service_parse_tx(&arena, &tx, &place,
	                                     with_confirmation(SAFE_TEXT, signature, 1), NULL),
	                 0);
	assert_false(tx.confirmations[0].verified || tx.confirmations[0].needs_chain);
	assert_int_equal(tx_service_parse_tx(&arena, &tx, &place,
	                                     with_confirmation(owner, "0x1234", 1), NULL),
	                 0);
	assert_false(tx.confirmations[0].verified);
	char *approved =
	        arena_printf(&arena, "0x000000000000000000000000%s" X64("00") "01", owner + 2);
	assert_int_equal(tx_service_parse_tx(&arena, &tx, &place,
	                                     with_confirmation(owner, approved, 1), NULL),
	                 0);
	assert_true(tx.confirmations[0].needs_chain && !tx.confirmations[0].verified);
}

static void test_pages(void **state)
{
	struct proposal_page page;
	struct error error = {0};

	(void)state;
	assert_int_equal(
	        tx_service_parse_page(&arena, &page, &place, answer("list by nonce"), &error), 0);
	/* the rejection in this list carries a made-up hash */
	assert_int_equal(page.count, 1);
	assert_int_equal(page.refused, 1);
	assert_false(page.more);
	assert_int_equal(page.items[0].tx.nonce, 42);
	assert_int_equal(
	        tx_service_parse_page(&arena, &page, &place, answer("list: empty"), &error), 0);
	assert_int_equal(page.count, 0);
	assert_int_equal(tx_service_parse_page(&arena, &page, &place, bytes_text("{}"), &error),
	                 ERR_INVALID);
}

/* One entry that lies does not hide the others. */
static void test_page_with_a_lie(void **state)
{
	struct jval *body = jval_copy(answer_value("list by nonce")), *results = jval_array();
	struct jval *lie = jval_copy(jval_at(jval_get(body, "results"), 1));
	struct proposal_page page;

	(void)state;
	jval_add_string(lie, "nonce", "1");
	jval_push(results, lie);
	jval_push(results, jval_new_null());
	jval_push(results, jval_copy(jval_at(jval_get(body, "results"), 1)));
	jval_add(body, "results", results);
	jval_add_string(body, "next", "https://elsewhere.example/");
	assert_int_equal(tx_service_parse_page(&arena, &page, &place, as_text(body), NULL), 0);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.refused, 2);
	assert_non_null(strstr(page.refusal, "results[0]: safeTxHash"));
	assert_true(page.more);
	jval_free(body);
}

static struct jval *repeated(const struct jval *item, size_t count)
{
	struct jval *list = jval_array();

	for (size_t i = 0; i < count; i++)
		jval_push(list, jval_copy(item));
	return list;
}

/* Each entry and each signature costs time: what no Safe needs is not worked through. */
static void test_more_than_any_safe_has(void **state)
{
	struct jval *body = jval_copy(answer_value("list by nonce"));
	const struct jval *item = jval_at(jval_get(body, "results"), 1);
	struct jval *many = jval_copy(item), *null = jval_new_null();
	struct error error = {0};
	struct proposal_page page;

	(void)state;
	jval_add(many, "confirmations", repeated(null, PROPOSAL_MAX_CONFIRMATIONS + 1));
	jval_add(body, "results", repeated(many, 1));
	assert_int_equal(tx_service_parse_page(&arena, &page, &place, as_text(body), &error), 0);
	assert_int_equal(page.count, 0);
	assert_int_equal(page.refused, 1);
	assert_non_null(strstr(page.refusal, "confirmations: 257, at most 256"));
	jval_add(body, "results", repeated(null, PROPOSAL_PAGE));
	assert_int_equal(tx_service_parse_page(&arena, &page, &place, as_text(body), &error), 0);
	assert_int_equal(page.refused, PROPOSAL_PAGE);
	jval_add(body, "results", repeated(null, PROPOSAL_PAGE + 1));
	assert_int_equal(tx_service_parse_page(&arena, &page, &place, as_text(body), &error),
	                 ERR_LIMIT);
	assert_non_null(strstr(error.text, "results: 101, at most 100"));
	jval_free(null);
	jval_free(many);
	jval_free(body);
}

static void test_delegates(void **state)
{
	struct proposal_delegate *delegates;
	struct error error = {0};
	size_t count;

	(void)state;
	assert_int_equal(proposal_parse_delegates(&arena, &delegates, &count,
	                                          answer("delegates of safe"), &error),
	                 0);
	assert_int_equal(count, 1);
	assert_string_equal(delegates[0].label, "dstack-daemon");
	assert_null(delegates[0].expires);
	assert_false(delegates[0].every_safe);
	struct address delegate = address_of("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc");
	assert_true(address_equal(&delegates[0].delegate, &delegate));
	assert_int_equal(proposal_parse_delegates(
	                         &arena, &delegates, &count,
	                         bytes_text("{\"results\":[{\"delegate\":\"0x1\"}]}"), &error),
	                 ERR_INVALID);
	assert_true(delegates == NULL && count == 0);
}

static void check_error(const char *name, const char *expected)
{
	const struct jval *response = jval_get(transcript(name), "response");
	const struct jval *body = jval_get(response, "body");
	struct buf line = {0};

	proposal_error(&line, (int)fixture_int(response, "status"),
	               jval_is_null(body) ? bytes_text("") : as_text(body));
	assert_string_equal(buf_text(&line), expected);
	buf_free(&line);
}

static void check_error_text(const char *body, const char *expected)
{
	struct buf line = {0};

	proposal_error(&line, 422, bytes_text(body));
	assert_string_equal(buf_text(&line), expected);
	buf_free(&line);
}

static void test_errors(void **state)
{
	(void)state;
	check_error("safe info: not a Safe", "404");
	check_error("safe info: lower case", "422: Checksum address validation failed; arguments: "
	                                     "0xa4dcfd4eda4a6dac21037c99ee34f23f1e58a10b");
	check_error(
	        "propose: lower-case to",
	        "422: to: Address 0x9641d764fc13c8b624c04430c7356c1c7c8102e2 is not checksumed");
	check_error(
	        "propose: wrong hash",
	        "422: Contract-transaction-hash=0xf272d618511df6685bc62514801994c28e2d1556fa71771f"
	        "ebaedd92e656b279 does not match provided contract-tx-hash=0x1111111111111111111111"
	        "111111111111111111111111111111111111111111");
	check_error("read: unknown hash", "404: No MultisigTransaction matches the given query.");
	check_error("quota", "429: Monthly quota exceeded.");
	check_error("bad key", "401: Invalid authentication credentials");
	check_error("node down", "503: Problem connecting to Ethereum network");
	check_error_text("<html>\x1b[31m\nBad", "422: <html> [31m Bad");
	check_error_text("{\"detail\":[{\"loc\":[1],\"msg\":\"field required\"}]}",
	                 "422: field required");
	check_error_text("{\"a\":[\"1\",\"2\"],\"b\":\"3\"}", "422: a: 1, 2; b: 3");
	check_error_text("[1,2]", "422");
}

static void test_long_error_is_cut(void **state)
{
	struct buf body = {0}, line = {0};

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		buf_append_byte(&body, 'x');
	proposal_error(&line, 500, buf_bytes(&body));
	assert_true(line.len <= 310);
	buf_free(&body);
	buf_free(&line);
}

/* Every answer, cut anywhere and with bytes changed: an error or a value, never a crash, and a
 * transaction only with its right hash. */
static void test_damaged_answers(void **state)
{
	struct bytes text = answer("read: threshold reached");
	uint8_t *copy = arena_alloc(&arena, text.len);

	(void)state;
	for (size_t at = 0; at < text.len; at += 3) {
		struct arena scratch = {0};
		struct proposal_tx tx;
		assert_int_not_equal(
		        tx_service_parse_tx(&scratch, &tx, &place, bytes_of(text.data, at), NULL),
		        0);
		memcpy(copy, text.data, text.len);
		copy[at] ^= 0x11;
		if (tx_service_parse_tx(&scratch, &tx, &place, bytes_of(copy, text.len), NULL) ==
		    0) {
			struct hash32 hash = safe_tx_hash(&tx.tx);
			assert_true(hash32_equal(&hash, &tx.safe_tx_hash));
			assert_int_equal(tx.tx.nonce, 42);
		}
		arena_free(&scratch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_paths),
	        cmocka_unit_test(test_propose_body),
	        cmocka_unit_test(test_origin_texts),
	        cmocka_unit_test(test_origin_always_fits),
	        cmocka_unit_test(test_safe_info),
	        cmocka_unit_test(test_one_transaction),
	        cmocka_unit_test(test_a_lie_is_refused),
	        cmocka_unit_test(test_confirmations_are_verified),
	        cmocka_unit_test(test_pages),
	        cmocka_unit_test(test_page_with_a_lie),
	        cmocka_unit_test(test_more_than_any_safe_has),
	        cmocka_unit_test(test_delegates),
	        cmocka_unit_test(test_errors),
	        cmocka_unit_test(test_long_error_is_cut),
	        cmocka_unit_test(test_damaged_answers),
	};
	crypto_init();
	transcripts = fixture_json("tests/fixtures/safe-service/transcripts.json");
	place.safe = safe = address_of(SAFE_TEXT);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	jval_free(transcripts);
	arena_free(&arena);
	return failed;
}
