/* main() of a fuzz target built as a test: runs every file of tests/fuzz/corpus/<name>, or the
 * files named on the command line. Prints one line that the unit runner counts. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* The input is copied into memory of exactly its size, so that a sanitizer sees a read behind it.
 */
static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct buf content = {0};
	char chunk[4096];
	size_t got;

	if (file == NULL)
		die("%s: cannot be opened", path);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_append(&content, chunk, got);
	fclose(file);

	printf("[ RUN      ] %s\n", path);
	fflush(stdout);
	uint8_t *exact = xmalloc(content.len > 0 ? content.len : 1);
	if (content.len > 0)
		memcpy(exact, content.data, content.len);
	LLVMFuzzerTestOneInput(exact, content.len);
	free(exact);
	buf_free(&content);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_input, alphasort);

	if (count <= 0)
		die("%s: no inputs", folder);
	for (int i = 0; i < count; i++) {
		char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
		run_file(path);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return count;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];
	int count = argc - 1;

	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (count == 0) {
		if (strncmp(name, "fuzz_", 5) != 0)
			die("%s: not called fuzz_<name>", name);
		char *folder = xasprintf("tests/fuzz/corpus/%s", name + 5);
		count = run_folder(folder);
		free(folder);
	}
	printf("[       OK ] %s: %d inputs\n", name, count);
	return 0;
}
