/* SPDX-License-Identifier: MIT */
#include "packbridge/pack.h"

struct pb_reader *pb_reader_free(struct pb_reader *reader)
{
	if (reader)
		reader->type->free(reader);
	return NULL;
}
