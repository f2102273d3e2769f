#include "common/crypto/x509.h"
#include "common/measure/sigstore_internal.h"

#include <string.h>

int sigstore_int(const struct jval *object, const char *key, int64_t *out, struct error *error)
{
	const char *text = jval_get_string(object, key);

	*out = 0;
	if (text == NULL && jval_get_int(object, key, out) == 0 && *out >= 0)
		return 0;
	*out = 0;
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return error_set(error, ERR_INVALID, "%s: expected a number", key);
	for (size_t i = 0; i < digits; i++)
		*out = *out * 10 + (text[i] - '0');
	return 0;
}

int sigstore_base64(struct arena *arena, const struct jval *object, const char *key,
                    struct bytes *out, struct error *error)
{
	int rc = base64_decode(arena, out, jval_get_string(object, key), error);

	if (rc == 0 && out->len == 0)
		rc = error_set(error, ERR_INVALID, "it is empty");
	return rc != 0 ? error_prefix(error, "%s", key) : 0;
}

static int read_hash(struct arena *arena, const char *text, struct hash32 *out, struct error *error)
{
	struct bytes raw;
	int rc = base64_decode(arena, &raw, text, error);

	if (rc == 0 && raw.len != sizeof(out->b))
		rc = error_set(error, ERR_INVALID, "%zu bytes, expected 32", raw.len);
	if (rc == 0)
		memcpy(out->b, raw.data, sizeof(out->b));
	return rc;
}

/* --- the envelope -------------------------------------------------------------------------------
 */

static int read_envelope(struct arena *arena, const struct jval *envelope,
                         struct sigstore_bundle *out, struct error *error)
{
	const struct jval *signatures = jval_get(envelope, "signatures");

	out->payload_type = arena_strdup(arena, jval_get_string(envelope, "payloadType"));
	if (out->payload_type == NULL)
		return error_set(error, ERR_INVALID, "payloadType: expected a string");
	int rc = sigstore_base64(arena, envelope, "payload", &out->payload, error);
	if (rc != 0)
		return rc;
	if (jval_count(signatures) != 1)
		return error_set(error, ERR_INVALID, "signatures: %zu, expected one",
		                 jval_count(signatures));
	return sigstore_base64(arena, jval_at(signatures, 0), "sig", &out->signature, error);
}

struct bytes sigstore_envelope_bytes(struct arena *arena, const struct sigstore_bundle *bundle)
{
	struct buf pae = {0};

	buf_printf(&pae, "DSSEv1 %zu %s %zu ", strlen(bundle->payload_type), bundle->payload_type,
	           bundle->payload.len);
	buf_append_bytes(&pae, bundle->payload);
	struct bytes out = arena_copy(arena, buf_bytes(&pae));
	buf_free(&pae);
	return out;
}

/* --- cosign's old layout ------------------------------------------------------------------------
 */

static int read_legacy_envelope(struct arena *arena, const struct jval *bundle,
                                struct sigstore_bundle *out, struct error *error)
{
	struct jval *envelope = NULL;
	struct bytes text;

	int rc = sigstore_base64(arena, bundle, "base64Signature", &text, error);
	if (rc != 0)
		return rc;
	if (text.data[0] != '{')
		return error_set(error, ERR_INVALID,
		                 "base64Signature: a signature over a file, expected the "
		                 "envelope of an attestation");
	rc = jval_parse(&envelope, text, error);
	if (rc == 0)
		rc = read_envelope(arena, envelope, out, error);
	jval_free(envelope);
	return rc != 0 ? error_prefix(error, "base64Signature") : 0;
}

static int read_legacy_entry(struct arena *arena, const struct jval *rekor,
                             struct sigstore_entry *out, struct error *error)
{
	const struct jval *payload = jval_get(rekor, "Payload");
	const char *id = jval_get_string(payload, "logID");
	uint8_t raw[32];

	int rc = sigstore_base64(arena, rekor, "SignedEntryTimestamp", &out->promise, error);
	if (rc == 0)
		rc = sigstore_base64(arena, payload, "body", &out->body, error);
	if (rc == 0)
		rc = sigstore_int(payload, "integratedTime", &out->time, error);
	if (rc == 0)
		rc = sigstore_int(payload, "logIndex", &out->index, error);
	if (rc != 0)
		return rc;
	if (id == NULL || hex_decode(raw, sizeof(raw), id, error) != 0)
		return error_set(error, ERR_INVALID, "logID: expected 64 hex digits");
	out->log_id = arena_copy(arena, bytes_of(raw, sizeof(raw)));
	out->body_text = arena_strdup(arena, jval_get_string(payload, "body"));
	return 0;
}

static int read_legacy(struct arena *arena, const struct jval *bundle, struct sigstore_bundle *out,
                       struct error *error)
{
	struct bytes pem;

	out->legacy = true;
	int rc = read_legacy_envelope(arena, bundle, out, error);
	if (rc != 0)
		return rc;
	rc = sigstore_base64(arena, bundle, "cert", &pem, error);
	if (rc == 0)
		rc = x509_from_pem(arena, &out->certificate, pem, error);
	if (rc != 0)
		return error_prefix(error, "cert");
	rc = read_legacy_entry(arena, jval_get(bundle, "rekorBundle"), &out->entry, error);
	return rc != 0 ? error_prefix(error, "rekorBundle") : 0;
}

/* --- the bundle format --------------------------------------------------------------------------
 */

static int read_certificate(struct arena *arena, const struct jval *material, struct bytes *out,
                            struct error *error)
{
	const struct jval *certificate = jval_get(material, "certificate");

	/* Versions 0.1 and 0.2; what follows the leaf is not asked, the trusted root has it. */
	if (certificate == NULL)
		certificate = jval_at(
		        jval_get(jval_get(material, "x509CertificateChain"), "certificates"), 0);
	if (certificate == NULL)
		return error_set(error, ERR_INVALID, "there is no certificate");
	return sigstore_base64(arena, certificate, "rawBytes", out, error);
}

static int read_proof(struct arena *arena, const struct jval *proof, struct sigstore_proof *out,
                      struct error *error)
{
	const struct jval *hashes = jval_get(proof, "hashes");
	int64_t index, size;

	out->there = true;
	int rc = sigstore_int(proof, "logIndex", &index, error);
	if (rc == 0)
		rc = sigstore_int(proof, "treeSize", &size, error);
	if (rc != 0)
		return rc;
	out->index = (uint64_t)index;
	out->tree_size = (uint64_t)size;
	if (read_hash(arena, jval_get_string(proof, "rootHash"), &out->root, error) != 0)
		return error_prefix(error, "rootHash");
	if (jval_count(hashes) > SIGSTORE_MAX_HASHES)
		return error_set(error, ERR_INVALID, "more than %d hashes", SIGSTORE_MAX_HASHES);
	for (size_t i = 0; i < jval_count(hashes); i++) {
		if (read_hash(arena, jval_string(jval_at(hashes, i)), &out->hashes[i], error) != 0)
			return error_prefix(error, "hashes[%zu]", i);
		out->count = i + 1;
	}
	out->checkpoint =
	        arena_strdup(arena, jval_get_string(jval_get(proof, "checkpoint"), "envelope"));
	return 0;
}

static int read_entry(struct arena *arena, const struct jval *entry, struct sigstore_entry *out,
                      struct error *error)
{
	const struct jval *promise = jval_get(entry, "inclusionPromise");
	const struct jval *proof = jval_get(entry, "inclusionProof");

	int rc = sigstore_base64(arena, jval_get(entry, "logId"), "keyId", &out->log_id, error);
	if (rc == 0)
		rc = sigstore_base64(arena, entry, "canonicalizedBody", &out->body, error);
	if (rc == 0)
		rc = sigstore_int(entry, "logIndex", &out->index, error);
	if (rc == 0 && jval_get(entry, "integratedTime") != NULL)
		rc = sigstore_int(entry, "integratedTime", &out->time, error);
	if (rc == 0 && jval_is_object(promise))
		rc = sigstore_base64(arena, promise, "signedEntryTimestamp", &out->promise, error);
	if (rc != 0)
		return rc;
	out->body_text = arena_strdup(arena, jval_get_string(entry, "canonicalizedBody"));
	if (jval_is_object(proof) && read_proof(arena, proof, &out->proof, error) != 0)
		return error_prefix(error, "inclusionProof");
	return 0;
}

static int read_timestamps(struct arena *arena, const struct jval *material,
                           struct sigstore_bundle *out, struct error *error)
{
	const struct jval *list =
	        jval_get(jval_get(material, "timestampVerificationData"), "rfc3161Timestamps");

	if (jval_count(list) > SIGSTORE_MAX_TIMESTAMPS)
		return error_set(error, ERR_INVALID, "rfc3161Timestamps: %zu, expected at most %d",
		                 jval_count(list), SIGSTORE_MAX_TIMESTAMPS);
	for (size_t i = 0; i < jval_count(list); i++) {
		int rc = sigstore_base64(arena, jval_at(list, i), "signedTimestamp",
		                         &out->timestamps[i], error);
		if (rc != 0)
			return error_prefix(error, "rfc3161Timestamps[%zu]", i);
		out->timestamp_count = i + 1;
	}
	return 0;
}

static bool known_type(const char *type)
{
	static const char *const types[] = {
	        "application/vnd.dev.sigstore.bundle.v0.3+json",
	        "application/vnd.dev.sigstore.bundle+json;version=0.1",
	        "application/vnd.dev.sigstore.bundle+json;version=0.2",
	        "application/vnd.dev.sigstore.bundle+json;version=0.3",
	};

	for (size_t i = 0; type != NULL && i < ARRAY_LEN(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static int read_new(struct arena *arena, const struct jval *bundle, struct sigstore_bundle *out,
                    struct error *error)
{
	const struct jval *material = jval_get(bundle, "verificationMaterial");
	const struct jval *entries = jval_get(material, "tlogEntries");

	if (!known_type(jval_get_string(bundle, "mediaType")))
		return error_set(error, ERR_INVALID,
		                 "mediaType: expected a Sigstore bundle of version 0.1 to 0.3");
	if (!jval_is_object(jval_get(bundle, "dsseEnvelope")))
		return error_set(error, ERR_INVALID,
		                 "dsseEnvelope is missing: it is no attestation");
	if (read_envelope(arena, jval_get(bundle, "dsseEnvelope"), out, error) != 0)
		return error_prefix(error, "dsseEnvelope");
	if (read_certificate(arena, material, &out->certificate, error) != 0)
		return error_prefix(error, "verificationMaterial");
	if (jval_count(entries) != 1)
		return error_set(error, ERR_INVALID, "tlogEntries: %zu, expected one",
		                 jval_count(entries));
	if (read_entry(arena, jval_at(entries, 0), &out->entry, error) != 0)
		return error_prefix(error, "tlogEntries[0]");
	return read_timestamps(arena, material, out, error);
}

bool sigstore_is(const struct jval *document)
{
	static const char kind[] = "application/vnd.dev.sigstore.bundle";
	const char *type = jval_get_string(document, "mediaType");

	return (type != NULL && strncmp(type, kind, strlen(kind)) == 0) ||
	       (jval_get_string(document, "base64Signature") != NULL &&
	        jval_get(document, "rekorBundle") != NULL);
}

int sigstore_bundle_read(struct arena *arena, struct bytes text, struct sigstore_bundle *out,
                         struct error *error)
{
	struct jval *document = NULL;

	*out = (struct sigstore_bundle){0};
	if (text.len > SIGSTORE_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes, expected at most %d", text.len,
		                 SIGSTORE_MAX_SIZE);
	int rc = jval_parse(&document, text, error);
	if (rc == 0)
		rc = jval_get(document, "base64Signature") != NULL
		             ? read_legacy(arena, document, out, error)
		             : read_new(arena, document, out, error);
	jval_free(document);
	return rc;
}
