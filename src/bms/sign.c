/* SPDX-License-Identifier: MIT */
/*
 * Which codec an advertisement calls for. The signs are the codecs' own; what they are worth is
 * decided here, for `scan` and `protocol: auto` alike: maker's data before services, services
 * before names, because owners change names.
 */
#include "packbridge/bms.h"

#include <fnmatch.h>
#include <string.h>

enum rank { RANK_MAKER, RANK_SERVICE, RANK_NAME };

static enum rank sign_rank_of(const struct pb_sign *sign)
{
	if (sign->maker)
		return RANK_MAKER;
	return sign->names ? RANK_NAME : RANK_SERVICE;
}

static bool has_service(const struct pb_advert *advert, uint16_t uuid)
{
	for (size_t i = 0; i < advert->uuid_count; i++)
		if (advert->uuids[i] == uuid)
			return true;
	return false;
}

static bool has_name(const struct pb_advert *advert, const char *const *names)
{
	for (; *names; names++)
		if (fnmatch(*names, advert->name, 0) == 0)
			return true;
	return false;
}

static bool has_prefix(const struct pb_advert *advert, const uint8_t (*prefixes)[3])
{
	for (; (*prefixes)[0]; prefixes++)
		if (memcmp(*prefixes, advert->mac, 3) == 0)
			return true;
	return false;
}

/* @return whether the own address stands at @at. */
static bool has_address(const struct pb_advert *advert, size_t at, bool reversed)
{
	size_t len = sizeof(advert->mac);

	if (at + len > advert->maker_len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (advert->maker[at + i] != advert->mac[reversed ? len - 1 - i : i])
			return false;
	return true;
}

/* One byte of two hex digits. */
static bool is_byte(const char *digits, uint8_t byte)
{
	uint8_t value = 0;

	for (int i = 0; i < 2; i++)
		value = (uint8_t)(value << 4 |
				  (digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'A' + 10));
	return value == byte;
}

static bool has_maker(const struct pb_advert *advert, const char *pattern)
{
	size_t at = 0;

	for (; *pattern && *pattern != '*'; pattern += 2) {
		bool reversed = *pattern == '%';

		if (*pattern == '@' || reversed) {
			if (!has_address(advert, at, reversed))
				return false;
			at += sizeof(advert->mac);
			continue;
		}
		if (at >= advert->maker_len ||
		    (*pattern != '.' && !is_byte(pattern, advert->maker[at])))
			return false;
		at++;
	}
	return *pattern == '*' || at == advert->maker_len;
}

static bool holds(const struct pb_sign *sign, const struct pb_advert *advert)
{
	return (!sign->maker || has_maker(advert, sign->maker)) &&
	       (!sign->service || has_service(advert, sign->service)) &&
	       (!sign->without || !has_service(advert, sign->without)) &&
	       (!sign->prefixes || has_prefix(advert, sign->prefixes)) &&
	       (!sign->names || has_name(advert, sign->names)) &&
	       (!sign->unnamed || !has_name(advert, sign->unnamed));
}

static const struct pb_sign *best_sign(const struct pb_sign *signs, const struct pb_advert *advert)
{
	const struct pb_sign *best = NULL;

	for (; signs && signs->text; signs++)
		if ((!best || sign_rank_of(signs) < sign_rank_of(best)) && holds(signs, advert))
			best = signs;
	return best;
}

const struct pb_codec *pb_codec_of_advert(const struct pb_codec *const *codecs,
					  const struct pb_advert *advert,
					  const struct pb_sign **ret_sign)
{
	const struct pb_codec *codec = NULL;

	*ret_sign = NULL;
	for (; *codecs; codecs++) {
		const struct pb_sign *sign = best_sign((*codecs)->signs, advert);

		if (!sign || (codec && sign_rank_of(sign) >= sign_rank_of(*ret_sign)))
			continue;
		codec = *codecs;
		*ret_sign = sign;
	}
	return codec;
}
