/* What main and the signer say to each other, as bodies of daemon/io/message.h. Every getter
 * answers ERR_INVALID for a body that is not exactly one such thing; texts and data then point into
 * the body or live in the arena. */
#ifndef SIGNER_WIRE_H
#define SIGNER_WIRE_H

#include "common/base/arena.h"
#include "common/eth/transaction.h"
#include "common/governance/lifecycle.h"
#include "common/governance/safe_tx.h"

enum wire_kind {
	/* main -> signer */
	WIRE_HELLO = 1, /* first: which descriptor is what */
	WIRE_SIGN_SAFE_TX = 2,
	WIRE_SIGN_DELETE = 3,
	WIRE_SIGN_EXECUTION = 4,
	WIRE_SIGN_SCHEDULE = 5, /* the same body, another key */
	WIRE_SIGN_CANCEL = 6,   /* the same body: the operation's execution, to be cancelled */
	/* signer -> main */
	WIRE_READY = 16,       /* the addresses of all keys */
	WIRE_SIGNATURE = 17,   /* answers SIGN_SAFE_TX and SIGN_DELETE */
	WIRE_TRANSACTION = 18, /* answers SIGN_EXECUTION, SIGN_SCHEDULE and SIGN_CANCEL */
	WIRE_REFUSED = 19,     /* answers anything */
};

enum { WIRE_MAX_FILES = 62, WIRE_MAX_KEYS = 256 };

/* The configuration is on descriptor ROLE_SOCKET + 1, files[i] on ROLE_SOCKET + 2 + i. */
struct wire_hello {
	const char *config_name;
	const char *files[WIRE_MAX_FILES];
	size_t file_count;
};
void wire_put_hello(struct buf *body, const struct wire_hello *hello);
int wire_get_hello(struct arena *arena, struct wire_hello *out, struct bytes body) MUST_USE;

struct wire_key {
	const char *target;
	uint8_t key; /* enum signer_key */
	struct address address;
};
struct wire_ready {
	const struct wire_key *keys;
	size_t count;
};
void wire_put_ready(struct buf *body, const struct wire_ready *ready);
int wire_get_ready(struct arena *arena, struct wire_ready *out, struct bytes body) MUST_USE;

struct wire_safe_tx {
	const char *target;
	enum purpose purpose; /* as sent: may be none of the enum's */
	struct safe_tx tx;
};
void wire_put_safe_tx(struct buf *body, const struct wire_safe_tx *request);
int wire_get_safe_tx(struct arena *arena, struct wire_safe_tx *out, struct bytes body) MUST_USE;

struct wire_delete {
	const char *target;
	struct hash32 safe_tx_hash;
	uint64_t totp;
};
void wire_put_delete(struct buf *body, const struct wire_delete *request);
int wire_get_delete(struct arena *arena, struct wire_delete *out, struct bytes body) MUST_USE;

struct wire_execution {
	const char *target;
	struct eth_transaction tx;
};
void wire_put_execution(struct buf *body, const struct wire_execution *request);
int wire_get_execution(struct arena *arena, struct wire_execution *out, struct bytes body) MUST_USE;

struct wire_signature {
	uint8_t signature[SAFE_SIGNATURE_SIZE];
	struct hash32 hash; /* what was signed, as the signer computed it */
};
void wire_put_signature(struct buf *body, const struct wire_signature *answer);
int wire_get_signature(struct wire_signature *out, struct bytes body) MUST_USE;

struct wire_transaction {
	struct bytes raw;
	struct hash32 hash;
};
void wire_put_transaction(struct buf *body, const struct wire_transaction *answer);
int wire_get_transaction(struct wire_transaction *out, struct bytes body) MUST_USE;

void wire_put_refused(struct buf *body, const struct error *reason);
/* An unknown code becomes ERR_DENIED. */
int wire_get_refused(struct error *out, struct bytes body) MUST_USE;

#endif
