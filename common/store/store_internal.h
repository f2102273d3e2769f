/* What the files of this folder share. */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include "common/store/db.h"
#include "common/store/store_event.h"
#include "common/store/store_proposal.h"

struct store {
	struct db *db;
	struct wall now;
	const char *begin_file; /* where the open transaction began; NULL: none is open */
	int begin_line;
};

/* "m12", "p7", "b3": what people and events call a row. Returns text. */
#define STORE_NAME_SIZE 24
char *store_name(char text[STORE_NAME_SIZE], char letter, int64_t id);

/* The row of a target that store_target_put made; aborts for any other. */
int64_t store_target_id(struct store *store, const char *name);

/* Whether a number read back is set: a query with one column, already bound. */
bool store_exists(struct query *query);

/* The columns of a measurement m and its target t, in the order store_measurement_read reads. */
#define STORE_MEASUREMENT_COLUMNS                                                                  \
	" m.id, t.name, m.kind, m.value, m.wanted, m.status, m.reason, m.level, m.is_signed,"      \
	" m.approved, m.first_seen, m.status_since, m.revoke_at, m.urgent, m.replaces "
void store_measurement_read(struct query *query, struct arena *arena, struct measurement *out);
/* Reads all rows of a query of those columns. */
void store_measurement_read_all(struct query *query, struct arena *arena,
                                struct measurement_list *out);

/* The change itself, without the rule that nothing comes back by itself. */
void store_measurement_change(struct store *store, const struct measurement *measurement,
                              enum measurement_status status, bool wanted, const char *reason);

#endif
