/* Prints the documentation of every option, for `make docs`: options-doc markdown|man. */
#include "common/config/document.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct buf out = {0};

	if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
		config_options_markdown(&out);
	} else if (argc == 2 && strcmp(argv[1], "man") == 0) {
		config_options_man(&out);
	} else {
		fprintf(stderr, "usage: %s markdown|man\n", argv[0]);
		return 64;
	}
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
	return fflush(stdout) == 0 ? 0 : 1;
}
