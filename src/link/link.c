/* SPDX-License-Identifier: MIT */
#include "packbridge/link.h"

struct pb_link *pb_link_free(struct pb_link *link)
{
	if (link)
		link->type->free(link);
	return NULL;
}
