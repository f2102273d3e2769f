/* Detached Ed25519 signatures as minisign writes them:
 * https://jedisct1.github.io/minisign/#signature-format. Over the artifact's BLAKE2b-512 ("ED",
 * what minisign writes today); those over the artifact itself ("Ed", old) are read and told apart.
 */
#ifndef MEASURE_MINISIGN_H
#define MEASURE_MINISIGN_H

#include "common/base/arena.h"
#include "common/crypto/pubkey.h"

enum {
	MINISIGN_MAX_SIZE = 16 * 1024, /* of a key or signature file */
	MINISIGN_ID_SIZE = 8,
	MINISIGN_DIGEST_SIZE = 64,
};

struct minisign_key {
	uint8_t id[MINISIGN_ID_SIZE];
	uint8_t key[32];
};

struct minisign_signature {
	bool prehashed;
	uint8_t id[MINISIGN_ID_SIZE]; /* of the key; says nothing until verified */
	uint8_t signature[64];
	uint8_t comment_signature[64]; /* over signature || trusted_comment */
	char *trusted_comment;         /* in the arena; to be trusted once verified */
};

/* A public key: its line of base64, or the file with the comment line before it. ERR_INVALID. */
int minisign_key_parse(struct minisign_key *out, struct bytes text, struct error *error) MUST_USE;
/* That line, in the arena. */
char *minisign_key_text(struct arena *arena, const struct minisign_key *key);
/* A signature file: four lines. ERR_INVALID. */
int minisign_parse(struct arena *arena, struct bytes text, struct minisign_signature *out,
                   struct error *error) MUST_USE;
/* The trusted comment, and that it belongs to this signature. ERR_DENIED. */
int minisign_verify_comment(const struct minisign_signature *signature,
                            const struct minisign_key *key, struct error *error) MUST_USE;
/* Over the BLAKE2b-512 of the artifact: the kind that is prehashed. ERR_DENIED. */
int minisign_verify_digest(const uint8_t signature[ED25519_SIGNATURE_SIZE],
                           const struct minisign_key *key,
                           const uint8_t digest[MINISIGN_DIGEST_SIZE],
                           struct error *error) MUST_USE;

#endif
