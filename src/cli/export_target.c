/* SPDX-License-Identifier: MIT */
/*
 * Where clients find packbridge. The text goes into files and commands of others, so what is no
 * host is refused.
 */

#include "export_target.h"

#include "packbridge/serial.h"

#include "packbridge/net.h"

#include <errno.h>
#include <string.h>

#define LABEL_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* It stands behind other letters, so it can begin with a digit. */
static void make_id(struct pb_export_target *target, const char *text)
{
	char with_letter[304], id[sizeof(target->id) + 1];

	snprintf(with_letter, sizeof(with_letter), "h%s", text);
	pb_export_identifier(with_letter, id, sizeof(id));
	snprintf(target->id, sizeof(target->id), "%s", id + 1 + strspn(id + 1, "_"));
}

static int read_socket(struct pb_export_target *target, const char *text, char *why, size_t why_cap)
{
	struct pb_endpoint endpoint;
	enum pb_endpoint_fault fault = pb_endpoint_parse(&endpoint, text, PB_ENDPOINT_MODBUS);
	char id[300];

	if (fault == PB_ENDPOINT_BAD_PORT)
		return pb_endpoint_explain(fault, text, why, why_cap);
	if (fault != PB_ENDPOINT_GOOD) {
		snprintf(why, why_cap,
			 "host '%s', expected a name, an address, or [IPV6], with :PORT behind it",
			 text);
		return -EINVAL;
	}
	target->port = endpoint.port;
	snprintf(target->host, sizeof(target->host), "%s", endpoint.host);
	pb_endpoint_print(&endpoint, target->url, sizeof(target->url));
	snprintf(id, sizeof(id), target->port == PB_PORT_MODBUS ? "%s" : "%s_%u", target->host,
		 target->port);
	make_id(target, id);
	return 0;
}

static int export_target_read_line(struct pb_export_target *target, const char *text, char *why,
				   size_t why_cap)
{
	struct pb_serial_config line = {
		.baud = 9600, .parity = 'N', .data_bits = 8, .stop_bits = 1};

	if (pb_serial_parse(&line, text, why, why_cap) < 0 ||
	    pb_serial_check(&line, why, why_cap) < 0)
		return -EINVAL;
	if (strspn(line.device, LABEL_CHARACTERS "/.:+@,=") < strlen(line.device)) {
		snprintf(why, why_cap, "device '%s', expected a path", line.device);
		return -EINVAL;
	}
	target->line =
		(struct pb_export_line){line.baud, line.parity, line.data_bits, line.stop_bits};
	snprintf(target->host, sizeof(target->host), "%s", line.device);
	snprintf(target->url, sizeof(target->url), "%s", line.device);
	make_id(target, line.device);
	return 0;
}

int pb_export_target_read(struct pb_export_target *target, const char *text, char *why,
			  size_t why_cap)
{
	*target = (struct pb_export_target){.way = PB_EXPORT_TCP};
	if (strncmp(text, "rtu:", 4) == 0) {
		target->way = PB_EXPORT_RTU;
		return export_target_read_line(target, text + 4, why, why_cap);
	}
	if (strncmp(text, "rtu-over-tcp:", 13) == 0) {
		target->way = PB_EXPORT_RTU_TCP;
		text += 13;
	} else if (strncmp(text, "tcp:", 4) == 0) {
		text += 4;
	}
	return read_socket(target, text, why, why_cap);
}
