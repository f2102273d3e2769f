/* Would the KMS give keys to the machines that status endpoints show? Asked by itself when their
 * value is approved or authorized, and again when a registry of theirs speaks. */
#ifndef GOVERN_ENDPOINT_PREFLIGHT_H
#define GOVERN_ENDPOINT_PREFLIGHT_H

#include "daemon/govern/lane.h"

struct endpoint_preflight;

struct endpoint_preflight *endpoint_preflight_new(struct lane *lane);
void endpoint_preflight_free(struct endpoint_preflight *preflight); /* NULL is fine */
void endpoint_preflight_run(struct endpoint_preflight *preflight);

#endif
