/* `check`: a question to the chain, and with --boot-info a machine's own question. The file is read
 * here, where the one who asks may read it. */
#include "common/governance/boot_info.h"
#include "daemon/ctl/run.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 48 * 1024 }; /* the daemon takes requests of 64 KiB */

static int read_all(struct bytes *out, struct arena *arena, const char *path, struct error *error)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint8_t *content = arena_alloc(arena, MAX_FILE + 1);
	size_t len = 0;
	ssize_t got = 0;

	while (fd >= 0 && len <= MAX_FILE &&
	       (got = read(fd, content + len, MAX_FILE + 1 - len)) > 0)
		len += (size_t)got;
	int rc = fd < 0 || got < 0 ? error_set_errno(error, "cannot be read") : 0;
	if (rc == 0 && len > MAX_FILE)
		rc = error_set(error, ERR_LIMIT, "over %d bytes", MAX_FILE);
	if (fd >= 0 && !is_stdin)
		close(fd);
	*out = bytes_of(content, len);
	return rc;
}

enum exit_code run_check(const struct ctl_options *options)
{
	const char *path = options->boot_info_file;
	struct ctl_options with_file = *options;
	struct arena arena = {0};
	struct boot_info info;
	struct bytes text;
	struct error error = {0};

	if (path == NULL && options->kms) {
		run_complain("--kms says what --boot-info is about");
		return EXIT_USAGE;
	}
	if (path == NULL)
		return run_remote(options);
	if (read_all(&text, &arena, path, &error) != 0 ||
	    boot_info_parse(&info, &arena, text, &error) != 0) {
		run_complain("%s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
		             error.text);
		arena_free(&arena);
		return EXIT_USAGE;
	}
	struct jval *json = boot_info_json(&info);
	with_file.boot_info = json;
	enum exit_code code = run_remote(&with_file);
	jval_free(json);
	arena_free(&arena);
	return code;
}
