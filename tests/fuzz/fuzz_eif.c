/* EIF: what the walk measures is what a second reader finds that goes by the header's table, and a
 * file that is accepted has no byte which the table, the sections and the CRC do not explain. */
#include "common/measure/crc32.h"
#include "common/measure/eif.h"
#include "tests/fuzz/fuzz.h"

enum { AT_COUNT = 26, AT_OFFSETS = 28, AT_SIZES = 284, AT_CRC = 544 };

struct digests {
	struct digest *image, *boot, *app;
};

static void finish(struct digest *digest, uint8_t pcr[SHA384_SIZE])
{
	uint8_t both[2 * SHA384_SIZE] = {0};

	digest_final(digest, both + SHA384_SIZE);
	sha384(pcr, bytes_of(both, sizeof(both)));
	digest_free(digest);
}

/* Kernel and command line go to PCR0 and 1, ramdisks to PCR0, the first to PCR1, others to PCR2. */
static void take(struct digests *digests, uint16_t type, unsigned *ramdisks, struct bytes section)
{
	if (type == EIF_KERNEL || type == EIF_CMDLINE || type == EIF_RAMDISK)
		digest_update(digests->image, section);
	if (type == EIF_KERNEL || type == EIF_CMDLINE || (type == EIF_RAMDISK && *ramdisks == 0))
		digest_update(digests->boot, section);
	if (type == EIF_RAMDISK && (*ramdisks)++ > 0)
		digest_update(digests->app, section);
}

static void check_accepted(struct bytes file, const struct eif *eif)
{
	struct digests digests = {digest_new(DIGEST_SHA384), digest_new(DIGEST_SHA384),
	                          digest_new(DIGEST_SHA384)};
	struct pcrs pcrs = {0};
	unsigned ramdisks = 0;
	size_t at = EIF_HEADER_SIZE;

	for (size_t i = 0; i < be16_get(file.data + AT_COUNT); i++) {
		uint64_t offset = be64_get(file.data + AT_OFFSETS + 8 * i);
		uint64_t size = be64_get(file.data + AT_SIZES + 8 * i);
		PROPERTY(offset == at && file.len - at >= EIF_SECTION_HEADER_SIZE);
		PROPERTY(file.len - at - EIF_SECTION_HEADER_SIZE >= size);
		PROPERTY(be64_get(file.data + at + 4) == size);
		take(&digests, be16_get(file.data + at), &ramdisks,
		     bytes_of(file.data + at + EIF_SECTION_HEADER_SIZE, size));
		at += EIF_SECTION_HEADER_SIZE + size;
	}
	PROPERTY(at == file.len);
	uint32_t crc = crc32_update_portable(0, bytes_of(file.data, AT_CRC));
	crc = crc32_update_portable(
	        crc, bytes_of(file.data + EIF_HEADER_SIZE, file.len - EIF_HEADER_SIZE));
	PROPERTY(crc == be32_get(file.data + AT_CRC));
	finish(digests.image, pcrs.pcr0);
	finish(digests.boot, pcrs.pcr1);
	finish(digests.app, pcrs.pcr2);
	PROPERTY(memcmp(pcrs.pcr0, eif->pcrs.pcr0, SHA384_SIZE) == 0);
	PROPERTY(memcmp(pcrs.pcr1, eif->pcrs.pcr1, SHA384_SIZE) == 0);
	PROPERTY(memcmp(pcrs.pcr2, eif->pcrs.pcr2, SHA384_SIZE) == 0);
	PROPERTY(eif->complete && ramdisks > 0);
	PROPERTY(eif->is_signed == eif->signature_right);
	PROPERTY(eif->is_signed == eif->pcrs.has_pcr8);
}

static void read_eif(struct arena *arena, struct bytes file, struct eif *out)
{
	struct source source = source_memory(file);
	struct hasher *hasher = hasher_new(false);

	PROPERTY(eif_read(arena, &source, hasher, out, NULL) == 0);
	hasher_free(hasher);
}

/* A mutated file rarely has the right CRC: its copy gets it, so that searching goes on behind it.
 */
static void read_with_crc(struct bytes file, uint32_t crc)
{
	struct arena arena = {0};
	struct eif eif;
	struct bytes copy = arena_copy(&arena, file);

	be32_put((uint8_t *)copy.data + AT_CRC, crc);
	read_eif(&arena, copy, &eif);
	PROPERTY(eif.crc_found == eif.crc_computed);
	if (eif.refusal == NULL)
		check_accepted(copy, &eif);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes file = bytes_of(data, size);
	struct arena arena = {0};
	struct eif eif;

	crypto_init();
	read_eif(&arena, file, &eif);
	struct hash32 whole = sha256(file);
	PROPERTY(eif.size == size);
	PROPERTY(hash32_is_zero(&eif.sha256) || hash32_equal(&eif.sha256, &whole));
	PROPERTY(!eif.complete || hash32_equal(&eif.sha256, &whole));
	if (eif.refusal == NULL)
		check_accepted(file, &eif);
	if (eif.complete)
		read_with_crc(file, eif.crc_computed);
	arena_free(&arena);
	return 0;
}
