#include "common/measure/ra_tls.h"

#include "common/crypto/der.h"
#include "common/crypto/hash.h"
#include "common/crypto/x509.h"

#define ARC "1.3.6.1.4.1.62397.1."

/* extnValue holds an OCTET STRING, which holds the bytes. */
static int read_extension(struct arena *arena, struct bytes *out, struct bytes leaf,
                          const char *oid, struct error *error)
{
	struct bytes content;
	struct error local;

	*out = bytes_of(NULL, 0);
	int rc = x509_extension(arena, &content, leaf, oid, &local);
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = der_only(content, DER_OCTET_STRING, out, &local);
	return rc == 0 ? 0
	               : error_set(error, (enum err)rc, "certificate extension %s: %s", oid,
	                           local.text);
}

static void name_key(struct ra_tls *out, struct bytes spki)
{
	struct digest *digest = digest_new(DIGEST_SHA512);

	digest_update(digest, bytes_text("ratls-cert:"));
	digest_update(digest, spki);
	digest_final(digest, out->report_data);
	digest_free(digest);
}

static int read_leaf(struct arena *arena, struct ra_tls *out, struct error *error)
{
	struct bytes leaf = out->certificates[0], spki, usage = {0};
	const struct {
		const char *oid;
		struct bytes *into;
	} wanted[] = {
	        {ARC "1", &out->quote}, {ARC "2", &out->event_log},   {ARC "3", &out->app_id},
	        {ARC "4", &usage},      {ARC "8", &out->attestation}, {ARC "9", &out->app_info},
	};
	int rc = x509_public_key(arena, &spki, leaf, error);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(wanted); i++)
		rc = read_extension(arena, wanted[i].into, leaf, wanted[i].oid, error);
	if (rc == 0 && out->app_id.len != 0 && out->app_id.len != 20)
		rc = error_set(error, ERR_INVALID,
		               "certificate extension %s3: %zu bytes, expected 20", ARC,
		               out->app_id.len);
	if (rc != 0)
		return rc;
	if (usage.len > 0)
		out->usage = arena_text(arena, usage);
	name_key(out, spki);
	return 0;
}

int ra_tls_read(struct arena *arena, struct ra_tls *out, struct bytes pem, struct error *error)
{
	*out = (struct ra_tls){0};
	if (pem.len > RA_TLS_MAX_PEM)
		return error_set(error, ERR_LIMIT, "certificates of %zu bytes, at most %d", pem.len,
		                 RA_TLS_MAX_PEM);
	int rc = x509_all_from_pem(arena, out->certificates, RA_TLS_MAX_CHAIN, &out->count, pem,
	                           error);
	if (rc == 0)
		rc = read_leaf(arena, out, error);
	if (rc != 0)
		*out = (struct ra_tls){0};
	return rc;
}

int ra_tls_check_chain(const struct ra_tls *ra_tls, int64_t at, struct error *error)
{
	if (ra_tls->count < 2)
		return error_set(error, ERR_INVALID, "a single certificate, no chain");
	size_t last = ra_tls->count - 1;
	return x509_chain_verify(ra_tls->certificates, last, ra_tls->certificates[last], at, error);
}
