/* JSON-RPC 2.0 as Ethereum nodes speak it: requests as text, answers as structs. No network here.
 */
#ifndef ETH_JSONRPC_H
#define ETH_JSONRPC_H

#include "common/base/arena.h"
#include "common/base/jval.h"
#include "common/eth/address.h"

struct jsonrpc_call {
	const char *method;
	struct jval *params; /* an array; taken over by whoever encodes it. NULL: [] */
};

void jsonrpc_request(struct buf *out, uint64_t id, struct jsonrpc_call call);

/* What came back for one request. */
struct jsonrpc_answer {
	const struct jval *result; /* borrowed from the document; NULL when it is an error */
	int64_t code;              /* of the error */
	const char *message; /* borrowed; "" when the error has none. From outside: escape it */
	bool has_data;       /* error.data (or error.data.data) is hex */
	struct bytes data;   /* it, in the arena */
	bool reverted;       /* the error says that a contract reverted; data may be empty */
};

/* Parses the answer to the request id. *document owns what the answer borrows (jval_free); NULL on
 * failure. ERR_INVALID: not a JSON-RPC answer to it. An error object is a success of parsing. */
int jsonrpc_parse(struct jval **document, struct jsonrpc_answer *answer, struct arena *arena,
                  struct bytes text, uint64_t id, struct error *error) MUST_USE;

/* Values in answers. A value that is absent or of another form is ERR_INVALID; a number that does
 * not fit is ERR_LIMIT. Outputs are cleared on failure. */
int jsonrpc_u64(uint64_t *out, const struct jval *quantity, struct error *error) MUST_USE;
int jsonrpc_u256(struct u256 *out, const struct jval *quantity, struct error *error) MUST_USE;
int jsonrpc_hex(struct bytes *out, struct arena *arena, const struct jval *data,
                struct error *error) MUST_USE;
int jsonrpc_hash32(struct hash32 *out, const struct jval *data, struct error *error) MUST_USE;
int jsonrpc_address(struct address *out, const struct jval *data, struct error *error) MUST_USE;

/* Values for requests. */
struct jval *jsonrpc_new_quantity(uint64_t value);
struct jval *jsonrpc_new_hex(struct bytes data);
struct jval *jsonrpc_new_address(const struct address *address);

#endif
