#include "tests/unit/scratch.h"

#include "common/base/error.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

void scratch_make(char path[SCRATCH_PATH], const char *name)
{
	snprintf(path, SCRATCH_PATH, "/tmp/registrard-%s.XXXXXX", name);
	if (mkdtemp(path) == NULL)
		die("cannot make %s", path);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

int scratch_remove(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
