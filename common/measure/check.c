#include "common/measure/check.h"

#include <stdio.h>
#include <string.h>

const char *check_result_name(enum check_result result)
{
	switch (result) {
	case CHECK_PASSED:
		return "passed";
	case CHECK_FAILED:
		return "failed";
	case CHECK_UNDECIDED:
		return "undecided";
	}
	return "?";
}

bool checks_add(struct checks *checks, const char *name, enum check_result result, const char *fmt,
                ...)
{
	struct error text;
	va_list args;

	if (checks->count == CHECKS_MAX)
		die("more than %d checks", CHECKS_MAX);
	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	checks->items[checks->count++] = (struct check){
	        .name = name, .result = result, .text = arena_strdup(checks->arena, text.text)};
	return result == CHECK_PASSED;
}

bool checks_add_rc(struct checks *checks, const char *name, int rc, const struct error *error,
                   const char *passed_text)
{
	return checks_add(checks, name, rc == 0 ? CHECK_PASSED : CHECK_FAILED, "%s",
	                  rc == 0 ? passed_text : error->text);
}

const struct check *checks_find(const struct checks *checks, const char *name)
{
	for (size_t i = 0; i < checks->count; i++)
		if (strcmp(checks->items[i].name, name) == 0)
			return &checks->items[i];
	return NULL;
}

bool checks_passed(const struct checks *checks, const char *name)
{
	const struct check *check = checks_find(checks, name);

	return check != NULL && check->result == CHECK_PASSED;
}

const struct check *checks_first_failed(const struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		if (checks->items[i].result == CHECK_FAILED)
			return &checks->items[i];
	return NULL;
}

struct jval *checks_json(const struct checks *checks)
{
	struct jval *list = jval_array();

	for (size_t i = 0; i < checks->count; i++) {
		struct jval *one = jval_object();
		jval_add_string(one, "check", checks->items[i].name);
		jval_add_string(one, "result", check_result_name(checks->items[i].result));
		jval_add_string(one, "text", checks->items[i].text);
		jval_push(list, one);
	}
	return list;
}

void checks_append(struct jval *object, const struct checks *checks)
{
	const struct jval *before = jval_get(object, "checks");
	struct jval *all = jval_is_array(before) ? jval_copy(before) : jval_array();
	struct jval *added = checks_json(checks);

	for (size_t i = 0; i < jval_count(added); i++)
		jval_push(all, jval_copy(jval_at(added, i)));
	jval_free(added);
	if (jval_count(all) > 0)
		jval_add(object, "checks", all);
	else
		jval_free(all);
}
