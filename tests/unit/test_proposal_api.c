#include "common/governance/proposal_api.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(&address, text, NULL), 0);
	return address;
}

/* --- delete requests ----------------------------------------------------------------------------
 */

static size_t check_deletes(const struct proposal_api *api, const char *file_name, const char *kind)
{
	struct jval *file = fixture_json(file_name);
	const struct jval *cases = jval_get(file, "cases");
	size_t checked = 0;

	for (size_t i = 0; i < jval_count(cases); i++) {
		const struct jval *item = jval_at(cases, i);
		struct hash32 target, expected;
		if (strcmp(fixture_string(item, "kind"), kind) != 0)
			continue;
		struct proposal_place place = {
		        .chain_id = (uint64_t)fixture_int(item, "chainId"),
		        .safe = address_of(fixture_string(item, "safe")),
		};
		fixture_fixed(target.b, 32, item, "safeTxHash");
		fixture_fixed(expected.b, 32, item, "hash");
		struct hash32 hash = proposal_delete_hash(api, &place, &target,
		                                          (uint64_t)fixture_int(item, "totp"));
		assert_true(hash32_equal(&hash, &expected));
		checked++;
	}
	jval_free(file);
	return checked;
}

static void each_service_has_its_own_delete_request(void **state)
{
	const uint8_t signature[SAFE_SIGNATURE_SIZE] = {0xab};
	struct buf body = {0};

	(void)state;
	assert_int_equal(check_deletes(&tx_service_api,
	                               "tests/fixtures/governance/safe_service_eip712.json",
	                               "DeleteRequest"),
	                 2);
	assert_true(check_deletes(&queue_service_api,
	                          "tests/fixtures/governance/safe_queue_eip712.json",
	                          "DeleteRequest (queue)") > 0);
	proposal_delete_body(&body, signature);
	assert_int_equal(strncmp(buf_text(&body), "{\"signature\":\"0xab00", 19), 0);
	buf_free(&body);
}

/* --- the queue service --------------------------------------------------------------------------
 */

#define SAFE_TEXT "0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B"
#define DELEGATE_TEXT "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"
#define OWNER_TEXT "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

static struct proposal_place place_of_safe(void)
{
	return (struct proposal_place){8453, address_of(SAFE_TEXT)};
}

static void assert_path(struct buf *path, const char *expected)
{
	assert_string_equal(buf_text(path), expected);
	buf_clear(path);
}

static void paths_of_the_queue_service(void **state)
{
	const struct proposal_place place = place_of_safe();
	const struct address delegate = address_of(DELEGATE_TEXT);
	const struct proposal_api *api = proposal_api_of(SERVICE_QUEUE);
	struct hash32 hash = {{0xab}};
	char text[HASH32_TEXT_SIZE];
	struct buf path = {0};

	(void)state;
	assert_ptr_equal(api, &queue_service_api);
	assert_null(proposal_api_of(SERVICE_NONE));
	api->path_propose(&path, &place);
	assert_path(&path, "/api/v1/multisig-transactions");
	api->path_transaction(&path, &hash);
	char *expected =
	        arena_printf(&arena, "/api/v1/multisig-transactions/%s", hash32_text(text, &hash));
	assert_path(&path, expected);
	api->path_pending(&path, &place, 7, 100);
	assert_path(&path, "/api/v1/multisig-transactions/queue?safes=" SAFE_TEXT
	                   ":8453&nonce_order=asc&limit=100&offset=100");
	api->path_delegations(&path, &place, &delegate);
	assert_path(&path, "/api/v1/delegates?chainId=8453&delegate=" DELEGATE_TEXT);
	assert_null(api->path_safe);
	buf_free(&path);
}

static struct safe_tx some_tx(void)
{
	static const uint8_t data[] = {0x06, 0xa3, 0xae, 0x96};

	return (struct safe_tx){
	        .chain_id = 8453,
	        .safe = address_of(SAFE_TEXT),
	        .to = address_of(OWNER_TEXT),
	        .data = bytes_of(data, sizeof(data)),
	        .nonce = 42,
	};
}

static struct jval *posted(void)
{
	const uint8_t signature[SAFE_SIGNATURE_SIZE] = {0x11};
	const struct safe_tx tx = some_tx();
	const struct address sender = address_of(DELEGATE_TEXT);
	struct buf body = {0};
	struct jval *value;

	queue_service_api.propose_body(&body, &tx, &sender, signature,
	                               "{\"name\":\"registrard\",\"note\":\"add os-image 0x01\"}");
	assert_int_equal(jval_parse(&value, buf_bytes(&body), NULL), 0);
	buf_free(&body);
	return value;
}

static void body_of_a_proposal(void **state)
{
	struct jval *value = posted();
	int64_t number;

	(void)state;
	assert_int_equal(jval_get_int(value, "chainId", &number), 0);
	assert_int_equal(number, 8453);
	assert_int_equal(jval_get_int(value, "nonce", &number), 0);
	assert_int_equal(number, 42);
	assert_string_equal(jval_get_string(value, "safe"), SAFE_TEXT);
	assert_string_equal(jval_get_string(value, "value"), "0");
	assert_string_equal(jval_get_string(value, "data"), "0x06a3ae96");
	assert_string_equal(jval_get_string(value, "originName"), "registrard");
	assert_string_equal(jval_get_string(value, "notes"), "add os-image 0x01");
	assert_int_equal(jval_count(jval_get(value, "signatures")), 1);
	assert_int_equal(strlen(jval_string(jval_at(jval_get(value, "signatures"), 0))), 132);
	/* The service has no such fields. */
	assert_null(jval_get(value, "contractTransactionHash"));
	assert_null(jval_get(value, "sender"));
	assert_null(jval_get(value, "origin"));
	jval_free(value);
}

/* What the service makes of our POST, changed by the caller. */
static struct jval *stored(void)
{
	const struct safe_tx tx = some_tx();
	struct hash32 hash = safe_tx_hash(&tx);
	struct jval *value = posted();

	jval_add_hash32(value, "safeTxHash", &hash);
	jval_add_string(value, "proposer", OWNER_TEXT);
	jval_add_string(value, "proposedByDelegate", DELEGATE_TEXT);
	jval_add_string(value, "txHash", NULL);
	jval_add_string(value, "failed", NULL);
	jval_add(value, "confirmations", jval_array());
	return value;
}

static int parse(struct proposal_tx *out, struct jval *value, struct error *error)
{
	const struct proposal_place place = place_of_safe();
	struct buf body = {0};

	jval_write(&body, value, JVAL_COMPACT);
	int rc = queue_service_api.parse_tx(&arena, out, &place, buf_bytes(&body), error);
	buf_free(&body);
	jval_free(value);
	return rc;
}

static void an_entry_is_read(void **state)
{
	const struct safe_tx tx = some_tx();
	struct hash32 hash = safe_tx_hash(&tx);
	struct address delegate = address_of(DELEGATE_TEXT);
	struct proposal_tx out;
	struct error error;

	(void)state;
	assert_int_equal(parse(&out, stored(), &error), 0);
	assert_true(hash32_equal(&out.safe_tx_hash, &hash));
	assert_true(out.trusted && !out.executed && out.by_delegate && out.has_proposer);
	assert_true(address_equal(&out.delegate, &delegate));
	assert_int_equal(out.confirmations_required, 0);
	assert_string_equal(out.origin, "{\"name\":\"registrard\",\"note\":\"add os-image 0x01\"}");

	struct jval *value = stored();
	jval_add_string(value, "txHash",
	                "0x0101010101010101010101010101010101010101010101010101010101010101");
	assert_int_equal(parse(&out, value, &error), 0);
	assert_true(out.executed);
}

/* Gas fields, data and addresses may be null, which is their zero. */
static void null_is_zero(void **state)
{
	static const char *const fields[] = {"safeTxGas", "baseGas", "gasPrice", "gasToken",
	                                     "refundReceiver"};
	struct jval *value = stored();
	struct proposal_tx out;
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		jval_add_string(value, fields[i], NULL);
	assert_int_equal(parse(&out, value, &error), 0);
	/* Where it is not, the hash says so. */
	value = stored();
	jval_add_string(value, "to", NULL);
	assert_int_equal(parse(&out, value, &error), ERR_DENIED);
}

static void lies_are_refused(void **state)
{
	struct proposal_tx out;
	struct error error;
	struct jval *value = stored();

	(void)state;
	jval_add_int(value, "chainId", 1);
	assert_int_equal(parse(&out, value, &error), ERR_DENIED);
	assert_non_null(strstr(error.text, "chainId"));
	value = stored();
	jval_add_string(value, "safe", OWNER_TEXT);
	assert_int_equal(parse(&out, value, &error), ERR_DENIED);
	value = stored();
	jval_add_int(value, "nonce", 41);
	assert_int_equal(parse(&out, value, &error), ERR_DENIED);
	value = stored();
	jval_add_string(value, "chainId", NULL);
	assert_int_equal(parse(&out, value, &error), ERR_INVALID);
}

/* Nobody who counts stands behind it. */
static void without_proposer_or_confirmation_it_is_not_trusted(void **state)
{
	struct jval *value = stored();
	struct proposal_tx out;
	struct error error;

	(void)state;
	jval_add_string(value, "proposer", NULL);
	jval_add_string(value, "proposedByDelegate", NULL);
	assert_int_equal(parse(&out, value, &error), 0);
	assert_false(out.trusted);
}

static void a_page_leaves_lies_out(void **state)
{
	const struct proposal_place place = place_of_safe();
	struct jval *page = jval_object(), *results = jval_array(), *lie = stored();
	struct proposal_page out;
	struct buf body = {0};

	(void)state;
	jval_add_int(lie, "nonce", 43);
	jval_push(results, lie);
	jval_push(results, stored());
	jval_add(page, "results", results);
	jval_add_string(page, "next", "https://elsewhere.example/");
	jval_write(&body, page, JVAL_COMPACT);
	assert_int_equal(queue_service_api.parse_page(&arena, &out, &place, buf_bytes(&body), NULL),
	                 0);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.refused, 1);
	assert_true(out.more);
	buf_free(&body);
	jval_free(page);
}

static int free_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_service_has_its_own_delete_request),
	        cmocka_unit_test(paths_of_the_queue_service),
	        cmocka_unit_test(body_of_a_proposal),
	        cmocka_unit_test(an_entry_is_read),
	        cmocka_unit_test(null_is_zero),
	        cmocka_unit_test(lies_are_refused),
	        cmocka_unit_test(without_proposer_or_confirmation_it_is_not_trusted),
	        cmocka_unit_test(a_page_leaves_lies_out),
	};
	return cmocka_run_group_tests(tests, NULL, free_arena);
}
