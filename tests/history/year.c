/* SPDX-License-Identifier: MIT */
/*
 * Room history, driven by lines of stdin; year.py makes them, and computes the same a second time.
 *
 *	r MS MA MV SOC DAY NAME		a reading at MS (soc in permille; day 0: the clock is not
 *set) g MS				no live reading any more s MS				save
 *	l MS SAVED			load what was saved last; of which the clock says it was at
 *SAVED ? MS				print all that is counted, as one line
 */
#include "packbridge/base.h"
#include "packbridge/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STALE_S = 120 };

static struct pb_history_record record = {.name = "house"};
static char saved[PB_HISTORY_RECORD_MAX];
static size_t saved_len;
static unsigned int swaps;

static void year_read(const char *line)
{
	static struct pb_battery battery;
	struct pb_sample *s = &battery.sample;
	int64_t at_ms;
	int day, count;

	memset(s, 0, sizeof(*s));
	battery.status.stale_after_s = STALE_S;
	count = sscanf(line, "r %" SCNd64 " %d %d %d %d %31s", &at_ms, &s->current_ma,
		       &s->voltage_mv, &s->soc_permille, &day, s->device_name);
	if (count != 6)
		abort();
	s->has = PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_SOC) |
		 PB_HAS(PB_HAS_DEVICE_NAME);
	pb_sample_derive(s);
	if (pb_history_is_other(&record.state, "", s)) {
		swaps++;
		record.state = (struct pb_history_state){0};
		pb_history_is_other(&record.state, "", s);
	}
	pb_history_day(&record.state, day, at_ms);
	pb_history_read(&record.state, &battery, at_ms, true);
}

static void load(int64_t saved_ms)
{
	struct pb_history_record *records;
	unsigned int line;
	size_t count;

	if (pb_history_parse(saved, saved_len, saved_ms, 10, &records, &count, &line) < 0 ||
	    count > 1)
		abort();
	record = count ? records[0] : (struct pb_history_record){.name = "house"};
	free(records);
}

static void print(int64_t now_ms)
{
	struct pb_history h;

	pb_history_show(&record.state, now_ms, &h);
	printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
	       " %" PRIu32 " %" PRId64 " %" PRId32 " %u\n",
	       h.charged_mah, h.discharged_mah, h.charged_mwh, h.discharged_mwh, h.unmeasured_s,
	       h.charged_today_mwh, h.discharged_today_mwh, h.full_charges, h.deepest_discharge_mah,
	       h.extreme[PB_EXTREME_VOLTAGE_LOWEST], swaps);
	fflush(stdout);
}

int main(void)
{
	char line[200];

	while (fgets(line, sizeof(line), stdin)) {
		char *rest;
		int64_t ms = strtoll(line + 1, &rest, 10);

		if (line[0] == 'r')
			year_read(line);
		else if (line[0] == 'g')
			pb_history_gap(&record.state, ms);
		else if (line[0] == 's')
			saved_len = pb_history_print(&record, ms, saved);
		else if (line[0] == 'l')
			load(strtoll(rest, NULL, 10));
		else
			print(ms);
	}
	return 0;
}
