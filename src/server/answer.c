/* SPDX-License-Identifier: MIT */
#include "packbridge/server.h"

#include <stdlib.h>

struct pb_answer *pb_answer_new(unsigned int status, const char *type, char *bytes, size_t len)
{
	struct pb_answer *answer = calloc(1, sizeof(*answer));

	if (!answer) {
		free(bytes);
		return NULL;
	}
	*answer = (struct pb_answer){
		.users = 1, .status = status, .type = type, .bytes = bytes, .len = len};
	return answer;
}

struct pb_answer *pb_answer_ref(struct pb_answer *answer)
{
	if (answer)
		answer->users++;
	return answer;
}

struct pb_answer *pb_answer_unref(struct pb_answer *answer)
{
	if (!answer || --answer->users > 0)
		return NULL;
	if (answer->freed)
		answer->freed(answer->userdata, answer->len);
	free(answer->bytes);
	free(answer);
	return NULL;
}
