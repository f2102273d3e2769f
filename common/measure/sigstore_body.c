/* What the log recorded, held against the envelope beside it: without this an entry's signatures
 * say nothing about the envelope. */
#include "common/crypto/x509.h"
#include "common/measure/sigstore_internal.h"

#include <string.h>

static int differs(const char *what, struct error *error)
{
	return error_set(error, ERR_INVALID, "the entry has another %s than the envelope", what);
}

/* {"algorithm":"sha256","value":hex} */
static bool is_hash_of(const struct jval *hash, struct bytes content)
{
	const char *algorithm = jval_get_string(hash, "algorithm");
	const char *value = jval_get_string(hash, "value");
	struct hash32 stated, computed = sha256(content);

	return algorithm != NULL && strcmp(algorithm, "sha256") == 0 && value != NULL &&
	       hash32_parse(&stated, value, NULL) == 0 && hash32_equal(&stated, &computed);
}

static bool is_base64_of(struct arena *arena, const char *text, struct bytes content)
{
	struct bytes raw;

	return base64_decode(arena, &raw, text, NULL) == 0 && bytes_equal(raw, content);
}

static bool is_pem_of(struct arena *arena, const char *text, struct bytes certificate)
{
	struct bytes pem, der;

	return base64_decode(arena, &pem, text, NULL) == 0 &&
	       x509_from_pem(arena, &der, pem, NULL) == 0 && bytes_equal(der, certificate);
}

static int match_dsse(struct arena *arena, const struct jval *spec,
                      const struct sigstore_bundle *bundle, struct error *error)
{
	const struct jval *signatures = jval_get(spec, "signatures");
	const struct jval *signature = jval_at(signatures, 0);

	if (!is_hash_of(jval_get(spec, "payloadHash"), bundle->payload))
		return differs("payload", error);
	if (jval_count(signatures) != 1 ||
	    !is_base64_of(arena, jval_get_string(signature, "signature"), bundle->signature))
		return differs("signature", error);
	if (!is_pem_of(arena, jval_get_string(signature, "verifier"), bundle->certificate))
		return differs("certificate", error);
	return 0;
}

static int match_intoto(struct arena *arena, const struct jval *spec,
                        const struct sigstore_bundle *bundle, struct error *error)
{
	const struct jval *content = jval_get(spec, "content");
	const struct jval *envelope = jval_get(content, "envelope");
	const struct jval *signatures = jval_get(envelope, "signatures");
	const struct jval *signature = jval_at(signatures, 0);
	const char *type = jval_get_string(envelope, "payloadType");
	struct bytes inner;

	if (!is_hash_of(jval_get(content, "payloadHash"), bundle->payload))
		return differs("payload", error);
	if (type == NULL || strcmp(type, bundle->payload_type) != 0)
		return differs("payload type", error);
	/* This kind encodes the encoded signature once more. */
	if (jval_count(signatures) != 1 ||
	    base64_decode(arena, &inner, jval_get_string(signature, "sig"), NULL) != 0 ||
	    !is_base64_of(arena, arena_text(arena, inner), bundle->signature))
		return differs("signature", error);
	if (!is_pem_of(arena, jval_get_string(signature, "publicKey"), bundle->certificate))
		return differs("certificate", error);
	return 0;
}

/* Rekor v2: over the bytes that the envelope's signature is over. */
static int match_hashedrekord(struct arena *arena, const struct jval *spec,
                              const struct sigstore_bundle *bundle, struct error *error)
{
	const struct jval *record = jval_get(spec, "hashedRekordV002");
	const struct jval *data = jval_get(record, "data");
	const struct jval *signature = jval_get(record, "signature");
	const struct jval *certificate =
	        jval_get(jval_get(signature, "verifier"), "x509Certificate");
	const char *algorithm = jval_get_string(data, "algorithm");
	struct hash32 digest = sha256(sigstore_envelope_bytes(arena, bundle));

	if (algorithm == NULL || strcmp(algorithm, "SHA2_256") != 0 ||
	    !is_base64_of(arena, jval_get_string(data, "digest"), bytes_of(digest.b, 32)))
		return differs("payload", error);
	if (!is_base64_of(arena, jval_get_string(signature, "content"), bundle->signature))
		return differs("signature", error);
	if (!is_base64_of(arena, jval_get_string(certificate, "rawBytes"), bundle->certificate))
		return differs("certificate", error);
	return 0;
}

static const struct entry_kind {
	const char *kind, *version;
	int (*match)(struct arena *arena, const struct jval *spec,
	             const struct sigstore_bundle *bundle, struct error *error);
} kinds[] = {
        {"dsse", "0.0.1", match_dsse},
        {"intoto", "0.0.2", match_intoto},
        {"hashedrekord", "0.0.2", match_hashedrekord},
};

static int match(struct arena *arena, const struct jval *body, const struct sigstore_bundle *bundle,
                 struct error *error)
{
	const char *kind = jval_get_string(body, "kind");
	const char *version = jval_get_string(body, "apiVersion");

	if (kind == NULL || version == NULL)
		return error_set(error, ERR_INVALID, "the entry does not say its kind");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i].kind) == 0 && strcmp(version, kinds[i].version) == 0)
			return kinds[i].match(arena, jval_get(body, "spec"), bundle, error);
	return error_set(error, ERR_NOT_FOUND,
	                 "an entry of kind %.32s %.16s: what it is about is not known here", kind,
	                 version);
}

int sigstore_body_matches(struct arena *arena, const struct sigstore_bundle *bundle,
                          struct error *error)
{
	struct jval *body = NULL;

	int rc = jval_parse(&body, bundle->entry.body, error);
	if (rc == 0)
		rc = match(arena, body, bundle, error);
	else
		rc = error_prefix(error, "the entry");
	jval_free(body);
	return rc;
}
