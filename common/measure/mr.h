/* mr_aggregated: what dstack's KMS contracts know a KMS by, SHA-256 of its TDX registers; and the
 * forms of MRCONFIGID that bind a compose hash. After dstack-attest/src/attestation.rs. */
#ifndef MEASURE_MR_H
#define MEASURE_MR_H

#include "common/crypto/hash.h"

#define MR_SIZE 48

struct mr_tdx {
	uint8_t mrtd[MR_SIZE];
	uint8_t rtmr[4][MR_SIZE];
	uint8_t config_id[MR_SIZE], owner[MR_SIZE], owner_config[MR_SIZE];
};

/* MRTD, RTMR0, RTMR1 and RTMR2: firmware, kernel and machine shape, by which `known_os` names a
 * dstack OS. */
struct hash32 mr_tdx_os(const struct mr_tdx *mr);
/* config_id, owner and owner_config count when one of them is not zero. */
struct hash32 mr_tdx_aggregated(const struct mr_tdx *mr);

/* MRCONFIGID of the first form: 01 || compose hash || zeros. */
void mr_config_v1(uint8_t out[MR_SIZE], const struct hash32 *compose);
/* The second: 02 || keccak256(compose hash || app id || kind || key provider id) || zeros. kind: 0
 * none, 1 local, 2 kms, 3 tpm. */
void mr_config_v2(uint8_t out[MR_SIZE], const struct hash32 *compose, const uint8_t app_id[20],
                  uint8_t kind, struct bytes key_provider_id);

#endif
