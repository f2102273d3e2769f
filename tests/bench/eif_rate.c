/* eif_rate RUNS FILE...: has one sandboxed measurer, as the daemon starts it, measure each file
 * RUNS times, in the order given. Prints a JSON array: per file its bytes, the seconds of every
 * run, and the highest memory the measurer ever had (VmHWM) after it. */
#include "common/base/log.h"
#include "daemon/io/role.h"
#include "daemon/measurer/pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run {
	struct loop *loop;
	struct measurer_pool *pool;
	struct measurer_job *job;
	char **files;
	size_t file_count, file;
	unsigned runs, run;
	int fd;
	struct mono begin;
	bool failed;
};

static pid_t only_child(void)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "r");
	if (file == NULL || fgets(text, sizeof(text), file) == NULL)
		die("no measurer runs");
	fclose(file);
	return (pid_t)strtol(text, NULL, 10);
}

static unsigned long peak_kib(void)
{
	char path[64], line[256];
	unsigned long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)only_child());
	FILE *file = fopen(path, "r");
	if (file == NULL)
		die("the measurer ended");
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtoul(line + 6, NULL, 10);
	fclose(file);
	return kib;
}

static void next(struct run *run);

static void measured(const struct measured *measured, bool lost, void *arg)
{
	struct run *run = arg;
	int64_t took = clock_mono().ms - run->begin.ms;

	if (measured->refused || lost) {
		fprintf(stderr, "%s: %s\n", run->files[run->file], measured->refusal);
		run->failed = true;
		loop_stop(run->loop);
		return;
	}
	printf("%s%.3f", run->run == 0 ? "" : ", ", (double)took / 1000);
	if (++run->run == run->runs) {
		printf("], \"peak_kib\": %lu}", peak_kib());
		close(run->fd);
		run->fd = -1;
		run->run = 0;
		run->file++;
	}
	next(run);
}

static void next(struct run *run)
{
	struct stat st;

	if (run->file == run->file_count) {
		loop_stop(run->loop);
		return;
	}
	if (run->fd < 0) {
		run->fd = open(run->files[run->file], O_RDONLY | O_CLOEXEC);
		if (run->fd < 0 || fstat(run->fd, &st) != 0)
			die("%s cannot be opened", run->files[run->file]);
		printf("%s{\"bytes\": %llu, \"seconds\": [", run->file == 0 ? "" : ", ",
		       (unsigned long long)st.st_size);
	}
	run->begin = clock_mono();
	run->job = measurer_measure(run->pool, run->fd, &(struct measure_how){.name = "enclave.eif"}, measured, run);
}

int main(int argc, char **argv)
{
	struct run run = {.fd = -1};
	struct error error;

	if (argc > 1 && strcmp(argv[1], "--role=measurer") == 0)
		return measurer_role_main(ROLE_SOCKET);
	if (argc < 3) {
		fprintf(stderr, "usage: %s RUNS FILE...\n", argv[0]);
		return 64;
	}
	crypto_init();
	run.runs = (unsigned)strtoul(argv[1], NULL, 10);
	run.files = argv + 2;
	run.file_count = (size_t)argc - 2;
	run.loop = loop_new();
	if (measurer_pool_start(&run.pool, run.loop, 1, &error) != 0)
		die("%s", error.text);
	printf("[");
	next(&run);
	loop_run(run.loop);
	printf("]\n");
	measurer_pool_free(run.pool);
	loop_free(run.loop);
	return run.failed ? 1 : 0;
}
