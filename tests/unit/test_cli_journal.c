/* SPDX-License-Identifier: MIT */
/* The datagrams that journald gets, byte for byte. */
#include "suite.h"

#include "../../src/cli/journal.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The last field that every message has, and the program's name in it. */
#define IDENTIFIER "SYSLOG_IDENTIFIER=test_cli_journal\n"

static char folder[32];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int journald = -1;

static void setup(void)
{
	int len;

	strcpy(folder, "/tmp/packbridge-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	ck_assert_int_lt(len, (int)sizeof(address.sun_path));
	journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(journald, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(pb_cli_journal_open(address.sun_path), 0);
}

static void teardown(void)
{
	pb_log_set_sink(NULL);
	close(journald);
	unlink(address.sun_path);
	rmdir(folder);
}

static void expect(const char *wanted)
{
	char got[4096];
	ssize_t n = recv(journald, got, sizeof(got) - 1, 0);

	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, wanted);
}

START_TEST(all_fields)
{
	const struct pb_log_about about = {
		.pack = "house",
		.bank = "all",
		.unit = 100,
		.alarm = "cell_high",
		.error = "no reply",
		.listener = "Modbus TCP 127.0.0.1:502",
		.client = "127.0.0.1",
	};

	pb_log_about(PB_LOG_WARNING, &about, "battery %s", "full");
	expect("MESSAGE=battery full\nPRIORITY=4\n" IDENTIFIER
	       "PACKBRIDGE_PACK=house\nPACKBRIDGE_BANK=all\nPACKBRIDGE_UNIT=100\n"
	       "PACKBRIDGE_ALARM=cell_high\nPACKBRIDGE_ERROR=no reply\n"
	       "PACKBRIDGE_LISTENER=Modbus TCP 127.0.0.1:502\nPACKBRIDGE_CLIENT=127.0.0.1\n");
}
END_TEST

START_TEST(only_what_it_is_about)
{
	const struct pb_log_about about = {.pack = "house"};

	pb_log_about(PB_LOG_INFO, &about, "first reading");
	expect("MESSAGE=first reading\nPRIORITY=6\n" IDENTIFIER "PACKBRIDGE_PACK=house\n");
}
END_TEST

START_TEST(path_too_long)
{
	char path[sizeof(address.sun_path) + 1];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(pb_cli_journal_open(path), -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("journal");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, all_fields);
	tcase_add_test(tcase, only_what_it_is_about);
	tcase_add_test(tcase, path_too_long);
	return pb_run_suite("cli_journal", tcase);
}
