#include "common/crypto/der.h"
#include "common/crypto/pubkey.h"
#include "common/crypto/x509.h"
#include "common/measure/sigstore_internal.h"

#include <string.h>

#define OID_SCT_LIST "1.3.6.1.4.1.11129.2.4.2"
#define OID_ISSUER "1.3.6.1.4.1.57264.1.8"
#define OID_ISSUER_OLD "1.3.6.1.4.1.57264.1.1"
#define OID_REPOSITORY "1.3.6.1.4.1.57264.1.12"
#define OID_REF "1.3.6.1.4.1.57264.1.14"

enum { SCT_FIXED = 43, LOG_ID_SIZE = 32, HASH_SHA256 = 4, SIGNATURE_ECDSA = 3, MAX_SCTS = 16 };

/* --- the signed certificate timestamp (RFC 6962, section 3) -------------------------------------
 */

struct sct {
	struct bytes log_id, extensions, signature;
	uint64_t timestamp; /* milliseconds */
};

/* Takes a 16-bit length and that many bytes. */
static bool take_vector(struct bytes *rest, struct bytes *out)
{
	if (rest->len < 2 || be16_get(rest->data) > rest->len - 2)
		return false;
	*out = bytes_of(rest->data + 2, be16_get(rest->data));
	*rest = bytes_of(rest->data + 2 + out->len, rest->len - 2 - out->len);
	return true;
}

/* False: not version 1 with ECDSA over SHA-256, or malformed. */
static bool parse_sct(struct bytes raw, struct sct *out)
{
	if (raw.len < SCT_FIXED || raw.data[0] != 0)
		return false;
	out->log_id = bytes_of(raw.data + 1, LOG_ID_SIZE);
	out->timestamp = be64_get(raw.data + 33);
	struct bytes rest = bytes_of(raw.data + 41, raw.len - 41);
	if (!take_vector(&rest, &out->extensions) || rest.len < 2 || rest.data[0] != HASH_SHA256 ||
	    rest.data[1] != SIGNATURE_ECDSA)
		return false;
	rest = bytes_of(rest.data + 2, rest.len - 2);
	return take_vector(&rest, &out->signature) && rest.len == 0;
}

/* digitally-signed, for a precertificate. */
static struct bytes signed_bytes(struct arena *arena, const struct sct *sct,
                                 const struct hash32 *issuer_key, struct bytes tbs)
{
	struct buf out = {0};
	uint8_t fixed[12] = {0, 0}, length[4];

	be64_put(fixed + 2, sct->timestamp);
	fixed[11] = 1;
	buf_append(&out, fixed, sizeof(fixed));
	buf_append(&out, issuer_key->b, sizeof(issuer_key->b));
	be32_put(length, (uint32_t)tbs.len);
	buf_append(&out, length + 1, 3);
	buf_append_bytes(&out, tbs);
	be32_put(length, (uint32_t)sct->extensions.len);
	buf_append(&out, length + 2, 2);
	buf_append_bytes(&out, sct->extensions);
	struct bytes message = arena_copy(arena, buf_bytes(&out));
	buf_free(&out);
	return message;
}

static bool sct_verifies(struct arena *arena, const struct sct *sct,
                         const struct sigstore_root *root, const struct hash32 *issuer_key,
                         struct bytes tbs)
{
	const struct sigstore_key *log =
	        sigstore_find_key(root->certificate_logs, root->certificate_log_count, sct->log_id);
	uint64_t seconds = sct->timestamp / 1000;

	return log != NULL && seconds <= INT64_MAX && (int64_t)seconds >= log->from &&
	       (int64_t)seconds <= log->until &&
	       pubkey_verify(log->key, signed_bytes(arena, sct, issuer_key, tbs), sct->signature,
	                     NULL) == 0;
}

static int verify_scts(struct arena *arena, struct bytes certificate, struct bytes issuer,
                       const struct sigstore_root *root, struct error *error)
{
	struct bytes extension, list, all, raw, tbs, key;
	struct sct sct;

	int rc = x509_extension(arena, &extension, certificate, OID_SCT_LIST, error);
	if (rc == 0)
		rc = der_only(extension, DER_OCTET_STRING, &list, error);
	if (rc == 0)
		rc = x509_tbs_without(arena, &tbs, certificate, OID_SCT_LIST, error);
	if (rc == 0)
		rc = x509_public_key(arena, &key, issuer, error);
	if (rc != 0)
		return rc;
	if (!take_vector(&list, &all) || list.len != 0 || tbs.len >= 1 << 24)
		return error_set(error, ERR_INVALID, "the list of timestamps is malformed");
	struct hash32 issuer_key = sha256(key);
	for (int i = 0; i < MAX_SCTS && take_vector(&all, &raw); i++)
		if (parse_sct(raw, &sct) && sct_verifies(arena, &sct, root, &issuer_key, tbs))
			return 0;
	return error_set(error, ERR_DENIED,
	                 "no timestamp of a certificate log in the trusted root verifies");
}

static void check_scts(struct arena *arena, struct bytes certificate,
                       const struct sigstore_authority *authority, const struct sigstore_root *root,
                       struct checks *checks)
{
	struct error error;

	if (root->certificate_log_count == 0) {
		checks_add(checks, SIGSTORE_CHECK_CERTIFICATE_LOG, CHECK_UNDECIDED,
		           "the trusted root names no certificate log");
		return;
	}
	if (authority == NULL) {
		checks_add(checks, SIGSTORE_CHECK_CERTIFICATE_LOG, CHECK_FAILED,
		           "the certificate's issuer is not known");
		return;
	}
	int rc = verify_scts(arena, certificate, authority->chain[0], root, &error);
	checks_add_rc(checks, SIGSTORE_CHECK_CERTIFICATE_LOG, rc, &error,
	              "timestamped by a certificate log");
}

/* --- the chain ----------------------------------------------------------------------------------
 */

static int chain_to(const struct sigstore_authority *authority, struct bytes leaf, int64_t at,
                    struct error *error)
{
	struct bytes path[SIGSTORE_MAX_CHAIN + 1] = {leaf};

	if (at < authority->from || at > authority->until)
		return error_set(error, ERR_DENIED, "the authority was not trusted at that time");
	for (size_t i = 0; i + 1 < authority->count; i++)
		path[i + 1] = authority->chain[i];
	return x509_chain_verify(path, authority->count, authority->chain[authority->count - 1], at,
	                         error);
}

static const struct sigstore_authority *
find_authority(const struct sigstore_root *root, struct bytes leaf, int64_t at, struct error *error)
{
	for (size_t i = root->authority_count; i-- > 0;)
		if (chain_to(&root->authorities[i], leaf, at, error) == 0)
			return &root->authorities[i];
	return NULL;
}

static void check_time(struct bytes leaf, int64_t time, int64_t *from, struct checks *checks)
{
	int64_t until;
	struct error error;

	if (x509_validity(leaf, from, &until, &error) != 0)
		checks_add(checks, SIGSTORE_CHECK_LOG_TIME, CHECK_FAILED, "%s", error.text);
	else if (time == 0)
		checks_add(checks, SIGSTORE_CHECK_LOG_TIME, CHECK_UNDECIDED,
		           "nobody whom the trusted root knows signed a time");
	else if (time < *from || time > until)
		checks_add(checks, SIGSTORE_CHECK_LOG_TIME, CHECK_FAILED,
		           "signed when the certificate was not valid");
	else
		checks_add(checks, SIGSTORE_CHECK_LOG_TIME, CHECK_PASSED,
		           "signed while the certificate was valid");
}

void sigstore_check_certificate(struct arena *arena, const struct sigstore_bundle *bundle,
                                const struct sigstore_root *root, struct sigstore *out)
{
	const struct sigstore_authority *authority = NULL;
	struct bytes leaf = bundle->certificate;
	struct error error;
	int64_t from = 0;

	check_time(leaf, out->logged_at, &from, &out->checks);
	if (root == NULL) {
		checks_add(&out->checks, SIGSTORE_CHECK_CERTIFICATE, CHECK_UNDECIDED,
		           "no trusted root is configured");
		checks_add(&out->checks, SIGSTORE_CHECK_CERTIFICATE_LOG, CHECK_UNDECIDED,
		           "no trusted root is configured");
		return;
	}
	if (!x509_signs_code(leaf)) {
		checks_add(&out->checks, SIGSTORE_CHECK_CERTIFICATE, CHECK_FAILED,
		           "the certificate is not for signing code");
	} else {
		/* Without a time of signing the chain is judged as it was when the leaf began. */
		int64_t at = out->logged_at != 0 ? out->logged_at : from;
		authority = find_authority(root, leaf, at, &error);
		checks_add_rc(&out->checks, SIGSTORE_CHECK_CERTIFICATE,
		              authority != NULL ? 0 : ERR_DENIED, &error,
		              "issued by an authority of the trusted root");
	}
	check_scts(arena, leaf, authority, root, &out->checks);
}

/* --- who ----------------------------------------------------------------------------------------
 */

int sigstore_workflow_check(const char *workflow, struct error *error)
{
	static const char scheme[] = "https://";
	const char *at = workflow;

	if (strncmp(at, scheme, strlen(scheme)) == 0) {
		at += strlen(scheme);
		/* host/owner/repository/ */
		for (int i = 0; i < 3 && at != NULL; i++) {
			size_t len = strcspn(at, "/");
			at = len > 0 && at[len] == '/' ? at + len + 1 : NULL;
		}
	} else {
		at = NULL;
	}
	if (at == NULL || at[0] == '\0')
		return error_set(
		        error, ERR_INVALID,
		        "\"%.200s\": expected https://<host>/<owner>/<repository>/ and a path",
		        workflow);
	if (strchr(at, '@') == NULL && at[strlen(at) - 1] != '/')
		return error_set(error, ERR_INVALID,
		                 "\"%.200s\": expected a beginning that ends in / or @, or a whole "
		                 "one, which names a ref behind an @",
		                 workflow);
	return 0;
}

static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool workflow_matches(const char *found, const char *wanted)
{
	size_t len = strlen(wanted);

	if (sigstore_workflow_check(wanted, NULL) != 0)
		return false;
	return strcmp(found, wanted) == 0 ||
	       ((wanted[len - 1] == '/' || wanted[len - 1] == '@') && begins(found, wanted));
}

/* A workflow can be called from another repository: the certificate then names that one beside the
 * workflow's own, and only the caller decides what is built. */
static int check_source(struct arena *arena, const struct sigstore *sigstore, struct error *error)
{
	char *repository, *ref;
	int rc = x509_extension_text(arena, &repository, sigstore->certificate, OID_REPOSITORY,
	                             error);

	if (rc == 0)
		rc = x509_extension_text(arena, &ref, sigstore->certificate, OID_REF, error);
	if (rc != 0)
		return rc;
	if (!begins(sigstore->workflow, arena_printf(arena, "%s/", repository)))
		return error_set(error, ERR_DENIED, "it ran for another repository, %.200s",
		                 repository);
	const char *at = strrchr(sigstore->workflow, '@');
	if (at == NULL || strcmp(at + 1, ref) != 0)
		return error_set(error, ERR_DENIED, "it ran for another ref, %.200s", ref);
	return 0;
}

static int check_workflow(struct arena *arena, const struct sigstore_expect *expect,
                          const struct sigstore *sigstore, struct error *error)
{
	if (!workflow_matches(sigstore->workflow, expect->workflow))
		return error_set(error, ERR_DENIED, "signed by %.200s, expected %.200s",
		                 sigstore->workflow, expect->workflow);
	return check_source(arena, sigstore, error);
}

/* The extension as text; older certificates have it raw under another number as well, and then both
 * must say the same. */
static int read_issuer(struct arena *arena, struct sigstore *out, struct error *error)
{
	struct bytes old;
	int rc = x509_extension_text(arena, &out->issuer, out->certificate, OID_ISSUER, error);

	if (rc != 0)
		return rc;
	if (x509_extension(arena, &old, out->certificate, OID_ISSUER_OLD, NULL) == 0 &&
	    !bytes_equal(old, bytes_text(out->issuer)))
		return error_set(error, ERR_INVALID, "the certificate names two issuers");
	return 0;
}

/* passed is NULL when there was nothing to compare with. */
static void add_identity(struct checks *checks, const char *name, int rc, const struct error *error,
                         const char *passed)
{
	if (rc == 0 && passed == NULL)
		checks_add(checks, name, CHECK_UNDECIDED, "no identity is expected");
	else
		checks_add_rc(checks, name, rc, error, passed);
}

void sigstore_check_identity(struct arena *arena, const struct sigstore_expect *expect,
                             struct sigstore *out)
{
	struct error error;

	int rc = read_issuer(arena, out, &error);
	if (rc == 0 && expect->issuer != NULL && strcmp(out->issuer, expect->issuer) != 0)
		rc = error_set(&error, ERR_DENIED, "%.200s, expected %.200s", out->issuer,
		               expect->issuer);
	add_identity(&out->checks, SIGSTORE_CHECK_ISSUER, rc, &error, expect->issuer);
	rc = x509_uri(arena, &out->workflow, out->certificate, &error);
	if (rc == 0 && expect->workflow != NULL)
		rc = check_workflow(arena, expect, out, &error);
	add_identity(&out->checks, SIGSTORE_CHECK_WORKFLOW, rc, &error,
	             expect->workflow != NULL ? out->workflow : NULL);
}
