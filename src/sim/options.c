/* SPDX-License-Identifier: MIT */
/* PROFILE[,key=value...] */
#include "packbridge/sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	TEXT_MAX = 256,
	PROFILES_MAX = 16,
	AH_MAX = 6000, /* JBD's fields end at 6553.5 Ah */
	PIN_LEN = 6,
};

enum sim_option_kind {
	KIND_SEED,	 /* uint64_t */
	KIND_WHOLE,	 /* uint32_t */
	KIND_THOUSANDTH, /* int32_t in thousandths of what is written (Ah -> mAh) */
	KIND_TENTH,	 /* int32_t in tenths (% -> per mille) */
	KIND_SPAN,	 /* two uint32_t in a row, AFTER+FOR */
	KIND_OBEY,	 /* uint32_t, a word */
	KIND_PIN,	 /* char[8] */
	KIND_CURRENT,	 /* int32_t in mA, A is written; and has_current */
};

struct sim_option {
	const char *key;
	enum sim_option_kind kind;
	size_t offset;
	int64_t min, max; /* of what is written */
};

#define OPTION(member) offsetof(struct pb_sim_options, member)

static const struct sim_option rows[] = {
	{"seed", KIND_SEED, OPTION(seed), 0, INT64_MAX},
	{"ah", KIND_THOUSANDTH, OPTION(capacity_mah), 1, AH_MAX},
	{"soc", KIND_TENTH, OPTION(soc_permille), 0, 100},
	{"speed", KIND_WHOLE, OPTION(speed), 1, 3600},
	{"lost", KIND_WHOLE, OPTION(lost), 0, 100},
	{"bad", KIND_WHOLE, OPTION(bad), 0, 100},
	{"stray", KIND_WHOLE, OPTION(stray), 0, 100},
	{"chunk", KIND_WHOLE, OPTION(chunk), 0, 1024},
	{"wake", KIND_WHOLE, OPTION(wake), 0, 100},
	{"delay", KIND_WHOLE, OPTION(delay_ms), 0, 60000},
	{"drop", KIND_WHOLE, OPTION(drop), 0, 1000000},
	{"silent", KIND_SPAN, OPTION(silent_after_s), 0, 86400},
	{"frozen", KIND_SPAN, OPTION(frozen_after_s), 0, 86400},
	{"down", KIND_SPAN, OPTION(down_after_s), 0, 86400},
	{"command", KIND_OBEY, OPTION(obey), 0, 0},
	{"reclose", KIND_WHOLE, OPTION(reclose), 0, 1},
	{"login", KIND_WHOLE, OPTION(login), 0, 1},
	{"pin", KIND_PIN, OPTION(pin), 0, 0},
	{"stuck", KIND_WHOLE, OPTION(stuck), 0, 1},
	{"heat", KIND_WHOLE, OPTION(heat), 0, 1},
	{"current", KIND_CURRENT, OPTION(current_ma), -1000, 1000},
	{"protect", KIND_SPAN, OPTION(protect_after_s), 0, 86400},
	{"app", KIND_SPAN, OPTION(app_after_s), 0, 86400},
	{"off", KIND_SPAN, OPTION(off_after_s), 0, 86400},
};

static const struct pb_sim_profile *find_profile(const char *name)
{
	const struct pb_sim_profile *profile = pb_sim_profiles();

	while (profile->name && strcmp(profile->name, name) != 0)
		profile++;
	return profile->name ? profile : NULL;
}

/* Appends to a text that may already be full. */
static void append(char *text, size_t cap, const char *head, const char *word)
{
	size_t len = strnlen(text, cap);

	if (len < cap)
		snprintf(text + len, cap - len, "%s%s", head, word);
}

static int refuse_profile(const char *name, char *why, size_t cap)
{
	const struct pb_sim_profile *profiles = pb_sim_profiles();
	const char *names[PROFILES_MAX + 1] = {NULL}, *near;

	for (size_t i = 0; i < PROFILES_MAX && profiles[i].name; i++)
		names[i] = profiles[i].name;
	near = pb_nearest(name, names);
	snprintf(why, cap, "no profile '%s'", name);
	if (near) {
		append(why, cap, ", did you mean ", near);
		append(why, cap, "?", "");
	}
	for (size_t i = 0; names[i]; i++)
		append(why, cap, i == 0 ? " (there are: " : ", ", names[i]);
	append(why, cap, ")", "");
	return -EINVAL;
}

static int refuse_key(const char *key, char *why, size_t cap)
{
	const char *names[PB_ARRAY_SIZE(rows) + 1] = {NULL}, *near;

	for (size_t i = 0; i < PB_ARRAY_SIZE(rows); i++)
		names[i] = rows[i].key;
	near = pb_nearest(key, names);
	snprintf(why, cap, "no option '%s'", key);
	if (near) {
		append(why, cap, ", did you mean ", near);
		append(why, cap, "?", "");
		return -EINVAL;
	}
	for (size_t i = 0; names[i]; i++)
		append(why, cap, i == 0 ? " (there are: " : ", ", names[i]);
	append(why, cap, ")", "");
	return -EINVAL;
}

/* A decimal fraction times @scale, which must give a whole number. */
static int parse_fraction(const char *text, int64_t scale, const struct sim_option *row,
			  int64_t *ret)
{
	int64_t num, den;

	if (pb_ratio_parse(text, &num, &den) < 0 || num > AH_MAX * den || num * scale % den != 0)
		return -EINVAL;
	*ret = num * scale / den;
	return *ret < row->min * scale || *ret > row->max * scale ? -ERANGE : 0;
}

static int parse_span(char *text, const struct sim_option *row, uint32_t *ret)
{
	char *plus = strchr(text, '+');
	int64_t after, length;

	if (!plus)
		return -EINVAL;
	*plus = '\0';
	if (pb_int_parse(text, row->min, row->max, &after) < 0 ||
	    pb_int_parse(plus + 1, 1, row->max, &length) < 0)
		return -EINVAL;
	ret[0] = (uint32_t)after;
	ret[1] = (uint32_t)length;
	return 0;
}

static int parse_pin(const char *text, char *ret)
{
	if (strlen(text) != PIN_LEN || strspn(text, "0123456789") != PIN_LEN)
		return -EINVAL;
	memcpy(ret, text, PIN_LEN + 1);
	return 0;
}

static int parse_value(struct pb_sim_options *options, const struct sim_option *row, char *text)
{
	void *member = (char *)options + row->offset;
	int64_t value = 0;
	int r = -EINVAL;

	switch (row->kind) {
	case KIND_SEED:
		r = pb_int_parse(text, row->min, row->max, &value);
		if (r >= 0)
			*(uint64_t *)member = (uint64_t)value;
		break;
	case KIND_WHOLE:
		r = pb_int_parse(text, row->min, row->max, &value);
		if (r >= 0)
			*(uint32_t *)member = (uint32_t)value;
		break;
	case KIND_THOUSANDTH:
	case KIND_TENTH:
		r = parse_fraction(text, row->kind == KIND_TENTH ? 10 : 1000, row, &value);
		if (r >= 0)
			*(int32_t *)member = (int32_t)value;
		break;
	case KIND_SPAN:
		r = parse_span(text, row, member);
		break;
	case KIND_OBEY:
		r = pb_sim_obey_parse(text, member) ? 0 : -EINVAL;
		break;
	case KIND_PIN:
		r = parse_pin(text, member);
		break;
	case KIND_CURRENT:
		r = pb_int_parse(text, row->min, row->max, &value);
		options->has_current = r >= 0;
		if (r >= 0)
			*(int32_t *)member = (int32_t)value * 1000;
		break;
	}
	return r;
}

static int options_refuse_value(const struct sim_option *row, const char *value, char *why,
				size_t cap)
{
	if (row->kind == KIND_SPAN)
		snprintf(why, cap, "%s=%s, expected AFTER+FOR in seconds, e.g. %s=60+10", row->key,
			 value, row->key);
	else if (row->kind == KIND_OBEY)
		snprintf(why, cap,
			 "%s=%s, expected obey, refuse, refuse-81, refuse-82, refuse-bad, "
			 "refuse-e1, ignore, ignore-e1, mute, late, hangup, garble, split or wrap",
			 row->key, value);
	else if (row->kind == KIND_PIN)
		snprintf(why, cap, "%s=%s, expected six digits", row->key, value);
	else
		snprintf(why, cap, "%s=%s, expected a number of %lld to %lld", row->key, value,
			 (long long)row->min, (long long)row->max);
	return -EINVAL;
}

static int parse_option(struct pb_sim_options *options, char *text, char *why, size_t cap)
{
	char *equals = strchr(text, '='), value[TEXT_MAX];
	const struct sim_option *row = NULL;

	if (equals)
		*equals = '\0';
	for (size_t i = 0; !row && i < PB_ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].key, text) == 0)
			row = &rows[i];
	if (!row)
		return refuse_key(text, why, cap);
	snprintf(value, sizeof(value), "%s", equals ? equals + 1 : "");
	if (equals && parse_value(options, row, equals + 1) >= 0)
		return 0;
	return options_refuse_value(row, value, why, cap);
}

/* FNV-1a: packs with unlike addresses differ, and a run can be repeated */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325);

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001B3);
	return hash;
}

int pb_sim_options_parse(struct pb_sim_options *ret, const char *address, char *why, size_t cap)
{
	struct pb_sim_options options = {.speed = 1, .soc_permille = -1};
	char text[TEXT_MAX], *rest = text, *word;
	struct pb_random random;
	int r;

	if ((size_t)snprintf(text, sizeof(text), "%s", address) >= sizeof(text)) {
		snprintf(why, cap, "more than %d characters", TEXT_MAX - 1);
		return -EINVAL;
	}
	word = strsep(&rest, ",");
	options.profile = find_profile(word);
	if (!options.profile)
		return refuse_profile(word, why, cap);
	options.capacity_mah = options.profile->capacity_mah;
	options.seed = hash_text(address);
	while (rest) {
		word = strsep(&rest, ",");
		r = parse_option(&options, word, why, cap);
		if (r < 0)
			return r;
	}
	if (options.soc_permille < 0) {
		pb_random_seed(&random, options.seed);
		options.soc_permille = 300 + (int32_t)pb_random_below(&random, 601);
	}
	*ret = options;
	return 0;
}
