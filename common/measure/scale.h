/* The versioned attestation of dstack's guests in its first form (SCALE, "V0"): which platform, its
 * evidence, the runtime events, the report data and the configuration text. Taken apart, not
 * judged: only what the evidence signs is more than a claim. */
#ifndef MEASURE_SCALE_H
#define MEASURE_SCALE_H

#include "common/base/arena.h"

enum { SCALE_MAX_EVENTS = 4096, SCALE_MAX_SIZE = 1024 * 1024, SCALE_REPORT_DATA_SIZE = 64 };

/* As numbered in the bytes. */
enum scale_platform {
	SCALE_TDX = 0,
	SCALE_GCP_TDX = 1,
	SCALE_NITRO = 2,
	SCALE_SNP = 3,
	SCALE_NITRO_TPM = 4,
};

struct scale_boot_event {
	uint32_t imr, type;
	struct bytes digest, name, payload;
};

struct scale_event {
	struct bytes name, payload;
};

/* Views into the input, but for the arrays. */
struct scale_attestation {
	enum scale_platform platform;
	struct bytes evidence; /* TDX: the quote; Nitro: the NSM document; SNP: the report */
	struct scale_boot_event *boot_events; /* TDX */
	size_t boot_event_count;
	struct bytes *certificates; /* SNP: PEM */
	size_t certificate_count;
	struct bytes mr_config; /* SNP */
	struct scale_event *events;
	size_t event_count;
	struct bytes report_data; /* SCALE_REPORT_DATA_SIZE bytes */
	struct bytes config;      /* JSON: what Info calls vm_config */
};

/* ERR_INVALID, with the position; also for the platforms GCP TDX and NitroTPM, whose evidence has
 * another form. */
int scale_attestation_read(struct arena *arena, struct bytes blob, struct scale_attestation *out,
                           struct error *error) MUST_USE;

#endif
