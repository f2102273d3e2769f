/* Datagrams between main and its roles: one that is accepted is, sent again, the same datagram. Its
 * body is then read field by field, as its own first bytes say, and written again. */
#include "daemon/io/message.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void check_fields(struct bytes body)
{
	struct field_reader reader = {.rest = body};
	struct buf again = {0};
	uint8_t fixed[20];

	while (!reader.failed && reader.rest.len > 0) {
		uint8_t kind = field_get_u8(&reader);
		struct field_reader before = reader;
		again.len = 0;
		switch (kind % 5) {
		case 0:
			field_put_u32(&again, field_get_u32(&reader));
			break;
		case 1:
			field_put_u64(&again, field_get_u64(&reader));
			break;
		case 2:
			field_get_fixed(&reader, fixed, sizeof(fixed));
			field_put_fixed(&again, fixed, sizeof(fixed));
			break;
		case 3:
			field_put_bytes(&again, field_get_bytes(&reader));
			break;
		case 4:
			field_put_u8(&again, field_get_u8(&reader));
			break;
		}
		PROPERTY(reader.failed || bytes_equal(buf_bytes(&again),
		                                      bytes_of(before.rest.data,
		                                               before.rest.len - reader.rest.len)));
	}
	PROPERTY(field_reader_done(&reader) == !reader.failed);
	buf_free(&again);
}

static void check_datagram(const int sockets[2], struct bytes datagram)
{
	struct message message;
	struct buf buffer = {0};
	int fd;

	int rc = message_receive(sockets[1], &message, &buffer, &fd, NULL);
	PROPERTY(fd == -1);
	if (rc == 0) {
		uint8_t *raw = xmalloc(datagram.len + 1);
		PROPERTY(message_send(sockets[0], &message, -1, NULL) == 0);
		ssize_t got = recv(sockets[1], raw, datagram.len + 1, 0);
		PROPERTY(got >= 0 && bytes_equal(bytes_of(raw, (size_t)got), datagram));
		free(raw);
		check_fields(message.body);
	} else {
		PROPERTY(rc == ERR_INVALID && message.body.len == 0);
	}
	buf_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int sockets[2];

	if (size == 0)
		return 0;
	PROPERTY(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets) == 0);
	if (send(sockets[0], data, size, 0) == (ssize_t)size)
		check_datagram(sockets, bytes_of(data, size));
	close(sockets[0]);
	close(sockets[1]);
	return 0;
}
