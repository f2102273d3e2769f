#include "common/measure/nsm.h"

#include "common/crypto/x509.h"
#include "common/measure/cbor.h"
#include "common/measure/cose.h"

#include <string.h>

enum { MAX_MEMBERS = 64, MAX_MODULE_ID = 256, ES384 = -35 };

/* Walks a map of definite or indefinite length. */
struct pairs {
	struct bytes *rest;
	bool open;
	uint64_t left;
	unsigned seen;
};

static int pairs_begin(struct pairs *pairs, struct bytes *rest, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_next(rest, &item, error);

	*pairs = (struct pairs){.rest = rest, .open = item.kind == CBOR_OPEN_MAP, .left = item.n};
	if (rc == 0 && item.kind != CBOR_MAP && item.kind != CBOR_OPEN_MAP)
		rc = error_set(error, ERR_INVALID, "CBOR holds %s, expected a map",
		               cbor_kind_name(item.kind));
	return rc;
}

/* The next key. *more is false, and key unset, at the end. */
static int pairs_next(struct pairs *pairs, struct cbor_item *key, bool *more, struct error *error)
{
	*more = false;
	if (!pairs->open && pairs->left == 0)
		return 0;
	int rc = cbor_next(pairs->rest, key, error);
	if (rc != 0)
		return rc;
	if (pairs->open && key->kind == CBOR_END)
		return 0;
	if (++pairs->seen > MAX_MEMBERS)
		return error_set(error, ERR_INVALID, "a map of more than %d members", MAX_MEMBERS);
	pairs->left -= pairs->open ? 0 : 1;
	*more = true;
	return 0;
}

/* --- the members of the payload ----------------------------------------------------------------
 */

struct reader {
	struct arena *arena;
	struct nsm *out;
	struct bytes rest;
	unsigned found; /* bits: which members were there */
};

static int read_module_id(struct reader *reader, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_expect(&reader->rest, CBOR_TEXT, &item, error);

	if (rc == 0 && (item.bytes.len == 0 || item.bytes.len > MAX_MODULE_ID ||
	                memchr(item.bytes.data, 0, item.bytes.len) != NULL))
		rc = error_set(error, ERR_INVALID, "expected a text of 1 to %d bytes",
		               MAX_MODULE_ID);
	if (rc == 0)
		reader->out->module_id = arena_text(reader->arena, item.bytes);
	return rc;
}

static int read_digest(struct reader *reader, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_expect(&reader->rest, CBOR_TEXT, &item, error);

	if (rc == 0 && !bytes_equal(item.bytes, bytes_text("SHA384")))
		rc = error_set(error, ERR_INVALID, "expected \"SHA384\"");
	return rc;
}

static int read_timestamp(struct reader *reader, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_expect(&reader->rest, CBOR_UINT, &item, error);

	/* Milliseconds: the year 9999 is far below this. */
	if (rc == 0 && (item.n == 0 || item.n > (uint64_t)1 << 48))
		rc = error_set(error, ERR_INVALID, "%llu is no time in milliseconds",
		               (unsigned long long)item.n);
	reader->out->timestamp = rc == 0 ? item.n : 0;
	return rc;
}

static int read_pcrs(struct reader *reader, struct error *error)
{
	struct cbor_item key, value;
	struct pairs pairs;
	bool more;

	int rc = pairs_begin(&pairs, &reader->rest, error);
	for (;;) {
		if (rc == 0)
			rc = pairs_next(&pairs, &key, &more, error);
		if (rc != 0 || !more)
			return rc;
		if (key.kind != CBOR_UINT || key.n >= NSM_PCRS || reader->out->pcr[key.n].len != 0)
			return error_set(error, ERR_INVALID,
			                 "expected each of the numbers 0 to %d at most once",
			                 NSM_PCRS - 1);
		rc = cbor_expect(&reader->rest, CBOR_BYTES, &value, error);
		if (rc != 0)
			return rc;
		struct nsm_pcr *pcr = &reader->out->pcr[key.n];
		if (value.n != 32 && value.n != 48 && value.n != 64)
			return error_set(error, ERR_INVALID,
			                 "PCR%llu has %llu bytes, expected 32, 48 or 64",
			                 (unsigned long long)key.n, (unsigned long long)value.n);
		pcr->len = value.bytes.len;
		memcpy(pcr->value, value.bytes.data, value.bytes.len);
	}
}

static int read_certificate(struct reader *reader, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_expect(&reader->rest, CBOR_BYTES, &item, error);

	reader->out->certificate = item.bytes;
	return rc;
}

static int read_cabundle(struct reader *reader, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_expect(&reader->rest, CBOR_ARRAY, &item, error);

	if (rc == 0 && (item.n == 0 || item.n > NSM_MAX_CABUNDLE))
		rc = error_set(error, ERR_INVALID, "%llu certificates, expected 1 to %d",
		               (unsigned long long)item.n, NSM_MAX_CABUNDLE);
	size_t count = rc == 0 ? (size_t)item.n : 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = cbor_expect(&reader->rest, CBOR_BYTES, &item, error);
		reader->out->cabundle[i] = item.bytes;
		reader->out->cabundle_count = i + 1;
	}
	return rc;
}

static int read_optional(struct reader *reader, struct bytes *out, struct error *error)
{
	struct cbor_item item;
	int rc = cbor_next(&reader->rest, &item, error);

	if (rc == 0 && item.kind != CBOR_BYTES && item.kind != CBOR_NULL)
		rc = error_set(error, ERR_INVALID, "CBOR holds %s, expected a byte string or null",
		               cbor_kind_name(item.kind));
	if (rc == 0)
		*out = item.bytes;
	return rc;
}

static int read_public_key(struct reader *reader, struct error *error)
{
	return read_optional(reader, &reader->out->public_key, error);
}

static int read_user_data(struct reader *reader, struct error *error)
{
	return read_optional(reader, &reader->out->user_data, error);
}

static int read_nonce(struct reader *reader, struct error *error)
{
	return read_optional(reader, &reader->out->nonce, error);
}

static const struct member {
	const char *name;
	bool required;
	int (*read)(struct reader *reader, struct error *error);
} members[] = {
        {"module_id", true, read_module_id},
        {"digest", true, read_digest},
        {"timestamp", true, read_timestamp},
        {"pcrs", true, read_pcrs},
        {"certificate", true, read_certificate},
        {"cabundle", true, read_cabundle},
        {"public_key", false, read_public_key},
        {"user_data", false, read_user_data},
        {"nonce", false, read_nonce},
};

static int read_member(struct reader *reader, const struct cbor_item *key, struct error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!bytes_equal(key->bytes, bytes_text(members[i].name)))
			continue;
		if ((reader->found & 1U << i) != 0)
			return error_set(error, ERR_INVALID, "%s: it is there twice",
			                 members[i].name);
		reader->found |= 1U << i;
		int rc = members[i].read(reader, error);
		return rc != 0 ? error_prefix(error, "%s", members[i].name) : 0;
	}
	if (bytes_equal(key->bytes, bytes_text("nitrotpm_pcrs")))
		return error_set(error, ERR_INVALID,
		                 "nitrotpm_pcrs: a document of NitroTPM, not of an enclave");
	return cbor_skip(&reader->rest, error);
}

static int read_payload(struct arena *arena, struct bytes payload, struct nsm *out,
                        struct error *error)
{
	struct reader reader = {.arena = arena, .out = out, .rest = payload};
	struct cbor_item key;
	struct pairs pairs;
	bool more = true;

	int rc = pairs_begin(&pairs, &reader.rest, error);
	while (rc == 0 && more) {
		rc = pairs_next(&pairs, &key, &more, error);
		if (rc == 0 && more && key.kind != CBOR_TEXT)
			rc = error_set(error, ERR_INVALID, "a member's name is not a text");
		if (rc == 0 && more)
			rc = read_member(&reader, &key, error);
	}
	if (rc != 0)
		return rc;
	if (reader.rest.len != 0)
		return error_set(error, ERR_INVALID, "%zu bytes behind the payload's map",
		                 reader.rest.len);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (members[i].required && (reader.found & 1U << i) == 0)
			return error_set(error, ERR_INVALID, "%s is missing", members[i].name);
	return 0;
}

/* --- judging it --------------------------------------------------------------------------------
 */

static bool all_zero(const struct nsm_pcr *pcr)
{
	static const uint8_t zero[NSM_MAX_PCR];

	return memcmp(pcr->value, zero, pcr->len) == 0;
}

static int take_pcrs(struct nsm *nsm, struct error *error)
{
	uint8_t *const to[] = {nsm->pcrs.pcr0, nsm->pcrs.pcr1, nsm->pcrs.pcr2};

	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		if (nsm->pcr[i].len != SHA384_SIZE)
			return error_set(error, ERR_INVALID, "PCR%zu has %zu bytes, expected %d", i,
			                 nsm->pcr[i].len, SHA384_SIZE);
		memcpy(to[i], nsm->pcr[i].value, SHA384_SIZE);
	}
	/* Zero: the image is not signed. */
	if (nsm->pcr[8].len == SHA384_SIZE && !all_zero(&nsm->pcr[8])) {
		memcpy(nsm->pcrs.pcr8, nsm->pcr[8].value, SHA384_SIZE);
		nsm->pcrs.has_pcr8 = true;
	}
	nsm->value = pcrs_value(&nsm->pcrs);
	return 0;
}

/* The leaf, then the bundle from its end; its first is the root and no part of the path. */
static void check_chain(struct nsm *nsm)
{
	struct bytes path[NSM_MAX_CABUNDLE];
	size_t count = 0;
	struct error error;

	bool ours = bytes_equal(nsm->cabundle[0], nsm_root());
	checks_add(&nsm->checks, NSM_CHECK_ROOT, ours ? CHECK_PASSED : CHECK_FAILED, "%s",
	           ours ? "AWS Nitro Enclaves Root G1"
	                : "the bundle begins with another certificate than AWS's root G1");
	path[count++] = nsm->certificate;
	for (size_t i = nsm->cabundle_count - 1; i > 0; i--)
		path[count++] = nsm->cabundle[i];
	int rc = x509_chain_verify(path, count, nsm_root(), (int64_t)(nsm->timestamp / 1000),
	                           &error);
	checks_add_rc(&nsm->checks, NSM_CHECK_CHAIN, rc, &error,
	              "leads to the root, valid at the document's time");
}

static int check_signature(const struct cose_sign1 *sign1, struct bytes certificate,
                           struct error *error)
{
	if (sign1->algorithm != ES384)
		return error_set(error, ERR_INVALID, "algorithm %lld, expected %d (ES384)",
		                 (long long)sign1->algorithm, ES384);
	return cose_verify(sign1, certificate, error);
}

bool nsm_looks_like(struct bytes head)
{
	static const uint8_t start[] = {0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0};

	if (head.len > 0 && head.data[0] == 0xd2)
		head = bytes_of(head.data + 1, head.len - 1);
	return head.len >= sizeof(start) && memcmp(head.data, start, sizeof(start)) == 0;
}

int nsm_read(struct arena *arena, struct bytes document, struct nsm *out, struct error *error)
{
	struct error local;
	struct cose_sign1 sign1;

	*out = (struct nsm){0};
	if (document.len > NSM_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes, expected at most %d", document.len,
		                 NSM_MAX_SIZE);
	int rc = cose_parse(document, &sign1, &local);
	if (rc == 0)
		rc = read_payload(arena, sign1.payload, out, &local);
	if (rc == 0)
		rc = take_pcrs(out, &local);
	if (rc != 0) {
		*out = (struct nsm){0};
		return error_set(error, (enum err)rc, "%s", local.text);
	}
	out->checks.arena = arena;
	check_chain(out);
	rc = check_signature(&sign1, out->certificate, &local);
	checks_add_rc(&out->checks, NSM_CHECK_SIGNATURE, rc, &local, "ES384, by the certificate");
	bool debug = pcrs_any_zero(&out->pcrs);
	checks_add(&out->checks, NSM_CHECK_DEBUG, debug ? CHECK_FAILED : CHECK_PASSED, "%s",
	           debug ? "PCR0, PCR1 or PCR2 is zero: the enclave was started in debug mode"
	                 : "PCR0, PCR1 and PCR2 are set");
	out->verified = checks_first_failed(&out->checks) == NULL;
	return 0;
}
