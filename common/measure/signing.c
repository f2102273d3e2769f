#include "common/measure/signing.h"

#include "common/base/buf.h"
#include "common/crypto/hash.h"

#include <stdio.h>
#include <string.h>

const char *signing_kind_name(enum signing_kind kind)
{
	switch (kind) {
	case SIGNING_NONE:
		break;
	case SIGNING_SIGSTORE:
		return "sigstore";
	case SIGNING_ED25519:
		return "ed25519";
	}
	return "none";
}

static void append_text(struct buf *out, const char *text)
{
	buf_printf(out, "%zu:%s ", text != NULL ? strlen(text) : 0, text != NULL ? text : "");
}

void signing_seal(struct signing *signing)
{
	struct buf text = {0};

	buf_printf(&text, "%d ", (int)signing->kind);
	append_text(&text, signing->issuer);
	append_text(&text, signing->workflow);
	append_text(&text, signing->predicate_type);
	buf_printf(&text, "%zu %zu ", signing->root.len, signing->keys.count);
	buf_append_bytes(&text, signing->root);
	for (size_t i = 0; i < signing->keys.count; i++) {
		const struct minisign_key *key = &signing->keys.items[i];
		buf_append(&text, key->id, sizeof(key->id));
		buf_append(&text, key->key, sizeof(key->key));
	}
	signing->digest = sha256(buf_bytes(&text));
	buf_free(&text);
}

const struct minisign_key *signing_key(const struct signing *signing,
                                       const uint8_t id[MINISIGN_ID_SIZE])
{
	for (size_t i = 0; i < signing->keys.count; i++)
		if (memcmp(signing->keys.items[i].id, id, MINISIGN_ID_SIZE) == 0)
			return &signing->keys.items[i];
	return NULL;
}

char *minisign_id_text(char text[MINISIGN_ID_TEXT], const uint8_t id[MINISIGN_ID_SIZE])
{
	/* A little-endian number in the file, printed as one. */
	for (size_t i = 0; i < MINISIGN_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02X", id[MINISIGN_ID_SIZE - 1 - i]);
	return text;
}
