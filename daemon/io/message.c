#include "daemon/io/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEADER_SIZE = 12, MAX_DATAGRAM = HEADER_SIZE + MESSAGE_MAX_BODY, MAX_DESCRIPTORS = 4 };

/* Control data for one descriptor (sent) or a few (received only to be closed). */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
};

static void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void attach_descriptor(struct msghdr *datagram, union control *control, int fd)
{
	memset(control, 0, sizeof(*control));
	datagram->msg_control = control;
	datagram->msg_controllen = CMSG_SPACE(sizeof(fd));
	struct cmsghdr *head = CMSG_FIRSTHDR(datagram);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
}

int message_send(int socket, const struct message *message, int fd, struct error *error)
{
	uint8_t header[HEADER_SIZE];
	union control control;

	if (message->body.len > MESSAGE_MAX_BODY)
		return error_set(error, ERR_LIMIT,
		                 "message of kind %u with a body of %zu bytes (limit %d)",
		                 message->kind, message->body.len, MESSAGE_MAX_BODY);
	put_be16(header, MESSAGE_VERSION);
	put_be16(header + 2, message->kind);
	be32_put(header + 4, message->id);
	be32_put(header + 8, (uint32_t)message->body.len);

	struct iovec parts[2] = {
	        {.iov_base = header, .iov_len = sizeof(header)},
	        {.iov_base = (void *)message->body.data, .iov_len = message->body.len},
	};
	struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = message->body.len > 0 ? 2 : 1};
	if (fd >= 0)
		attach_descriptor(&datagram, &control, fd);

	ssize_t sent;
	do
		sent = sendmsg(socket, &datagram, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	error_set_errno(error, "sending a message of kind %u", message->kind);
	bool gone = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
	if (gone || errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) {
		if (error != NULL)
			error->code = ERR_UNAVAILABLE;
		return ERR_UNAVAILABLE;
	}
	return ERR_IO;
}

/* Takes the descriptor out of the control data. With more than one all are closed: nobody here
 * sends two. Returns how many came. */
static size_t take_descriptors(struct msghdr *datagram, int *fd)
{
	size_t count = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(datagram); head != NULL;
	     head = CMSG_NXTHDR(datagram, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++, count++) {
			int one;
			memcpy(&one, CMSG_DATA(head) + i * sizeof(int), sizeof(one));
			if (count == 0)
				*fd = one;
			else
				close(one);
		}
	}
	return count;
}

static int decode(struct message *out, struct bytes datagram, struct error *error)
{
	if (datagram.len < HEADER_SIZE)
		return error_set(error, ERR_INVALID,
		                 "message of %zu bytes, shorter than its header", datagram.len);
	unsigned version = be16_get(datagram.data);
	if (version != MESSAGE_VERSION)
		return error_set(error, ERR_INVALID, "message version %u, expected %d", version,
		                 MESSAGE_VERSION);
	uint32_t length = be32_get(datagram.data + 8);
	if (length != datagram.len - HEADER_SIZE)
		return error_set(error, ERR_INVALID,
		                 "message says its body has %u bytes, it has %zu", length,
		                 datagram.len - HEADER_SIZE);
	out->kind = be16_get(datagram.data + 2);
	out->id = be32_get(datagram.data + 4);
	out->body = bytes_of(datagram.data + HEADER_SIZE, length);
	return 0;
}

static int receive_failed(struct error *error)
{
	if (errno == EAGAIN)
		return error_set(error, ERR_NOT_FOUND, "no message waiting");
	if (errno == ECONNRESET || errno == ENOTCONN)
		return error_set(error, ERR_UNAVAILABLE, "the other process is gone");
	return error_set_errno(error, "receiving a message");
}

int message_receive(int socket, struct message *out, struct buf *buffer, int *fd,
                    struct error *error)
{
	union control control;
	ssize_t got;

	*out = (struct message){0};
	*fd = -1;
	buf_clear(buffer);
	if (buffer->cap <= MAX_DATAGRAM)
		buf_append_zeros(buffer, MAX_DATAGRAM);
	struct iovec part = {.iov_base = buffer->data, .iov_len = MAX_DATAGRAM};
	struct msghdr datagram = {
	        .msg_iov = &part,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control),
	};
	buffer->len = 0;
	do
		got = recvmsg(socket, &datagram, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return receive_failed(error);

	size_t descriptors = take_descriptors(&datagram, fd);
	buffer->len = (size_t)got;
	buffer->data[buffer->len] = '\0';
	int rc = 0;
	if (got == 0)
		rc = error_set(error, ERR_UNAVAILABLE, "the other process is gone");
	else if ((datagram.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || descriptors > 1)
		rc = error_set(error, ERR_INVALID, "message too long or with several descriptors");
	else
		rc = decode(out, buf_bytes(buffer), error);
	if (rc != 0 && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

/* --- fields ------------------------------------------------------------------------------------
 */

void field_put_u8(struct buf *body, uint8_t v)
{
	buf_append_byte(body, v);
}

void field_put_u32(struct buf *body, uint32_t v)
{
	uint8_t raw[4];

	be32_put(raw, v);
	buf_append(body, raw, sizeof(raw));
}

void field_put_u64(struct buf *body, uint64_t v)
{
	uint8_t raw[8];

	be64_put(raw, v);
	buf_append(body, raw, sizeof(raw));
}

void field_put_fixed(struct buf *body, const void *data, size_t len)
{
	buf_append(body, data, len);
}

void field_put_bytes(struct buf *body, struct bytes data)
{
	if (data.len > UINT32_MAX)
		die("field of %zu bytes", data.len);
	field_put_u32(body, (uint32_t)data.len);
	buf_append_bytes(body, data);
}

/* The next len bytes, or NULL with failed set. Once failed, nothing is read any more. */
static const uint8_t *take(struct field_reader *reader, size_t len)
{
	if (reader->failed || len > reader->rest.len) {
		reader->failed = true;
		return NULL;
	}
	const uint8_t *at = reader->rest.data;
	reader->rest = bytes_of(at != NULL ? at + len : NULL, reader->rest.len - len);
	return at;
}

uint8_t field_get_u8(struct field_reader *reader)
{
	const uint8_t *at = take(reader, 1);
	return at != NULL ? at[0] : 0;
}

uint32_t field_get_u32(struct field_reader *reader)
{
	const uint8_t *at = take(reader, 4);
	return at != NULL ? be32_get(at) : 0;
}

uint64_t field_get_u64(struct field_reader *reader)
{
	const uint8_t *at = take(reader, 8);
	return at != NULL ? be64_get(at) : 0;
}

void field_get_fixed(struct field_reader *reader, void *out, size_t len)
{
	const uint8_t *at = take(reader, len);

	if (at != NULL)
		memcpy(out, at, len);
	else
		memset(out, 0, len);
}

struct bytes field_get_bytes(struct field_reader *reader)
{
	uint32_t len = field_get_u32(reader);
	const uint8_t *at = take(reader, len);
	return bytes_of(at, at != NULL ? len : 0);
}

bool field_reader_done(const struct field_reader *reader)
{
	return !reader->failed && reader->rest.len == 0;
}
