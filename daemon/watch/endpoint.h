/* What is true of one status endpoint without asking it: whose limit it counts against, and when it
 * is asked again. */
#ifndef WATCH_ENDPOINT_H
#define WATCH_ENDPOINT_H

#include "common/base/bytes.h"

/* No endpoint is left alone for longer than this, or than its own `every` if that is longer. */
enum { ENDPOINT_LONGEST_PAUSE_MS = 30 * 60 * 1000 };

/* The host and port that share one limit, lower case; malloc'd. Of an app behind a gateway
 * (<id>-8090.gw.example) it is the gateway's name, since that is who answers. */
char *endpoint_host(const char *url);

/* Milliseconds until the next question after so many failures in a row: every, doubled for each of
 * them up to the longest pause, and a tenth more or less so that a fleet does not march in step.
 * random is any number. */
int64_t endpoint_pause(int64_t every_ms, unsigned failures, uint32_t random);

#endif
