#include "common/measure/build.h"

#include <string.h>

static const struct measured *file_named(const struct build_artifact *artifacts, size_t count,
                                         const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(artifacts[i].name, name) == 0 &&
		    !hash32_is_zero(&artifacts[i].measured->sha256))
			return artifacts[i].measured;
	return NULL;
}

enum build_os_files build_os_files(struct arena *arena, const struct build_artifact *artifacts,
                                   size_t count, size_t index, const char **which)
{
	const char *text = artifacts[index].measured->details;
	enum build_os_files result = OS_FILES_SAME;
	struct jval *details = NULL;

	*which = "the list of files";
	if (text == NULL || jval_parse(&details, bytes_text(text), NULL) != 0)
		return OS_FILES_MISSING;
	const struct jval *files = jval_get(details, "files");
	if (jval_count(files) == 0)
		result = OS_FILES_MISSING;
	for (size_t i = 0; i < jval_count(files) && result != OS_FILES_DIFFERENT; i++) {
		const char *name = jval_get_string(jval_at(files, i), "name");
		const char *listed = jval_get_string(jval_at(files, i), "sha256");
		const struct measured *file =
		        name != NULL ? file_named(artifacts, count, name) : NULL;
		struct hash32 digest = {0};
		bool same = file != NULL && listed != NULL &&
		            hash32_parse(&digest, listed, NULL) == 0 &&
		            hash32_equal(&digest, &file->sha256);
		if (same || (file == NULL && result == OS_FILES_MISSING))
			continue;
		result = file == NULL ? OS_FILES_MISSING : OS_FILES_DIFFERENT;
		*which = arena_strdup(arena, name != NULL ? name : "?");
	}
	jval_free(details);
	return result;
}
