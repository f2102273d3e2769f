#include "common/measure/scale.h"

struct reader {
	struct arena *arena;
	struct bytes blob;
	size_t at;
	struct error *error;
};

static int take(struct reader *reader, size_t len, struct bytes *out)
{
	*out = bytes_of(NULL, 0);
	if (len > reader->blob.len - reader->at)
		return error_set(reader->error, ERR_INVALID,
		                 "byte %zu: %zu bytes expected, %zu are left", reader->at, len,
		                 reader->blob.len - reader->at);
	*out = bytes_of(reader->blob.data + reader->at, len);
	reader->at += len;
	return 0;
}

/* Little endian, len 1 to 4. */
static int take_uint(struct reader *reader, size_t len, uint32_t *out)
{
	struct bytes raw;
	int rc = take(reader, len, &raw);

	*out = 0;
	for (size_t i = raw.len; i-- > 0;)
		*out = *out << 8 | raw.data[i];
	return rc;
}

/* Compact integers: the low two bits say how long. Those over four bytes are no length of ours. */
static int take_compact(struct reader *reader, uint32_t *out)
{
	*out = 0;
	if (reader->at == reader->blob.len)
		return error_set(reader->error, ERR_INVALID, "byte %zu: it ends here", reader->at);
	unsigned mode = reader->blob.data[reader->at] & 3;
	if (mode == 3)
		return error_set(reader->error, ERR_INVALID, "byte %zu: a length over 2^30",
		                 reader->at);
	int rc = take_uint(reader, (size_t)1 << mode, out);
	*out >>= 2;
	return rc;
}

static int take_vec(struct reader *reader, struct bytes *out)
{
	uint32_t len;
	int rc = take_compact(reader, &len);

	*out = bytes_of(NULL, 0);
	return rc != 0 ? rc : take(reader, len, out);
}

/* Each item takes at least one byte, so a count is bounded by what is left. */
static int take_count(struct reader *reader, size_t *out)
{
	uint32_t count;
	int rc = take_compact(reader, &count);

	*out = 0;
	if (rc == 0 && (count > SCALE_MAX_EVENTS || count > reader->blob.len - reader->at))
		rc = error_set(reader->error, ERR_INVALID, "byte %zu: %u items", reader->at, count);
	if (rc == 0)
		*out = count;
	return rc;
}

static int read_boot_events(struct reader *reader, struct scale_attestation *out)
{
	int rc = take_count(reader, &out->boot_event_count);

	out->boot_events =
	        arena_array(reader->arena, out->boot_event_count, sizeof(*out->boot_events));
	for (size_t i = 0; rc == 0 && i < out->boot_event_count; i++) {
		struct scale_boot_event *event = &out->boot_events[i];
		rc = take_uint(reader, 4, &event->imr);
		if (rc == 0)
			rc = take_uint(reader, 4, &event->type);
		if (rc == 0)
			rc = take_vec(reader, &event->digest);
		if (rc == 0)
			rc = take_vec(reader, &event->name);
		if (rc == 0)
			rc = take_vec(reader, &event->payload);
	}
	return rc;
}

static int read_snp(struct reader *reader, struct scale_attestation *out)
{
	int rc = take_count(reader, &out->certificate_count);

	out->certificates =
	        arena_array(reader->arena, out->certificate_count, sizeof(*out->certificates));
	for (size_t i = 0; rc == 0 && i < out->certificate_count; i++)
		rc = take_vec(reader, &out->certificates[i]);
	return rc != 0 ? rc : take_vec(reader, &out->mr_config);
}

static int read_platform(struct reader *reader, struct scale_attestation *out)
{
	uint32_t platform;
	int rc = take_uint(reader, 1, &platform);

	if (rc != 0)
		return rc;
	if (platform != SCALE_TDX && platform != SCALE_NITRO && platform != SCALE_SNP)
		return error_set(reader->error, ERR_INVALID,
		                 "byte 1: platform %u, expected 0 (TDX), 2 (Nitro) or 3 (SNP)",
		                 platform);
	out->platform = (enum scale_platform)platform;
	rc = take_vec(reader, &out->evidence);
	if (rc == 0 && platform == SCALE_TDX)
		rc = read_boot_events(reader, out);
	if (rc == 0 && platform == SCALE_SNP)
		rc = read_snp(reader, out);
	return rc;
}

static int read_events(struct reader *reader, struct scale_attestation *out)
{
	int rc = take_count(reader, &out->event_count);

	out->events = arena_array(reader->arena, out->event_count, sizeof(*out->events));
	for (size_t i = 0; rc == 0 && i < out->event_count; i++) {
		rc = take_vec(reader, &out->events[i].name);
		if (rc == 0)
			rc = take_vec(reader, &out->events[i].payload);
	}
	return rc;
}

int scale_attestation_read(struct arena *arena, struct bytes blob, struct scale_attestation *out,
                           struct error *error)
{
	struct reader reader = {.arena = arena, .blob = blob, .error = error};
	uint32_t version;

	*out = (struct scale_attestation){0};
	if (blob.len > SCALE_MAX_SIZE)
		return error_set(error, ERR_INVALID, "%zu bytes, expected at most %d", blob.len,
		                 SCALE_MAX_SIZE);
	int rc = take_uint(&reader, 1, &version);
	if (rc == 0 && version != 0)
		rc = error_set(error, ERR_INVALID, "byte 0: version %u, expected 0", version);
	if (rc == 0)
		rc = read_platform(&reader, out);
	if (rc == 0)
		rc = read_events(&reader, out);
	if (rc == 0)
		rc = take(&reader, SCALE_REPORT_DATA_SIZE, &out->report_data);
	if (rc == 0)
		rc = take_vec(&reader, &out->config);
	if (rc == 0 && reader.at != blob.len)
		rc = error_set(error, ERR_INVALID, "byte %zu: %zu bytes behind the attestation",
		               reader.at, blob.len - reader.at);
	if (rc != 0)
		*out = (struct scale_attestation){0};
	return rc;
}
