/* What main and the signer say to each other (the first byte is the kind of message): a body that
 * is accepted is, written again, the same bytes. */
#include "daemon/signer/wire.h"
#include "tests/fuzz/fuzz.h"

/* False when the body is refused. */
static bool again_request(struct arena *arena, struct buf *again, uint8_t kind, struct bytes body)
{
	struct wire_hello hello;
	struct wire_safe_tx safe_tx;
	struct wire_delete delete;
	struct wire_execution execution;

	switch (kind) {
	case WIRE_HELLO:
		if (wire_get_hello(arena, &hello, body) != 0)
			return false;
		wire_put_hello(again, &hello);
		return true;
	case WIRE_SIGN_SAFE_TX:
		if (wire_get_safe_tx(arena, &safe_tx, body) != 0)
			return false;
		wire_put_safe_tx(again, &safe_tx);
		return true;
	case WIRE_SIGN_DELETE:
		if (wire_get_delete(arena, &delete, body) != 0)
			return false;
		wire_put_delete(again, &delete);
		return true;
	case WIRE_SIGN_EXECUTION:
	case WIRE_SIGN_SCHEDULE:
	case WIRE_SIGN_CANCEL:
		if (wire_get_execution(arena, &execution, body) != 0)
			return false;
		wire_put_execution(again, &execution);
		return true;
	}
	return false;
}

static bool again_answer(struct arena *arena, struct buf *again, uint8_t kind, struct bytes body)
{
	struct wire_ready ready;
	struct wire_signature signature;
	struct wire_transaction transaction;

	switch (kind) {
	case WIRE_READY:
		if (wire_get_ready(arena, &ready, body) != 0)
			return false;
		wire_put_ready(again, &ready);
		return true;
	case WIRE_SIGNATURE:
		if (wire_get_signature(&signature, body) != 0)
			return false;
		wire_put_signature(again, &signature);
		return true;
	case WIRE_TRANSACTION:
		if (wire_get_transaction(&transaction, body) != 0)
			return false;
		wire_put_transaction(again, &transaction);
		return true;
	}
	return false;
}

/* A refusal is cut and its code made one of ours: after that it stays as it is. */
static void check_refused(struct bytes body)
{
	struct error first, second;
	struct buf again = {0};

	if (wire_get_refused(&first, body) != 0)
		return;
	PROPERTY(first.code >= ERR_DENIED && first.code <= ERR_INVALID);
	wire_put_refused(&again, &first);
	PROPERTY(wire_get_refused(&second, buf_bytes(&again)) == 0);
	PROPERTY(first.code == second.code && strcmp(first.text, second.text) == 0);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = bytes_of(data, size);
	struct arena arena = {0};
	struct buf again = {0};
	uint8_t kind = fuzz_take(&body) % (WIRE_REFUSED + 1);

	if (kind == WIRE_REFUSED)
		check_refused(body);
	else if (again_request(&arena, &again, kind, body) ||
	         again_answer(&arena, &again, kind, body))
		PROPERTY(bytes_equal(buf_bytes(&again), body));
	buf_free(&again);
	arena_free(&arena);
	return 0;
}
