/* What main and a measurer say to each other. */
#ifndef MEASURER_WIRE_H
#define MEASURER_WIRE_H

#include "common/measure/measurement.h"
#include "daemon/io/message.h"

enum wire_kind {
	WIRE_READY = 1,    /* measurer: rights are given up, ready for work; no body */
	WIRE_MEASURE = 2,  /* main: struct measure_how; the descriptor rides along */
	WIRE_MEASURED = 3, /* measurer: CPU time so far, struct measured */
	WIRE_FAILED = 4,   /* measurer: CPU time so far, why the descriptor could not be read */
};

void wire_put_how(struct buf *body, const struct measure_how *how);
void wire_get_how(struct field_reader *reader, struct arena *arena, struct measure_how *out);

void wire_put_measured(struct buf *body, const struct measured *measured);
/* Text goes to the arena. Whatever a sound measurer cannot have said sets reader->failed: unknown
 * numbers, a value that is not the PCRs', a level that the format cannot have, a refusal without a reason. */
void wire_get_measured(struct field_reader *reader, struct arena *arena, struct measured *out);

void wire_put_text(struct buf *body, const char *text); /* cut to what a reader accepts */
/* A NUL-free text of at most 64 KiB. */
char *wire_get_text(struct field_reader *reader, struct arena *arena);

#endif
