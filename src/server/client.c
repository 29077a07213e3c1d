/* SPDX-License-Identifier: MIT */
/*
 * One client's turn: one recv, every whole request answered in order, the replies of the batch in
 * one send. Requests and replies pass through the server's two buffers; a client's own store only
 * holds what is left over.
 */
#include "tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static size_t answer(struct pb_server *server, const struct pb_mbap *request, uint8_t *adu)
{
	const struct pb_image *image =
	    server->backend->unit(server->userdata, request->unit, server->now_ms);
	uint8_t *pdu = adu + PB_MBAP_LEN;
	size_t len = pb_modbus_reply(image, request->pdu, request->pdu_len, pdu);

	server->stats.requests++;
	if (len == 0)
		return 0;
	if (pdu[0] & 0x80)
		server->stats.exceptions++;
	return pb_mbap_wrap(adu, request, len);
}

/*
 * Answers the frames from @pos on until the input or the room for replies ends.
 * @return 0 no whole frame is left; 1 there may be one, but no room; -EPROTO no Modbus TCP.
 */
static int answer_batch(struct pb_server *server, size_t len, size_t *pos, size_t *ret_out)
{
	size_t out = 0;
	int r = 1;

	while (out + PB_TCP_ADU_MAX <= OUT_BYTES) {
		struct pb_mbap request;

		r = pb_mbap_next(server->in + *pos, len - *pos, &request);
		if (r <= 0)
			break;
		*pos += (size_t)r;
		out += answer(server, &request, server->out + out);
	}
	*ret_out = out;
	return r > 0 ? 1 : r;
}

/* @return bytes sent, which can be 0; negative errno when the connection is gone. */
static ssize_t send_some(const struct client *client, const uint8_t *bytes, size_t len)
{
	ssize_t n = len ? send(client->fd, bytes, len, MSG_NOSIGNAL) : 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

/* Sends the batch; what the socket does not take goes to the store. */
static int send_batch(struct pb_server *server, struct client *client, size_t len)
{
	ssize_t n = send_some(client, server->out, len);

	if (n < 0)
		return (int)n;
	client->out_len = (uint16_t)(len - (size_t)n);
	memcpy(client->store->out, server->out + n, client->out_len);
	return 0;
}

static void log_malformed(struct pb_server *server, const struct client *client,
			  const uint8_t *bytes, size_t len)
{
	char text[PEER_TEXT_MAX], hex[3 * PB_MBAP_LEN + 1];

	if (!mutes_may_log(&server->mutes, &client->peer.host, server->now_ms))
		return;
	pb_hex_print(hex, sizeof(hex), bytes, len < PB_MBAP_LEN ? len : PB_MBAP_LEN, ' ');
	pb_log(PB_LOG_WARNING,
	       "tcp %s: client %s sent no Modbus TCP (%s), closed; said once a minute for each "
	       "client",
	       server->address, peer_text(&client->peer, text), hex);
}

/* Answers the first @len bytes of server->in. @return 0; negative: the connection has to end. */
static int answer_input(struct pb_server *server, struct client *client, size_t len)
{
	size_t pos = 0, out;
	int more, r;

	do {
		more = answer_batch(server, len, &pos, &out);
		r = send_batch(server, client, out);
		if (r < 0)
			return r;
	} while (more > 0 && client->out_len == 0);

	if (pos > 0)
		tcp_touch(server, client);
	if (more < 0) {
		server->stats.malformed++;
		log_malformed(server, client, server->in + pos, len - pos);
		client->ending = true;
		pos = len;
	}
	client->in_len = (uint16_t)(len - pos);
	memcpy(client->store->in, server->in + pos, client->in_len);
	return client->ending && client->out_len == 0 ? -EPROTO : 0;
}

/* @return as answer_input(); -ENODATA the client has finished. */
static int read_requests(struct pb_server *server, struct client *client)
{
	size_t kept = client->in_len;
	ssize_t n;

	memcpy(server->in, client->store->in, kept);
	n = recv(client->fd, server->in + kept, IN_BYTES - kept, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0) /* whole requests before the FIN were answered when they came */
		return -ENODATA;
	return answer_input(server, client, kept + (size_t)n);
}

/* Sends what waits, and once it is gone answers the requests that waited behind it. */
static int drain(struct pb_server *server, struct client *client)
{
	size_t kept = client->in_len;
	ssize_t n = send_some(client, client->store->out, client->out_len);

	if (n < 0)
		return (int)n;
	client->out_len = (uint16_t)(client->out_len - n);
	memmove(client->store->out, client->store->out + n, client->out_len);
	if (client->out_len > 0)
		return 0;
	if (client->ending)
		return -EPROTO;
	memcpy(server->in, client->store->in, kept);
	return answer_input(server, client, kept);
}

void tcp_client_serve(struct pb_server *server, struct client *client)
{
	int r = client->blocked ? drain(server, client) : read_requests(server, client);

	if (r == 0 && client->blocked != (client->out_len > 0)) {
		client->blocked = client->out_len > 0;
		r = tcp_watch(server, client);
	}
	if (r < 0)
		tcp_close(server, client);
}
