/* fill_store FILE MEASUREMENTS PROPOSALS: a new database as years of use would leave it. */
#include "tests/unit/store_fill.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct store *store;
	struct error error = {0};

	if (argc != 4) {
		fprintf(stderr, "usage: %s FILE MEASUREMENTS PROPOSALS\n", argv[0]);
		return 64;
	}
	if (store_open(&store, argv[1], &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	store_fill(store, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	store_close(store);
	return 0;
}
