/* Messages between main and its roles: one SEQPACKET datagram each, versioned and bounded.
 *
 *   u16 version (1) | u16 kind | u32 request id | u32 body length | body
 *
 * all big-endian; a descriptor may ride along. The body is written and read field by field with
 * the functions below. Whatever does not decode exactly is ERR_INVALID. */
#ifndef IO_MESSAGE_H
#define IO_MESSAGE_H

#include "common/base/buf.h"

enum { MESSAGE_VERSION = 1, MESSAGE_MAX_BODY = 128 * 1024 };

struct message {
	uint16_t kind;
	uint32_t id;
	struct bytes body; /* when received: valid until the next receive into the same buffer */
};

/* fd -1: none. ERR_UNAVAILABLE when the peer is gone or the socket is full. */
int message_send(int socket, const struct message *message, int fd, struct error *error) MUST_USE;
/* *fd is -1 or a received descriptor that the caller owns. ERR_UNAVAILABLE: peer gone;
 * ERR_NOT_FOUND: nothing to read now (non-blocking); ERR_INVALID: not a message. buffer holds the body. */
int message_receive(int socket, struct message *out, struct buf *buffer, int *fd, struct error *error) MUST_USE;

/* Writing fields. */
void field_put_u8(struct buf *body, uint8_t v);
void field_put_u32(struct buf *body, uint32_t v);
void field_put_u64(struct buf *body, uint64_t v);
void field_put_fixed(struct buf *body, const void *data, size_t len);
void field_put_bytes(struct buf *body, struct bytes data); /* u32 length in front */

/* Reading: every getter clears its output and sets failed when the body is too short; read all
 * fields, then ask field_reader_done once (false: something failed or bytes are left). */
struct field_reader {
	struct bytes rest;
	bool failed;
};
uint8_t field_get_u8(struct field_reader *reader);
uint32_t field_get_u32(struct field_reader *reader);
uint64_t field_get_u64(struct field_reader *reader);
void field_get_fixed(struct field_reader *reader, void *out, size_t len);
struct bytes field_get_bytes(struct field_reader *reader); /* view into the body */
bool field_reader_done(const struct field_reader *reader);

#endif
