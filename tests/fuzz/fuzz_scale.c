/* Versioned attestations: the parts, put together again, are read as the same parts, in no more
 * bytes (SCALE lets a length be longer than it need be). */
#include "common/measure/scale.h"
#include "tests/fuzz/fuzz.h"

static void put_le(struct buf *out, uint32_t value, size_t len)
{
	for (size_t i = 0; i < len; i++, value >>= 8)
		buf_append_byte(out, (uint8_t)value);
}

static void put_compact(struct buf *out, size_t value)
{
	if (value < 1 << 6)
		put_le(out, (uint32_t)value << 2, 1);
	else if (value < 1 << 14)
		put_le(out, (uint32_t)value << 2 | 1, 2);
	else
		put_le(out, (uint32_t)value << 2 | 2, 4);
}

static void put_vec(struct buf *out, struct bytes bytes)
{
	put_compact(out, bytes.len);
	buf_append_bytes(out, bytes);
}

static void put_platform(struct buf *out, const struct scale_attestation *parts)
{
	buf_append_byte(out, (uint8_t)parts->platform);
	put_vec(out, parts->evidence);
	if (parts->platform == SCALE_TDX) {
		put_compact(out, parts->boot_event_count);
		for (size_t i = 0; i < parts->boot_event_count; i++) {
			const struct scale_boot_event *event = &parts->boot_events[i];
			put_le(out, event->imr, 4);
			put_le(out, event->type, 4);
			put_vec(out, event->digest);
			put_vec(out, event->name);
			put_vec(out, event->payload);
		}
	}
	if (parts->platform == SCALE_SNP) {
		put_compact(out, parts->certificate_count);
		for (size_t i = 0; i < parts->certificate_count; i++)
			put_vec(out, parts->certificates[i]);
		put_vec(out, parts->mr_config);
	}
}

static void put_attestation(struct buf *out, const struct scale_attestation *parts)
{
	buf_append_byte(out, 0);
	put_platform(out, parts);
	put_compact(out, parts->event_count);
	for (size_t i = 0; i < parts->event_count; i++) {
		put_vec(out, parts->events[i].name);
		put_vec(out, parts->events[i].payload);
	}
	buf_append_bytes(out, parts->report_data);
	put_vec(out, parts->config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scale_attestation first, second;
	struct buf again = {0}, third = {0};
	struct arena arena = {0};

	if (scale_attestation_read(&arena, bytes_of(data, size), &first, NULL) == 0) {
		put_attestation(&again, &first);
		PROPERTY(again.len <= size);
		PROPERTY(again.len < size || memcmp(again.data, data, size) == 0);
		PROPERTY(scale_attestation_read(&arena, buf_bytes(&again), &second, NULL) == 0);
		put_attestation(&third, &second);
		PROPERTY(bytes_equal(buf_bytes(&again), buf_bytes(&third)));
	} else {
		PROPERTY(first.evidence.len == 0 && first.event_count == 0);
	}
	buf_free(&third);
	buf_free(&again);
	arena_free(&arena);
	return 0;
}
