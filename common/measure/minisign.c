#include "common/measure/minisign.h"

#include "common/base/base64.h"
#include "common/base/buf.h"
#include "common/crypto/hash.h"
#include "common/crypto/pubkey.h"

#include <string.h>

enum { KEY_SIZE = 42, SIGNATURE_SIZE = 74 };

/* Takes a line off the front, without its end. */
static struct bytes take_line(struct bytes *rest)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
	struct bytes line = bytes_of(rest->data, len);

	len += end != NULL ? 1 : 0;
	*rest = bytes_of(rest->data + len, rest->len - len);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool begins(struct bytes line, const char *prefix)
{
	size_t len = strlen(prefix);

	return line.len >= len && memcmp(line.data, prefix, len) == 0;
}

/* A line of base64 that holds exactly size bytes. */
static int decode_line(struct bytes line, uint8_t *out, size_t size, struct error *error)
{
	struct arena arena = {0};
	struct bytes raw;

	memset(out, 0, size);
	if (line.len > 2 * size || (line.len > 0 && memchr(line.data, 0, line.len) != NULL))
		return error_set(error, ERR_INVALID, "expected base64 of %zu bytes", size);
	int rc = base64_decode(&arena, &raw, arena_text(&arena, line), error);
	if (rc == 0 && raw.len != size)
		rc = error_set(error, ERR_INVALID, "%zu bytes, expected %zu", raw.len, size);
	if (rc == 0)
		memcpy(out, raw.data, size);
	arena_free(&arena);
	return rc;
}

int minisign_key_parse(struct minisign_key *out, struct bytes text, struct error *error)
{
	uint8_t raw[KEY_SIZE];

	*out = (struct minisign_key){0};
	if (text.len > MINISIGN_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes are no public key", text.len);
	struct bytes line = take_line(&text);
	if (begins(line, "untrusted comment:"))
		line = take_line(&text);
	if (text.len != 0)
		return error_set(error, ERR_INVALID, "more lines than a public key has");
	int rc = decode_line(line, raw, sizeof(raw), error);
	if (rc == 0 && memcmp(raw, "Ed", 2) != 0)
		rc = error_set(error, ERR_INVALID, "not an Ed25519 key");
	if (rc != 0)
		return rc;
	memcpy(out->id, raw + 2, sizeof(out->id));
	memcpy(out->key, raw + 2 + sizeof(out->id), sizeof(out->key));
	return 0;
}

char *minisign_key_text(struct arena *arena, const struct minisign_key *key)
{
	uint8_t raw[KEY_SIZE] = "Ed";

	memcpy(raw + 2, key->id, sizeof(key->id));
	memcpy(raw + 2 + sizeof(key->id), key->key, sizeof(key->key));
	return base64_encode(arena, bytes_of(raw, sizeof(raw)));
}

static int parse_lines(struct arena *arena, struct bytes text, struct minisign_signature *out,
                       struct error *error)
{
	static const char trusted[] = "trusted comment: ";
	uint8_t raw[SIGNATURE_SIZE];

	if (text.len > MINISIGN_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes are no signature", text.len);
	if (!begins(take_line(&text), "untrusted comment: "))
		return error_set(error, ERR_INVALID, "line 1: expected \"untrusted comment: \"");
	if (decode_line(take_line(&text), raw, sizeof(raw), error) != 0)
		return error_prefix(error, "line 2");
	if (memcmp(raw, "Ed", 2) != 0 && memcmp(raw, "ED", 2) != 0)
		return error_set(error, ERR_INVALID, "line 2: not an Ed25519 signature");
	struct bytes comment = take_line(&text);
	if (!begins(comment, trusted) || memchr(comment.data, 0, comment.len) != NULL)
		return error_set(error, ERR_INVALID, "line 3: expected \"%s\"", trusted);
	if (decode_line(take_line(&text), out->comment_signature, 64, error) != 0)
		return error_prefix(error, "line 4");
	if (text.len != 0)
		return error_set(error, ERR_INVALID, "more lines than a signature has");
	out->prehashed = raw[1] == 'D';
	memcpy(out->id, raw + 2, sizeof(out->id));
	memcpy(out->signature, raw + 2 + sizeof(out->id), sizeof(out->signature));
	out->trusted_comment = arena_text(
	        arena, bytes_of(comment.data + strlen(trusted), comment.len - strlen(trusted)));
	return 0;
}

int minisign_parse(struct arena *arena, struct bytes text, struct minisign_signature *out,
                   struct error *error)
{
	struct error local;

	*out = (struct minisign_signature){0};
	int rc = parse_lines(arena, text, out, &local);
	if (rc == 0)
		return 0;
	*out = (struct minisign_signature){0};
	return error_set(error, ERR_INVALID, "%s", local.text);
}

int minisign_verify_comment(const struct minisign_signature *signature,
                            const struct minisign_key *key, struct error *error)
{
	struct buf global = {0};
	struct error local;

	buf_append(&global, signature->signature, sizeof(signature->signature));
	buf_append_text(&global, signature->trusted_comment);
	int rc = ed25519_verify(key->key, buf_bytes(&global), signature->comment_signature, &local);
	buf_free(&global);
	return rc != 0 ? error_set(error, ERR_DENIED, "trusted comment: %s", local.text) : 0;
}

int minisign_verify_digest(const uint8_t signature[ED25519_SIGNATURE_SIZE],
                           const struct minisign_key *key,
                           const uint8_t digest[MINISIGN_DIGEST_SIZE], struct error *error)
{
	return ed25519_verify(key->key, bytes_of(digest, MINISIGN_DIGEST_SIZE), signature, error);
}
