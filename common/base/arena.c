#include "common/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 4096 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) uint8_t memory[];
};

void arena_free(struct arena *arena)
{
	while (arena->head != NULL) {
		struct arena_block *next = arena->head->next;
		free(arena->head);
		arena->head = next;
	}
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t align = _Alignof(max_align_t);

	if (size > SIZE_MAX / 2)
		die("arena request of %zu bytes", size);
	size = (size + align - 1) / align * align;
	if (arena->head == NULL || arena->head->size - arena->head->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		struct arena_block *block = xcalloc(1, sizeof(*block) + room);
		block->size = room;
		block->next = arena->head;
		arena->head = block;
	}
	void *memory = arena->head->memory + arena->head->used;
	arena->head->used += size;
	return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	if (size > 0 && count > SIZE_MAX / 2 / size)
		die("arena array of %zu items", count);
	return arena_alloc(arena, count * size);
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text != NULL ? arena_text(arena, bytes_text(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (need < 0)
		die("bad format \"%s\"", fmt);
	char *text = arena_alloc(arena, (size_t)need + 1);
	vsnprintf(text, (size_t)need + 1, fmt, again);
	va_end(again);
	return text;
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
	return bytes_of(arena_text(arena, bytes), bytes.len);
}

char *arena_text(struct arena *arena, struct bytes bytes)
{
	char *copy = arena_alloc(arena, bytes.len + 1);

	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	return copy;
}
