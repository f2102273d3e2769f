#include "common/store/store_internal.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_u64(struct buf *buf, uint64_t value)
{
	uint8_t bytes[8];

	be64_put(bytes, value);
	buf_append(buf, bytes, sizeof(bytes));
}

static void put_text(struct buf *buf, const char *text)
{
	put_u64(buf, strlen(text));
	buf_append_text(buf, text);
}

static struct hash32 event_hash(const struct hash32 *previous, const struct event_row *event)
{
	struct buf buf = {0};

	buf_append(&buf, previous->b, sizeof(previous->b));
	put_u64(&buf, (uint64_t)event->id);
	put_u64(&buf, (uint64_t)event->at.ms);
	put_text(&buf, event->type);
	put_text(&buf, event->subject);
	put_text(&buf, event->text);
	struct hash32 hash = sha256(buf_bytes(&buf));
	buf_free(&buf);
	return hash;
}

/* One event is one line, whatever a contract's revert reason holds. */
static char *one_line(const char *text)
{
	struct buf out = {0};

	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c < 0x20 || c == 0x7f)
			buf_printf(&out, "\\x%02x", c);
		else
			buf_append_byte(&out, c);
	}
	if (out.data == NULL)
		return xstrdup("");
	return (char *)out.data;
}

static void read_head(struct store *store, int64_t *id, struct hash32 *hash)
{
	struct query *query = db_query(store->db, "SELECT id, hash FROM event_head");

	if (!db_step(query))
		die("the event log has no head");
	*id = db_int(query);
	db_fixed(query, hash->b, sizeof(hash->b));
	db_done(query);
}

static void append(struct store *store, const char *type, const char *subject, const char *text)
{
	struct event_row event = {.at = store->now, .type = type, .subject = subject, .text = text};
	struct hash32 previous;

	read_head(store, &event.id, &previous);
	event.id++;
	event.hash = event_hash(&previous, &event);
	struct query *query =
	        db_query(store->db, "INSERT INTO event (id, at, type, subject, text, hash)"
	                            " VALUES (?, ?, ?, ?, ?, ?)");
	db_bind_int(query, event.id);
	db_bind_int(query, event.at.ms);
	db_bind_text(query, event.type);
	db_bind_text(query, event.subject);
	db_bind_text(query, event.text);
	db_bind_blob(query, event.hash.b, sizeof(event.hash.b));
	db_run(query);
	query = db_query(store->db, "UPDATE event_head SET id = ?, hash = ?");
	db_bind_int(query, event.id);
	db_bind_blob(query, event.hash.b, sizeof(event.hash.b));
	db_run(query);
}

void store_event_add(struct store *store, const char *type, const char *subject, const char *fmt,
                     ...)
{
	char *raw = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&raw, fmt, args) < 0)
		die("out of memory");
	va_end(args);
	char *text = one_line(raw);
	char *name = one_line(subject);
	append(store, type, name, text);
	free(name);
	free(text);
	free(raw);
}

static void read_event(struct query *query, struct arena *arena, struct event_row *out)
{
	out->id = db_int(query);
	out->at = db_wall(query);
	out->type = db_text(query, arena);
	out->subject = db_text(query, arena);
	out->text = db_text(query, arena);
	db_fixed(query, out->hash.b, sizeof(out->hash.b));
}

void store_event_list(struct store *store, struct arena *arena, int64_t after, size_t limit,
                      struct event_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT id, at, type, subject, text, hash FROM event"
	                            " WHERE id > ? ORDER BY id LIMIT ?");

	*out = (struct event_list){0};
	db_bind_int(query, after);
	db_bind_int(query, limit < INT64_MAX ? (int64_t)limit : INT64_MAX);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		read_event(query, arena, &out->items[out->count++]);
	}
}

void store_alarm_latest(struct store *store, struct arena *arena, size_t limit,
                        struct event_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT id, at, type, subject, text, hash FROM event"
	                            " WHERE type = 'alarm' ORDER BY id DESC LIMIT ?");

	*out = (struct event_list){0};
	db_bind_int(query, (int64_t)limit);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		read_event(query, arena, &out->items[out->count++]);
	}
}

static int check_event(const struct event_row *event, int64_t expected,
                       const struct hash32 *previous, struct error *error)
{
	if (event->id < expected)
		return error_set(error, ERR_INVALID, "event %lld was not written by registrard",
		                 (long long)event->id);
	if (event->id != expected)
		return error_set(error, ERR_INVALID, "event %lld is missing", (long long)expected);
	struct hash32 hash = event_hash(previous, event);
	if (!hash32_equal(&hash, &event->hash))
		return error_set(
		        error, ERR_INVALID,
		        "event %lld was changed: its hash does not follow from event %lld and"
		        " its own text",
		        (long long)event->id, (long long)event->id - 1);
	return 0;
}

int store_event_verify(struct store *store, int64_t *checked, struct error *error)
{
	struct hash32 head, previous = {0};
	int64_t head_id, count = 0;
	int rc = 0;

	*checked = 0;
	read_head(store, &head_id, &head);
	struct query *query = db_query(
	        store->db, "SELECT id, at, type, subject, text, hash FROM event ORDER BY id");
	while (db_step(query)) {
		struct arena arena = {0};
		struct event_row event;
		read_event(query, &arena, &event);
		rc = check_event(&event, count + 1, &previous, error);
		arena_free(&arena);
		if (rc != 0) {
			db_done(query);
			return rc;
		}
		previous = event.hash;
		count++;
	}
	if (count < head_id)
		return error_set(error, ERR_INVALID,
		                 "event %lld is missing: the log must end at %lld",
		                 (long long)count + 1, (long long)head_id);
	if (count > head_id || !hash32_equal(&previous, &head))
		return error_set(error, ERR_INVALID,
		                 "event %lld was not written by registrard: its log ends at %lld",
		                 (long long)(count > head_id ? head_id + 1 : count),
		                 (long long)head_id);
	*checked = count;
	return 0;
}
