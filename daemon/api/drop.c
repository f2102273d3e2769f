#include "daemon/api/drop.h"

#include "common/base/jval.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/crypto/tls.h"
#include "common/store/store_build.h"
#include "daemon/api/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	TOKEN_MIN = 16,
	TOKEN_MAX = 1024,
	CLEAN_MS = 10 * 60 * 1000, /* how often old unfinished builds are looked for, at least */
	COMPLAIN_MS = 60 * 1000,   /* how often refused tokens are logged, at most */
	SETTLE_MS = 10,            /* a build arrives complete, by one rename */
};
static const uint64_t mib = 1024 * 1024;

struct guard {
	const char *target;
	bool open;           /* there is a token */
	struct hash32 token; /* its SHA-256: the token itself is not kept */
};

struct upload {
	LIST_ENTRY(upload) link;
	struct drop *drop;
	struct http_exchange *exchange;
	struct spool_upload *disk;
	char *target, *name, *file;
};

struct drop {
	struct drop_parts parts;
	struct tls_server *tls;
	struct http_server *server;
	struct spool *spool;
	struct guard *guards;
	size_t guard_count;
	LIST_HEAD(, upload) uploads;
	struct loop_timer *clean;
	struct mono complained;
	unsigned refused; /* tokens, since the last complaint */
};

/* One request, while its head is there. */
struct request {
	struct drop *drop;
	struct http_exchange *exchange;
	const struct http_head *head;
	const char *target, *name, *rest; /* of the path; rest: behind NAME/, NULL without */
	struct arena arena;
};

/* --- answers -------------------------------------------------------------------------------- */

static void answer_json(struct http_exchange *exchange, int status, const char *fields,
                        struct jval *body)
{
	struct buf text = {0};

	jval_write(&text, body, JVAL_COMPACT);
	buf_append_text(&text, "\n");
	http_exchange_answer(
	        exchange,
	        &(struct http_reply){.status = status, .fields = fields, .body = buf_bytes(&text)});
	buf_free(&text);
	jval_free(body);
}

static void answer_error(struct http_exchange *exchange, int status, const char *fields,
                         const char *why)
{
	struct jval *body = jval_object();

	jval_add_string(body, "error", why);
	answer_json(exchange, status, fields, body);
}

static int status_of(const struct error *error)
{
	switch ((enum err)error->code) {
	case ERR_INVALID:
		return 400;
	case ERR_LIMIT:
		return 413;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
		return 409;
	case ERR_UNAVAILABLE:
		return 507;
	case ERR_DENIED:
		return 401;
	case ERR_IO:
		break;
	}
	return 500;
}

/* What went wrong inside is for the log; whoever asked learns that it did. */
static void answer_failure(struct http_exchange *exchange, const char *target,
                           const struct error *error, const char *fields)
{
	int status = status_of(error);

	if (status == 500)
		log_unusual(target, "dropping a build: %s", error->text);
	answer_error(exchange, status, fields,
	             status == 500 ? "the build cannot be stored; the daemon's log says why"
	                           : error->text);
}

static const char *offset_fields(struct arena *arena, uint64_t size, bool complete)
{
	return arena_printf(arena, "Upload-Offset: %llu\r\nUpload-Complete: ?%d\r\n",
	                    (unsigned long long)size, complete);
}

/* --- who may -------------------------------------------------------------------------------- */

static int read_token(struct hash32 *out, const char *path, struct error *error)
{
	char text[TOKEN_MAX + 2];
	ssize_t len = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd >= 0) {
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (len < 0)
		return error_set_errno(error, "token_file %s", path);
	text[len] = '\0';
	size_t line = strcspn(text, "\r\n"), visible = 0;
	while (visible < line && text[visible] > ' ' && text[visible] < 0x7f)
		visible++;
	if (visible < line || line < TOKEN_MIN || line > TOKEN_MAX ||
	    text[line + strspn(text + line, "\r\n")] != '\0')
		rc = error_set(error, ERR_INVALID,
		               "token_file %s: expected one line of %d to %d visible characters",
		               path, TOKEN_MIN, TOKEN_MAX);
	else
		*out = sha256(bytes_of(text, line));
	bytes_wipe(text, sizeof(text));
	return rc;
}

/* In a time that does not depend on where they differ. */
static bool same_hash(const struct hash32 *a, const struct hash32 *b)
{
	volatile uint8_t differ = 0;

	for (size_t i = 0; i < sizeof(a->b); i++)
		differ |= a->b[i] ^ b->b[i];
	return differ == 0;
}

/* The same work and the same answer whether the target is there or not. */
static bool may(const struct drop *drop, const char *target, const char *bearer)
{
	struct hash32 shown = sha256(bytes_text(bearer != NULL ? bearer : ""));
	bool yes = false;

	for (size_t i = 0; i < drop->guard_count; i++) {
		const struct guard *guard = &drop->guards[i];
		bool same = same_hash(&shown, &guard->token);
		yes |= same && guard->open && strcmp(guard->target, target) == 0;
	}
	return yes && bearer != NULL;
}

static void refuse_token(struct request *request)
{
	struct drop *drop = request->drop;
	struct mono now = loop_now(drop->parts.loop);

	drop->refused++;
	if (drop->complained.ms == 0 || now.ms - drop->complained.ms >= COMPLAIN_MS) {
		log_unusual("http", "%u requests without a valid token, the last from %s",
		            drop->refused, http_exchange_peer(request->exchange));
		drop->complained = now;
		drop->refused = 0;
	}
	answer_error(request->exchange, 401, "WWW-Authenticate: Bearer\r\n",
	             "expected Authorization: Bearer and the token of the target");
}

/* --- uploads -------------------------------------------------------------------------------- */

static void upload_free(struct upload *upload)
{
	LIST_REMOVE(upload, link);
	if (upload->disk != NULL)
		spool_leave(upload->disk);
	free(upload->target);
	free(upload->name);
	free(upload->file);
	free(upload);
}

/* Ends what is under way for this build, or for this file of it; what arrived stays. */
static void supersede(struct drop *drop, const char *target, const char *name, const char *file)
{
	struct upload *upload, *next;

	for (upload = LIST_FIRST(&drop->uploads); upload != NULL; upload = next) {
		next = LIST_NEXT(upload, link);
		if (strcmp(upload->target, target) != 0 || strcmp(upload->name, name) != 0 ||
		    (file != NULL && strcmp(upload->file, file) != 0))
			continue;
		answer_error(upload->exchange, 409, NULL, "another request took this one's place");
		upload_free(upload);
	}
}

static bool is_busy(const char *target, const char *name, void *arg)
{
	const struct drop *drop = arg;
	const struct upload *upload;

	LIST_FOREACH(upload, &drop->uploads, link)
	{
		if (strcmp(upload->target, target) == 0 && strcmp(upload->name, name) == 0)
			return true;
	}
	return false;
}

static void upload_body(struct http_exchange *exchange, struct bytes part, void *own)
{
	struct upload *upload = own;
	struct error error = {0};

	if (spool_write(upload->disk, part, &error) == 0)
		return;
	answer_failure(exchange, upload->target, &error, NULL);
	upload_free(upload);
}

static void upload_end(struct http_exchange *exchange, void *own)
{
	struct upload *upload = own;
	struct spool_upload *disk = upload->disk;
	struct arena arena = {0};
	struct error error = {0};
	struct jval *body;
	uint64_t size;
	bool complete;

	upload->disk = NULL;
	if (spool_end(disk, &complete, &error) != 0) {
		answer_failure(exchange, upload->target, &error, NULL);
	} else {
		spool_look_file(upload->drop->spool, upload->target, upload->name, upload->file,
		                &size, &complete);
		body = jval_object();
		jval_add_string(body, "path", upload->file);
		jval_add_int(body, "size", (int64_t)size);
		jval_add_bool(body, "complete", complete);
		answer_json(exchange, complete ? 201 : 202, offset_fields(&arena, size, complete),
		            body);
	}
	upload_free(upload);
	arena_free(&arena);
}

static void upload_gone(void *own)
{
	struct upload *upload = own;

	log_debug(upload->target, "dropped build %s: the connection broke in %s", upload->name,
	          upload->file);
	upload_free(upload);
}

/* --- PUT ------------------------------------------------------------------------------------ */

/* A number of at most 18 digits off the front of *text. */
static bool take_number(const char **text, uint64_t *out)
{
	size_t digits = strspn(*text, "0123456789");

	*out = 0;
	if (digits == 0 || digits > 18)
		return false;
	*out = strtoull(*text, NULL, 10);
	*text += digits;
	return true;
}

/* "bytes 100-299/300" */
static bool read_range(const struct http_head *head, struct spool_place *place)
{
	const char *text = http_head_field(head, "Content-Range");
	uint64_t last;

	place->length = place->total = head->content_length;
	if (text == NULL)
		return true;
	if (strncasecmp(text, "bytes ", 6) != 0)
		return false;
	text += 6;
	if (!take_number(&text, &place->from) || *text++ != '-' || !take_number(&text, &last) ||
	    *text++ != '/' || !take_number(&text, &place->total) || *text != '\0')
		return false;
	return last >= place->from && last < place->total &&
	       last - place->from + 1 == place->length;
}

static void put(struct request *request)
{
	struct drop *drop = request->drop;
	struct http_exchange *exchange = request->exchange;
	struct spool_place place = {request->target, request->name, request->rest, 0, 0, 0};
	struct spool_upload *disk;
	struct error error = {0};
	uint64_t size;
	bool complete;

	if (http_head_field(request->head, "Content-Length") == NULL) {
		answer_error(exchange, 411, NULL, "Content-Length is missing");
		return;
	}
	if (!read_range(request->head, &place)) {
		answer_error(exchange, 400, NULL,
		             "Content-Range does not fit; expected bytes FIRST-LAST/TOTAL");
		return;
	}
	/* Whoever sends a file again knows that the connection before is dead, also when we do not
	 * see it yet. */
	supersede(drop, place.target, place.name, place.file);
	if (spool_begin(&disk, drop->spool, &place, &error) != 0) {
		spool_look_file(drop->spool, place.target, place.name, place.file, &size,
		                &complete);
		answer_failure(exchange, place.target, &error,
		               offset_fields(&request->arena, size, complete));
		return;
	}
	struct upload *upload = xcalloc(1, sizeof(*upload));
	upload->drop = drop;
	upload->exchange = exchange;
	upload->disk = disk;
	upload->target = xstrdup(place.target);
	upload->name = xstrdup(place.name);
	upload->file = xstrdup(place.file);
	LIST_INSERT_HEAD(&drop->uploads, upload, link);
	http_exchange_set_own(exchange, upload);
}

/* --- the other requests --------------------------------------------------------------------- */

static void head(struct request *request)
{
	uint64_t size;
	bool complete;

	spool_look_file(request->drop->spool, request->target, request->name, request->rest, &size,
	                &complete);
	int status = size == 0 && !complete ? 404 : 200;
	http_exchange_answer(
	        request->exchange,
	        &(struct http_reply){.status = status,
	                             .fields = offset_fields(&request->arena, size, complete)});
}

static struct jval *view_files(const struct spool_build *build)
{
	struct jval *files = jval_array();

	for (size_t i = 0; i < build->count; i++) {
		struct jval *file = jval_object();
		jval_add_string(file, "path", build->files[i].path);
		jval_add_int(file, "size", (int64_t)build->files[i].size);
		jval_add_bool(file, "complete", build->files[i].complete);
		jval_push(files, file);
	}
	return files;
}

static void add_verdicts(struct jval *list, struct request *request, const char *folder)
{
	struct build_list builds;

	store_build_folder(request->drop->parts.store, &request->arena, request->target, folder,
	                   &builds);
	for (size_t i = 0; i < builds.count; i++) {
		const struct build *build = &builds.items[i];
		struct jval *view = jval_object();
		jval_add_printf(view, "id", "b%lld", (long long)build->id.n);
		jval_add_string(view, "status", build_status_name(build->status));
		jval_add_string(view, "reason", build->reason);
		jval_add_hash32(view, "value", build->has_value ? &build->value : NULL);
		jval_push(list, view);
	}
}

/* One verdict per folder that holds files, and per image in it. */
static struct jval *view_verdicts(struct request *request, const struct spool_build *build)
{
	struct jval *list = jval_array();
	const char *last = NULL;

	for (size_t i = 0; i < build->count && build->state == SPOOL_COMPLETE; i++) {
		char *folder =
		        arena_printf(&request->arena, "%s/%s", build->folder, build->files[i].path);
		*strrchr(folder, '/') = '\0';
		if (last == NULL || strcmp(last, folder) != 0)
			add_verdicts(list, request, folder);
		last = folder;
	}
	return list;
}

static void show(struct request *request, int status)
{
	struct spool_build build;
	struct jval *body;

	spool_look(request->drop->spool, &request->arena, request->target, request->name, &build);
	if (build.state == SPOOL_NONE) {
		answer_error(request->exchange, 404, NULL, "no such build");
		return;
	}
	body = jval_object();
	jval_add_string(body, "target", request->target);
	jval_add_string(body, "name", request->name);
	jval_add_string(body, "state", build.state == SPOOL_COMPLETE ? "complete" : "open");
	jval_add_int(body, "size", (int64_t)build.size);
	jval_add(body, "files", view_files(&build));
	jval_add(body, "builds", view_verdicts(request, &build));
	answer_json(request->exchange, status, NULL, body);
}

static void get(struct request *request)
{
	show(request, 200);
}

static void complete_build(struct request *request)
{
	struct drop *drop = request->drop;
	struct spool_build before;
	struct error error = {0};

	spool_look(drop->spool, &request->arena, request->target, request->name, &before);
	if (spool_commit(drop->spool, request->target, request->name, &error) != 0) {
		answer_failure(request->exchange, request->target, &error, NULL);
		return;
	}
	if (before.state == SPOOL_OPEN)
		log_info(request->target,
		         "build %s was dropped by HTTP from %s: %zu files, %llu bytes",
		         request->name, http_exchange_peer(request->exchange), before.count,
		         (unsigned long long)before.size);
	show(request, 200);
}

static void delete_build(struct request *request)
{
	struct drop *drop = request->drop;
	struct error error = {0};

	supersede(drop, request->target, request->name, NULL);
	if (spool_remove(drop->spool, request->target, request->name, &error) != 0) {
		answer_failure(request->exchange, request->target, &error, NULL);
		return;
	}
	log_info(request->target, "dropped build %s was given up by %s", request->name,
	         http_exchange_peer(request->exchange));
	http_exchange_answer(request->exchange, &(struct http_reply){.status = 204});
}

/* --- routes --------------------------------------------------------------------------------- */

enum rest { REST_NONE, REST_FILE, REST_COMPLETE };

static const struct route {
	const char *method;
	enum rest rest;
	void (*run)(struct request *request);
} routes[] = {
        {"PUT", REST_FILE, put},
        {"HEAD", REST_FILE, head},
        {"POST", REST_COMPLETE, complete_build},
        {"GET", REST_NONE, get},
        {"DELETE", REST_NONE, delete_build},
};

/* "/v1/builds/TARGET/NAME/REST" */
static bool split_path(struct request *request)
{
	static const char prefix[] = "/v1/builds/";
	char *path = arena_strdup(&request->arena, request->head->path);

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || request->head->query != NULL)
		return false;
	char *target = path + sizeof(prefix) - 1;
	char *name = strchr(target, '/');
	if (name == NULL)
		return false;
	*name++ = '\0';
	char *rest = strchr(name, '/');
	if (rest != NULL)
		*rest++ = '\0';
	request->target = target;
	request->name = name;
	request->rest = rest;
	return true;
}

static const struct route *find_route(const struct request *request)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *route = &routes[i];
		if (strcmp(route->method, request->head->method) != 0)
			continue;
		switch (route->rest) {
		case REST_NONE:
			return request->rest == NULL ? route : NULL;
		case REST_FILE:
			return request->rest != NULL ? route : NULL;
		case REST_COMPLETE:
			return request->rest != NULL && strcmp(request->rest, "complete") == 0
			               ? route
			               : NULL;
		}
	}
	return NULL;
}

static void run(struct request *request)
{
	if (!split_path(request)) {
		answer_error(request->exchange, 404, NULL,
		             "expected /v1/builds/TARGET/NAME and what follows");
		return;
	}
	if (!may(request->drop, request->target, http_head_bearer(request->head))) {
		refuse_token(request);
		return;
	}
	const struct route *route = find_route(request);
	if (route == NULL)
		answer_error(request->exchange, 405, NULL,
		             "expected PUT or HEAD of NAME/FILE, POST of NAME/complete, GET or "
		             "DELETE of NAME");
	else if (!spool_name_is_good(request->name) ||
	         (request->rest != NULL && !spool_file_is_good(request->rest)))
		answer_error(
		        request->exchange, 400, NULL,
		        "a name may hold letters, digits, \".\", \"_\" and \"-\", does not begin "
		        "with \".\" and does not end like a temporary file's");
	else if (route->rest != REST_FILE && request->head->content_length > 0)
		answer_error(request->exchange, 400, NULL, "this request has no body");
	else
		route->run(request);
}

static void begin(struct http_exchange *exchange, const struct http_head *what, void *arg)
{
	struct request request = {.drop = arg, .exchange = exchange, .head = what};

	run(&request);
	arena_free(&request.arena);
}

/* --- life ----------------------------------------------------------------------------------- */

static bool waits_for_verdict(const struct path_list *unjudged, const char *folder)
{
	size_t len = strlen(folder);

	for (size_t i = 0; i < unjudged->count; i++)
		if (strncmp(unjudged->items[i], folder, len) == 0 &&
		    (unjudged->items[i][len] == '\0' || unjudged->items[i][len] == '/'))
			return true;
	return false;
}

/* Whether all of it was measured and judged: then it lies here for people alone. */
static bool is_recorded(const char *target, const struct spool_build *build, void *arg)
{
	const struct drop *drop = arg;
	struct arena arena = {0};
	struct path_list unjudged;
	struct artifact artifact;

	store_folder_unjudged(drop->parts.store, &arena, target, &unjudged);
	bool recorded = !waits_for_verdict(&unjudged, build->folder);
	for (size_t i = 0; i < build->count && recorded; i++)
		recorded = store_artifact_get(drop->parts.store, &arena, target,
		                              arena_printf(&arena, "%s/%s", build->folder,
		                                           build->files[i].path),
		                              &artifact) == 0;
	arena_free(&arena);
	return recorded;
}

static void clean(void *arg)
{
	struct drop *drop = arg;
	const struct config_http *http = &drop->parts.config->http;
	int64_t now = clock_wall().ms, every = http->unfinished_ms;
	const struct spool_cleaning cleaning = {
	        .open_since = {now - http->unfinished_ms},
	        .complete_since = {now - http->keep_ms},
	        .busy = is_busy,
	        .recorded = is_recorded,
	        .arg = drop,
	};

	spool_clean(drop->spool, &cleaning);
	every = (http->keep_ms < every ? http->keep_ms : every) / 4;
	loop_timer_set(drop->clean, every < CLEAN_MS ? every : CLEAN_MS);
}

static int add_target(struct drop *drop, const struct config_target *target, struct error *error)
{
	struct guard *guard = &drop->guards[drop->guard_count++];

	guard->target = target->name;
	if (target->token_file == NULL)
		return 0;
	int rc = read_token(&guard->token, target->token_file, error);
	if (rc == 0)
		rc = spool_add_target(drop->spool, target->name, error);
	guard->open = rc == 0;
	return rc == 0 ? 0 : error_prefix(error, "targets.%s", target->name);
}

int drop_new(struct drop **out, const struct drop_parts *parts, struct error *error)
{
	const struct config *config = parts->config;
	const struct config_http *http = &config->http;

	*out = NULL;
	if (http->listen == NULL)
		return 0;
	struct drop *drop = xcalloc(1, sizeof(*drop));
	drop->parts = *parts;
	LIST_INIT(&drop->uploads);
	drop->guards = xcalloc(config->target_count, sizeof(*drop->guards));
	int rc = spool_new(&drop->spool, config->state_dir, http->max_file_mib * mib,
	                   http->quota_mib * mib, error);
	for (size_t i = 0; i < config->target_count && rc == 0; i++)
		rc = add_target(drop, &config->targets[i], error);
	if (rc == 0 && http->tls_cert_file != NULL)
		rc = tls_server_new(&drop->tls, http->tls_cert_file, http->tls_key_file, error);
	if (rc != 0) {
		drop_free(drop);
		return rc;
	}
	*out = drop;
	return 0;
}

int drop_listen(struct drop *drop, struct error *error)
{
	static const struct http_handler handler = {begin, upload_body, upload_end, upload_gone};
	char at[NETADDR_TEXT_SIZE];

	if (drop == NULL)
		return 0;
	struct http_server_parts parts = {
	        .loop = drop->parts.loop,
	        .listen = drop->parts.config->http.listen,
	        .tls = drop->tls,
	        .handler = &handler,
	        .arg = drop,
	};
	int rc = http_server_new(&drop->server, &parts, error);
	if (rc != 0)
		return rc;
	log_info("http", "listening on %s%s", netaddr_text(at, drop_at(drop)),
	         drop->tls != NULL ? " with TLS" : "");
	drop->clean = loop_timer_new(parts.loop, clean, drop);
	loop_timer_set(drop->clean, 0);
	return 0;
}

const struct netaddr *drop_at(const struct drop *drop)
{
	return http_server_at(drop->server);
}

void drop_free(struct drop *drop)
{
	if (drop == NULL)
		return;
	http_server_free(drop->server); /* ends the uploads */
	loop_timer_free(drop->clean);
	tls_server_free(drop->tls);
	spool_free(drop->spool);
	free(drop->guards);
	free(drop);
}

void drop_each_watch(const struct config *config,
                     void (*each)(const struct config_watch *watch, void *arg), void *arg)
{
	struct arena arena = {0};

	for (size_t i = 0; i < config->target_count && config->http.listen != NULL; i++) {
		const struct config_target *target = &config->targets[i];
		struct config_watch watch = {
		        .path = spool_watched(&arena, config->state_dir, target->name),
		        .target = target,
		        .recursive = true,
		        .settle_ms = SETTLE_MS,
		        .build_settle_ms = SETTLE_MS,
		        .rescan = RESCAN_AUTO,
		};
		if (target->token_file != NULL)
			each(&watch, arg);
	}
	arena_free(&arena);
}
