/* From what a parser found to the one struct that everybody else reads: one function for each kind
 * of document. They fill format, refused, refusal, level, pcrs, value, values and details of *out,
 * and leave it FORMAT_UNKNOWN when there is nothing of ours. */
#ifndef MEASURE_DOCUMENT_H
#define MEASURE_DOCUMENT_H

#include "common/measure/check.h"
#include "common/measure/measurement.h"

/* Attestation document of a Nitro enclave (CBOR). */
void document_nsm(struct arena *arena, struct bytes bytes, struct measured *out);
/* Logs, CI notices, release tables. */
void document_build_log(struct arena *arena, struct bytes text, struct measured *out);
/* app-compose.json: by its name, or by what is in it. */
void document_app_compose(struct arena *arena, struct bytes text, const char *name,
                          struct measured *out);
/* What dstack machines, their KMS and Phala Cloud answer. */
void document_guest(struct arena *arena, struct bytes text, bool is_kms, struct measured *out);
/* Whether bytes start as a TDX quote does. */
bool document_is_tdx_quote(struct bytes head);
/* A TDX quote alone: what it measures, and whether it is genuine. Without the log beside it nothing
 * says which application ran. */
void document_tdx_quote(struct arena *arena, struct bytes quote, struct measured *out);
/* digest.txt and sha256sum.txt of a dstack OS image; other lists of checksums are not ours. */
void document_os_image(struct arena *arena, struct bytes text, const char *name,
                       struct measured *out);
/* Attestations in Sigstore bundles, and minisign signatures: signature, and of an attestation of
 * an enclave's measurements also pcrs and value. */
void document_sigstore(struct arena *arena, struct bytes text, const struct measure_how *how,
                       struct measured *out);
void document_minisign(struct arena *arena, struct bytes text, const struct measure_how *how,
                       struct measured *out);
/* Whether a file of that name says to be one. */
bool document_claims_sigstore(const char *name);
bool document_claims_minisign(const char *name);
/* Whether a file of that name belongs to a dstack OS image. It is only hashed. */
bool document_is_os_file(const char *name);

/* --- for the functions above and their like ------------------------------------------------------
 */

void document_refuse(struct arena *arena, struct measured *out, const char *fmt, ...) PRINTF(3, 4);
/* Writes details and frees them. */
void document_details(struct arena *arena, struct measured *out, struct jval *details);

#endif
