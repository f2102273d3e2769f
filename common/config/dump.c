/* The configuration back as YAML, and the documentation of its options: both walk the table. */
#include "common/config/document.h"

#include "common/config/options.h"
#include "common/config/value.h"

#include <string.h>

/* --- the effective configuration ------------------------------------------------------------ */

static void dump_section(struct buf *out, const struct section *section, const void *base,
                         unsigned indent);

static void dump_indent(struct buf *out, unsigned indent)
{
	for (unsigned i = 0; i < indent; i++)
		buf_append_text(out, "  ");
}

static void dump_urls(struct buf *out, const struct option *option, const void *base,
                      unsigned indent)
{
	const struct text_list *list = (const void *)((const char *)base + option->offset);

	dump_indent(out, indent);
	buf_printf(out, "%s: [", option->name);
	for (size_t i = 0; i < list->count; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "", list->items[i]);
	buf_append_text(out, "]\n");
}

static void dump_hashes(struct buf *out, const struct option *option, const void *base,
                        unsigned indent)
{
	const struct hash_list *list = (const void *)((const char *)base + option->offset);

	dump_indent(out, indent);
	buf_printf(out, "%s: [", option->name);
	for (size_t i = 0; i < list->count; i++) {
		buf_append_text(out, i > 0 ? ", \"" : "\"");
		buf_append_hex(out, bytes_of(list->items[i].b, sizeof(list->items[i].b)));
		buf_append_text(out, "\"");
	}
	buf_append_text(out, "]\n");
}

static void dump_keys(struct buf *out, const struct option *option, const void *base,
                      unsigned indent)
{
	const struct signing_keys *list = (const void *)((const char *)base + option->offset);
	struct arena arena = {0};

	if (list->count == 0)
		return;
	dump_indent(out, indent);
	buf_printf(out, "%s: [", option->name);
	for (size_t i = 0; i < list->count; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "",
		           minisign_key_text(&arena, &list->items[i]));
	buf_append_text(out, "]\n");
	arena_free(&arena);
}

static void dump_nested(struct buf *out, const struct option *option, const void *base,
                        unsigned indent)
{
	struct buf inside = {0};

	dump_section(&inside, option->section, base, indent + 1);
	if (inside.len > 0) {
		dump_indent(out, indent);
		buf_printf(out, "%s:\n%s", option->name, buf_text(&inside));
	}
	buf_free(&inside);
}

static void dump_entries(struct buf *out, const struct option *option, const void *base,
                         unsigned indent)
{
	const struct section *section = option->section;
	size_t count = *(const size_t *)(const void *)((const char *)base + option->also);
	const char *entries;

	memcpy(&entries, (const char *)base + option->offset, sizeof(entries));
	dump_indent(out, indent);
	buf_printf(out, "%s:%s\n", option->name, count == 0 ? " []" : "");
	for (size_t i = 0; i < count; i++) {
		const char *entry = entries + i * section->struct_size;
		dump_indent(out, indent + 1);
		if (option->type == OPTION_NAMED)
			buf_printf(out, "\"%s\":\n",
			           *(char *const *)(const void *)(entry + section->name_offset));
		else
			buf_append_text(out, "-\n");
		dump_section(out, section, entry, indent + 2);
	}
}

static void dump_scalar(struct buf *out, const struct option *option, const void *base,
                        unsigned indent)
{
	struct buf value = {0};

	if (value_write(&value, option, base)) {
		dump_indent(out, indent);
		buf_printf(out, "%s: %s\n", option->name, buf_text(&value));
	}
	buf_free(&value);
}

static void dump_section(struct buf *out, const struct section *section, const void *base,
                         unsigned indent)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct option *option = &section->options[i];
		if (option->type == OPTION_URL_LIST)
			dump_urls(out, option, base, indent);
		else if (option->type == OPTION_HASH_LIST)
			dump_hashes(out, option, base, indent);
		else if (option->type == OPTION_KEY_LIST)
			dump_keys(out, option, base, indent);
		else if (option->type == OPTION_SECTION)
			dump_nested(out, option, base, indent);
		else if (option->type == OPTION_NAMED || option->type == OPTION_ITEMS)
			dump_entries(out, option, base, indent);
		else
			dump_scalar(out, option, base, indent);
	}
}

void config_dump(struct buf *out, const struct config *config)
{
	dump_section(out, &config_section, config, 0);
}

/* --- the documentation ----------------------------------------------------------------------- */

static bool is_collection(const struct option *option)
{
	return option->type == OPTION_NAMED || option->type == OPTION_ITEMS ||
	       option->type == OPTION_SECTION;
}

/* "chains.NAME.", "watch[].", "targets.NAME.batch." */
static void section_path(struct buf *out, const char *path, const struct option *option)
{
	buf_printf(out, "%s%s%s", path, option->name,
	           option->type == OPTION_NAMED   ? ".NAME."
	           : option->type == OPTION_ITEMS ? "[]."
	                                          : ".");
}

static void absent_choices(struct buf *out, const struct option *option)
{
	const char *separator = " Not available in this version: ";

	for (size_t i = 0; i < option->choice_count; i++)
		if (option->choices[i].absent) {
			buf_printf(out, "%s%s", separator, option->choices[i].name);
			separator = ", ";
		}
	if (separator[0] == ',')
		buf_append_text(out, ".");
}

static void option_facts(struct buf *out, const struct option *option)
{
	struct buf expected = {0};

	value_expected(&expected, option);
	buf_printf(out, "%s.", buf_text(&expected));
	if (option->fallback_doc != NULL || option->fallback != NULL)
		buf_printf(out, " Default: %s.",
		           option->fallback_doc != NULL ? option->fallback_doc : option->fallback);
	else if (option->flags & OPTION_REQUIRED)
		buf_append_text(out, " Required.");
	absent_choices(out, option);
	if (option->flags & OPTION_SECRET)
		buf_append_text(out, " The file holds a secret.");
	buf_free(&expected);
}

static void markdown_section(struct buf *out, const struct section *section, const char *path)
{
	struct buf inside = {0};

	for (size_t i = 0; i < section->count; i++) {
		const struct option *option = &section->options[i];
		if (option->type == OPTION_ABSENT) {
			buf_printf(out,
			           "| `%s%s` | not available in this version; refused. | %s |\n",
			           path, option->name, option->help);
			continue;
		}
		buf_printf(out, "| `%s%s` | ", path, option->name);
		option_facts(out, option);
		buf_printf(out, " | %s |\n", option->help);
		if (is_collection(option)) {
			buf_clear(&inside);
			section_path(&inside, path, option);
			markdown_section(out, option->section, buf_text(&inside));
		}
	}
	buf_free(&inside);
}

void config_options_markdown(struct buf *out)
{
	buf_append_text(out,
	                "# Options\n\n"
	                "Made from the option table by `make docs`. The file is YAML, "
	                "`/etc/registrard/registrard.yaml` unless\n"
	                "`--config` names another; `registrard --check-config` reads it without "
	                "starting anything, and\n"
	                "`registrard --dump-config` prints it with every default filled in.\n\n"
	                "| option | value | meaning |\n|---|---|---|\n");
	markdown_section(out, &config_section, "");
}

/* roff: a leading dot or quote and every backslash would be commands; backquotes only mark code in
 * the table's texts. */
static void man_text(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '`')
			continue;
		if (*p == '\\')
			buf_append_text(out, "\\e");
		else if (*p == '-')
			buf_append_text(out, "\\-");
		else
			buf_append_byte(out, (uint8_t)*p);
	}
}

static void man_section(struct buf *out, const struct section *section, const char *path)
{
	struct buf text = {0};

	for (size_t i = 0; i < section->count; i++) {
		const struct option *option = &section->options[i];
		buf_clear(&text);
		buf_printf(&text, "%s%s", path, option->name);
		buf_append_text(out, ".TP\n.B ");
		man_text(out, buf_text(&text));
		buf_append_text(out, "\n");
		man_text(out, option->help);
		buf_append_text(out, "\n");
		buf_clear(&text);
		if (option->type == OPTION_ABSENT)
			buf_append_text(&text, "not available in this version; refused.");
		else
			option_facts(&text, option);
		man_text(out, buf_text(&text));
		buf_append_text(out, "\n");
		if (is_collection(option)) {
			buf_clear(&text);
			section_path(&text, path, option);
			man_section(out, option->section, buf_text(&text));
		}
	}
	buf_free(&text);
}

void config_options_man(struct buf *out)
{
	buf_append_text(
	        out,
	        ".TH REGISTRARD.YAML 5 \"\" registrard\n"
	        ".SH NAME\nregistrard.yaml \\- configuration of registrard(8)\n"
	        ".SH DESCRIPTION\n"
	        "One YAML file. An unknown option, a wrong unit or a bad address is reported as\n"
	        "file:line: what is wrong and what is expected, and nothing starts.\n"
	        "Secrets are never in this file: options ending in _file name files.\n"
	        ".SH OPTIONS\n");
	man_section(out, &config_section, "");
	buf_append_text(out, ".SH FILES\n.I /etc/registrard/registrard.yaml\n"
	                     ".SH SEE ALSO\nregistrard(8), registrarctl(1)\n");
}
