/* SPDX-License-Identifier: MIT */
#include "descriptors.h"

#include <stdio.h>
#include <sys/resource.h>

void pb_cli_raise_descriptors(void)
{
	struct rlimit limit;

	/* nothing here waits by select(), for which high descriptors would be too high */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* refused, it stays as it is */
}

bool pb_cli_lacks_descriptors(const struct pb_config *config, char *out, size_t cap)
{
	struct pb_descriptors need = pb_bridge_descriptors(config);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || need.all <= limit.rlim_max)
		return false;
	snprintf(out, cap,
		 "up to %zu descriptors may be needed (packs %zu, clients %zu, others %zu), the "
		 "limit is %llu: lower max_clients, or raise LimitNOFILE= of the unit (ulimit -Hn)",
		 need.all, need.packs, need.clients, need.others,
		 (unsigned long long)limit.rlim_max);
	return true;
}
