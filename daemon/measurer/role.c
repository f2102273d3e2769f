/* The measurer itself: everything that opens a file or starts a thread happens before the sandbox,
 * then one descriptor at a time is hashed until main hangs up. */
#include "daemon/measurer/pool.h"

#include "common/base/log.h"
#include "common/measure/detect.h"
#include "daemon/measurer/wire.h"
#include "daemon/sandbox/sandbox.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t cpu_ms(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Jansson seeds its hash tables from a file at the first object; the C library reads the time zone
 * from one at the first date in a certificate, unless it is named. */
static void use_libraries_once(void)
{
	struct jval *first;

	crypto_init();
	if (setenv("TZ", "UTC0", 1) != 0)
		die("the time zone cannot be set");
	tzset();
	if (jval_parse(&first, bytes_text("{\"a\":1}"), NULL) != 0)
		die("the JSON parser does not work");
	jval_free(first);
}

/* Fills body with the answer to a request and returns its kind. */
static uint16_t measure(struct hasher *hasher, struct bytes request, int fd, struct buf *body)
{
	struct field_reader reader = {.rest = request};
	struct arena arena = {0};
	struct measured measured;
	struct measure_how how;
	struct error error;
	uint16_t kind = WIRE_FAILED;

	wire_get_how(&reader, &arena, &how);
	int rc = !field_reader_done(&reader) || fd < 0
	                 ? error_set(&error, ERR_INVALID, "a request without name or descriptor")
	                 : measure_fd(&arena, fd, &how, hasher, &measured, &error);
	field_put_u64(body, cpu_ms());
	if (rc == 0) {
		kind = WIRE_MEASURED;
		wire_put_measured(body, &measured);
	} else {
		wire_put_text(body, error.text);
	}
	arena_free(&arena);
	return kind;
}

static int serve(int socket, struct hasher *hasher)
{
	struct buf buffer = {0}, body = {0};
	struct message request, answer = {.kind = WIRE_READY};
	struct error error;
	int fd;

	int rc = message_send(socket, &answer, -1, &error);
	while (rc == 0 && (rc = message_receive(socket, &request, &buffer, &fd, &error)) == 0) {
		if (request.kind != WIRE_MEASURE) {
			rc = error_set(&error, ERR_INVALID, "a request of kind %u", request.kind);
			break;
		}
		buf_clear(&body);
		answer.id = request.id;
		answer.kind = measure(hasher, request.body, fd, &body);
		answer.body = buf_bytes(&body);
		if (fd >= 0)
			close(fd);
		rc = message_send(socket, &answer, -1, &error);
	}
	buf_free(&buffer);
	buf_free(&body);
	if (rc == ERR_UNAVAILABLE)
		return 0; /* main hung up */
	log_unusual(NULL, "%s", error.text);
	return 1;
}

int measurer_role_main(int socket)
{
	struct error error;

	log_set_role("measurer");
	use_libraries_once();
	struct hasher *hasher = hasher_new(true);
	if (sandbox_enter(SANDBOX_MEASURER, &error) != 0) {
		log_broken(NULL, "%s", error.text);
		hasher_free(hasher);
		return 1;
	}
	int status = serve(socket, hasher);
	hasher_free(hasher);
	return status;
}
