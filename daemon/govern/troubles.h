/* What was alarmed about on one chain and is not over. Lasting trouble (alarm_remedy) is told once,
 * is over when its cause is gone, and is told again after a restart; when it began is kept over
 * restarts. */
#ifndef GOVERN_TROUBLES_H
#define GOVERN_TROUBLES_H

#include "common/base/jval.h"
#include "common/store/alarm.h"

struct troubles;

struct troubles *troubles_new(struct store *store, uint64_t chain_id);
void troubles_free(struct troubles *troubles);

/* Tells it by store_alarm unless the same text about the subject was told in this run and is not
 * over. Opens its own transaction. */
void troubles_tell(struct troubles *troubles, enum alarm alarm, const char *subject,
                   const char *text);
/* Whether such an alarm about the subject was told in this run and is not over. */
bool troubles_stands(const struct troubles *troubles, enum alarm alarm, const char *subject);
/* It is over. Opens its own transaction. */
void troubles_over(struct troubles *troubles, enum alarm alarm, const char *subject);

/* Those of an alarm whose subject is not named by `keeps` are over. */
typedef bool troubles_keep_fn(const char *subject, void *arg);
void troubles_keep(struct troubles *troubles, enum alarm alarm, troubles_keep_fn *keeps, void *arg);
/* So is everything about proposals that ended. */
void troubles_drop_ended(struct troubles *troubles);

/* [{alarm, subject, since, text, do}] of what lasts, oldest first; the caller's to free. */
struct jval *troubles_status(const struct troubles *troubles);

#endif
