#include "common/config/config.h"

#include "common/config/options.h"
#include "common/config/value.h"
#include "common/crypto/x509.h"
#include "common/measure/sigstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20, MAX_NAME = 64, MAX_AUTHORITIES = 512 };

struct reader {
	struct config *config;
	const char *file;
	struct arena scratch; /* the tree and the paths of its nodes */
	struct error *error;
};

static int read_section(struct reader *reader, const struct section *section,
                        const struct tree_node *node, const char *path, void *base);

static int fail(struct reader *reader, unsigned line, const char *path, const char *fmt, ...)
        PRINTF(4, 5);
static int fail(struct reader *reader, unsigned line, const char *path, const char *fmt, ...)
{
	char what[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return error_set(reader->error, ERR_INVALID, "%s:%u: %s%s%s", reader->file, line, path,
	                 path[0] != '\0' ? ": " : "", what);
}

static char *join(struct reader *reader, const char *path, const char *name)
{
	return arena_printf(&reader->scratch, "%s%s%s", path, path[0] != '\0' ? "." : "", name);
}

/* --- single options ----------------------------------------------------------------------- */

static int fail_expected(struct reader *reader, const struct option *option,
                         const struct tree_node *node, const char *path)
{
	static const char *const found[] = {
	        [TREE_SCALAR] = "a single value", [TREE_LIST] = "a list", [TREE_MAP] = "a map"};
	struct buf expected = {0};

	value_expected(&expected, option);
	int rc = fail(reader, node->line, path, "found %s; expected %s",
	              node->type == TREE_SCALAR && node->text == NULL ? "no value"
	                                                              : found[node->type],
	              buf_text(&expected));
	buf_free(&expected);
	return rc;
}

static int read_scalar(struct reader *reader, const struct option *option,
                       const struct tree_node *node, const char *path, void *base)
{
	struct error why = {0};

	if (node->type != TREE_SCALAR || node->text == NULL)
		return fail_expected(reader, option, node, path);
	if (value_read(option, reader->config, base, node->text, &why) != 0)
		return fail(reader, node->line, path, "%s", why.text);
	return 0;
}

static int read_list(struct reader *reader, const struct option *option,
                     const struct tree_node *node, const char *path, void *base)
{
	struct error why = {0};

	if (node->type != TREE_LIST || (option->min > 0 && node->first == NULL))
		return fail_expected(reader, option, node, path);
	for (const struct tree_node *item = node->first; item != NULL; item = item->next) {
		if (item->type != TREE_SCALAR || item->text == NULL)
			return fail_expected(reader, option, item, path);
		if (value_read_item(option, reader->config, base, item->text, &why) != 0)
			return fail(reader, item->line, path, "%s", why.text);
	}
	return 0;
}

/* A section, which may stand as the plain value of its first option. */
static int read_nested(struct reader *reader, const struct option *option,
                       const struct tree_node *node, const char *path, void *base)
{
	if (node != NULL && node->type == TREE_SCALAR && node->text != NULL &&
	    (option->flags & OPTION_SHORT))
		return read_scalar(reader, &option->section->options[0], node, path, base);
	if (node != NULL && node->type != TREE_MAP)
		return fail_expected(reader, option, node, path);
	return read_section(reader, option->section, node, path, base);
}

/* --- chains, targets, watch --------------------------------------------------------------- */

static bool name_is_good(const char *name)
{
	static const char allowed[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= MAX_NAME && strspn(name, allowed) == len && name[0] != '.' &&
	       name[0] != '-';
}

static int read_entries(struct reader *reader, const struct option *option,
                        const struct tree_node *node, const char *path, void *base)
{
	bool named = option->type == OPTION_NAMED;
	const struct section *section = option->section;
	size_t count = tree_count(node);

	if (node->type != (named ? TREE_MAP : TREE_LIST) || count < option->min)
		return fail_expected(reader, option, node, path);
	if (count > option->max)
		return fail(reader, node->line, path, "%zu entries; expected at most %llu", count,
		            (unsigned long long)option->max);
	char *entries = arena_array(&reader->config->arena, count, section->struct_size);
	memcpy((char *)base + option->offset, &entries, sizeof(entries));
	size_t *done = (size_t *)(void *)((char *)base + option->also);

	for (const struct tree_node *child = node->first; child != NULL; child = child->next) {
		char *entry = entries + *done * section->struct_size;
		if (named && !name_is_good(child->key))
			return fail(reader, child->line, path,
			            "\"%s\" is no name; expected at most %d letters, digits, "
			            "\".\", \"_\" and \"-\"",
			            child->key, MAX_NAME);
		if (named)
			*(char **)(void *)(entry + section->name_offset) =
			        arena_strdup(&reader->config->arena, child->key);
		char *inside = named ? join(reader, path, child->key)
		                     : arena_printf(&reader->scratch, "%s[%zu]", path, *done);
		if (child->type != TREE_MAP)
			return fail(reader, child->line, inside, "expected a map of options");
		int rc = read_section(reader, section, child, inside, entry);
		if (rc != 0)
			return rc;
		++*done;
	}
	return 0;
}

/* --- sections ----------------------------------------------------------------------------- */

static int read_option(struct reader *reader, const struct option *option,
                       const struct tree_node *node, const char *path, void *base)
{
	switch (option->type) {
	case OPTION_URL_LIST:
	case OPTION_HASH_LIST:
	case OPTION_KEY_LIST:
		return read_list(reader, option, node, path, base);
	case OPTION_SECTION:
		return read_nested(reader, option, node, path, base);
	case OPTION_NAMED:
	case OPTION_ITEMS:
		return read_entries(reader, option, node, path, base);
	case OPTION_ABSENT:
		return fail(reader, node->line, path,
		            "is not available in this version; remove it");
	case OPTION_PATH:
	case OPTION_SECRET_FILE:
	case OPTION_URL:
	case OPTION_TEXT:
	case OPTION_LISTEN:
	case OPTION_NUMBER:
	case OPTION_BOOL:
	case OPTION_DURATION:
	case OPTION_CHOICE:
	case OPTION_CHOICE_OR_NUMBER:
	case OPTION_CHOICE_OR_DURATION:
	case OPTION_ADDRESS:
	case OPTION_CHAIN:
	case OPTION_TARGET:
		return read_scalar(reader, option, node, path, base);
	}
	die("option %s has type %d", option->name, (int)option->type);
}

static const struct option *option_find(const struct section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++)
		if (strcmp(section->options[i].name, name) == 0)
			return &section->options[i];
	return NULL;
}

static int fail_unknown(struct reader *reader, const struct section *section,
                        const struct tree_node *node, const char *path)
{
	struct buf known = {0};

	for (size_t i = 0; i < section->count; i++)
		if (section->options[i].type != OPTION_ABSENT)
			buf_printf(&known, "%s%s", known.len > 0 ? ", " : "",
			           section->options[i].name);
	int rc = fail(reader, node->line, join(reader, path, node->key),
	              "unknown option; expected one of %s", buf_text(&known));
	buf_free(&known);
	return rc;
}

/* An option that the file does not hold. */
static int default_option(struct reader *reader, const struct option *option,
                          const struct tree_node *section, const char *path, void *base)
{
	if (option->type == OPTION_SECTION)
		return read_nested(reader, option, NULL, path, base);
	if (section != NULL && (option->flags & OPTION_REQUIRED)) {
		struct buf expected = {0};
		value_expected(&expected, option);
		int rc = fail(reader, section->line, path, "missing; expected %s",
		              buf_text(&expected));
		buf_free(&expected);
		return rc;
	}
	if (option->fallback != NULL &&
	    value_read(option, reader->config, base, option->fallback, reader->error) != 0)
		die("the default of %s is not valid: %s", path, reader->error->text);
	return 0;
}

static int read_section(struct reader *reader, const struct section *section,
                        const struct tree_node *node, const char *path, void *base)
{
	for (const struct tree_node *child = node != NULL ? node->first : NULL; child != NULL;
	     child = child->next)
		if (option_find(section, child->key) == NULL)
			return fail_unknown(reader, section, child, path);

	for (size_t i = 0; i < section->count; i++) {
		const struct option *option = &section->options[i];
		const struct tree_node *child = tree_get(node, option->name);
		char *inside = join(reader, path, option->name);
		int rc = child != NULL ? read_option(reader, option, child, inside, base)
		                       : default_option(reader, option, node, inside, base);
		if (rc != 0)
			return rc;
	}
	if (section->check == NULL)
		return 0;
	struct place place = {reader->file, path, node, reader->config, reader->error};
	return section->check(&place, base);
}

/* --- the file ----------------------------------------------------------------------------- */

int config_parse(struct config **out, const char *name, struct bytes text, struct error *error)
{
	struct error unused;
	struct config *config = xcalloc(1, sizeof(*config));
	struct reader reader = {
	        .config = config, .file = name, .error = error != NULL ? error : &unused};
	struct tree_node *root;

	*out = NULL;
	config->path = arena_strdup(&config->arena, name);
	int rc = tree_parse(&reader.scratch, &root, name, text, reader.error);
	if (rc == 0)
		rc = read_section(&reader, &config_section, root, "", config);
	arena_free(&reader.scratch);
	if (rc != 0) {
		config_free(config);
		return rc;
	}
	*out = config;
	return 0;
}

static int read_all(struct buf *out, int fd, size_t max, const char *path, struct error *error)
{
	uint8_t chunk[16384];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(error, "%s", path);
		if (got == 0)
			return 0;
		buf_append(out, chunk, (size_t)got);
		if (out->len > max)
			return error_set(error, ERR_LIMIT, "%s: over %zu bytes", path, max);
	}
}

static int read_file(struct buf *out, const char *path, size_t max, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_set_errno(error, "%s", path);
	int rc = read_all(out, fd, max, path, error);
	close(fd);
	return rc;
}

int config_load(struct config **out, const char *path, struct error *error)
{
	struct buf text = {0};

	*out = NULL;
	int rc = read_file(&text, path, MAX_FILE, error);
	if (rc == 0)
		rc = config_parse(out, path, buf_bytes(&text), error);
	buf_free(&text);
	return rc;
}

/* --- files that belong to it -------------------------------------------------------------- */

static int read_root(struct config *config, struct config_target *target, struct error *error)
{
	struct sigstore_root root;
	struct arena scratch = {0};
	struct buf text = {0};

	int rc = read_file(&text, target->trusted_root_file, SIGNING_MAX_ROOT, error);
	if (rc == 0)
		rc = sigstore_root_read(&scratch, buf_bytes(&text), &root, error);
	if (rc == 0)
		target->signing.root = arena_copy(&config->arena, buf_bytes(&text));
	else if (rc == ERR_INVALID)
		error_prefix(error, "%s", target->trusted_root_file);
	buf_free(&text);
	arena_free(&scratch);
	return rc;
}

/* curl reads it itself, at the first question and perhaps again. */
static int look_at_authorities(const char *path, struct error *error)
{
	struct arena scratch = {0};
	struct bytes certificates[MAX_AUTHORITIES];
	struct buf text = {0};
	size_t count;

	int rc = read_file(&text, path, MAX_FILE, error);
	if (rc == 0) {
		rc = x509_all_from_pem(&scratch, certificates, ARRAY_LEN(certificates), &count,
		                       buf_bytes(&text), error);
		if (rc != 0)
			error_prefix(error, "%s", path);
	}
	buf_free(&text);
	arena_free(&scratch);
	return rc;
}

static bool same_file(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int config_read_files(struct config *config, struct error *error)
{
	const char *last = NULL;

	for (size_t i = 0; i < config->target_count; i++) {
		struct config_target *target = &config->targets[i];
		if (target->trusted_root_file == NULL)
			continue;
		if (read_root(config, target, error) != 0)
			return error_prefix(error,
			                    "targets.%s.require_signed.sigstore.trusted_root_file",
			                    target->name);
		signing_seal(&target->signing);
	}
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const char *path = config->endpoints[i].ca_file;
		if (path == NULL || same_file(path, last))
			continue;
		if (look_at_authorities(path, error) != 0)
			return error_prefix(error, "endpoints[%zu].ca_file", i);
		last = path;
	}
	return 0;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	struct arena arena = config->arena;
	free(config);
	arena_free(&arena);
}

const struct config_target *config_target_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->target_count; i++)
		if (strcmp(config->targets[i].name, name) == 0)
			return &config->targets[i];
	return NULL;
}
