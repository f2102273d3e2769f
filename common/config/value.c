#include "common/config/value.h"

#include "common/base/clock.h"
#include "common/base/netaddr.h"

#include <stdlib.h>
#include <string.h>

static void *field(const struct option *option, void *base)
{
	return (char *)base + option->offset;
}

static const void *field_const(const struct option *option, const void *base)
{
	return (const char *)base + option->offset;
}

static void store(void *at, size_t size, uint64_t value)
{
	switch (size) {
	case sizeof(bool):
		*(bool *)at = value != 0;
		return;
	case sizeof(unsigned):
		*(unsigned *)at = (unsigned)value;
		return;
	case sizeof(uint64_t):
		*(uint64_t *)at = value;
		return;
	}
	die("an option's field has %zu bytes", size);
}

static uint64_t fetch(const void *at, size_t size)
{
	switch (size) {
	case sizeof(bool):
		return *(const bool *)at;
	case sizeof(unsigned):
		return *(const unsigned *)at;
	case sizeof(uint64_t):
		return *(const uint64_t *)at;
	}
	die("an option's field has %zu bytes", size);
}

static int unexpected(const struct option *option, const char *text, struct error *error)
{
	struct buf expected = {0};

	value_expected(&expected, option);
	int rc = error_set(error, ERR_INVALID, "found \"%s\"; expected %s", text,
	                   buf_text(&expected));
	buf_free(&expected);
	return rc;
}

/* --- numbers and durations ---------------------------------------------------------------- */

static bool number_parse(uint64_t *out, const char *text)
{
	*out = 0;
	if (text[0] == '\0' || strlen(text) > 19 || strspn(text, "0123456789") != strlen(text))
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

static int read_number(const struct option *option, void *at, size_t size, const char *text,
                       struct error *error)
{
	uint64_t value;

	if (!number_parse(&value, text) || value < option->min || value > option->max)
		return unexpected(option, text, error);
	store(at, size, value);
	return 0;
}

static int read_duration(const struct option *option, void *at, const char *text,
                         struct error *error)
{
	int64_t ms;

	if (duration_parse(&ms, text, NULL) != 0 || (uint64_t)ms < option->min ||
	    (uint64_t)ms > option->max)
		return unexpected(option, text, error);
	*(int64_t *)at = ms;
	return 0;
}

static int read_bool(const struct option *option, void *base, const char *text, struct error *error)
{
	bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
		return unexpected(option, text, error);
	*(bool *)field(option, base) = yes;
	return 0;
}

/* --- choices ------------------------------------------------------------------------------ */

static int read_choice(const struct option *option, void *base, const char *text,
                       struct error *error)
{
	const struct choice *other = NULL;
	void *also = (char *)base + option->also;

	for (size_t i = 0; i < option->choice_count; i++) {
		const struct choice *choice = &option->choices[i];
		if (choice->name == NULL) {
			other = choice;
		} else if (strcmp(choice->name, text) == 0) {
			if (choice->absent)
				return error_set(error, ERR_INVALID,
				                 "\"%s\" is not available in this version", text);
			store(field(option, base), option->size, choice->value);
			return 0;
		}
	}
	if (other == NULL)
		return unexpected(option, text, error);
	int rc = option->type == OPTION_CHOICE_OR_NUMBER
	                 ? read_number(option, also, option->also_size, text, error)
	                 : read_duration(option, also, text, error);
	if (rc == 0)
		store(field(option, base), option->size, other->value);
	return rc;
}

/* --- paths, addresses of services --------------------------------------------------------- */

static const char credentials[] = "$CREDENTIALS_DIRECTORY/";

static bool printable(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

static bool path_is_clean(const char *path)
{
	return path[0] == '/' && printable(path) && strstr(path, "/../") == NULL &&
	       strstr(path, "/./") == NULL && strstr(path, "//") == NULL;
}

/* Without a trailing slash, so that paths can be compared as text. */
static char *path_copy(struct arena *arena, const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return arena_text(arena, bytes_of(path, len));
}

static int read_path(const struct option *option, struct config *config, void *base,
                     const char *text, struct error *error)
{
	if (!path_is_clean(text) || (option->max > 0 && strlen(text) > option->max))
		return unexpected(option, text, error);
	*(char **)field(option, base) = path_copy(&config->arena, text);
	return 0;
}

/* Outside of a service with credentials the variable is not set. The name is then kept as it is, so
 * that a configuration can be checked anywhere; whoever opens the file fails on it by name. */
static int read_secret_file(const struct option *option, struct config *config, void *base,
                            const char *text, struct error *error)
{
	char **out = field(option, base);
	const char *rest = text;

	if (strncmp(text, credentials, sizeof(credentials) - 1) == 0)
		rest = text + sizeof(credentials) - 2;
	if (!path_is_clean(rest))
		return unexpected(option, text, error);
	const char *folder = rest != text ? getenv("CREDENTIALS_DIRECTORY") : NULL;
	*out = folder != NULL ? arena_printf(&config->arena, "%s%s", folder, rest)
	                      : arena_strdup(&config->arena, text);
	return 0;
}

static bool url_is_good(const char *url)
{
	const char *host;

	if (strncmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else
		return false;
	size_t host_len = strcspn(host, "/?#");
	/* A name and password in a URL would end up in logs. */
	return host_len > 0 && host[0] != ':' && memchr(host, '@', host_len) == NULL &&
	       printable(url) && strpbrk(url, " \"<>\\^`{|}#") == NULL && strlen(url) <= 2000;
}

static int read_url(const struct option *option, struct config *config, char **out,
                    const char *text, struct error *error)
{
	if (!url_is_good(text))
		return unexpected(option, text, error);
	*out = option->type == OPTION_URL ? path_copy(&config->arena, text)
	                                  : arena_strdup(&config->arena, text);
	return 0;
}

/* One line of text, as others write it: no control bytes. */
static int read_line(const struct option *option, struct config *config, void *base,
                     const char *text, struct error *error)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return unexpected(option, text, error);
	if (len == 0 || len > option->max)
		return unexpected(option, text, error);
	*(char **)field(option, base) = arena_strdup(&config->arena, text);
	return 0;
}

static int read_listen(const struct option *option, struct config *config, void *base,
                       const char *text, struct error *error)
{
	struct netaddr addr;

	if (strcmp(text, "off") == 0)
		return 0;
	if (netaddr_parse(&addr, text, NULL) != 0)
		return unexpected(option, text, error);
	*(char **)field(option, base) = arena_strdup(&config->arena, text);
	return 0;
}

static int read_address(const struct option *option, void *base, const char *text,
                        struct error *error)
{
	struct address *out = field(option, base);

	int rc = address_parse(out, text, error);
	if (rc != 0)
		return rc;
	if (address_is_zero(out))
		return error_set(error, ERR_INVALID, "the zero address is nobody's");
	if (option->also_size > 0)
		store((char *)base + option->also, option->also_size, true);
	return 0;
}

/* --- references --------------------------------------------------------------------------- */

static int read_chain(const struct option *option, struct config *config, void *base,
                      const char *text, struct error *error)
{
	for (size_t i = 0; i < config->chain_count; i++)
		if (strcmp(config->chains[i].name, text) == 0) {
			*(const struct config_chain **)field(option, base) = &config->chains[i];
			return 0;
		}
	return error_set(error, ERR_INVALID,
	                 "no chain is called \"%s\"; expected a name that stands under chains",
	                 text);
}

static int read_target(const struct option *option, struct config *config, void *base,
                       const char *text, struct error *error)
{
	const struct config_target *target = config_target_find(config, text);

	if (target == NULL)
		return error_set(
		        error, ERR_INVALID,
		        "no target is called \"%s\"; expected a name that stands under targets",
		        text);
	*(const struct config_target **)field(option, base) = target;
	return 0;
}

int value_read(const struct option *option, struct config *config, void *base, const char *text,
               struct error *error)
{
	switch (option->type) {
	case OPTION_PATH:
		return read_path(option, config, base, text, error);
	case OPTION_SECRET_FILE:
		return read_secret_file(option, config, base, text, error);
	case OPTION_URL:
		return read_url(option, config, field(option, base), text, error);
	case OPTION_TEXT:
		return read_line(option, config, base, text, error);
	case OPTION_LISTEN:
		return read_listen(option, config, base, text, error);
	case OPTION_NUMBER:
		return read_number(option, field(option, base), option->size, text, error);
	case OPTION_BOOL:
		return read_bool(option, base, text, error);
	case OPTION_DURATION:
		return read_duration(option, field(option, base), text, error);
	case OPTION_CHOICE:
	case OPTION_CHOICE_OR_NUMBER:
	case OPTION_CHOICE_OR_DURATION:
		return read_choice(option, base, text, error);
	case OPTION_ADDRESS:
		return read_address(option, base, text, error);
	case OPTION_CHAIN:
		return read_chain(option, config, base, text, error);
	case OPTION_TARGET:
		return read_target(option, config, base, text, error);
	case OPTION_URL_LIST:
	case OPTION_HASH_LIST:
	case OPTION_KEY_LIST:
	case OPTION_SECTION:
	case OPTION_NAMED:
	case OPTION_ITEMS:
	case OPTION_ABSENT:
		break;
	}
	die("option %s is no scalar", option->name);
}

static int read_hash(const struct option *option, struct config *config, void *base,
                     const char *text, struct error *error)
{
	struct hash_list *list = field(option, base);
	struct hash32 hash;

	if (list->items == NULL)
		list->items = arena_array(&config->arena, option->max, sizeof(*list->items));
	if (list->count >= option->max)
		return error_set(error, ERR_INVALID, "too many; expected at most %llu",
		                 (unsigned long long)option->max);
	if (hash32_parse(&hash, text, NULL) != 0 || hash32_is_zero(&hash))
		return error_set(error, ERR_INVALID,
		                 "\"%s\"; expected 64 hex digits, as `registrarctl inspect "
		                 "--known-os` prints them",
		                 text);
	list->items[list->count++] = hash;
	return 0;
}

static int read_key(const struct option *option, struct config *config, void *base,
                    const char *text, struct error *error)
{
	struct signing_keys *list = field(option, base);
	struct minisign_key key;
	struct error why;

	if (list->items == NULL)
		list->items = arena_array(&config->arena, option->max, sizeof(*list->items));
	if (list->count >= option->max)
		return error_set(error, ERR_INVALID, "too many; expected at most %llu",
		                 (unsigned long long)option->max);
	if (minisign_key_parse(&key, bytes_text(text), &why) != 0)
		return error_set(error, ERR_INVALID,
		                 "\"%s\": %s; expected the line of a minisign public key that "
		                 "begins with RW",
		                 text, why.text);
	for (size_t i = 0; i < list->count; i++)
		if (memcmp(list->items[i].id, key.id, sizeof(key.id)) == 0)
			return error_set(error, ERR_INVALID, "\"%s\" stands twice", text);
	list->items[list->count++] = key;
	return 0;
}

int value_read_item(const struct option *option, struct config *config, void *base,
                    const char *text, struct error *error)
{
	struct text_list *list = field(option, base);

	if (option->type == OPTION_HASH_LIST)
		return read_hash(option, config, base, text, error);
	if (option->type == OPTION_KEY_LIST)
		return read_key(option, config, base, text, error);
	if (list->items == NULL)
		list->items = arena_array(&config->arena, option->max, sizeof(*list->items));
	if (list->count >= option->max)
		return error_set(error, ERR_INVALID, "too many; expected at most %llu",
		                 (unsigned long long)option->max);
	return read_url(option, config, &list->items[list->count++], text, error);
}

/* --- writing ------------------------------------------------------------------------------ */

static void write_quoted(struct buf *out, const char *text)
{
	buf_append_text(out, "\"");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_append_text(out, "\\");
		buf_append_byte(out, (uint8_t)*p);
	}
	buf_append_text(out, "\"");
}

static bool write_text(struct buf *out, const char *text)
{
	if (text != NULL)
		write_quoted(out, text);
	return text != NULL;
}

static bool write_duration(struct buf *out, const void *at)
{
	char text[WALL_TEXT_SIZE];

	buf_append_text(out, duration_text(text, *(const int64_t *)at));
	return true;
}

static bool write_number(struct buf *out, uint64_t value)
{
	buf_printf(out, "%llu", (unsigned long long)value);
	return true;
}

static bool write_choice(struct buf *out, const struct option *option, const void *base)
{
	uint64_t value = fetch(field_const(option, base), option->size);
	const void *also = (const char *)base + option->also;

	for (size_t i = 0; i < option->choice_count; i++) {
		const struct choice *choice = &option->choices[i];
		if (choice->value != value)
			continue;
		if (choice->name != NULL)
			buf_append_text(out, choice->name);
		else if (option->type == OPTION_CHOICE_OR_NUMBER)
			write_number(out, fetch(also, option->also_size));
		else
			write_duration(out, also);
		return true;
	}
	return false;
}

static bool write_address(struct buf *out, const struct option *option, const void *base)
{
	char text[ADDRESS_TEXT_SIZE];

	if (option->also_size > 0 && !fetch((const char *)base + option->also, option->also_size))
		return false;
	/* Quoted: plain 0x... is a number to other readers of YAML. */
	write_quoted(out, address_text(text, field_const(option, base)));
	return true;
}

bool value_write(struct buf *out, const struct option *option, const void *base)
{
	const void *at = field_const(option, base);

	switch (option->type) {
	case OPTION_PATH:
	case OPTION_SECRET_FILE:
	case OPTION_URL:
	case OPTION_TEXT:
		return write_text(out, *(char *const *)at);
	case OPTION_LISTEN:
		if (*(char *const *)at == NULL)
			buf_append_text(out, "off");
		return *(char *const *)at == NULL || write_text(out, *(char *const *)at);
	case OPTION_NUMBER:
		return write_number(out, fetch(at, option->size));
	case OPTION_BOOL:
		buf_append_text(out, *(const bool *)at ? "yes" : "no");
		return true;
	case OPTION_DURATION:
		return write_duration(out, at);
	case OPTION_CHOICE:
	case OPTION_CHOICE_OR_NUMBER:
	case OPTION_CHOICE_OR_DURATION:
		return write_choice(out, option, base);
	case OPTION_ADDRESS:
		return write_address(out, option, base);
	case OPTION_CHAIN:
		return write_text(out, (*(const struct config_chain *const *)at)->name);
	case OPTION_TARGET:
		return write_text(out, (*(const struct config_target *const *)at)->name);
	case OPTION_URL_LIST:
	case OPTION_HASH_LIST:
	case OPTION_KEY_LIST:
	case OPTION_SECTION:
	case OPTION_NAMED:
	case OPTION_ITEMS:
	case OPTION_ABSENT:
		break;
	}
	return false;
}

/* --- what is expected
 * ------------------------------------------------------------------------------ */

static void expect_number(struct buf *out, const struct option *option)
{
	const char *unit = option->unit != NULL ? option->unit : "";

	buf_printf(out, "a number%s%s", unit[0] != '\0' ? " of " : "", unit);
	if (option->max < INT64_MAX)
		buf_printf(out, " from %llu to %llu", (unsigned long long)option->min,
		           (unsigned long long)option->max);
	else if (option->min > 0)
		buf_printf(out, ", %llu or more", (unsigned long long)option->min);
}

static void expect_duration(struct buf *out, const struct option *option)
{
	char least[WALL_TEXT_SIZE], most[WALL_TEXT_SIZE];

	buf_printf(out, "a duration from %s to %s (ms, s, m, h, d)",
	           duration_text(least, (int64_t)option->min),
	           duration_text(most, (int64_t)option->max));
}

static void expect_choice(struct buf *out, const struct option *option)
{
	size_t known = 0, written = 0;

	for (size_t i = 0; i < option->choice_count; i++)
		known += !option->choices[i].absent;
	for (size_t i = 0; i < option->choice_count; i++) {
		const struct choice *choice = &option->choices[i];
		if (choice->absent)
			continue;
		if (written > 0)
			buf_append_text(out, written + 1 == known ? " or " : ", ");
		written++;
		if (choice->name != NULL)
			buf_append_text(out, choice->name);
		else if (option->type == OPTION_CHOICE_OR_NUMBER)
			expect_number(out, option);
		else
			expect_duration(out, option);
	}
}

void value_expected(struct buf *out, const struct option *option)
{
	switch (option->type) {
	case OPTION_PATH:
		buf_append_text(out, "an absolute path without \".\" and \"..\"");
		if (option->max > 0)
			buf_printf(out, ", at most %llu bytes", (unsigned long long)option->max);
		return;
	case OPTION_SECRET_FILE:
		buf_append_text(out, "an absolute path, or $CREDENTIALS_DIRECTORY/NAME");
		return;
	case OPTION_URL:
		buf_append_text(out, "an http:// or https:// URL without user name");
		return;
	case OPTION_URL_LIST:
		buf_append_text(out, "a list of http:// or https:// URLs without user name");
		return;
	case OPTION_HASH_LIST:
		buf_append_text(out, "a list of values of 64 hex digits each");
		return;
	case OPTION_KEY_LIST:
		buf_append_text(out, "a list of minisign public keys (RW...)");
		return;
	case OPTION_TEXT:
		buf_printf(out, "one line of at most %llu bytes", (unsigned long long)option->max);
		return;
	case OPTION_LISTEN:
		buf_append_text(out, "a numeric address and a port (127.0.0.1:9464, [::1]:9464), "
		                     "or off");
		return;
	case OPTION_NUMBER:
		expect_number(out, option);
		return;
	case OPTION_BOOL:
		buf_append_text(out, "yes or no");
		return;
	case OPTION_DURATION:
		expect_duration(out, option);
		return;
	case OPTION_CHOICE:
	case OPTION_CHOICE_OR_NUMBER:
	case OPTION_CHOICE_OR_DURATION:
		expect_choice(out, option);
		return;
	case OPTION_ADDRESS:
		buf_append_text(out, "an address: 0x and 40 hex digits");
		return;
	case OPTION_CHAIN:
		buf_append_text(out, "the name of a chain");
		return;
	case OPTION_TARGET:
		buf_append_text(out, "the name of a target");
		return;
	case OPTION_SECTION:
	case OPTION_NAMED:
		buf_append_text(out, "a map of options");
		return;
	case OPTION_ITEMS:
		buf_append_text(out, "a list");
		return;
	case OPTION_ABSENT:
		buf_append_text(out, "nothing: not available in this version");
		return;
	}
}
