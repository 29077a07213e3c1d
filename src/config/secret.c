/* SPDX-License-Identifier: MIT */
/*
 * The secrets of a pack: the password of its radio module, and the PIN of its board. Each stands in
 * the configuration or in the first line of a file of its own. No message shows a secret.
 */
#include "part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECRET_FILE_MAX = 4096,
	PASSWORD_MAX = 6,
	PIN_LEN = 6,
};

/* One secret of one pack: its keys, and where its parts are. */
struct secret {
	const char *key, *file_key;
	char *text; /* the secret itself */
	const char *file;
	/* Checks it, and reports errors at @at. */
	int (*check)(const char *text, size_t len, const struct pb_yaml *at,
		     struct pb_report *report);
};

/* The key that the secret comes from, where its errors are reported. */
static const struct pb_yaml *secret_at(const struct secret *secret, const struct pb_yaml *node)
{
	return pb_yaml_at(node, secret->file[0] ? secret->file_key : secret->key);
}

static void secret_take(const struct secret *secret, const char *text, size_t len,
			const struct pb_yaml *node, struct pb_report *report)
{
	if (secret->check(text, len, secret_at(secret, node), report) < 0)
		return;
	memmove(secret->text, text, len);
	secret->text[len] = '\0';
}

/* @return the length of the first line, without its end */
static size_t first_line(const char *text, size_t len)
{
	size_t line = 0;

	while (line < len && text[line] != '\n')
		line++;
	return line > 0 && text[line - 1] == '\r' ? line - 1 : line;
}

/* The first line of a file, which others should not be able to read. */
static void read_secret_file(const struct secret *secret, const struct pb_yaml *node,
			     struct pb_report *report)
{
	static const char mark[] = "\xEF\xBB\xBF";
	const struct pb_yaml *at = secret_at(secret, node);
	char *text = NULL, why[160];
	size_t len;

	if (pb_file_read(secret->file, SECRET_FILE_MAX, &text, &len, why, sizeof(why)) < 0) {
		pb_yaml_error(report, at, "'%s' %s, expected a regular file with a %s",
			      secret->file, why, secret->key);
		return;
	}
	if (len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
		pb_yaml_error(report, at, "'%s' begins with a byte order mark, expected plain text",
			      secret->file);
	else
		secret_take(secret, text, first_line(text, len), node, report);
	explicit_bzero(text, len);
	free(text);
}

/* @return whether there is one, good or not */
static bool read_secret(const struct secret *secret, const struct pb_yaml *node,
			struct pb_report *report)
{
	if (secret->file[0] && secret->text[0])
		pb_yaml_error(report, secret_at(secret, node), "%s and %s, expected one of them",
			      secret->key, secret->file_key);
	else if (secret->file[0])
		read_secret_file(secret, node, report);
	else if (secret->text[0])
		secret_take(secret, secret->text, strlen(secret->text), node, report);
	return secret->file[0] || secret->text[0];
}

/* ---- password ---- */

/* What a radio module takes. */
static int check_password(const char *text, size_t len, const struct pb_yaml *at,
			  struct pb_report *report)
{
	if (len < 1 || len > PASSWORD_MAX) {
		pb_yaml_error(report, at, "a password of %zu characters, expected 1 to %d", len,
			      PASSWORD_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] > ' ' && text[i] <= '~')
			continue;
		pb_yaml_error(report, at,
			      "a password with %s as character %zu, expected letters, digits and "
			      "signs of ASCII",
			      text[i] == ' '		     ? "a blank"
			      : (unsigned char)text[i] < ' ' ? "a control character"
							     : "a foreign character",
			      i + 1);
		return -EINVAL;
	}
	return 0;
}

void config_read_password(struct pb_pack_config *pack, const struct pb_yaml *node,
			  struct pb_report *report)
{
	const struct secret secret = {
		.key = "password",
		.file_key = "password_file",
		.text = pack->password,
		.file = pack->password_file,
		.check = check_password,
	};
	bool any = read_secret(&secret, node, report);

	if (!any && pack->passkey < 0)
		return;
	if (*pack->link && strncmp(pack->link, "ble:", 4) != 0)
		pb_yaml_error(report,
			      pack->passkey >= 0 ? pb_yaml_at(node, "passkey")
						 : secret_at(&secret, node),
			      "link %s has no radio module to log in to, expected a ble: link",
			      pack->link);
}

/* ---- PIN ---- */

static int check_pin(const char *text, size_t len, const struct pb_yaml *at,
		     struct pb_report *report)
{
	size_t digits = 0;

	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (digits == len && len == PIN_LEN)
		return 0;
	if (digits == len)
		pb_yaml_error(report, at, "a pin of %zu digits, expected %d digits", len, PIN_LEN);
	else
		pb_yaml_error(report, at,
			      "a pin whose character %zu is no digit, expected %d digits",
			      digits + 1, PIN_LEN);
	return -EINVAL;
}

void config_read_pin(struct pb_pack_config *pack, const struct pb_yaml *node,
		     struct pb_report *report)
{
	const struct secret secret = {
		.key = "pin",
		.file_key = "pin_file",
		.text = pack->pin,
		.file = pack->pin_file,
		.check = check_pin,
	};

	read_secret(&secret, node, report);
	pack->pin_mark = config_mark(node, pack->pin_file[0] ? "pin_file" : "pin");
}
