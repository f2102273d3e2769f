/* Who must have signed the builds of a target (`require_signed`). */
#ifndef MEASURE_SIGNING_H
#define MEASURE_SIGNING_H

#include "common/measure/minisign.h"

/* Stored numbers: fixed for ever. */
enum signing_kind { SIGNING_NONE = 0, SIGNING_SIGSTORE = 1, SIGNING_ED25519 = 2 };

const char *signing_kind_name(enum signing_kind kind); /* "sigstore", "ed25519" */

enum {
	SIGNING_MAX_ROOT =
	        64 * 1024, /* of a trusted root file, bytes: it travels with each request */
	SIGNING_MAX_KEYS = 16,
};

struct signing_keys {
	struct minisign_key *items;
	size_t count;
};

struct signing {
	enum signing_kind kind;
	/* Sigstore: see struct sigstore_expect. */
	char *issuer, *workflow, *predicate_type;
	struct bytes root; /* trusted_root.json as it is; empty: not read */
	/* Ed25519: whoever has one of these. */
	struct signing_keys keys;
	struct hash32 digest; /* of all of the above, by signing_seal */
};

/* Writes digest: two rules have the same when they are the same. */
void signing_seal(struct signing *signing);

/* The key with that id, or NULL. */
const struct minisign_key *signing_key(const struct signing *signing,
                                       const uint8_t id[MINISIGN_ID_SIZE]);

/* "0123456789ABCDEF", as minisign prints it. Returns text. */
#define MINISIGN_ID_TEXT 17
char *minisign_id_text(char text[MINISIGN_ID_TEXT], const uint8_t id[MINISIGN_ID_SIZE]);

#endif
