/* What the daemon answered, for people. Pure: JSON in, text out; what is missing is shown as "-".
 */
#ifndef CTL_RENDER_H
#define CTL_RENDER_H

#include "common/base/jval.h"

void render_status(struct buf *out, const struct jval *status);
void render_measurements(struct buf *out, const struct jval *list); /* a table */
/* In full, but for evidence that is the same as that of the one printed before (or NULL). */
void render_measurement_after(struct buf *out, const struct jval *one, const struct jval *before);
void render_proposals(struct buf *out, const struct jval *list);
void render_proposal(struct buf *out, const struct jval *one);
void render_event(struct buf *out, const struct jval *event);
void render_check(struct buf *out, const struct jval *check);
void render_doctor(struct buf *out, const struct jval *report);
void render_decided(struct buf *out, const struct jval *list); /* after approve, hold, ... */
void render_inspected(struct buf *out, const struct jval *file);

#endif
