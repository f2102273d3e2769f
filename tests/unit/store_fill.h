/* Fills a new store as years of use would: through the public API alone. */
#ifndef UNIT_STORE_FILL_H
#define UNIT_STORE_FILL_H

#include "common/store/store.h"

#include <stddef.h>

/* Three targets on two chains; measurements with evidence, artifacts and builds; proposals in every
 * state, most of them confirmed, a tenth of them live; a tenth of the measurements in none. */
void store_fill(struct store *store, size_t measurements, size_t proposals);

#endif
