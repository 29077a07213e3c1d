/* SPDX-License-Identifier: MIT */
/*
 * `http:`: where the status page is, and who may see it. An address alone is short for all of it.
 */
#include "part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http {
	struct pb_http_section config;
	const struct pb_yaml *hosts, *allow;
};

_Static_assert(offsetof(struct http, config) == 0, "rows fill and compare at the same offsets");

#define HTTP(member) offsetof(struct http, member), sizeof(((struct http *)0)->member)

static const struct pb_yaml_kept kept_hosts =
	CONFIG_KEPT_TEXTS(struct pb_http_section, hosts, host_count);
static const struct pb_yaml_kept kept_allow =
	CONFIG_KEPT_TEXTS(struct pb_http_section, allow, allow_count);

/* clang-format off */
const struct pb_yaml_row config_http_rows[] = {
	{"address", PB_YAML_TEXT, HTTP(config.address), .required = true,
	 .change = PB_CHANGE_REPLACES, .doc = "HOST:PORT, e.g. 127.0.0.1:8502 or 0.0.0.0:8502"},
	{"hosts", PB_YAML_NODE, HTTP(hosts),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_hosts, .doc = "list of names that browsers may use for the page, e.g. [packbridge.lan]; addresses, localhost and the host name are always allowed"},
	{"allow", PB_YAML_NODE, HTTP(allow),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_allow, .doc = "list of networks that may connect, e.g. [192.168.1.0/24, 10.0.0.5]; default: everyone"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_http_rows(void)
{
	return config_http_rows;
}

int config_read_http(struct pb_config *config, const struct pb_yaml *node, struct pb_report *report)
{
	struct pb_http_section *ret = &config->http;
	struct http http = {0};
	int r = 0;

	if (!node)
		return 0;
	ret->mark = (struct pb_mark){node->line, node->col};
	if (node->type == PB_YAML_SCALAR) {
		if (strlen(node->text) >= sizeof(ret->address))
			pb_yaml_error(report, node, "http, expected HOST:PORT");
		else
			snprintf(ret->address, sizeof(ret->address), "%s", node->text);
		return 0;
	}
	pb_yaml_fill(node, config_http_rows, &http, report); /* and its lists all the same */
	memcpy(ret->address, http.config.address, sizeof(ret->address));
	ret->mark = config_mark(node, "address");
	if (http.hosts)
		r = config_texts(&ret->hosts, &ret->host_marks, &ret->host_count, http.hosts,
				 "hosts", "names like packbridge.lan", report);
	if (r == 0 && http.allow)
		r = config_texts(&ret->allow, &ret->allow_marks, &ret->allow_count, http.allow,
				 "allow", "networks like 192.168.1.0/24", report);
	return r;
}

void config_free_http(struct pb_config *config)
{
	config_free_texts(config->http.hosts, config->http.host_count);
	config_free_texts(config->http.allow, config->http.allow_count);
	free(config->http.host_marks);
	free(config->http.allow_marks);
}
