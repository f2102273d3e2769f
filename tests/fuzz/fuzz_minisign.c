/* minisign: keys and signatures written again from their parts are read as the same; the first byte
 * is the length of the key; the signature follows. What verifies does not verify another
 * digest. Base64 and times, which stand in such files, on the way. */
#include "common/base/base64.h"
#include "common/base/clock.h"
#include "common/crypto/hash.h"
#include "common/measure/minisign.h"
#include "tests/fuzz/fuzz.h"

static void put_line(struct arena *arena, struct buf *out, struct bytes raw)
{
	buf_printf(out, "%s\n", base64_encode(arena, raw));
}

static void check_key(struct arena *arena, const struct minisign_key *key)
{
	struct buf raw = {0}, text = {0};
	struct minisign_key again;

	buf_append_text(&raw, "Ed");
	buf_append(&raw, key->id, sizeof(key->id));
	buf_append(&raw, key->key, sizeof(key->key));
	put_line(arena, &text, buf_bytes(&raw));
	PROPERTY(minisign_key_parse(&again, buf_bytes(&text), NULL) == 0);
	PROPERTY(memcmp(&again, key, sizeof(again)) == 0);
	buf_free(&raw);
	buf_free(&text);
}

static void check_signature(struct arena *arena, const struct minisign_signature *signature)
{
	struct buf raw = {0}, text = {0};
	struct minisign_signature again;

	buf_append_text(&raw, signature->prehashed ? "ED" : "Ed");
	buf_append(&raw, signature->id, sizeof(signature->id));
	buf_append(&raw, signature->signature, sizeof(signature->signature));
	buf_append_text(&text, "untrusted comment: again\n");
	put_line(arena, &text, buf_bytes(&raw));
	buf_printf(&text, "trusted comment: %s\n", signature->trusted_comment);
	put_line(arena, &text,
	         bytes_of(signature->comment_signature, sizeof(signature->comment_signature)));
	PROPERTY(minisign_parse(arena, buf_bytes(&text), &again, NULL) == 0);
	PROPERTY(again.prehashed == signature->prehashed);
	PROPERTY(memcmp(again.signature, signature->signature, sizeof(again.signature)) == 0);
	PROPERTY(strcmp(again.trusted_comment, signature->trusted_comment) == 0);
	buf_free(&raw);
	buf_free(&text);
}

static void check_verify(const struct minisign_signature *signature, const struct minisign_key *key,
                         const char *artifact)
{
	uint8_t digest[MINISIGN_DIGEST_SIZE];

	blake2b(digest, bytes_text(artifact));
	if (minisign_verify_digest(signature->signature, key, digest, NULL) != 0)
		return;
	digest[0] ^= 1;
	PROPERTY(minisign_verify_digest(signature->signature, key, digest, NULL) == ERR_DENIED);
}

static void check_texts(struct arena *arena, struct bytes input)
{
	const char *text = arena_text(arena, input);
	char printed[WALL_TEXT_SIZE];
	struct bytes raw;
	struct wall at, again;

	if (base64_decode(arena, &raw, text, NULL) == 0)
		PROPERTY(strcmp(base64_encode(arena, raw), text) == 0);
	if (wall_parse(&at, text, NULL) == 0) {
		PROPERTY(wall_parse(&again, wall_text(printed, at), NULL) == 0);
		PROPERTY(again.ms == at.ms && at.ms >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	struct minisign_signature signature;
	struct minisign_key key;
	struct arena arena = {0};

	crypto_init();
	check_texts(&arena, input);
	size_t key_len = fuzz_take(&input);
	key_len = key_len < input.len ? key_len : input.len;
	struct bytes key_text = bytes_of(input.data, key_len);
	struct bytes rest = bytes_of(input.data + key_len, input.len - key_len);

	bool has_key = minisign_key_parse(&key, key_text, NULL) == 0;
	if (has_key)
		check_key(&arena, &key);
	if (minisign_parse(&arena, rest, &signature, NULL) == 0) {
		check_signature(&arena, &signature);
		if (has_key)
			check_verify(&signature, &key, "test");
	}
	arena_free(&arena);
	return 0;
}
