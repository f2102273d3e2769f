/* Files that we may not read, as they were when we tried: only a change is worth another try. */
#ifndef WATCH_UNREADABLE_H
#define WATCH_UNREADABLE_H

#include "daemon/watch/beneath.h"

struct unreadable;

struct unreadable *unreadable_new(void);
void unreadable_free(struct unreadable *unreadable); /* NULL is fine */
/* Remembers a bounded number; forgets all to make room. */
void unreadable_add(struct unreadable *unreadable, const char *path, const struct file_id *id);
bool unreadable_has(const struct unreadable *unreadable, const char *path, const struct file_id *id);
size_t unreadable_count(const struct unreadable *unreadable);

#endif
