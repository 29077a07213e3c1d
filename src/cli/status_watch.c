/* SPDX-License-Identifier: MIT */
/*
 * packbridge status --watch: a screen with the daemon's last answer, redrawn twice a second. It
 * uses plain ANSI sequences: a terminal library would also be loaded into the daemon, which is the
 * same program. The daemon is asked once a second, without blocking. While it does not answer, ages
 * keep counting and no battery is shown as good.
 *
 *	title
 *	packs and banks, one line each, the one in question marked
 *	its state in words, its limits, its alarms
 *	its cells as bars
 */
#include "status.h"
#include "status_model.h"

#include "ask.h"

#include "packbridge/base.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { FRAME_MS = 500, ASK_MS = 1000, LATE_MS = 500, GIVE_UP_MS = 5000 };
enum { LABEL_WIDTH = 3, VALUE_WIDTH = 7, CELL_MIN_WIDTH = LABEL_WIDTH + VALUE_WIDTH + 3 + 3 };
enum { TEXT_MAX = 256 };

#define DIM    "\033[2m"
#define RED    "\033[1;31m"
#define YELLOW "\033[33m"

struct screen {
	int rows, columns;
	int row;       /* lines drawn so far */
	size_t chosen; /* of packs, then banks */
	FILE *out;
};

/* The daemon's last answer, and the running question. */
struct watch {
	const char *path;
	json_t *all; /* its last answer; NULL: none yet */
	uint64_t answered_ms;
	json_int_t aged_s; /* since then, in what is shown */
	int fd;		   /* of the question; -1: none */
	uint64_t asked_ms;
	FILE *answer;
	char *text;
	size_t len;
	int error; /* of the last question; 0: none */
};

/* One line, cut to the screen's width in bytes that are one column each. */
static void draw(struct screen *screen, const char *style, const char *text)
{
	if (screen->row >= screen->rows)
		return;
	fprintf(screen->out, "%s%s%.*s%s\033[K", screen->row ? "\r\n" : "", style, screen->columns,
		text, *style ? "\033[0m" : "");
	screen->row++;
}

__attribute__((format(printf, 3, 4))) static void drawf(struct screen *screen, const char *style,
							const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	draw(screen, style, text);
}

/* ---- the list ---- */

static json_t *watch_battery_at(json_t *all, size_t index)
{
	json_t *packs = json_object_get(all, "packs"), *banks = json_object_get(all, "banks");
	size_t count = json_array_size(packs);

	return index < count ? json_array_get(packs, index) : json_array_get(banks, index - count);
}

static size_t battery_count(json_t *all)
{
	return json_array_size(json_object_get(all, "packs")) +
	       json_array_size(json_object_get(all, "banks"));
}

static const char *style_of(json_t *battery)
{
	static const char *const styles[] = {"", YELLOW, RED};
	char members[32];
	int severity = status_severity(battery);

	if (strcmp(status_text(battery, "quality"), "good") != 0)
		return DIM; /* there is nothing live in it */
	status_members(battery, members, sizeof(members));
	return styles[severity == 0 && *members ? 1 : severity];
}

/* Names are more than the last columns. */
static int name_width(json_t *all, const struct screen *screen)
{
	int room = screen->columns / 4, width = status_longest_name(all);

	if (width + STATUS_COLUMNS + 2 <= screen->columns || width <= room)
		return width;
	return room;
}

/* One line of the table, without its newline. */
static void table_line(json_t *battery, int width, const struct screen *screen, char *out,
		       size_t cap)
{
	FILE *line = fmemopen(out, cap, "w");

	if (!line)
		return;
	if (battery)
		status_line(battery, width, screen->columns - 2, line);
	else
		status_head("PACK", width, screen->columns - 2, line);
	fclose(line);
	out[strcspn(out, "\n")] = '\0';
}

/* As many batteries as a third of the screen holds, the chosen one among them. */
static void draw_list(struct screen *screen, json_t *all)
{
	size_t count = battery_count(all), room = (size_t)(screen->rows > 9 ? screen->rows / 3 : 3);
	size_t first = screen->chosen >= room ? screen->chosen - room + 1 : 0;
	int width = name_width(all, screen);
	char line[512] = "";

	table_line(NULL, width, screen, line, sizeof(line));
	drawf(screen, "\033[1m", "  %s", line);
	for (size_t i = first; i < count && i < first + room; i++) {
		json_t *battery = watch_battery_at(all, i);

		line[0] = '\0';
		table_line(battery, width, screen, line, sizeof(line));
		drawf(screen, style_of(battery), "%s %s", i == screen->chosen ? ">" : " ", line);
	}
	if (count > room)
		drawf(screen, DIM, "  %zu of %zu, arrows or j and k show the others", room, count);
}

/* ---- one battery ---- */

/* Texts behind each other, as many in a line as fit. */
static void draw_texts(struct screen *screen, const char *style, char (*texts)[TEXT_MAX],
		       size_t count)
{
	char line[512] = "";

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(line);

		if (len && len + 2 + strlen(texts[i]) > (size_t)screen->columns) {
			draw(screen, style, line);
			len = 0;
		}
		snprintf(line + len, sizeof(line) - len, "%s%s", len ? ", " : "", texts[i]);
	}
	draw(screen, style, line);
}

static void draw_limits(struct screen *screen, json_t *battery)
{
	json_t *fields = json_object_get(battery, "fields");
	json_int_t volts = status_number(battery, "charge_voltage_mv", -1);
	json_int_t charge = status_number(battery, "charge_current_ma", -1);
	json_int_t discharge = status_number(battery, "discharge_current_ma", -1);
	char texts[3][TEXT_MAX];
	size_t count = 0;

	if (volts >= 0)
		snprintf(texts[count++], TEXT_MAX, "charge to %.2f V (%s)", (double)volts / 1000,
			 status_text(fields, "charge_voltage_text"));
	if (charge >= 0)
		snprintf(texts[count++], TEXT_MAX, "charge %.1f A (%s)", (double)charge / 1000,
			 status_text(fields, "charge_current_text"));
	if (discharge >= 0)
		snprintf(texts[count++], TEXT_MAX, "discharge %.1f A (%s)",
			 (double)discharge / 1000, status_text(fields, "discharge_current_text"));
	if (count)
		draw_texts(screen, "", texts, count);
}

static void draw_control(struct screen *screen, json_t *battery)
{
	char text[512];

	status_control(battery, text, sizeof(text));
	if (*text)
		drawf(screen, "", "control: %s", text);
}

static void draw_alarms(struct screen *screen, json_t *battery)
{
	json_t *alarm;
	size_t i;

	json_array_foreach(json_object_get(battery, "alarms"), i, alarm)
	{
		bool high = status_is_alarm(alarm);
		char text[512];

		status_alarm(alarm, text, sizeof(text));
		drawf(screen, high ? RED : YELLOW, "%s %s", high ? "ALARM" : "warning", text);
	}
}

/* Where bars begin and end: where the alarms begin, and beyond it what is there. */
static void bar_range(json_t *battery, json_int_t *ret_low, json_int_t *ret_high)
{
	json_int_t low = status_number(battery, "cell_min_mv", 0);
	json_int_t high = status_number(battery, "cell_max_mv", 0);

	*ret_low = status_number(battery, "cell_low_mv", low - 50);
	*ret_high = status_number(battery, "cell_high_mv", high + 50);
	if (low < *ret_low)
		*ret_low = low;
	if (high > *ret_high)
		*ret_high = high;
	if (*ret_high <= *ret_low)
		*ret_high = *ret_low + 1;
}

/* "12 ########----   3.301*": the bar of one cell. */
static void draw_bar(FILE *out, size_t index, json_int_t mv, bool balanced, int width,
		     json_int_t low, json_int_t high, const char *style)
{
	int full = (int)((mv - low) * width / (high - low));

	fprintf(out, "%*zu %s", LABEL_WIDTH - 1, index + 1, style);
	for (int i = 0; i < width; i++)
		fputs(i < full ? "\u2588" : "\u2591", out);
	fprintf(out, "%s %2lld.%03lld%s", *style ? "\033[0m" : "", (long long)(mv / 1000),
		(long long)(mv % 1000), balanced ? "*" : " ");
}

static const char *cell_style(json_t *battery, json_int_t mv)
{
	if (mv >= status_number(battery, "cell_high_mv", INT32_MAX) ||
	    mv <= status_number(battery, "cell_low_mv", 0))
		return "\033[31m";
	if (mv == status_number(battery, "cell_max_mv", 0) ||
	    mv == status_number(battery, "cell_min_mv", 0))
		return "\033[36m";
	return "";
}

static void draw_cells(struct screen *screen, json_t *battery)
{
	json_t *cells = json_object_get(json_object_get(battery, "fields"), "cell_mv");
	uint64_t balanced = (uint64_t)status_number(battery, "balance_mask", 0);
	int count = (int)json_array_size(cells), left = screen->rows - screen->row - 2;
	int columns = 1, lines, width;
	json_int_t low, high;

	if (count == 0 || left < 1)
		return;
	bar_range(battery, &low, &high);
	while (columns < 4 && (count + columns - 1) / columns > left &&
	       screen->columns / (columns + 1) >= CELL_MIN_WIDTH)
		columns++;
	lines = (count + columns - 1) / columns;
	width = screen->columns / columns - LABEL_WIDTH - VALUE_WIDTH - 3;
	drawf(screen, "", "cells, %.3f to %.3f V (* balancing), %lld mV apart", (double)low / 1000,
	      (double)high / 1000, (long long)status_number(battery, "cell_delta_mv", 0));
	for (int line = 0; line < lines && screen->row < screen->rows - 1; line++) {
		fputs("\r\n", screen->out);
		for (int i = line; i < count; i += lines) {
			json_t *value = json_array_get(cells, (size_t)i);
			json_int_t mv = json_integer_value(value);

			if (json_is_integer(value))
				draw_bar(screen->out, (size_t)i, mv, balanced >> i & 1, width, low,
					 high, cell_style(battery, mv));
			fputs("  ", screen->out);
		}
		fputs("\033[K", screen->out);
		screen->row++;
	}
}

/* What it is, and how it is. */
static void draw_heading(struct screen *screen, json_t *battery)
{
	bool in_series = strcmp(status_text(battery, "topology"), "series") == 0;
	size_t packs = json_array_size(json_object_get(battery, "packs"));
	char texts[2][TEXT_MAX], members[32];

	status_members(battery, members, sizeof(members));
	if (!packs) {
		snprintf(texts[0], TEXT_MAX, "%s, %s: %s", status_text(battery, "name"),
			 status_text(battery, "link"), status_text(battery, "state"));
		snprintf(texts[1], TEXT_MAX, "%s", status_text(battery, "last_message"));
	} else {
		snprintf(texts[0], TEXT_MAX, "%s, %zu packs %s, map %s",
			 status_text(battery, "name"), packs,
			 in_series ? "in series" : "in parallel", status_text(battery, "map"));
		snprintf(texts[1], TEXT_MAX, "%s%s", members,
			 *members ? " with a good reading" : "");
	}
	draw_texts(screen, "\033[1m", texts, *texts[1] ? 2 : 1);
}

static void draw_battery(struct screen *screen, json_t *battery)
{
	if (!battery)
		return;
	draw(screen, "", "");
	draw_heading(screen, battery);
	draw_limits(screen, battery);
	draw_control(screen, battery);
	draw_alarms(screen, battery);
	draw_cells(screen, battery);
}

/* ---- the questions ---- */

static bool is_silent(const struct watch *watch, uint64_t now_ms)
{
	return watch->error != 0 || (watch->fd >= 0 && now_ms - watch->asked_ms >= LATE_MS) ||
	       now_ms - watch->answered_ms >= ASK_MS + LATE_MS;
}

/* Without an answer, readings get older and their quality is unknown. */
static void grow_old(struct watch *watch, uint64_t now_ms)
{
	json_int_t passed_s = (json_int_t)((now_ms - watch->answered_ms) / 1000);

	if (!is_silent(watch, now_ms))
		return;
	for (size_t i = 0; i < battery_count(watch->all); i++) {
		json_t *battery = watch_battery_at(watch->all, i);
		json_t *age = json_object_get(battery, "age_s");

		if (json_is_integer(age))
			json_integer_set(age, json_integer_value(age) + passed_s - watch->aged_s);
		json_object_set_new(battery, "quality", json_string("?"));
		json_object_del(battery, "control"); /* who asks for what is not known now */
	}
	watch->aged_s = passed_s;
}

static void end_question(struct watch *watch, int error)
{
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
	if (watch->answer)
		fclose(watch->answer);
	watch->answer = NULL;
	watch->error = error;
}

static void watch_take_answer(struct watch *watch, uint64_t now_ms)
{
	json_t *all;

	end_question(watch, 0);
	all = watch->text ? json_loads(watch->text, 0, NULL) : NULL;
	watch->error = all ? 0 : -EPROTO;
	if (!all)
		return;
	json_decref(watch->all);
	watch->all = all;
	watch->answered_ms = now_ms;
	watch->aged_s = 0;
}

static void watch_take_bytes(struct watch *watch, uint64_t now_ms)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(watch->fd, bytes, sizeof(bytes))) > 0)
		fwrite(bytes, 1, (size_t)n, watch->answer);
	if (n == 0)
		watch_take_answer(watch, now_ms);
	else if (errno != EAGAIN && errno != EINTR)
		end_question(watch, -errno);
}

static void watch_ask(struct watch *watch, uint64_t now_ms)
{
	if (watch->fd >= 0 && now_ms - watch->asked_ms >= GIVE_UP_MS)
		end_question(watch, -ETIMEDOUT);
	if (watch->fd >= 0 || now_ms - watch->asked_ms < ASK_MS)
		return;
	watch->asked_ms = now_ms;
	free(watch->text);
	watch->text = NULL;
	watch->answer = open_memstream(&watch->text, &watch->len);
	watch->fd = watch->answer ? pb_cli_ask_begin(watch->path, "status\n") : -ENOMEM;
	if (watch->fd < 0)
		end_question(watch, watch->fd);
}

/* ---- the screen ---- */

static void watch_measure(struct screen *screen)
{
	struct winsize size;

	screen->rows = 24;
	screen->columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row >= 4 && size.ws_col >= 20) {
		screen->rows = size.ws_row;
		screen->columns = size.ws_col;
	}
}

/* In one write, so that nothing flickers. */
static void watch_show(struct screen *screen, const struct watch *watch, uint64_t now_ms)
{
	char *text = NULL, title[256] = "";
	size_t len, count = battery_count(watch->all);
	FILE *line = fmemopen(title, sizeof(title), "w");

	screen->out = open_memstream(&text, &len);
	if (!screen->out || !line)
		abort(); /* out of memory, in a program for a terminal */
	watch_measure(screen);
	screen->row = 0;
	fputs("\033[H", screen->out);
	if (is_silent(watch, now_ms))
		fprintf(line, "no answer for %llu s%s%s, trying again: %s",
			(unsigned long long)((now_ms - watch->answered_ms) / 1000),
			watch->error ? ", " : "", watch->error ? strerror(-watch->error) : "",
			watch->path);
	else
		status_title(watch->all, line);
	fclose(line);
	title[strcspn(title, "\n")] = '\0';
	draw(screen, "\033[7m", title);
	if (count && screen->chosen >= count)
		screen->chosen = count - 1;
	draw_list(screen, watch->all);
	draw_battery(screen, watch_battery_at(watch->all, screen->chosen));
	fputs("\033[J", screen->out);
	fclose(screen->out);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(STDOUT_FILENO, text + at, len - at);

		if (n < 0 && errno != EINTR)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	free(text);
}

/* @return false: it is to end */
static bool take_keys(struct screen *screen)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	for (ssize_t i = 0; i < n; i++) {
		if (keys[i] == 27 && i + 2 < n && keys[i + 1] == '[') { /* an arrow */
			keys[i + 2] = keys[i + 2] == 'A' ? 'k' : keys[i + 2] == 'B' ? 'j' : ' ';
			i += 2;
		}
		if (keys[i] == 'q' || keys[i] == 3)
			return false;
		if (keys[i] == 'j' || keys[i] == '\t')
			screen->chosen++;
		else if (keys[i] == 'k' && screen->chosen > 0)
			screen->chosen--;
	}
	return true;
}

static void loop(struct watch *watch, int signals)
{
	struct screen screen = {0};

	for (;;) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				       {.fd = signals, .events = POLLIN},
				       {.fd = watch->fd, .events = POLLIN}};
		struct signalfd_siginfo info;
		uint64_t now_ms;
		int ready = poll(fds, 3, FRAME_MS);

		if (ready > 0 && fds[1].revents && read(signals, &info, sizeof(info)) > 0 &&
		    info.ssi_signo != SIGWINCH)
			return;
		if (ready > 0 && fds[0].revents && !take_keys(&screen))
			return;
		now_ms = pb_now_ms();
		if (ready > 0 && fds[2].revents)
			watch_take_bytes(watch, now_ms);
		watch_ask(watch, now_ms);
		grow_old(watch, now_ms);
		watch_show(&screen, watch, now_ms);
	}
}

int status_watch(const char *path)
{
	struct termios before, raw;
	sigset_t set;
	int signals, error;
	struct watch watch = {.path = path, .fd = -1, .all = status_fetch(path, &error)};

	if (!watch.all) {
		pb_cli_ask_failed("status", path, "status", error);
		return 1;
	}
	watch.answered_ms = watch.asked_ms = pb_now_ms();
	if (tcgetattr(STDIN_FILENO, &before) < 0 || !isatty(STDOUT_FILENO)) {
		fputs("packbridge status: --watch, expected a terminal\n", stderr);
		json_decref(watch.all);
		return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0) {
		perror("packbridge status");
		json_decref(watch.all);
		return 1;
	}
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout); /* another screen, no cursor */
	fflush(stdout);
	loop(&watch, signals);
	end_question(&watch, 0);
	free(watch.text);
	json_decref(watch.all);
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	close(signals);
	return 0;
}
