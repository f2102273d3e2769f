/* Event logs: replayed by a second reader they give the same registers, and written again as JSON
 * the same log. What decides stands before the first system-ready. */
#include "common/measure/event_log.h"
#include "tests/fuzz/fuzz.h"

static void extend(uint8_t rtmr[SHA384_SIZE], const uint8_t digest[SHA384_SIZE])
{
	struct buf both = {0};

	buf_append(&both, rtmr, SHA384_SIZE);
	buf_append(&both, digest, SHA384_SIZE);
	sha384(rtmr, buf_bytes(&both));
	buf_free(&both);
}

static void check_replay(const struct event_log *log)
{
	uint8_t rtmr[EVENT_LOG_RTMRS][SHA384_SIZE] = {{0}};
	size_t ready = log->count;

	for (size_t i = 0; i < log->count; i++) {
		const struct event *event = &log->events[i];
		uint8_t digest[SHA384_SIZE] = {0};

		PROPERTY(event->imr < EVENT_LOG_RTMRS);
		if (event->imr == 3) {
			event_digest(digest, event->version, event->name, event->payload);
			if (ready == log->count && strcmp(event->name, "system-ready") == 0)
				ready = i;
		} else if (event->stated.len > 0) {
			memcpy(digest, event->stated.data, event->stated.len);
		}
		PROPERTY(memcmp(digest, event->digest, SHA384_SIZE) == 0);
		extend(rtmr[event->imr], digest);
	}
	PROPERTY(memcmp(rtmr, log->rtmr, sizeof(rtmr)) == 0);
	PROPERTY(log->is_ready == (ready < log->count));
	PROPERTY(log->trusted == (log->is_ready ? ready + 1 : log->count));
}

static void write_event(struct jval *array, const struct event *event)
{
	struct jval *entry = jval_object();

	jval_add_int(entry, "imr", event->imr);
	jval_add_int(entry, "event_type", event->type);
	jval_add_int(entry, "version", event->version);
	jval_add_hex(entry, "digest", event->stated);
	jval_add_string(entry, "event", event->name);
	jval_add_hex(entry, "event_payload", event->payload);
	jval_push(array, entry);
}

static void check_again(struct arena *arena, const struct event_log *log)
{
	struct jval *array = jval_array();
	struct event_log again;

	for (size_t i = 0; i < log->count; i++)
		write_event(array, &log->events[i]);
	PROPERTY(event_log_read(arena, &again, array, NULL) == 0);
	PROPERTY(again.count == log->count && again.trusted == log->trusted);
	PROPERTY(memcmp(again.rtmr, log->rtmr, sizeof(log->rtmr)) == 0);
	PROPERTY(memcmp(again.rtmr3_boot, log->rtmr3_boot, SHA384_SIZE) == 0);
	PROPERTY((again.misstated == NULL) == (log->misstated == NULL));
	jval_free(array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct event_log log;

	crypto_init();
	if (event_log_parse(&arena, &log, bytes_of(data, size), NULL) == 0) {
		struct checks checks = {.arena = &arena};
		check_replay(&log);
		check_again(&arena, &log);
		event_log_judge(&log, &checks);
		PROPERTY(checks.count > 0);
		const struct event *found = event_log_find(&log, "app-id");
		PROPERTY(found == NULL || (size_t)(found - log.events) < log.trusted);
	} else {
		PROPERTY(log.count == 0 && log.events == NULL);
	}
	arena_free(&arena);
	return 0;
}
