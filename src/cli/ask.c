/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(const char *path, int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 5};
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int ask_exchange(int fd, const char *line, FILE *out)
{
	char bytes[4096];
	size_t len = 0;
	ssize_t n;

	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return -errno;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		fwrite(bytes, 1, (size_t)n, out);
		len += (size_t)n;
	}
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return len ? 0 : -ETIMEDOUT;
}

int pb_cli_ask(const char *path, const char *line, FILE *out)
{
	int fd = open_socket(path, 0), r;

	if (fd < 0)
		return fd;
	r = ask_exchange(fd, line, out);
	close(fd);
	return r;
}

int pb_cli_ask_begin(const char *path, const char *line)
{
	int fd = open_socket(path, SOCK_NONBLOCK), r;

	if (fd < 0 || send(fd, line, strlen(line), MSG_NOSIGNAL) >= 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

void pb_cli_ask_failed(const char *command, const char *path, const char *key, int error)
{
	const char *what = error == -ETIMEDOUT ? "no answer"
			   : error == -EPROTO  ? "an answer of another kind"
					       : strerror(-error);
	const char *advice =
		error == -EACCES ? " (only members of its group may use it: see `ls -l`)"
		: error == -EPROTO
			? " (expected the status socket, key `status:`; is this another, "
			  "such as the control socket?)"
		: error == -ETIMEDOUT ? ""
				      : " (does the daemon run, and is this its socket?)";

	fprintf(stderr, "packbridge %s: %s socket %s: %s%s\n", command, key, path, what, advice);
}
