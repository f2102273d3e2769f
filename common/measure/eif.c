#include "common/measure/eif.h"

#include "common/base/buf.h"
#include "common/base/jval.h"
#include "common/crypto/x509.h"
#include "common/measure/crc32.h"
#include "common/measure/eif_signature.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Positions in the header; all numbers are big-endian. */
enum {
	AT_VERSION = 4,
	AT_FLAGS = 6,
	AT_NUM_SECTIONS = 26,
	AT_OFFSETS = 28,
	AT_SIZES = 284,
	AT_CRC = 544,
	FLAG_ARM64 = 1,
	MAX_TEXT = 256,
};

struct section {
	uint16_t type;
	uint64_t at, size;
};

/* The walk over the file: a machine that is fed block after block. */
struct walk {
	struct arena *arena;
	struct eif *out;
	enum { IN_HEADER, IN_SECTION_HEADER, IN_DATA, STOPPED } where;
	uint64_t at;                     /* file offset of the next byte */
	uint8_t header[EIF_HEADER_SIZE]; /* then section headers collect in the second array */
	uint8_t section_header[EIF_SECTION_HEADER_SIZE];
	size_t have;         /* bytes collected of the current one */
	uint64_t left;       /* of the current section's data */
	unsigned streams;    /* where its data goes */
	struct buf *collect; /* or NULL: where its data is kept */
	struct section sections[EIF_MAX_SECTIONS];
	size_t section_count;
	unsigned counts[EIF_METADATA + 1];
	struct buf signature, metadata;
	uint32_t crc;
};

static const char *section_name(uint16_t type)
{
	static const char *const names[] = {"?",       "kernel",    "command line",
	                                    "ramdisk", "signature", "metadata"};
	return type < ARRAY_LEN(names) ? names[type] : "?";
}

/* The first reason stays. */
static void refuse(struct walk *walk, const char *fmt, ...) PRINTF(2, 3);
static void refuse(struct walk *walk, const char *fmt, ...)
{
	struct error text;
	va_list args;

	if (walk->out->refusal != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	walk->out->refusal = arena_strdup(walk->arena, text.text);
}

static unsigned long long number(uint64_t n)
{
	return n;
}

static void header_complete(struct walk *walk)
{
	struct eif *out = walk->out;
	const uint8_t *header = walk->header;

	out->version = be16_get(header + AT_VERSION);
	out->flags = be16_get(header + AT_FLAGS);
	out->crc_found = be32_get(header + AT_CRC);
	walk->crc = crc32_update(0, bytes_of(header, AT_CRC));
	if (memcmp(header, ".eif", 4) != 0)
		refuse(walk, "byte 0: magic %02x%02x%02x%02x, expected 2e656966 (\".eif\")",
		       header[0], header[1], header[2], header[3]);
	if (out->version < 2 || out->version > 4)
		refuse(walk, "byte %d: version %u, expected 2, 3 or 4", AT_VERSION, out->version);
	if ((out->flags & ~FLAG_ARM64) != 0)
		refuse(walk, "byte %d: flags 0x%04x, expected only bit 0", AT_FLAGS, out->flags);
	unsigned count = be16_get(header + AT_NUM_SECTIONS);
	if (count < 2 || count > EIF_MAX_SECTIONS)
		refuse(walk, "byte %d: %u sections, expected 2 to %d", AT_NUM_SECTIONS, count,
		       EIF_MAX_SECTIONS);
}

/* What the header's tables say about section i must be what is there. */
static void check_tables(struct walk *walk, size_t i, const struct section *section)
{
	uint64_t offset = be64_get(walk->header + AT_OFFSETS + 8 * i);
	uint64_t size = be64_get(walk->header + AT_SIZES + 8 * i);

	if (i >= be16_get(walk->header + AT_NUM_SECTIONS))
		return; /* the count is wrong, and said so at the end */
	if (offset != section->at || size != section->size)
		refuse(walk,
		       "header table: section %zu at byte %llu with %llu bytes, found at byte %llu "
		       "with %llu",
		       i, number(offset), number(size), number(section->at), number(section->size));
}

static void choose_destination(struct walk *walk, const struct section *section)
{
	walk->streams = 0;
	walk->collect = NULL;
	switch ((enum eif_section)section->type) {
	case EIF_KERNEL:
	case EIF_CMDLINE:
		walk->streams = STREAM_IMAGE | STREAM_BOOT;
		break;
	case EIF_RAMDISK:
		walk->streams =
		        STREAM_IMAGE | (walk->counts[EIF_RAMDISK] == 0 ? STREAM_BOOT : STREAM_APP);
		break;
	case EIF_SIGNATURE:
		if (section->size > EIF_MAX_SIGNATURE)
			refuse(walk, "section %zu: signature of %llu bytes, at most %d",
			       walk->section_count, number(section->size), EIF_MAX_SIGNATURE);
		else if (walk->counts[EIF_SIGNATURE] == 0)
			walk->collect = &walk->signature;
		break;
	case EIF_METADATA:
		if (section->size > EIF_MAX_METADATA)
			refuse(walk, "section %zu: metadata of %llu bytes, at most %d",
			       walk->section_count, number(section->size), EIF_MAX_METADATA);
		else if (walk->counts[EIF_METADATA] == 0)
			walk->collect = &walk->metadata;
		break;
	}
}

static void stop(struct walk *walk)
{
	walk->where = STOPPED;
}

static void section_begins(struct walk *walk)
{
	const uint8_t *raw = walk->section_header;
	struct section section = {
	        .type = be16_get(raw),
	        .at = walk->at - EIF_SECTION_HEADER_SIZE,
	        .size = be64_get(raw + 4),
	};
	size_t i = walk->section_count;

	if (i == EIF_MAX_SECTIONS) {
		refuse(walk, "byte %llu: more than %d sections", number(section.at),
		       EIF_MAX_SECTIONS);
		stop(walk);
		return;
	}
	if (section.type == 0 || section.type > EIF_METADATA) {
		refuse(walk, "byte %llu: %s %u, expected 1 to %d", number(section.at),
		       section.type == 0 ? "invalid section type" : "unknown section type",
		       section.type, EIF_METADATA);
		stop(walk);
		return;
	}
	if (be16_get(raw + 2) != 0)
		refuse(walk, "byte %llu: section flags 0x%04x, expected 0", number(section.at + 2),
		       be16_get(raw + 2));
	check_tables(walk, i, &section);
	choose_destination(walk, &section);
	walk->crc = crc32_update(walk->crc, bytes_of(raw, EIF_SECTION_HEADER_SIZE));
	walk->sections[walk->section_count++] = section;
	walk->counts[section.type]++;
	walk->left = section.size;
	walk->where = section.size > 0 ? IN_DATA : IN_SECTION_HEADER;
}

/* Collects fixed-size headers; true when it is whole. */
static bool collect_header(struct walk *walk, uint8_t *into, size_t size, struct bytes *in)
{
	size_t now = in->len < size - walk->have ? in->len : size - walk->have;

	memcpy(into + walk->have, in->data, now);
	walk->have += now;
	walk->at += now;
	*in = bytes_of(in->data + now, in->len - now);
	if (walk->have < size)
		return false;
	walk->have = 0;
	return true;
}

static void take_data(struct walk *walk, struct hash_block *block, struct bytes *in)
{
	size_t now = in->len < walk->left ? in->len : (size_t)walk->left;
	struct bytes data = bytes_of(in->data, now);

	walk->crc = crc32_update(walk->crc, data);
	if (walk->streams != 0)
		block->parts[block->part_count++] = (struct hash_part){
		        .at = (uint32_t)(in->data - block->data),
		        .len = (uint32_t)now,
		        .streams = walk->streams,
		};
	if (walk->collect != NULL)
		buf_append_bytes(walk->collect, data);
	walk->at += now;
	walk->left -= now;
	*in = bytes_of(in->data + now, in->len - now);
	if (walk->left == 0)
		walk->where = IN_SECTION_HEADER;
}

/* At most 33 parts come from one block (a section's end and 32 more), so they always fit. */
_Static_assert(HASH_BLOCK_PARTS > EIF_MAX_SECTIONS + 1, "parts of a block");

static void feed(struct walk *walk, struct hash_block *block)
{
	struct bytes in = bytes_of(block->data, block->len);

	while (in.len > 0 && walk->where != STOPPED) {
		switch (walk->where) {
		case IN_HEADER:
			if (collect_header(walk, walk->header, EIF_HEADER_SIZE, &in)) {
				header_complete(walk);
				walk->where = IN_SECTION_HEADER;
			}
			break;
		case IN_SECTION_HEADER:
			if (collect_header(walk, walk->section_header, EIF_SECTION_HEADER_SIZE,
			                   &in))
				section_begins(walk);
			break;
		case IN_DATA:
			take_data(walk, block, &in);
			break;
		case STOPPED:
			break;
		}
	}
}

/* --- at the end --------------------------------------------------------------------------------
 */

static void check_end(struct walk *walk)
{
	struct eif *out = walk->out;

	switch (walk->where) {
	case STOPPED:
		return;
	case IN_HEADER:
		refuse(walk, "truncated header: the file has %llu bytes, the header needs %d",
		       number(walk->at), EIF_HEADER_SIZE);
		return;
	case IN_DATA:
		refuse(walk,
		       "truncated section %zu (%s): %llu bytes from byte %llu on, the file ends "
		       "%llu short",
		       walk->section_count - 1,
		       section_name(walk->sections[walk->section_count - 1].type),
		       number(walk->sections[walk->section_count - 1].size),
		       number(walk->sections[walk->section_count - 1].at + EIF_SECTION_HEADER_SIZE),
		       number(walk->left));
		return;
	case IN_SECTION_HEADER:
		break;
	}
	out->complete = true;
	out->crc_computed = walk->crc;
	if (walk->have > 0)
		refuse(walk, "%zu trailing bytes at byte %llu, behind the last section", walk->have,
		       number(walk->at - walk->have));
}

static void check_sections(struct walk *walk)
{
	const unsigned *counts = walk->counts;
	unsigned said = be16_get(walk->header + AT_NUM_SECTIONS);
	bool kernel_seen = false;

	if (said != walk->section_count)
		refuse(walk, "byte %d: section count differs: %u in the header, %zu found",
		       AT_NUM_SECTIONS, said, walk->section_count);
	for (size_t i = walk->section_count; i < EIF_MAX_SECTIONS; i++)
		if (be64_get(walk->header + AT_OFFSETS + 8 * i) != 0 ||
		    be64_get(walk->header + AT_SIZES + 8 * i) != 0)
			refuse(walk,
			       "header table: entry %zu is not zero, but there is no such section",
			       i);
	for (size_t i = 0; i < walk->section_count; i++) {
		if (walk->sections[i].type == EIF_KERNEL)
			kernel_seen = true;
		if (walk->sections[i].type == EIF_RAMDISK && !kernel_seen)
			refuse(walk, "section %zu: ramdisk before the kernel", i);
	}
	for (uint16_t type = EIF_KERNEL; type <= EIF_METADATA; type++)
		if (type != EIF_RAMDISK && counts[type] > 1)
			refuse(walk, "%u %s sections, expected one", counts[type],
			       section_name(type));
	if (counts[EIF_KERNEL] == 0 || counts[EIF_CMDLINE] == 0)
		refuse(walk, "no %s section",
		       section_name(counts[EIF_KERNEL] == 0 ? EIF_KERNEL : EIF_CMDLINE));
	if (counts[EIF_RAMDISK] == 0)
		refuse(walk, "no ramdisk section");
	if (counts[EIF_SIGNATURE] > 0 && walk->out->version < 3)
		refuse(walk, "a signature section in version %u, expected version 3 or 4",
		       walk->out->version);
	if (counts[EIF_METADATA] == 0 && walk->out->version >= 4)
		refuse(walk, "no metadata section, expected one in version 4");
}

/* A register that is extended once, from zero. */
static void extend(uint8_t pcr[SHA384_SIZE], const uint8_t content[SHA384_SIZE])
{
	uint8_t both[2 * SHA384_SIZE] = {0};

	memcpy(both + SHA384_SIZE, content, SHA384_SIZE);
	sha384(pcr, bytes_of(both, sizeof(both)));
}

static void check_signature(struct walk *walk)
{
	struct eif *out = walk->out;
	struct eif_signature signature;
	struct error error;
	uint8_t content[SHA384_SIZE];

	if (eif_signature_parse(walk->arena, buf_bytes(&walk->signature), &signature, &error) !=
	    0) {
		refuse(walk, "signature section: %s", error.text);
		return;
	}
	sha384(content, signature.certificate);
	extend(out->pcrs.pcr8, content);
	out->pcrs.has_pcr8 = true;
	if (x509_subject(walk->arena, &out->signer, signature.certificate, NULL) != 0)
		out->signer = NULL;
	if (eif_signature_verify(&signature, out->pcrs.pcr0, &error) != 0)
		refuse(walk, "signature section: %s", error.text);
	else
		out->signature_right = true;
}

static char *text_member(struct walk *walk, const struct jval *object, const char *key,
                         const char *where)
{
	const char *text = jval_get_string(object, key);

	if (text == NULL) {
		refuse(walk, "metadata: %s%s: expected a string", where, key);
		return NULL;
	}
	return arena_printf(walk->arena, "%.*s", MAX_TEXT, text);
}

/* AWS's reader wants every one of these members. */
static void check_metadata(struct walk *walk)
{
	static const char *const required[] = {"BuildToolVersion", "OperatingSystem",
	                                       "KernelVersion"};
	struct eif *out = walk->out;
	struct jval *metadata;
	struct error error;

	if (jval_parse(&metadata, buf_bytes(&walk->metadata), &error) != 0) {
		refuse(walk, "metadata: %s", error.text);
		return;
	}
	const struct jval *build = jval_get(metadata, "BuildMetadata");
	out->image_name = text_member(walk, metadata, "ImageName", "");
	out->image_version = text_member(walk, metadata, "ImageVersion", "");
	out->build_time = text_member(walk, build, "BuildTime", "BuildMetadata.");
	out->build_tool = text_member(walk, build, "BuildTool", "BuildMetadata.");
	for (size_t i = 0; i < ARRAY_LEN(required); i++)
		text_member(walk, build, required[i], "BuildMetadata.");
	if (jval_get(metadata, "DockerInfo") == NULL ||
	    jval_get(metadata, "CustomMetadata") == NULL)
		refuse(walk, "metadata: expected the members DockerInfo and CustomMetadata");
	jval_free(metadata);
}

static void conclude(struct walk *walk, const struct hashes *hashes)
{
	struct eif *out = walk->out;

	check_end(walk);
	if (!out->complete)
		return;
	extend(out->pcrs.pcr0, hashes->image);
	extend(out->pcrs.pcr1, hashes->boot);
	extend(out->pcrs.pcr2, hashes->app);
	check_sections(walk);
	out->is_signed = walk->counts[EIF_SIGNATURE] > 0;
	if (out->is_signed)
		check_signature(walk);
	if (walk->counts[EIF_METADATA] > 0)
		check_metadata(walk);
	if (out->crc_found != out->crc_computed)
		refuse(walk, "byte %d: CRC-32 %08x, the content gives %08x", AT_CRC, out->crc_found,
		       out->crc_computed);
}

/* Until the source ends, the walk stops or the size is beyond what we accept. */
static int read_all(struct walk *walk, struct source *source, struct hasher *hasher, bool *ended,
                    struct error *error)
{
	*ended = false;
	while (!*ended && walk->where != STOPPED) {
		struct hash_block *block = hasher_block(hasher);
		int rc = source_read(source, block->data, HASH_BLOCK_SIZE, &block->len, error);
		if (rc != 0)
			return rc;
		*ended = block->len < HASH_BLOCK_SIZE;
		walk->out->size += block->len;
		feed(walk, block);
		hasher_submit(hasher, block);
		if (walk->out->size > EIF_MAX_SIZE) {
			refuse(walk, "over %llu bytes", number(EIF_MAX_SIZE));
			stop(walk);
		}
	}
	return 0;
}

int eif_read(struct arena *arena, struct source *source, struct hasher *hasher, struct eif *out,
             struct error *error)
{
	struct walk walk = {.arena = arena, .out = out, .where = IN_HEADER};
	struct hashes hashes;
	bool ended;

	*out = (struct eif){0};
	int rc = read_all(&walk, source, hasher, &ended, error);
	hasher_finish(hasher, &hashes);
	if (rc == 0) {
		conclude(&walk, &hashes);
		if (ended) {
			out->sha256 = hashes.file;
			memcpy(out->blake2b, hashes.blake2b, sizeof(out->blake2b));
		}
	}
	buf_free(&walk.signature);
	buf_free(&walk.metadata);
	return rc;
}
