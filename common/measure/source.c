#include "common/measure/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct source source_fd(int fd)
{
	return (struct source){.fd = fd};
}

struct source source_memory(struct bytes memory)
{
	return (struct source){.fd = -1, .memory = memory};
}

static int read_fd(struct source *source, uint8_t *out, size_t size, size_t *got,
                   struct error *error)
{
	while (*got < size) {
		ssize_t now = pread(source->fd, out + *got, size - *got, (off_t)source->offset);
		if (now < 0 && errno == EINTR)
			continue;
		if (now < 0)
			return error_set_errno(error, "reading at byte %llu",
			                       (unsigned long long)source->offset);
		if (now == 0)
			return 0;
		*got += (size_t)now;
		source->offset += (uint64_t)now;
	}
	return 0;
}

static void read_memory(struct source *source, uint8_t *out, size_t size, size_t *got)
{
	size_t now = source->memory.len < size - *got ? source->memory.len : size - *got;

	if (now == 0)
		return;
	memcpy(out + *got, source->memory.data, now);
	source->memory = bytes_of(source->memory.data + now, source->memory.len - now);
	*got += now;
}

static int read_on(struct source *source, uint8_t *out, size_t size, size_t *got,
                   struct error *error)
{
	if (source->fd >= 0)
		return read_fd(source, out, size, got, error);
	read_memory(source, out, size, got);
	return 0;
}

int source_read(struct source *source, void *out, size_t size, size_t *got, struct error *error)
{
	size_t looked_at = source->head_len - source->head_used;

	*got = looked_at < size ? looked_at : size;
	memcpy(out, source->head + source->head_used, *got);
	source->head_used += *got;
	return read_on(source, out, size, got, error);
}

int source_peek(struct source *source, struct bytes *head, struct error *error)
{
	*head = bytes_of(NULL, 0);
	source->head_len = 0;
	source->head_used = 0;
	int rc = read_on(source, source->head, SOURCE_HEAD, &source->head_len, error);
	*head = bytes_of(source->head, source->head_len);
	return rc;
}
