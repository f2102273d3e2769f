#include "common/eth/jsonrpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- requests ------------------------------------------------------------------------------- */

static struct jval *request_value(uint64_t id, struct jsonrpc_call call)
{
	struct jval *request = jval_object();

	jval_add_string(request, "jsonrpc", "2.0");
	jval_add_int(request, "id", (int64_t)id);
	jval_add_string(request, "method", call.method);
	jval_add(request, "params", call.params != NULL ? call.params : jval_array());
	return request;
}

void jsonrpc_request(struct buf *out, uint64_t id, struct jsonrpc_call call)
{
	struct jval *request = request_value(id, call);

	jval_write(out, request, JVAL_COMPACT);
	jval_free(request);
}

struct jval *jsonrpc_new_quantity(uint64_t value)
{
	char text[19];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return jval_new_string(text);
}

struct jval *jsonrpc_new_hex(struct bytes data)
{
	struct buf text = {0};

	buf_append_text(&text, "0x");
	buf_append_hex(&text, data);
	struct jval *hex = jval_new_string(buf_text(&text));
	buf_free(&text);
	return hex;
}

struct jval *jsonrpc_new_address(const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	return jval_new_string(address_lower(text, address));
}

/* --- values --------------------------------------------------------------------------------- */

int jsonrpc_u256(struct u256 *out, const struct jval *quantity, struct error *error)
{
	const char *text = jval_string(quantity);

	*out = (struct u256){{0}};
	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return error_set(error, ERR_INVALID,
		                 "not a quantity, expected \"0x\" and hex digits");
	return u256_parse(out, text, error);
}

int jsonrpc_u64(uint64_t *out, const struct jval *quantity, struct error *error)
{
	struct u256 wide;

	*out = 0;
	int rc = jsonrpc_u256(&wide, quantity, error);
	if (rc != 0)
		return rc;
	if (u256_to_u64(out, &wide) != 0)
		return error_set(error, ERR_LIMIT, "a quantity larger than 64 bits");
	return 0;
}

int jsonrpc_hex(struct bytes *out, struct arena *arena, const struct jval *data,
                struct error *error)
{
	const char *text = jval_string(data);

	*out = (struct bytes){0};
	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return error_set(error, ERR_INVALID, "not data, expected \"0x\" and hex digits");
	size_t digits = strlen(text + 2);
	if (digits % 2 != 0)
		return error_set(error, ERR_INVALID, "data with half a byte (%zu hex digits)",
		                 digits);
	uint8_t *memory = arena_alloc(arena, digits / 2);
	int rc = hex_decode(memory, digits / 2, text, error);
	if (rc != 0)
		return rc;
	*out = bytes_of(memory, digits / 2);
	return 0;
}

static int fixed_hex(uint8_t *out, size_t size, const struct jval *data, struct error *error)
{
	const char *text = jval_string(data);

	memset(out, 0, size);
	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return error_set(error, ERR_INVALID,
		                 "not %zu bytes, expected \"0x\" and %zu hex digits", size,
		                 2 * size);
	return hex_decode(out, size, text, error);
}

int jsonrpc_hash32(struct hash32 *out, const struct jval *data, struct error *error)
{
	return fixed_hex(out->b, sizeof(out->b), data, error);
}

int jsonrpc_address(struct address *out, const struct jval *data, struct error *error)
{
	return fixed_hex(out->b, sizeof(out->b), data, error);
}

/* --- answers -------------------------------------------------------------------------------- */

/* Code 3 is what clients agreed on for a revert; some older ones say it in words only. */
static bool says_reverted(const struct jsonrpc_answer *answer)
{
	return answer->code == 3 || answer->has_data ||
	       strncmp(answer->message, "execution reverted", strlen("execution reverted")) == 0;
}

static int read_error(struct jsonrpc_answer *answer, struct arena *arena, const struct jval *object,
                      struct error *error)
{
	if (jval_get_int(object, "code", &answer->code) != 0)
		return error_set(error, ERR_INVALID, "a JSON-RPC error without a code");
	const char *message = jval_get_string(object, "message");
	answer->message = message != NULL ? message : "";
	const struct jval *data = jval_get(object, "data");
	if (jval_is_object(data))
		data = jval_get(data, "data");
	answer->has_data = jsonrpc_hex(&answer->data, arena, data, NULL) == 0;
	answer->reverted = says_reverted(answer);
	return 0;
}

/* One element: exactly one of result and error. The id is the caller's to check. */
static int read_answer(struct jsonrpc_answer *answer, struct arena *arena,
                       const struct jval *object, struct error *error)
{
	const struct jval *failure = jval_get(object, "error");

	*answer = (struct jsonrpc_answer){.message = ""};
	if (failure != NULL && !jval_is_null(failure))
		return read_error(answer, arena, failure, error);
	answer->result = jval_get(object, "result");
	if (answer->result == NULL)
		return error_set(error, ERR_INVALID,
		                 "a JSON-RPC answer with neither result nor error");
	return 0;
}

static bool id_of(uint64_t *id, const struct jval *object)
{
	int64_t value;

	if (jval_get_int(object, "id", &value) != 0 || value < 0)
		return false;
	*id = (uint64_t)value;
	return true;
}

int jsonrpc_parse(struct jval **document, struct jsonrpc_answer *answer, struct arena *arena,
                  struct bytes text, uint64_t id, struct error *error)
{
	uint64_t got;

	*answer = (struct jsonrpc_answer){.message = ""};
	int rc = jval_parse(document, text, error);
	if (rc != 0)
		return rc;
	/* What a node could not read, it answers with id null. */
	bool nameless = jval_is_null(jval_get(*document, "id"));
	if (nameless ? jval_get(*document, "error") == NULL : !id_of(&got, *document) || got != id)
		rc = error_set(error, ERR_INVALID, "not the answer to JSON-RPC request %" PRIu64,
		               id);
	else
		rc = read_answer(answer, arena, *document, error);
	if (rc != 0) {
		jval_free(*document);
		*document = NULL;
		*answer = (struct jsonrpc_answer){.message = ""};
	}
	return rc;
}
