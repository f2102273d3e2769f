/* Trouble that lasts: an alarm that was told and is not over, with the time when it was told first,
 * over restarts. */
#ifndef STORE_STORE_TROUBLE_H
#define STORE_STORE_TROUBLE_H

#include "common/store/alarm.h"

struct trouble_row {
	enum alarm alarm;
	const char *subject, *text;
	struct wall since;
};

/* Into the arena; returns the count. Alarms whose name is not known any more are left out. */
size_t store_trouble_list(struct store *store, struct arena *arena, uint64_t chain_id,
                          struct trouble_row **out);
void store_trouble_put(struct store *store, uint64_t chain_id, const struct trouble_row *row);
void store_trouble_clear(struct store *store, uint64_t chain_id, enum alarm alarm,
                         const char *subject);

#endif
