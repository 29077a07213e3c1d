/* SPDX-License-Identifier: MIT */
/*
 * Connects to all packs of a configuration at once, until each has brought a reading or has no
 * chance of one.
 */
#include "check_probe.h"
#include "onepack.h"
#include "remedy.h"
#include "serve.h"

#include "packbridge/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { SECONDS = 60 };

struct probed {
	struct checker *checker;
	const struct pb_pack_config *config;
	struct pb_reader *reader;
	struct pb_sample sample;
	struct pb_status status;
	struct pb_refusals refusals;
	const char *protocol, *dialect;
	int link_error;
	bool done;
};

struct checker {
	sd_event *event;
	struct pb_bluez *bluez;
	struct pb_lines *lines;
	size_t count, left;
	struct probed *packs;
};

static void check_probe_on_reading(void *userdata, const struct pb_reading *reading)
{
	struct probed *probed = userdata;

	if (probed->done || !reading->new_status)
		return;
	probed->sample = *reading->sample;
	probed->status = *reading->status;
	probed->refusals = *reading->refusals;
	probed->protocol = reading->protocol;
	probed->dialect = reading->dialect;
	probed->link_error = reading->link_error;
	probed->done = reading->new_reading || onepack_hopeless(reading);
	if (probed->done && --probed->checker->left == 0)
		sd_event_exit(probed->checker->event, 0);
}

static void check_probe_on_note(void *userdata, const struct pb_note *note)
{
	const struct probed *probed = userdata;

	pb_log(note->level > PB_LOG_INFO ? note->level : PB_LOG_DEBUG, "pack %s: %s",
	       probed->config->name, note->text);
}

static const struct pb_reader_handler handler = {.reading = check_probe_on_reading,
						 .note = check_probe_on_note};

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct checker *checker = userdata;

	(void)source;
	(void)usec;
	return sd_event_exit(checker->event, 0);
}

/* ---- the result ---- */

static void print_reading(const struct probed *probed)
{
	const struct pb_sample *s = &probed->sample;

	printf("%4d  %-16s  %s%s%s", probed->config->unit, probed->config->name, probed->protocol,
	       probed->dialect ? " " : "", probed->dialect ? probed->dialect : "");
	if (s->has & PB_HAS(PB_HAS_VOLTAGE))
		printf(", %.2f V", (double)s->voltage_mv / 1000);
	if (s->has & PB_HAS(PB_HAS_CURRENT))
		printf(", %.2f A", (double)s->current_ma / 1000);
	if (s->has & PB_HAS(PB_HAS_SOC))
		printf(", %.1f %%", (double)s->soc_permille / 10);
	if (s->has & PB_HAS(PB_HAS_CELLS))
		printf(", %d cells", s->cell_count);
	putchar('\n');
}

static void check_probe_print_trouble(const struct probed *probed)
{
	enum pb_error error = probed->status.last_error;
	bool link = error == PB_ERROR_CONNECT || error == PB_ERROR_LINK_LOST;
	const char *remedy = link ? pb_remedy_link(probed->link_error) : pb_remedy_session(error);
	char text[64 + PB_REFUSAL_TEXT_MAX];

	pb_refusals_error_text(&probed->refusals, error, text, sizeof(text));
	printf("%4d  %-16s  ", probed->config->unit, probed->config->name);
	if (error == PB_ERROR_NONE)
		printf("nothing within %d s\n", SECONDS);
	else
		printf("%s%s%s\n", text, remedy ? "\n      " : "", remedy ? remedy : "");
}

/* @return packs without a reading */
static int print_all(const struct checker *checker)
{
	int failed = 0;

	puts("\n"
	     "unit  pack              protocol and values");
	for (size_t i = 0; i < checker->count; i++) {
		if (checker->packs[i].status.sequence > 0) {
			print_reading(&checker->packs[i]);
		} else {
			check_probe_print_trouble(&checker->packs[i]);
			failed++;
		}
	}
	return failed;
}

static int check_probe_start(struct checker *checker, const struct pb_config *config)
{
	const struct pb_bluez_config bluez = {
		.max_connections = config->bluetooth.max_connections,
		.acquire = config->bluetooth.acquire,
	};
	int r = pb_bluez_new(&checker->bluez, checker->event, &bluez);

	if (r >= 0)
		r = pb_lines_new(&checker->lines, config, checker->event, NULL);
	if (r >= 0)
		pb_lines_apply(checker->lines);
	for (size_t i = 0; r >= 0 && i < config->pack_count; i++) {
		struct probed *probed = &checker->packs[i];

		*probed = (struct probed){.checker = checker, .config = &config->packs[i]};
		r = pb_bridge_pack(&probed->reader, probed->config, checker->event, checker->bluez,
				   pb_lines_of(checker->lines, probed->config), &handler, probed);
		if (r >= 0)
			r = probed->reader->type->start(probed->reader);
		checker->count += r >= 0;
	}
	checker->left = checker->count;
	return r;
}

int pb_cli_check_probe(const struct pb_config *config)
{
	struct checker checker = {.packs = calloc(config->pack_count, sizeof(*checker.packs))};
	sd_event_source *timer = NULL;
	int r = checker.packs ? pb_cli_event_new(&checker.event, NULL, NULL) : -ENOMEM;

	if (r >= 0)
		r = sd_event_add_time_relative(checker.event, &timer, CLOCK_BOOTTIME,
					       (uint64_t)SECONDS * 1000000, 0, on_end, &checker);
	if (r >= 0)
		r = check_probe_start(&checker, config);
	if (r >= 0 && checker.count > 0)
		r = sd_event_loop(checker.event);
	if (r < 0)
		fprintf(stderr, "packbridge check: %s\n", strerror(-r));
	else
		r = print_all(&checker);
	for (size_t i = 0; i < checker.count; i++)
		pb_reader_free(checker.packs[i].reader);
	pb_lines_free(checker.lines);
	pb_bluez_free(checker.bluez);
	sd_event_source_disable_unref(timer);
	sd_event_unref(checker.event);
	free(checker.packs);
	return r;
}
