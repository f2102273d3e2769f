#include "common/measure/mr.h"

#include "common/base/buf.h"

#include <string.h>

static struct hash32 hash_parts(const struct bytes *parts, size_t count)
{
	struct digest *digest = digest_new(DIGEST_SHA256);
	struct hash32 out;

	for (size_t i = 0; i < count; i++)
		digest_update(digest, parts[i]);
	digest_final(digest, out.b);
	digest_free(digest);
	return out;
}

static struct bytes register_of(const uint8_t mr[MR_SIZE])
{
	return bytes_of(mr, MR_SIZE);
}

static struct bytes hash_of(const struct hash32 *hash)
{
	return bytes_of(hash->b, sizeof(hash->b));
}

struct hash32 mr_tdx_os(const struct mr_tdx *mr)
{
	uint8_t all[4 * MR_SIZE];

	memcpy(all, mr->mrtd, MR_SIZE);
	memcpy(all + MR_SIZE, mr->rtmr, 3 * MR_SIZE);
	return sha256(bytes_of(all, sizeof(all)));
}

struct hash32 mr_tdx_aggregated(const struct mr_tdx *mr)
{
	static const uint8_t zero[MR_SIZE];
	const struct bytes parts[] = {register_of(mr->mrtd),    register_of(mr->rtmr[0]),
	                              register_of(mr->rtmr[1]), register_of(mr->rtmr[2]),
	                              register_of(mr->rtmr[3]), register_of(mr->config_id),
	                              register_of(mr->owner),   register_of(mr->owner_config)};
	bool plain = memcmp(mr->config_id, zero, MR_SIZE) == 0 &&
	             memcmp(mr->owner, zero, MR_SIZE) == 0 &&
	             memcmp(mr->owner_config, zero, MR_SIZE) == 0;

	return hash_parts(parts, plain ? 5 : ARRAY_LEN(parts));
}

static void put_config(uint8_t out[MR_SIZE], uint8_t version, const struct hash32 *hash)
{
	memset(out, 0, MR_SIZE);
	out[0] = version;
	memcpy(out + 1, hash->b, sizeof(hash->b));
}

void mr_config_v1(uint8_t out[MR_SIZE], const struct hash32 *compose)
{
	put_config(out, 1, compose);
}

void mr_config_v2(uint8_t out[MR_SIZE], const struct hash32 *compose, const uint8_t app_id[20],
                  uint8_t kind, struct bytes key_provider_id)
{
	struct buf text = {0};

	buf_append_bytes(&text, hash_of(compose));
	buf_append(&text, app_id, 20);
	buf_append_byte(&text, kind);
	buf_append_bytes(&text, key_provider_id);
	struct hash32 hash = keccak256(buf_bytes(&text));
	buf_free(&text);
	put_config(out, 2, &hash);
}
