/* What the daemon answered about the registries themselves, for people. Pure: JSON in, text out. */
#ifndef CTL_RENDER_REGISTRY_H
#define CTL_RENDER_REGISTRY_H

#include "common/base/jval.h"

/* The rows of drift that differ, and how many there are in all. */
void render_drift(struct buf *out, const struct jval *list);

/* A check, and under it what the KMS decided about a machine, if it was asked. */
void render_check_and_preflight(struct buf *out, const struct jval *check);

/* What was revoked, and what that displaces. */
void render_revoked(struct buf *out, const struct jval *list);

#endif
