#include "common/crypto/secret.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* The pages between the two guard pages. */
static size_t inner_size(size_t len)
{
	size_t page = page_size();

	return (len + page - 1) / page * page;
}

int secret_new(struct secret *out, size_t len, struct error *error)
{
	size_t page = page_size(), inner = inner_size(len);

	*out = (struct secret){0};
	if (len == 0 || len > SIZE_MAX / 4)
		die("secret of %zu bytes", len);
	size_t whole = inner + 2 * page;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint8_t *memory = mmap(NULL, whole, PROT_NONE, flags, -1, 0); /* allowed: no file behind */
	if (memory == MAP_FAILED)
		return error_set_errno(error, "no memory for a key");
	if (mprotect(memory + page, inner, PROT_READ | PROT_WRITE) != 0 ||
	    mlock(memory + page, inner) != 0 || madvise(memory + page, inner, MADV_DONTDUMP) != 0 ||
	    madvise(memory + page, inner, MADV_WIPEONFORK) != 0) {
		int rc = error_set_errno(error, "cannot lock %zu bytes of memory for a key", inner);
		munmap(memory, whole);
		return rc;
	}
	*out = (struct secret){.data = memory + page, .len = len};
	return 0;
}

void secret_free(struct secret *secret)
{
	size_t page = page_size();

	if (secret->data != NULL) {
		size_t inner = inner_size(secret->len);
		bytes_wipe(secret->data, inner);
		munmap(secret->data - page, inner + 2 * page);
	}
	*secret = (struct secret){0};
}
