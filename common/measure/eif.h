/* AWS Nitro enclave images (EIF), as specified in aws-nitro-enclaves-image-format and QEMU's
 * nitro-enclave machine. PCRs are computed as the AWS reader does, which looks at little else; the
 * strict profile refuses every file that other readers could understand differently. */
#ifndef MEASURE_EIF_H
#define MEASURE_EIF_H

#include "common/measure/hasher.h"
#include "common/measure/measurement.h"
#include "common/measure/source.h"

#define EIF_MAX_SIZE ((uint64_t)64 << 30) /* bytes; more is refused */

enum {
	EIF_HEADER_SIZE = 548,
	EIF_SECTION_HEADER_SIZE = 12,
	EIF_MAX_SECTIONS = 32,
	EIF_MAX_SIGNATURE = 32768,
	EIF_MAX_METADATA = 256 * 1024,
};

enum eif_section {
	EIF_KERNEL = 1,
	EIF_CMDLINE = 2,
	EIF_RAMDISK = 3,
	EIF_SIGNATURE = 4,
	EIF_METADATA = 5,
};

/* Text lives in the arena given to eif_read. */
struct eif {
	char *refusal; /* NULL: the file keeps to the strict profile */
	bool complete; /* the sections were walked to their end: pcrs are what AWS's reader says */
	uint16_t version, flags;
	uint32_t crc_found, crc_computed;
	bool is_signed;                   /* there is a signature section ... */
	bool signature_right;             /* ... and it verifies over this file's PCR0 */
	char *signer;                     /* subject of the signing certificate, or NULL */
	char *image_name, *image_version; /* from the metadata, or NULL; not covered by any PCR */
	char *build_time, *build_tool;
	struct pcrs pcrs;
	struct hash32 sha256;          /* of the whole file; zero when it was not read to its end */
	uint8_t blake2b[BLAKE2B_SIZE]; /* the same, where hasher_want_blake2b was said */
	uint64_t size;                 /* bytes read */
};

/* Reads the source from its start to its end, each byte once. 0 with *out filled, refused or not;
 * ERR_IO when reading fails. */
int eif_read(struct arena *arena, struct source *source, struct hasher *hasher, struct eif *out,
             struct error *error) MUST_USE;

#endif
