/* PCRs as text: measurements.json of the enclave template (three shapes) and the JSON of nitro-cli
 * (build-enclave, sign-eif, describe-eif, describe-enclaves), alone or between the progress lines
 * that a combined log has around it. What is stated is checked against itself; it stays a claim. */
#ifndef MEASURE_NITRO_H
#define MEASURE_NITRO_H

#include "common/measure/measurement.h"

enum { NITRO_MAX_TEXT = 1024 * 1024 }; /* longer texts are not ours */

/* Fills format, refused, refusal, level, pcrs, value and details of *out; FORMAT_UNKNOWN when there
 * is nothing of ours in text. name is the file's name without folders: a file that is called
 * measurements.json claims to be one. */
void nitro_read(struct arena *arena, struct bytes text, const char *name, struct measured *out);

#endif
