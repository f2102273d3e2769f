/* Intel TDX quotes, versions 4 and 5: reading them within their bounds, and the four checks that
 * need nothing but the quote and Intel's root certificate. What needs Intel's collateral (TCB
 * status, QE identity, revocation) is never decided here. */
#ifndef MEASURE_TDX_QUOTE_H
#define MEASURE_TDX_QUOTE_H

#include "common/base/clock.h"
#include "common/measure/check.h"

#define TDX_MR_SIZE 48
enum { TDX_QUOTE_MAX = 64 * 1024, TDX_RTMRS = 4 };

struct tdx_quote {
	unsigned version;   /* 4 or 5 */
	unsigned body_type; /* 2: TD 1.0, 3: TD 1.5 */
	uint8_t user_data[20];
	uint8_t tee_tcb_svn[16];
	uint8_t mr_seam[TDX_MR_SIZE], mr_signer_seam[TDX_MR_SIZE];
	uint8_t seam_attributes[8], td_attributes[8], xfam[8];
	uint8_t mrtd[TDX_MR_SIZE];
	uint8_t mr_config_id[TDX_MR_SIZE], mr_owner[TDX_MR_SIZE], mr_owner_config[TDX_MR_SIZE];
	uint8_t rtmr[TDX_RTMRS][TDX_MR_SIZE];
	uint8_t report_data[64];
	uint8_t mr_servicetd[TDX_MR_SIZE]; /* zero in TD 1.0 */

	/* Views of the quote's bytes. */
	struct bytes signed_part;
	struct bytes signature, attestation_key; /* 64 each */
	struct bytes qe_report, qe_signature;    /* 384, 64 */
	struct bytes qe_auth_data;
	struct bytes pck_chain; /* PEM text without the NUL behind it */
};

/* Trailing zero bytes are tolerated, nothing else. The views in *out point into quote. ERR_INVALID,
 * ERR_LIMIT. */
int tdx_quote_parse(struct bytes quote, struct tdx_quote *out, struct error *error) MUST_USE;

struct tdx_verdict {
	/* quote-signature, qe-binding, qe-signature, pck-chain; debug, td-policy; tcb-status, which
	 * is always undecided. */
	struct checks checks;
	bool genuine; /* the first four are ok */
	bool allowed; /* debug and td-policy are ok */
	bool has_pck; /* what follows could be read from the PCK certificate */
	uint8_t ppid[16], fmspc[6];
	struct hash32 device_of_user_data; /* SHA256(user_data): device id of dstack up to 0.5 */
	struct hash32 device_of_ppid;      /* SHA256(PPID): of newer ones; zero without has_pck */
};

/* root is the DER of the certificate that the chain must end in: tdx_intel_root(). */
void tdx_quote_verify(struct arena *arena, const struct tdx_quote *quote, struct bytes root,
                      struct wall now, struct tdx_verdict *out);

/* "Intel SGX Root CA", DER. */
struct bytes tdx_intel_root(void);

#endif
