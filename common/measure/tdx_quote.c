#include "common/measure/tdx_quote.h"

#include "common/crypto/der.h"
#include "common/crypto/hash.h"
#include "common/crypto/x509.h"

#include <string.h>

/* Layout: Intel TDX DCAP Quote Generation Library, appendix A.3 (version 4) and A.4 (version 5). */
enum {
	HEADER_SIZE = 48,
	BODY_TD10 = 584,
	BODY_TD15 = 648,
	QE_REPORT_SIZE = 384,
	PCK_PEM_MAX = 32 * 1024,
	ECDSA_P256 = 2,
	TEE_TDX = 0x81,
	CERT_QE_REPORT = 6, /* a QE report with its own certification data */
	CERT_PCK_CHAIN = 5, /* a PCK chain in PEM */
};

static const uint8_t intel_qe[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                     0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

/* The quote from front to back. A read behind the end gives zeros and sets is_short. */
struct cursor {
	struct bytes rest;
	bool is_short;
};

static struct bytes take(struct cursor *cursor, size_t len)
{
	if (len > cursor->rest.len) {
		cursor->is_short = true;
		return bytes_of(NULL, 0);
	}
	struct bytes taken = bytes_of(cursor->rest.data, len);
	cursor->rest = bytes_of(cursor->rest.data + len, cursor->rest.len - len);
	return taken;
}

static void copy(struct cursor *cursor, uint8_t *out, size_t len)
{
	struct bytes taken = take(cursor, len);

	if (taken.len == len)
		memcpy(out, taken.data, len);
	else
		memset(out, 0, len);
}

static uint32_t number(struct cursor *cursor, size_t len)
{
	uint8_t raw[4] = {0};

	copy(cursor, raw, len);
	return (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
	       (uint32_t)raw[3] << 24;
}

static bool all_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0)
			return false;
	return true;
}

static int ends_early(struct error *error)
{
	return error_set(error, ERR_INVALID, "the quote ends early");
}

static int expect(const char *what, uint32_t found, uint32_t expected, struct error *error)
{
	if (found == expected)
		return 0;
	return error_set(error, ERR_INVALID, "%s is %u, expected %u", what, found, expected);
}

static int read_header(struct cursor *cursor, struct tdx_quote *out, struct error *error)
{
	uint8_t vendor[16];

	out->version = number(cursor, 2);
	uint32_t key_type = number(cursor, 2), tee = number(cursor, 4);
	take(cursor, 4);
	copy(cursor, vendor, sizeof(vendor));
	copy(cursor, out->user_data, sizeof(out->user_data));
	if (cursor->is_short)
		return ends_early(error);
	if (out->version != 4 && out->version != 5)
		return error_set(error, ERR_INVALID, "quote version %u, expected 4 or 5",
		                 out->version);
	int rc = expect("attestation key type", key_type, ECDSA_P256, error);
	if (rc == 0)
		rc = expect("TEE type", tee, TEE_TDX, error);
	if (rc == 0 && memcmp(vendor, intel_qe, sizeof(vendor)) != 0)
		rc = error_set(error, ERR_INVALID, "the quoting enclave is not Intel's");
	return rc;
}

static int read_body_type(struct cursor *cursor, struct tdx_quote *out, struct error *error)
{
	if (out->version == 4) {
		out->body_type = 2;
		return 0;
	}
	out->body_type = number(cursor, 2);
	uint32_t size = number(cursor, 4);
	if (cursor->is_short)
		return ends_early(error);
	if (out->body_type != 2 && out->body_type != 3)
		return error_set(error, ERR_INVALID,
		                 "body type %u, expected 2 or 3 (a trust domain)", out->body_type);
	return expect("body size", size, out->body_type == 2 ? BODY_TD10 : BODY_TD15, error);
}

static int read_body(struct cursor *cursor, struct tdx_quote *out, struct error *error)
{
	copy(cursor, out->tee_tcb_svn, sizeof(out->tee_tcb_svn));
	copy(cursor, out->mr_seam, TDX_MR_SIZE);
	copy(cursor, out->mr_signer_seam, TDX_MR_SIZE);
	copy(cursor, out->seam_attributes, sizeof(out->seam_attributes));
	copy(cursor, out->td_attributes, sizeof(out->td_attributes));
	copy(cursor, out->xfam, sizeof(out->xfam));
	copy(cursor, out->mrtd, TDX_MR_SIZE);
	copy(cursor, out->mr_config_id, TDX_MR_SIZE);
	copy(cursor, out->mr_owner, TDX_MR_SIZE);
	copy(cursor, out->mr_owner_config, TDX_MR_SIZE);
	for (int i = 0; i < TDX_RTMRS; i++)
		copy(cursor, out->rtmr[i], TDX_MR_SIZE);
	copy(cursor, out->report_data, sizeof(out->report_data));
	if (out->body_type == 3) {
		take(cursor, 16); /* tee_tcb_svn_2 */
		copy(cursor, out->mr_servicetd, TDX_MR_SIZE);
	}
	return cursor->is_short ? ends_early(error) : 0;
}

static int read_certification(struct cursor *cursor, struct tdx_quote *out, struct error *error)
{
	out->qe_report = take(cursor, QE_REPORT_SIZE);
	out->qe_signature = take(cursor, 64);
	out->qe_auth_data = take(cursor, number(cursor, 2));
	uint32_t type = number(cursor, 2), size = number(cursor, 4);
	if (cursor->is_short)
		return ends_early(error);
	int rc = expect("type of the QE's certification data", type, CERT_PCK_CHAIN, error);
	if (rc != 0)
		return rc;
	if (size > PCK_PEM_MAX)
		return error_set(error, ERR_LIMIT, "a PCK chain of %u bytes, at most %d", size,
		                 PCK_PEM_MAX);
	out->pck_chain = take(cursor, size);
	if (cursor->is_short)
		return ends_early(error);
	if (cursor->rest.len != 0)
		return error_set(error, ERR_INVALID, "%zu bytes behind the PCK chain",
		                 cursor->rest.len);
	if (size > 0 && out->pck_chain.data[size - 1] == 0)
		out->pck_chain.len--;
	return 0;
}

static int read_signature_data(struct cursor *cursor, struct tdx_quote *out, struct error *error)
{
	uint32_t size = number(cursor, 4);
	struct cursor data = {.rest = take(cursor, size)};

	if (cursor->is_short)
		return ends_early(error);
	if (!all_zero(cursor->rest.data, cursor->rest.len))
		return error_set(error, ERR_INVALID, "%zu bytes behind the quote, not all zero",
		                 cursor->rest.len);
	out->signature = take(&data, 64);
	out->attestation_key = take(&data, 64);
	uint32_t type = number(&data, 2), inner = number(&data, 4);
	if (data.is_short)
		return ends_early(error);
	int rc = expect("type of the certification data", type, CERT_QE_REPORT, error);
	if (rc == 0 && inner != data.rest.len)
		rc = error_set(error, ERR_INVALID, "certification data of %u bytes in %zu", inner,
		               data.rest.len);
	return rc != 0 ? rc : read_certification(&data, out, error);
}

int tdx_quote_parse(struct bytes quote, struct tdx_quote *out, struct error *error)
{
	struct cursor cursor = {.rest = quote};

	*out = (struct tdx_quote){0};
	if (quote.len > TDX_QUOTE_MAX)
		return error_set(error, ERR_LIMIT, "a quote of %zu bytes, at most %d", quote.len,
		                 TDX_QUOTE_MAX);
	int rc = read_header(&cursor, out, error);
	if (rc == 0)
		rc = read_body_type(&cursor, out, error);
	if (rc == 0)
		rc = read_body(&cursor, out, error);
	if (rc == 0) {
		out->signed_part = bytes_of(quote.data, quote.len - cursor.rest.len);
		rc = read_signature_data(&cursor, out, error);
	}
	if (rc != 0)
		*out = (struct tdx_quote){0};
	return rc;
}

/* --- the four checks ---------------------------------------------------------------------------
 */

struct verifier {
	struct arena *arena;
	const struct tdx_quote *quote;
	struct bytes chain[3]; /* DER: leaf, intermediate, root */
	bool has_chain;
	struct tdx_verdict *out;
};

static bool say(struct verifier *verifier, const char *name, bool good, const char *text)
{
	return checks_add(&verifier->out->checks, name, good ? CHECK_PASSED : CHECK_FAILED, "%s",
	                  text);
}

static bool check_quote_signature(struct verifier *verifier)
{
	const struct tdx_quote *quote = verifier->quote;
	struct error error;
	int rc = p256_verify(quote->attestation_key.data, quote->signed_part, quote->signature.data,
	                     &error);

	return say(verifier, "quote-signature", rc == 0,
	           rc == 0 ? "header and body are signed by the attestation key" : error.text);
}

static bool check_qe_binding(struct verifier *verifier)
{
	const struct tdx_quote *quote = verifier->quote;
	const uint8_t *stated = quote->qe_report.data + 320;
	struct digest *digest = digest_new(DIGEST_SHA256);
	uint8_t wanted[64] = {0};

	digest_update(digest, quote->attestation_key);
	digest_update(digest, quote->qe_auth_data);
	digest_final(digest, wanted);
	digest_free(digest);
	bool good = memcmp(stated, wanted, sizeof(wanted)) == 0;
	return say(verifier, "qe-binding", good,
	           good ? "the quoting enclave's report names the attestation key"
	                : "the quoting enclave's report names another attestation key");
}

static bool check_qe_signature(struct verifier *verifier)
{
	const struct tdx_quote *quote = verifier->quote;
	struct error error;

	if (!verifier->has_chain)
		return say(verifier, "qe-signature", false, "no PCK certificate to check it with");
	int rc = x509_ecdsa_verify(verifier->chain[0], quote->qe_report, quote->qe_signature,
	                           &error);
	return say(verifier, "qe-signature", rc == 0,
	           rc == 0 ? "the quoting enclave's report is signed by the PCK certificate's key"
	                   : error.text);
}

/* Intel's root signs other certificates too: the two below it must be what they are called. */
static bool check_names(struct verifier *verifier, struct error *error)
{
	char *leaf, *issuer;

	if (x509_subject(verifier->arena, &leaf, verifier->chain[0], error) != 0 ||
	    x509_subject(verifier->arena, &issuer, verifier->chain[1], error) != 0)
		return false;
	if (strstr(leaf, "CN=Intel SGX PCK Certificate") != NULL &&
	    (strstr(issuer, "CN=Intel SGX PCK Platform CA") != NULL ||
	     strstr(issuer, "CN=Intel SGX PCK Processor CA") != NULL))
		return true;
	error_set(error, ERR_DENIED, "\"%.100s\" issued by \"%.100s\" is not a PCK certificate",
	          leaf, issuer);
	return false;
}

static void read_chain(struct verifier *verifier, struct error *error)
{
	size_t count;

	if (x509_all_from_pem(verifier->arena, verifier->chain, ARRAY_LEN(verifier->chain), &count,
	                      verifier->quote->pck_chain, error) != 0)
		return;
	verifier->has_chain = count == ARRAY_LEN(verifier->chain);
	if (!verifier->has_chain)
		error_set(error, ERR_INVALID, "%zu certificates in the PCK chain, expected %zu",
		          count, ARRAY_LEN(verifier->chain));
}

static bool check_chain(struct verifier *verifier, struct bytes root, struct wall now,
                        struct error *error)
{
	bool good = verifier->has_chain;

	if (good && !bytes_equal(verifier->chain[2], root)) {
		error_set(error, ERR_DENIED, "the chain does not end in Intel's root certificate");
		good = false;
	}
	good = good && x509_chain_verify(verifier->chain, 2, root, now.ms / 1000, error) == 0 &&
	       check_names(verifier, error);
	return say(verifier, "pck-chain", good,
	           good ? "PCK certificate and intermediate lead to Intel's root certificate"
	                : error->text);
}

/* --- policy and platform -----------------------------------------------------------------------
 */

static bool check_policy(struct verifier *verifier)
{
	const struct tdx_quote *quote = verifier->quote;
	bool debug = quote->td_attributes[0] != 0;
	const char *wrong = NULL;

	if ((quote->td_attributes[3] & 0x10) == 0)
		wrong = "SEPT_VE_DISABLE is not set";
	else if (!all_zero(quote->mr_signer_seam, TDX_MR_SIZE))
		wrong = "MRSIGNERSEAM is not zero: not a TDX module of Intel's";
	else if (!all_zero(quote->seam_attributes, sizeof(quote->seam_attributes)))
		wrong = "SEAMATTRIBUTES is not zero";
	else if (!all_zero(quote->mr_servicetd, TDX_MR_SIZE))
		wrong = "a service TD is bound (MRSERVICETD is not zero)";
	bool good = say(verifier, "debug", !debug,
	                debug ? "the trust domain can be debugged (TDATTRIBUTES)"
	                      : "the trust domain cannot be debugged");
	return say(verifier, "td-policy", wrong == NULL,
	           wrong != NULL ? wrong : "attributes and TDX module signer are as expected") &&
	       good;
}

/* SEQUENCE OF SEQUENCE { OID, value }: the value of the entry whose OID ends in that arc. */
static bool pck_entry(struct bytes extension, uint8_t arc, uint8_t *out, size_t size)
{
	static const uint8_t prefix[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
	struct bytes rest, entry, oid, value;

	if (der_only(extension, DER_SEQUENCE, &rest, NULL) != 0)
		return false;
	while (rest.len > 0) {
		if (der_expect(&rest, DER_SEQUENCE, &entry, NULL) != 0 ||
		    der_expect(&entry, DER_OID, &oid, NULL) != 0)
			return false;
		if (oid.len != sizeof(prefix) + 1 ||
		    memcmp(oid.data, prefix, sizeof(prefix)) != 0 || oid.data[oid.len - 1] != arc)
			continue;
		if (der_only(entry, DER_OCTET_STRING, &value, NULL) != 0 || value.len != size)
			return false;
		memcpy(out, value.data, size);
		return true;
	}
	return false;
}

static void read_pck(struct verifier *verifier)
{
	struct tdx_verdict *out = verifier->out;
	struct bytes extension;

	if (!verifier->has_chain || x509_extension(verifier->arena, &extension, verifier->chain[0],
	                                           "1.2.840.113741.1.13.1", NULL) != 0)
		return;
	out->has_pck = pck_entry(extension, 1, out->ppid, sizeof(out->ppid)) &&
	               pck_entry(extension, 4, out->fmspc, sizeof(out->fmspc));
	if (out->has_pck)
		out->device_of_ppid = sha256(bytes_of(out->ppid, sizeof(out->ppid)));
}

void tdx_quote_verify(struct arena *arena, const struct tdx_quote *quote, struct bytes root,
                      struct wall now, struct tdx_verdict *out)
{
	struct verifier verifier = {.arena = arena, .quote = quote, .out = out};
	struct error error = {0};

	*out = (struct tdx_verdict){.checks.arena = arena};
	read_chain(&verifier, &error);
	bool good = check_quote_signature(&verifier);
	good = check_qe_binding(&verifier) && good;
	good = check_qe_signature(&verifier) && good;
	out->genuine = check_chain(&verifier, root, now, &error) && good;
	out->allowed = check_policy(&verifier);
	checks_add(&out->checks, "tcb-status", CHECK_UNDECIDED,
	           "TCB status, QE identity, TDX module and revocation not evaluated");
	read_pck(&verifier);
	out->device_of_user_data = sha256(bytes_of(quote->user_data, sizeof(quote->user_data)));
}
