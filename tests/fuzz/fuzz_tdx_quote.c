/* TDX quotes: every field is the bytes at its place, the views cover the quote without a gap, and a
 * quote that is genuine is not any more with one bit of what was signed changed. */
#include "common/crypto/hash.h"
#include "common/measure/tdx_quote.h"
#include "tests/fuzz/fuzz.h"

enum { HEADER = 48, BODY_HEAD = 6, TD10 = 584, TD15 = 648, KEY_TYPE = 6, QE_REPORT = 384 };

static void check_place(struct bytes quote, size_t at, const uint8_t *field, size_t len)
{
	PROPERTY(at + len <= quote.len && memcmp(quote.data + at, field, len) == 0);
}

static void check_fields(struct bytes quote, const struct tdx_quote *parsed)
{
	size_t body = HEADER + (parsed->version == 5 ? BODY_HEAD : 0);
	size_t size = parsed->body_type == 3 ? TD15 : TD10;

	PROPERTY(parsed->signed_part.data == quote.data && parsed->signed_part.len == body + size);
	check_place(quote, 28, parsed->user_data, 20);
	check_place(quote, body, parsed->tee_tcb_svn, 16);
	check_place(quote, body + 120, parsed->td_attributes, 8);
	check_place(quote, body + 136, parsed->mrtd, TDX_MR_SIZE);
	check_place(quote, body + 184, parsed->mr_config_id, TDX_MR_SIZE);
	for (size_t i = 0; i < TDX_RTMRS; i++)
		check_place(quote, body + 328 + i * TDX_MR_SIZE, parsed->rtmr[i], TDX_MR_SIZE);
	check_place(quote, body + 520, parsed->report_data, 64);
	if (parsed->body_type == 3)
		check_place(quote, body + 600, parsed->mr_servicetd, TDX_MR_SIZE);
}

/* Signature, key, type and length, QE report, its signature, its data, type and length, chain. */
static void check_views(struct bytes quote, const struct tdx_quote *parsed)
{
	const uint8_t *at = parsed->signed_part.data + parsed->signed_part.len + 4;

	PROPERTY(parsed->signature.data == at && parsed->signature.len == 64);
	PROPERTY(parsed->attestation_key.data == at + 64 && parsed->attestation_key.len == 64);
	at += 128 + KEY_TYPE;
	PROPERTY(parsed->qe_report.data == at && parsed->qe_report.len == QE_REPORT);
	PROPERTY(parsed->qe_signature.data == at + QE_REPORT && parsed->qe_signature.len == 64);
	at += QE_REPORT + 64 + 2;
	PROPERTY(parsed->qe_auth_data.len == 0 || parsed->qe_auth_data.data == at);
	at += parsed->qe_auth_data.len + KEY_TYPE;
	PROPERTY(parsed->pck_chain.len == 0 || parsed->pck_chain.data == at);
	for (at += parsed->pck_chain.len; at < quote.data + quote.len; at++)
		PROPERTY(*at == 0);
}

static bool genuine(struct arena *arena, struct bytes quote)
{
	static const struct wall now = {1780272000000};
	struct tdx_quote parsed;
	struct tdx_verdict verdict;

	if (tdx_quote_parse(quote, &parsed, NULL) != 0)
		return false;
	tdx_quote_verify(arena, &parsed, tdx_intel_root(), now, &verdict);
	PROPERTY(!verdict.genuine || verdict.has_pck);
	return verdict.genuine;
}

static void check_changed(struct arena *arena, struct bytes quote, size_t signed_len)
{
	struct bytes copy = arena_copy(arena, quote);
	struct hash32 hash = sha256(quote);

	((uint8_t *)copy.data)[be32_get(hash.b) % signed_len] ^= (uint8_t)(1 << (hash.b[4] & 7));
	PROPERTY(!genuine(arena, copy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes quote = bytes_of(data, size);
	struct tdx_quote parsed, again;
	struct arena arena = {0};

	crypto_init();
	if (tdx_quote_parse(quote, &parsed, NULL) != 0) {
		PROPERTY(parsed.version == 0 && parsed.signed_part.len == 0);
		return 0;
	}
	check_fields(quote, &parsed);
	check_views(quote, &parsed);
	if (genuine(&arena, quote))
		check_changed(&arena, quote, parsed.signed_part.len);
	/* One byte less is another quote, unless it was padding. */
	struct bytes shorter = bytes_of(data, size - 1);
	PROPERTY(data[size - 1] == 0 || tdx_quote_parse(shorter, &again, NULL) != 0);
	arena_free(&arena);
	return 0;
}
