/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include "exchange.h"

#include "packbridge/net.h"
#include "packbridge/serial.h"

#include <errno.h>
#include <modbus/modbus.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLOSED = -1 };

struct endpoint {
	modbus_t *ctx;
	bool is_open, is_line;
	struct pb_serial_config line;
	struct pb_serial *serial;
	struct pb_endpoint tcp;
	char port[6];
	uint32_t timeout_ms;
	uint8_t unit;
	bool word_count;
};

static int read_tcp(struct endpoint *endpoint, const char *text, char *why, size_t why_cap)
{
	enum pb_endpoint_fault fault = pb_endpoint_parse(&endpoint->tcp, text, PB_ENDPOINT_MODBUS);

	if (fault == PB_ENDPOINT_NO_HOST) {
		snprintf(why, why_cap, "expected a host, as in tcp:192.168.1.5:502");
		return -EINVAL;
	}
	if (fault != PB_ENDPOINT_GOOD)
		return pb_endpoint_explain(fault, text, why, why_cap);
	snprintf(endpoint->port, sizeof(endpoint->port), "%u", endpoint->tcp.port);
	endpoint->ctx = modbus_new_tcp_pi(endpoint->tcp.host, endpoint->port);
	return endpoint->ctx ? 0 : -ENOMEM;
}

static int endpoint_read_line(struct endpoint *endpoint, const char *text, char *why,
			      size_t why_cap)
{
	const struct pb_serial_config *line = &endpoint->line;

	endpoint->is_line = true;
	endpoint->line = (struct pb_serial_config){
		.baud = 9600, .parity = 'N', .data_bits = 8, .stop_bits = 1};
	if (pb_serial_parse(&endpoint->line, text, why, why_cap) < 0)
		return -EINVAL;
	endpoint->ctx = modbus_new_rtu(line->device, (int)line->baud, line->parity, line->data_bits,
				       line->stop_bits);
	return endpoint->ctx ? 0 : -ENOMEM;
}

int endpoint_new(struct endpoint **ret, const char *text, int unit, uint32_t timeout_ms, char *why,
		 size_t why_cap)
{
	PB_CLEANUP(endpoint_freep) struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int r = -EINVAL;

	if (!endpoint)
		return -ENOMEM;
	if (strncmp(text, "tcp:", 4) == 0)
		r = read_tcp(endpoint, text + 4, why, why_cap);
	else if (strncmp(text, "rtu:", 4) == 0)
		r = endpoint_read_line(endpoint, text + 4, why, why_cap);
	else
		snprintf(why, why_cap, "'%s', expected tcp:HOST:PORT or rtu:/dev/ttyUSB0@9600,8N1",
			 text);
	if (r < 0)
		return r;
	endpoint->timeout_ms = timeout_ms;
	endpoint->unit = (uint8_t)unit;
	modbus_set_response_timeout(endpoint->ctx, timeout_ms / 1000, timeout_ms % 1000 * 1000);
	if (modbus_set_slave(endpoint->ctx, unit) < 0) {
		snprintf(why, why_cap, "unit %d, expected 1 to 247 on a serial line", unit);
		return -EINVAL;
	}
	*ret = endpoint;
	endpoint = NULL;
	return 0;
}

static void close_it(struct endpoint *endpoint)
{
	if (endpoint->is_line)
		modbus_set_socket(endpoint->ctx, CLOSED); /* its owner is `serial` */
	else if (endpoint->is_open)
		modbus_close(endpoint->ctx);
	endpoint->serial = pb_serial_free(endpoint->serial);
	endpoint->is_open = false;
}

struct endpoint *endpoint_free(struct endpoint *endpoint)
{
	if (!endpoint)
		return NULL;
	if (endpoint->ctx) {
		close_it(endpoint);
		modbus_free(endpoint->ctx);
	}
	free(endpoint);
	return NULL;
}

/* libmodbus says "connection refused" of a name that nobody knows. */
static int look_up(const struct endpoint *endpoint, char *why, size_t why_cap)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int r = getaddrinfo(endpoint->tcp.host, endpoint->port, &hints, &found);

	if (r != 0) {
		snprintf(why, why_cap, "host %s: %s", endpoint->tcp.host, gai_strerror(r));
		return -EHOSTUNREACH;
	}
	freeaddrinfo(found);
	return 0;
}

static int open_it(struct endpoint *endpoint, char *why, size_t why_cap)
{
	int r = 0;

	if (endpoint->is_line) {
		r = pb_serial_open(&endpoint->serial, &endpoint->line, why, why_cap);
		if (r >= 0)
			modbus_set_socket(endpoint->ctx, pb_serial_fd(endpoint->serial));
	} else {
		r = look_up(endpoint, why, why_cap);
		if (r == 0 && modbus_connect(endpoint->ctx) < 0) {
			r = -errno;
			snprintf(why, why_cap, "no connection to %s, port %s: %s",
				 endpoint->tcp.host, endpoint->port, modbus_strerror(errno));
		}
	}
	endpoint->is_open = r >= 0;
	return r < 0 ? r : 0;
}

/* A request that libmodbus does not know. @return length of the reply PDU; negative errno */
static int endpoint_exchange(struct endpoint *endpoint, const uint8_t *pdu, size_t len,
			     uint8_t *reply)
{
	if (endpoint->is_line)
		return exchange_rtu(pb_serial_fd(endpoint->serial), endpoint->unit, pdu, len,
				    endpoint->timeout_ms, reply);
	return exchange_tcp(modbus_get_socket(endpoint->ctx), endpoint->unit, pdu, len,
			    endpoint->timeout_ms, reply);
}

/* @return -1 with errno, as libmodbus does */
static int read_counted(struct endpoint *endpoint, const struct pb_block_info *block,
			uint8_t *bytes)
{
	uint8_t function = block->tables & PB_TABLE_INPUT ? PB_FC_READ_INPUT_REGISTERS
							  : PB_FC_READ_HOLDING_REGISTERS;
	uint8_t pdu[5] = {function}, reply[PB_PDU_MAX];
	int r;

	pb_put_be16(pdu + 1, (uint16_t)block->addr);
	pb_put_be16(pdu + 3, (uint16_t)block->count);
	r = endpoint_exchange(endpoint, pdu, sizeof(pdu), reply);
	if (r == 3 + 2 * (int)block->count && reply[0] == function &&
	    pb_get_be16(reply + 1) == block->count) {
		memcpy(bytes, reply + 3, 2 * (size_t)block->count);
		return (int)block->count;
	}
	errno = r < 0					  ? -r
		: r == 2 && reply[0] == (function | 0x80) ? MODBUS_ENOBASE + reply[1]
							  : EMBBADDATA;
	return -1;
}

static int read_registers(struct endpoint *endpoint, const struct pb_block_info *block,
			  uint8_t *bytes)
{
	uint16_t words[PB_READ_REGISTERS_MAX];
	int count = block->tables & PB_TABLE_INPUT
			    ? modbus_read_input_registers(endpoint->ctx, block->addr,
							  (int)block->count, words)
			    : modbus_read_registers(endpoint->ctx, block->addr, (int)block->count,
						    words);

	for (int i = 0; i < count; i++)
		pb_put_be16(bytes + 2 * (size_t)i, words[i]);
	return count;
}

static int read_bits(struct endpoint *endpoint, const struct pb_block_info *block, uint8_t *bytes)
{
	return block->tables & PB_TABLE_DISCRETE
		       ? modbus_read_input_bits(endpoint->ctx, block->addr, (int)block->count,
						bytes)
		       : modbus_read_bits(endpoint->ctx, block->addr, (int)block->count, bytes);
}

int endpoint_read(struct endpoint *endpoint, const struct pb_block_info *block, uint8_t *bytes,
		  char *why, size_t why_cap)
{
	bool bits = block->tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE);
	int r = endpoint->is_open ? 0 : open_it(endpoint, why, why_cap);

	if (r < 0)
		return r;
	if (bits)
		r = read_bits(endpoint, block, bytes);
	else if (endpoint->word_count)
		r = read_counted(endpoint, block, bytes);
	else
		r = read_registers(endpoint, block, bytes);
	if (r >= 0)
		return 0;
	r = errno;
	if (r > MODBUS_ENOBASE && r <= EMBXGTAR)
		return r - MODBUS_ENOBASE;
	if (r == ETIMEDOUT)
		snprintf(why, why_cap, "no reply within %u.%u s", endpoint->timeout_ms / 1000,
			 endpoint->timeout_ms % 1000 / 100);
	else
		snprintf(why, why_cap, "%s", modbus_strerror(r));
	close_it(endpoint); /* a late reply would be taken for the next one's */
	return r > MODBUS_ENOBASE ? -EIO : -r;
}

void endpoint_count_words(struct endpoint *endpoint)
{
	endpoint->word_count = true;
}

int endpoint_model(struct endpoint *endpoint, char *ret_model, char *why, size_t why_cap)
{
	static const uint8_t pdu[] = {PB_FC_ENCAPSULATED, 0x0E, 4, 5}; /* one object, number 5 */
	enum { HEAD = 9, LEN_AT = 8 };
	uint8_t reply[PB_PDU_MAX];
	int r = endpoint->is_open ? 0 : open_it(endpoint, why, why_cap);

	*ret_model = '\0';
	if (r < 0)
		return r;
	r = endpoint_exchange(endpoint, pdu, sizeof(pdu), reply);
	if (r < 0) { /* not known there; a late reply would be taken for the next one's */
		close_it(endpoint);
		return 0;
	}
	if (r > HEAD && reply[0] == PB_FC_ENCAPSULATED && reply[1] == pdu[1] &&
	    reply[7] == pdu[3] && HEAD + reply[LEN_AT] == r && reply[LEN_AT] < ENDPOINT_MODEL) {
		memcpy(ret_model, reply + HEAD, reply[LEN_AT]);
		ret_model[reply[LEN_AT]] = '\0';
	}
	return 0;
}
