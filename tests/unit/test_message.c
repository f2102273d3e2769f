#include "daemon/io/message.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct pair {
	int a, b;
};

static struct pair connect_pair(void)
{
	int ends[2];

	assert_int_equal(
	        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	return (struct pair){ends[0], ends[1]};
}

static void disconnect(struct pair *pair)
{
	close(pair->a);
	close(pair->b);
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct pair pair = connect_pair();
	struct buf body = {0}, buffer = {0};
	struct message got;
	int fd;

	(void)state;
	for (size_t len = 0; len <= MESSAGE_MAX_BODY; len = len * 5 + 1) {
		buf_clear(&body);
		for (size_t i = 0; i < len; i++)
			buf_append_byte(&body, (uint8_t)(i * 7));
		struct message sent = {.kind = 0xabcd, .id = 0x12345678, .body = buf_bytes(&body)};
		assert_int_equal(message_send(pair.a, &sent, -1, NULL), 0);
		assert_int_equal(message_receive(pair.b, &got, &buffer, &fd, NULL), 0);
		assert_int_equal(got.kind, sent.kind);
		assert_int_equal(got.id, sent.id);
		assert_true(bytes_equal(got.body, sent.body));
		assert_int_equal(fd, -1);
	}
	buf_free(&body);
	buf_free(&buffer);
	disconnect(&pair);
}

static void the_largest_body_fits_and_one_byte_more_does_not(void **state)
{
	struct pair pair = connect_pair();
	struct buf body = {0}, buffer = {0};
	struct message got;
	int fd;

	(void)state;
	buf_append_zeros(&body, MESSAGE_MAX_BODY);
	struct message sent = {.kind = 1, .body = buf_bytes(&body)};
	assert_int_equal(message_send(pair.a, &sent, -1, NULL), 0);
	assert_int_equal(message_receive(pair.b, &got, &buffer, &fd, NULL), 0);
	assert_int_equal(got.body.len, MESSAGE_MAX_BODY);
	buf_append_byte(&body, 0);
	sent.body = buf_bytes(&body);
	assert_int_equal(message_send(pair.a, &sent, -1, NULL), ERR_LIMIT);
	buf_free(&body);
	buf_free(&buffer);
	disconnect(&pair);
}

static void a_descriptor_rides_along(void **state)
{
	struct pair pair = connect_pair();
	struct buf buffer = {0};
	struct message sent = {.kind = 7, .id = 1}, got;
	int through[2], fd;
	char word[6] = "";

	(void)state;
	assert_int_equal(pipe(through), 0);
	assert_int_equal(message_send(pair.a, &sent, through[1], NULL), 0);
	assert_int_equal(message_receive(pair.b, &got, &buffer, &fd, NULL), 0);
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(read(through[0], word, 5), 5);
	assert_string_equal(word, "hello");
	close(fd);
	close(through[0]);
	close(through[1]);
	buf_free(&buffer);
	disconnect(&pair);
}

static void nothing_to_read_and_a_gone_peer_are_told_apart(void **state)
{
	struct pair pair = connect_pair();
	struct buf buffer = {0};
	struct message message = {.kind = 1};
	int fd;

	(void)state;
	assert_int_equal(message_receive(pair.b, &message, &buffer, &fd, NULL), ERR_NOT_FOUND);
	close(pair.a);
	assert_int_equal(message_receive(pair.b, &message, &buffer, &fd, NULL), ERR_UNAVAILABLE);
	assert_int_equal(message_send(pair.b, &message, -1, NULL), ERR_UNAVAILABLE);
	close(pair.b);
	buf_free(&buffer);
}

static void a_full_socket_is_unavailable(void **state)
{
	struct pair pair = connect_pair();
	struct buf body = {0};
	int rc = 0;

	(void)state;
	buf_append_zeros(&body, 60000);
	struct message message = {.kind = 1, .body = buf_bytes(&body)};
	for (int i = 0; i < 1000 && rc == 0; i++)
		rc = message_send(pair.a, &message, -1, NULL);
	assert_int_equal(rc, ERR_UNAVAILABLE);
	buf_free(&body);
	disconnect(&pair);
}

/* --- what is not a message ---------------------------------------------------------------------
 */

static int receive_raw(struct pair *pair, struct bytes datagram, struct message *got)
{
	struct buf buffer = {0};
	int fd;

	assert_int_equal(send(pair->a, datagram.data, datagram.len, 0), (ssize_t)datagram.len);
	int rc = message_receive(pair->b, got, &buffer, &fd, NULL);
	assert_int_equal(fd, -1);
	buf_free(&buffer);
	return rc;
}

static const uint8_t valid[] = {0, 1, 0, 5, 0, 0, 0, 9, 0, 0, 0, 3, 'a', 'b', 'c'};

static void truncations_and_additions_are_refused(void **state)
{
	struct pair pair = connect_pair();
	struct message got;
	uint8_t longer[sizeof(valid) + 1] = {0};

	(void)state;
	assert_int_equal(receive_raw(&pair, bytes_of(valid, sizeof(valid)), &got), 0);
	for (size_t len = 1; len < sizeof(valid); len++) {
		assert_int_equal(receive_raw(&pair, bytes_of(valid, len), &got), ERR_INVALID);
		assert_int_equal(got.kind, 0);
	}
	memcpy(longer, valid, sizeof(valid));
	assert_int_equal(receive_raw(&pair, bytes_of(longer, sizeof(longer)), &got), ERR_INVALID);
	disconnect(&pair);
}

static void a_flipped_bit_is_seen_or_only_changes_what_it_names(void **state)
{
	struct pair pair = connect_pair();
	struct message got;

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(valid); bit++) {
		uint8_t copy[sizeof(valid)];
		memcpy(copy, valid, sizeof(valid));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		int rc = receive_raw(&pair, bytes_of(copy, sizeof(copy)), &got);
		bool in_version = bit < 16, in_length = bit >= 64 && bit < 96;
		assert_int_equal(rc, in_version || in_length ? ERR_INVALID : 0);
	}
	disconnect(&pair);
}

static void an_oversized_datagram_is_refused(void **state)
{
	struct pair pair = connect_pair();
	struct buf big = {0};
	struct message got;

	(void)state;
	buf_append_zeros(&big, 12 + MESSAGE_MAX_BODY + 1);
	big.data[1] = 1;
	be32_put(big.data + 8, MESSAGE_MAX_BODY + 1);
	assert_int_equal(receive_raw(&pair, buf_bytes(&big), &got), ERR_INVALID);
	buf_free(&big);
	disconnect(&pair);
}

static void send_descriptors(int socket, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)valid, .iov_len = sizeof(valid)};
	struct msghdr datagram = {.msg_iov = &part,
	                          .msg_iovlen = 1,
	                          .msg_control = &control,
	                          .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *head = CMSG_FIRSTHDR(&datagram);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	assert_int_equal(sendmsg(socket, &datagram, 0), (ssize_t)sizeof(valid));
}

static void several_descriptors_are_refused_and_none_is_kept(void **state)
{
	struct pair pair = connect_pair();
	struct buf buffer = {0};
	struct message got;
	int many[16], fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = pair.a;
	int before = count_descriptors();
	for (size_t count = 2; count <= ARRAY_LEN(many); count *= 2) {
		send_descriptors(pair.a, many, count);
		assert_int_equal(message_receive(pair.b, &got, &buffer, &fd, NULL), ERR_INVALID);
		assert_int_equal(fd, -1);
		assert_int_equal(count_descriptors(), before);
	}
	buf_free(&buffer);
	disconnect(&pair);
}

/* --- fields ------------------------------------------------------------------------------------
 */

static void fields_come_back_as_they_were_put(void **state)
{
	struct buf body = {0};
	uint8_t fixed[5];

	(void)state;
	for (unsigned round = 0; round < 64; round++) {
		uint64_t wide = UINT64_MAX >> round;
		buf_clear(&body);
		field_put_u8(&body, (uint8_t)wide);
		field_put_u32(&body, (uint32_t)wide);
		field_put_u64(&body, wide);
		field_put_fixed(&body, "fixed", 5);
		field_put_bytes(&body, bytes_of("\0some bytes", round % 12));
		struct field_reader reader = {.rest = buf_bytes(&body)};
		assert_int_equal(field_get_u8(&reader), (uint8_t)wide);
		assert_int_equal(field_get_u32(&reader), (uint32_t)wide);
		assert_int_equal(field_get_u64(&reader), wide);
		field_get_fixed(&reader, fixed, sizeof(fixed));
		assert_memory_equal(fixed, "fixed", 5);
		assert_false(field_reader_done(&reader));
		struct bytes bytes = field_get_bytes(&reader);
		assert_true(bytes_equal(bytes, bytes_of("\0some bytes", round % 12)));
		assert_true(field_reader_done(&reader));
	}
	buf_free(&body);
}

static void a_short_body_fails_and_stays_failed(void **state)
{
	static const uint8_t body[] = {0, 0, 0, 9, 'a', 'b'};
	struct field_reader reader = {.rest = {body, sizeof(body)}};
	uint8_t fixed[3] = {1, 1, 1};

	(void)state;
	assert_int_equal(field_get_bytes(&reader).len, 0);
	assert_true(reader.failed);
	assert_int_equal(field_get_u8(&reader), 0);
	assert_int_equal(field_get_u32(&reader), 0);
	assert_int_equal(field_get_u64(&reader), 0);
	field_get_fixed(&reader, fixed, sizeof(fixed));
	assert_memory_equal(fixed, "\0\0\0", 3);
	assert_false(field_reader_done(&reader));

	reader = (struct field_reader){.rest = {body, 1}};
	assert_int_equal(field_get_u8(&reader), 0);
	assert_true(field_reader_done(&reader));
	assert_int_equal(field_get_u8(&reader), 0);
	assert_false(field_reader_done(&reader));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_message_arrives_as_it_was_sent),
	        cmocka_unit_test(the_largest_body_fits_and_one_byte_more_does_not),
	        cmocka_unit_test(a_descriptor_rides_along),
	        cmocka_unit_test(nothing_to_read_and_a_gone_peer_are_told_apart),
	        cmocka_unit_test(a_full_socket_is_unavailable),
	        cmocka_unit_test(truncations_and_additions_are_refused),
	        cmocka_unit_test(a_flipped_bit_is_seen_or_only_changes_what_it_names),
	        cmocka_unit_test(an_oversized_datagram_is_refused),
	        cmocka_unit_test(several_descriptors_are_refused_and_none_is_kept),
	        cmocka_unit_test(fields_come_back_as_they_were_put),
	        cmocka_unit_test(a_short_body_fails_and_stays_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
