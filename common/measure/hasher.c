#include "common/measure/hasher.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { RING = 16, RING_SIZE = RING * HASH_BLOCK_SIZE, LANES = 2, LANE_STACK = 512 * 1024 };

/* One thread's share: a set of streams, and how many blocks it has hashed so far. */
struct lane {
	struct hasher *hasher;
	unsigned streams;
	uint64_t done;
	pthread_t thread;
};

struct hasher {
	bool threads;
	uint8_t *memory;
	struct hash_block blocks[RING];
	struct digest *image, *boot, *app, *file, *blake2b;
	bool wants_blake2b;

	pthread_mutex_t lock;    /* guards what follows and the lanes' done */
	pthread_cond_t filled;   /* submitted or ended changed */
	pthread_cond_t finished; /* some lane has only wanted blocks before it */
	uint64_t wanted;
	uint64_t submitted;
	bool ended;
	struct lane lanes[LANES];
};

static void hash_streams(struct hasher *hasher, const struct hash_block *block, unsigned streams)
{
	for (size_t i = 0; i < block->part_count; i++) {
		const struct hash_part *part = &block->parts[i];
		struct bytes bytes = bytes_of(block->data + part->at, part->len);
		unsigned here = part->streams & streams;
		if ((here & STREAM_IMAGE) != 0)
			digest_update(hasher->image, bytes);
		if ((here & STREAM_BOOT) != 0)
			digest_update(hasher->boot, bytes);
		if ((here & STREAM_APP) != 0)
			digest_update(hasher->app, bytes);
	}
}

static void *run_lane(void *arg)
{
	struct lane *lane = arg;
	struct hasher *hasher = lane->hasher;

	pthread_mutex_lock(&hasher->lock);
	for (;;) {
		while (lane->done == hasher->submitted && !hasher->ended)
			pthread_cond_wait(&hasher->filled, &hasher->lock);
		if (hasher->ended)
			break;
		const struct hash_block *block = &hasher->blocks[lane->done % RING];
		pthread_mutex_unlock(&hasher->lock);
		hash_streams(hasher, block, lane->streams);
		pthread_mutex_lock(&hasher->lock);
		lane->done++;
		if (hasher->submitted - lane->done == hasher->wanted)
			pthread_cond_signal(&hasher->finished);
	}
	pthread_mutex_unlock(&hasher->lock);
	return NULL;
}

static void start_lane(struct hasher *hasher, struct lane *lane, unsigned streams)
{
	pthread_attr_t attributes;
	sigset_t all, before;

	*lane = (struct lane){.hasher = hasher, .streams = streams};
	if (pthread_attr_init(&attributes) != 0 ||
	    pthread_attr_setstacksize(&attributes, LANE_STACK) != 0)
		die("thread attributes");
	/* Signals are for the thread that reads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&lane->thread, &attributes, run_lane, lane) != 0)
		die("a hashing thread cannot be started");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

struct hasher *hasher_new(bool threads)
{
	struct hasher *hasher = xcalloc(1, sizeof(*hasher));

	hasher->threads = threads;
	int access = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	hasher->memory = mmap(NULL, RING_SIZE, access, flags, -1, 0); /* allowed: no file */
	if (hasher->memory == MAP_FAILED)
		die("no memory for the hashing ring");
	for (size_t i = 0; i < RING; i++)
		hasher->blocks[i].data = hasher->memory + i * HASH_BLOCK_SIZE;
	hasher->image = digest_new(DIGEST_SHA384);
	hasher->boot = digest_new(DIGEST_SHA384);
	hasher->app = digest_new(DIGEST_SHA384);
	hasher->file = digest_new(DIGEST_SHA256);
	hasher->blake2b = digest_new(DIGEST_BLAKE2B);
	pthread_mutex_init(&hasher->lock, NULL);
	pthread_cond_init(&hasher->filled, NULL);
	pthread_cond_init(&hasher->finished, NULL);
	if (threads) {
		start_lane(hasher, &hasher->lanes[0], STREAM_IMAGE);
		start_lane(hasher, &hasher->lanes[1], STREAM_BOOT | STREAM_APP);
	}
	return hasher;
}

void hasher_free(struct hasher *hasher)
{
	if (hasher == NULL)
		return;
	if (hasher->threads) {
		pthread_mutex_lock(&hasher->lock);
		hasher->ended = true;
		pthread_cond_broadcast(&hasher->filled);
		pthread_mutex_unlock(&hasher->lock);
		for (size_t i = 0; i < LANES; i++)
			pthread_join(hasher->lanes[i].thread, NULL);
	}
	pthread_cond_destroy(&hasher->finished);
	pthread_cond_destroy(&hasher->filled);
	pthread_mutex_destroy(&hasher->lock);
	digest_free(hasher->image);
	digest_free(hasher->boot);
	digest_free(hasher->app);
	digest_free(hasher->file);
	digest_free(hasher->blake2b);
	munmap(hasher->memory, RING_SIZE);
	free(hasher);
}

/* Whether some lane has more than left blocks before it. Under the lock. */
static bool is_behind(const struct hasher *hasher, uint64_t left)
{
	for (size_t i = 0; hasher->threads && i < LANES; i++)
		if (hasher->submitted - hasher->lanes[i].done > left)
			return true;
	return false;
}

/* Once more than most blocks wait, until no lane has more than left before it. Only the thread that
 * submits calls this, so submitted does not move meanwhile. */
static void wait_for_lanes(struct hasher *hasher, uint64_t most, uint64_t left)
{
	pthread_mutex_lock(&hasher->lock);
	if (is_behind(hasher, most)) {
		hasher->wanted = left;
		while (is_behind(hasher, left))
			pthread_cond_wait(&hasher->finished, &hasher->lock);
	}
	pthread_mutex_unlock(&hasher->lock);
}

void hasher_want_blake2b(struct hasher *hasher, bool wanted)
{
	hasher->wants_blake2b = wanted;
}

struct hash_block *hasher_block(struct hasher *hasher)
{
	struct hash_block *block = &hasher->blocks[hasher->submitted % RING];

	/* Half a ring at a time: fewer, longer sleeps. */
	wait_for_lanes(hasher, RING - 1, RING / 2);
	block->len = 0;
	block->part_count = 0;
	return block;
}

void hasher_submit(struct hasher *hasher, struct hash_block *block)
{
	pthread_mutex_lock(&hasher->lock);
	if (block != &hasher->blocks[hasher->submitted % RING])
		die("a block was submitted out of turn");
	hasher->submitted++;
	pthread_cond_broadcast(&hasher->filled);
	pthread_mutex_unlock(&hasher->lock);
	if (!hasher->threads)
		hash_streams(hasher, block, STREAM_IMAGE | STREAM_BOOT | STREAM_APP);
	digest_update(hasher->file, bytes_of(block->data, block->len));
	if (hasher->wants_blake2b)
		digest_update(hasher->blake2b, bytes_of(block->data, block->len));
}

void hasher_finish(struct hasher *hasher, struct hashes *out)
{
	wait_for_lanes(hasher, 0, 0);
	*out = (struct hashes){0};
	if (hasher->wants_blake2b) {
		digest_final(hasher->blake2b, out->blake2b);
		digest_reset(hasher->blake2b);
	}
	digest_final(hasher->image, out->image);
	digest_final(hasher->boot, out->boot);
	digest_final(hasher->app, out->app);
	digest_final(hasher->file, out->file.b);
	digest_reset(hasher->image);
	digest_reset(hasher->boot);
	digest_reset(hasher->app);
	digest_reset(hasher->file);
	/* An idle measurer holds no blocks. What this drops is read again as zeros. */
	if (madvise(hasher->memory, RING_SIZE, MADV_DONTNEED) != 0)
		die("memory of the hashing ring cannot be returned");
}
