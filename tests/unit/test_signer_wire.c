#include "daemon/signer/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Every message can be written, read back and written again to the same bytes. This reads body as
 * one kind and writes what was read; the answer is that of the reader. */
static int rewrite(enum wire_kind kind, struct bytes body, struct buf *again)
{
	struct arena arena = {0};
	struct wire_hello hello;
	struct wire_ready ready;
	struct wire_safe_tx safe_tx;
	struct wire_delete deletion;
	struct wire_execution execution;
	struct wire_signature signature;
	struct wire_transaction transaction;
	struct error reason;
	int rc = ERR_INVALID;

	switch (kind) {
	case WIRE_HELLO:
		rc = wire_get_hello(&arena, &hello, body);
		if (rc == 0)
			wire_put_hello(again, &hello);
		break;
	case WIRE_READY:
		rc = wire_get_ready(&arena, &ready, body);
		if (rc == 0)
			wire_put_ready(again, &ready);
		break;
	case WIRE_SIGN_SAFE_TX:
		rc = wire_get_safe_tx(&arena, &safe_tx, body);
		if (rc == 0)
			wire_put_safe_tx(again, &safe_tx);
		break;
	case WIRE_SIGN_DELETE:
		rc = wire_get_delete(&arena, &deletion, body);
		if (rc == 0)
			wire_put_delete(again, &deletion);
		break;
	case WIRE_SIGN_EXECUTION:
	case WIRE_SIGN_SCHEDULE:
	case WIRE_SIGN_CANCEL:
		rc = wire_get_execution(&arena, &execution, body);
		if (rc == 0)
			wire_put_execution(again, &execution);
		break;
	case WIRE_SIGNATURE:
		rc = wire_get_signature(&signature, body);
		if (rc == 0)
			wire_put_signature(again, &signature);
		break;
	case WIRE_TRANSACTION:
		rc = wire_get_transaction(&transaction, body);
		if (rc == 0)
			wire_put_transaction(again, &transaction);
		break;
	case WIRE_REFUSED:
		rc = wire_get_refused(&reason, body);
		if (rc == 0)
			wire_put_refused(again, &reason);
		break;
	}
	arena_free(&arena);
	return rc;
}

/* A good body of each kind. */
static void sample(enum wire_kind kind, struct buf *body)
{
	struct wire_hello hello = {
	        .config_name = "/etc/a.yaml", .files = {"/k/1", "/k/2"}, .file_count = 2};
	struct wire_key keys[] = {{"pay", 1, {{1}}}, {"ship", 2, {{2}}}};
	struct wire_ready ready = {keys, 2};
	struct wire_safe_tx safe_tx = {.target = "pay",
	                               .purpose = PURPOSE_CANCEL,
	                               .tx = {.chain_id = 5,
	                                      .safe = {{1}},
	                                      .to = {{2}},
	                                      .value = {{3}},
	                                      .data = bytes_text("data"),
	                                      .operation = 1,
	                                      .safe_tx_gas = {{4}},
	                                      .base_gas = {{5}},
	                                      .gas_price = {{6}},
	                                      .gas_token = {{7}},
	                                      .refund_receiver = {{8}},
	                                      .nonce = 9}};
	struct wire_delete deletion = {"pay", {{1}}, 483333};
	struct wire_execution execution = {"pay",
	                                   {.chain_id = 1,
	                                    .nonce = 2,
	                                    .gas = 3,
	                                    .max_priority_fee = {{4}},
	                                    .max_fee = {{5}},
	                                    .to = {{6}},
	                                    .value = {{7}},
	                                    .data = bytes_text("more data")}};
	struct wire_signature signature = {{1, 2}, {{3}}};
	struct wire_transaction transaction = {bytes_text("raw"), {{4}}};
	struct error reason = {ERR_UNAVAILABLE, "because"};

	switch (kind) {
	case WIRE_HELLO:
		wire_put_hello(body, &hello);
		break;
	case WIRE_READY:
		wire_put_ready(body, &ready);
		break;
	case WIRE_SIGN_SAFE_TX:
		wire_put_safe_tx(body, &safe_tx);
		break;
	case WIRE_SIGN_DELETE:
		wire_put_delete(body, &deletion);
		break;
	case WIRE_SIGN_EXECUTION:
	case WIRE_SIGN_SCHEDULE:
	case WIRE_SIGN_CANCEL:
		wire_put_execution(body, &execution);
		break;
	case WIRE_SIGNATURE:
		wire_put_signature(body, &signature);
		break;
	case WIRE_TRANSACTION:
		wire_put_transaction(body, &transaction);
		break;
	case WIRE_REFUSED:
		wire_put_refused(body, &reason);
		break;
	}
}

static const enum wire_kind kinds[] = {WIRE_HELLO,          WIRE_SIGN_SAFE_TX,  WIRE_SIGN_DELETE,
                                       WIRE_SIGN_EXECUTION, WIRE_SIGN_SCHEDULE, WIRE_SIGN_CANCEL,
                                       WIRE_READY,          WIRE_SIGNATURE,     WIRE_TRANSACTION,
                                       WIRE_REFUSED};

static void every_message_survives_the_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf body = {0}, again = {0};
		sample(kinds[i], &body);
		assert_true(body.len > 0);
		assert_int_equal(rewrite(kinds[i], buf_bytes(&body), &again), 0);
		assert_true(bytes_equal(buf_bytes(&body), buf_bytes(&again)));
		buf_free(&body);
		buf_free(&again);
	}
}

static void cut_and_lengthened_messages_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf body = {0}, again = {0};
		sample(kinds[i], &body);
		for (size_t len = 0; len < body.len; len++) {
			uint8_t *cut = malloc(len + 1);
			memcpy(cut, body.data, len);
			assert_int_equal(rewrite(kinds[i], bytes_of(cut, len), &again),
			                 ERR_INVALID);
			free(cut);
		}
		buf_append_byte(&body, 0);
		assert_int_equal(rewrite(kinds[i], buf_bytes(&body), &again), ERR_INVALID);
		assert_int_equal(again.len, 0);
		buf_free(&body);
		buf_free(&again);
	}
}

/* What is still readable with a flipped bit means exactly those bytes. Only an error code that
 * does not exist is replaced. */
static void flipped_bits_are_read_as_they_are_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf body = {0}, again = {0};
		sample(kinds[i], &body);
		for (size_t bit = 0; bit < body.len * 8; bit++) {
			body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			buf_clear(&again);
			int rc = rewrite(kinds[i], buf_bytes(&body), &again);
			assert_true(rc == 0 || rc == ERR_INVALID);
			if (rc == 0 && kinds[i] != WIRE_REFUSED)
				assert_true(bytes_equal(buf_bytes(&body), buf_bytes(&again)));
			body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		buf_free(&body);
		buf_free(&again);
	}
}

static void too_many_files_or_keys_are_refused(void **state)
{
	static const uint8_t none[] = {0, 0, 0, 0};
	struct buf body = {0}, again = {0};

	(void)state;
	buf_append(&body, none, sizeof(none));
	buf_append(&body, "\0\0\0\x3f", 4); /* 63 files */
	buf_append_zeros(&body, 4 * 63);
	assert_int_equal(rewrite(WIRE_HELLO, buf_bytes(&body), &again), ERR_INVALID);
	buf_clear(&body);
	buf_append(&body, "\xff\xff\xff\xff", 4);
	assert_int_equal(rewrite(WIRE_READY, buf_bytes(&body), &again), ERR_INVALID);
	buf_free(&body);
	buf_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_message_survives_the_way),
	        cmocka_unit_test(cut_and_lengthened_messages_are_refused),
	        cmocka_unit_test(flipped_bits_are_read_as_they_are_or_refused),
	        cmocka_unit_test(too_many_files_or_keys_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
