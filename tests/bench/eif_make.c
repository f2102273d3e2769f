/* eif_make FILE MIB: a well-formed enclave image of about that size: kernel, command line,
 * metadata, a small first ramdisk, and the rest in a second one. */
#include "common/measure/crc32.h"
#include "common/measure/eif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 20, SECTIONS = 5 };

static const char cmdline[] = "reboot=k panic=30 pci=off nomodules console=ttyS0";
static const char metadata[] =
        "{\"ImageName\":\"bench\",\"ImageVersion\":\"1.0\",\"BuildMetadata\":{\"BuildTime\":"
        "\"2026-01-01T00:00:00+00:00\",\"BuildTool\":\"nitro-cli\",\"BuildToolVersion\":\"1.4.4\","
        "\"OperatingSystem\":\"Linux\",\"KernelVersion\":\"6.1.0\"},\"DockerInfo\":null,"
        "\"CustomMetadata\":null}";

struct section {
	enum eif_section type;
	const char *text; /* NULL: filler */
	uint64_t size;
};

static uint8_t chunk[CHUNK];

static void put(FILE *file, uint32_t *crc, const void *data, size_t len)
{
	*crc = crc32_update(*crc, bytes_of(data, len));
	if (fwrite(data, 1, len, file) != len)
		die("the image cannot be written");
}

static void put_section(FILE *file, uint32_t *crc, const struct section *section)
{
	uint8_t head[EIF_SECTION_HEADER_SIZE] = {0, (uint8_t)section->type};

	be64_put(head + 4, section->size);
	put(file, crc, head, sizeof(head));
	if (section->text != NULL) {
		put(file, crc, section->text, section->size);
		return;
	}
	for (uint64_t left = section->size; left > 0;) {
		size_t now = left < CHUNK ? left : CHUNK;
		be64_put(chunk, left); /* no two chunks alike */
		put(file, crc, chunk, now);
		left -= now;
	}
}

int main(int argc, char **argv)
{
	uint64_t mib = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint8_t header[EIF_HEADER_SIZE] = {'.', 'e', 'i', 'f', 0, 4};
	uint64_t at = EIF_HEADER_SIZE;
	uint32_t crc;

	if (mib < 4) {
		fprintf(stderr, "usage: %s FILE MIB (4 or more)\n", argv[0]);
		return 64;
	}
	uint64_t small = mib / 64 > 0 ? mib / 64 * CHUNK : CHUNK;
	struct section sections[SECTIONS] = {
	        {EIF_KERNEL, NULL, small},
	        {EIF_CMDLINE, cmdline, strlen(cmdline)},
	        {EIF_METADATA, metadata, strlen(metadata)},
	        {EIF_RAMDISK, NULL, small},
	        {EIF_RAMDISK, NULL, mib * CHUNK - 2 * small},
	};
	FILE *file = fopen(argv[1], "wb+");
	if (file == NULL)
		die("%s cannot be made", argv[1]);
	be64_put(header + 8, 1 << 30);
	be64_put(header + 16, 2);
	header[27] = SECTIONS;
	for (size_t i = 0; i < SECTIONS; i++) {
		be64_put(header + 28 + 8 * i, at);
		be64_put(header + 284 + 8 * i, sections[i].size);
		at += EIF_SECTION_HEADER_SIZE + sections[i].size;
	}
	for (size_t i = 0; i < CHUNK; i++)
		chunk[i] = (uint8_t)(i * 2654435761u >> 13);
	if (fwrite(header, 1, sizeof(header), file) != sizeof(header))
		die("the image cannot be written");
	crc = crc32_update(0, bytes_of(header, EIF_HEADER_SIZE - 4));
	for (size_t i = 0; i < SECTIONS; i++)
		put_section(file, &crc, &sections[i]);
	be32_put(header + EIF_HEADER_SIZE - 4, crc);
	if (fseek(file, EIF_HEADER_SIZE - 4, SEEK_SET) != 0 ||
	    fwrite(header + EIF_HEADER_SIZE - 4, 1, 4, file) != 4 || fclose(file) != 0)
		die("the image cannot be finished");
	return 0;
}
