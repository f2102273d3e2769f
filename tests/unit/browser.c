#include "tests/unit/browser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_MS = 20000, TICK_MS = 1 };

static void too_late(void *arg)
{
	struct browser *browser = arg;

	browser->late = true;
	loop_stop(browser->loop);
}

static void look_again(void *arg)
{
	struct browser *browser = arg;

	loop_stop(browser->loop);
}

void browser_wait(struct browser *browser)
{
	loop_timer_set(browser->tick, TICK_MS);
	loop_run(browser->loop);
	loop_timer_cancel(browser->tick);
	if (browser->late)
		fail_msg("waited in vain");
}

void browser_open(struct browser *browser, struct loop *loop, const struct netaddr *at)
{
	*browser = (struct browser){.loop = loop};
	browser->deadline = loop_timer_new(loop, too_late, browser);
	browser->tick = loop_timer_new(loop, look_again, browser);
	browser->fd = socket(at->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(browser->fd >= 0);
	assert_int_equal(connect(browser->fd, (const struct sockaddr *)&at->at, at->len), 0);
}

void browser_close(struct browser *browser)
{
	close(browser->fd);
	loop_timer_free(browser->deadline);
	loop_timer_free(browser->tick);
	buf_free(&browser->in);
	buf_free(&browser->head);
	buf_free(&browser->body);
}

static void receive(struct browser *browser)
{
	char chunk[16384];
	ssize_t got = recv(browser->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (got > 0)
		buf_append(&browser->in, chunk, (size_t)got);
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		browser->closed = true;
}

void browser_send(struct browser *browser, struct bytes bytes)
{
	loop_timer_set(browser->deadline, DEADLINE_MS);
	while (bytes.len > 0 && !browser->closed) {
		ssize_t sent =
		        send(browser->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			bytes = bytes_of(bytes.data + sent, bytes.len - (size_t)sent);
		else if (errno == EAGAIN || errno == EINTR)
			browser_wait(browser);
		else
			break;
	}
	loop_timer_cancel(browser->deadline);
}

void browser_say(struct browser *browser, const char *fmt, ...)
{
	char text[40000];
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < sizeof(text));
	browser_send(browser, bytes_of(text, (size_t)len));
}

const char *browser_field(struct browser *browser, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = buf_text(&browser->head); line != NULL;
	     line = strstr(line, "\r\n")) {
		line += line[0] == '\r' ? 2 : 0;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			snprintf(browser->field, sizeof(browser->field), "%.*s",
			         (int)strcspn(line + len + 2, "\r"), line + len + 2);
			return browser->field;
		}
	}
	return "";
}

/* Takes the next answer out of what came. */
static bool take_answer(struct browser *browser, bool head_only)
{
	char *end = browser->in.len > 0 ? strstr((char *)browser->in.data, "\r\n\r\n") : NULL;

	if (end == NULL)
		return false;
	size_t head_len = (size_t)(end - (char *)browser->in.data) + 4;
	buf_clear(&browser->head);
	buf_append(&browser->head, browser->in.data, head_len - 2);
	size_t len = head_only ? 0 : strtoul(browser_field(browser, "Content-Length"), NULL, 10);
	if (browser->in.len < head_len + len)
		return false;
	browser->status = (int)strtol(buf_text(&browser->head) + strlen("HTTP/1.1 "), NULL, 10);
	buf_clear(&browser->body);
	buf_append(&browser->body, browser->in.data + head_len, len);
	buf_consume(&browser->in, head_len + len);
	return true;
}

int browser_answer(struct browser *browser, bool head_only)
{
	loop_timer_set(browser->deadline, DEADLINE_MS);
	for (;;) {
		receive(browser);
		if (take_answer(browser, head_only)) {
			if (browser->status == 100) {
				browser->continued = true;
				continue;
			}
			break;
		}
		if (browser->closed) {
			browser->status = 0;
			break;
		}
		browser_wait(browser);
	}
	loop_timer_cancel(browser->deadline);
	return browser->status;
}

void browser_until_closed(struct browser *browser)
{
	loop_timer_set(browser->deadline, DEADLINE_MS);
	for (receive(browser); !browser->closed; receive(browser))
		browser_wait(browser);
	loop_timer_cancel(browser->deadline);
}

void browser_until(struct browser *browser, bool (*condition)(void *arg), void *arg)
{
	loop_timer_set(browser->deadline, DEADLINE_MS);
	while (!condition(arg))
		browser_wait(browser);
	loop_timer_cancel(browser->deadline);
}
