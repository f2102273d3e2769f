/* Inside of guest_info: what a document states about one machine, gathered first and judged once it
 * is complete. */
#ifndef MEASURE_GUEST_MACHINE_H
#define MEASURE_GUEST_MACHINE_H

#include "common/measure/event_log.h"
#include "common/measure/guest_info.h"
#include "common/measure/os_image.h"
#include "common/measure/ra_tls.h"

enum { SUBJECT_MAX = 8 };

/* One fact and everybody who states it. */
struct subject {
	struct {
		const char *source; /* "tcb_info.compose_hash"; a constant */
		struct bytes value;
	} items[SUBJECT_MAX];
	size_t count;
};

struct machine {
	struct arena *arena;
	const struct guest_options *options;
	struct guest_report *report;
	char *broken; /* the first member that is not what it must be, or NULL */

	struct subject compose, app_id, instance_id, device, os_image, aggregated;
	bool has_registers; /* as stated in tcb_info */
	uint8_t mrtd[TDX_MR_SIZE], rtmr[TDX_RTMRS][TDX_MR_SIZE];
	bool has_log; /* the log of tcb_info, or beside the quote */
	struct event_log log;

	struct bytes quote_bytes; /* empty: none */
	bool has_quote_log;       /* the quote has a log of its own: in the certificate */
	struct event_log quote_log;
	bool has_certificate; /* the quote came with it */
	struct ra_tls certificate;
	struct bytes stated_report_data; /* beside the quote; empty: not stated */

	/* What vm_config says of the OS image for TDX: it comes from the host. */
	bool has_image;
	struct os_image_config image;
};

/* Notes that value is stated by source, if it is not empty. */
void machine_state(struct subject *subject, const char *source, struct bytes value);
/* Keeps the first complaint. */
void machine_broken(struct machine *machine, const char *fmt, ...) PRINTF(2, 3);

/* Fills machine->report from all that was gathered. */
void machine_judge(struct machine *machine);

#endif
