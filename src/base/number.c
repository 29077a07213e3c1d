/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* a * b: the lower half; the upper one in @ret_high. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t *ret_high)
{
	uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
	uint64_t middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
	uint64_t other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);

	*ret_high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
	return other << 32 | (low & UINT32_MAX);
}

/* The remainder is @high; @high < @by. */
static uint64_t divide(uint64_t *high, uint64_t low, uint64_t by)
{
	uint64_t quotient = 0;

	for (int i = 63; i >= 0; i--) {
		bool carry = *high >> 63;

		*high = *high << 1 | (low >> i & 1);
		if (!carry && *high < by)
			continue;
		*high -= by;
		quotient |= UINT64_C(1) << i;
	}
	return quotient;
}

/* Without __int128, which machines of 32 bits do not have. @way: as for pb_scale_toward() */
static int64_t scale(int64_t value, int64_t num, int64_t den, int way)
{
	bool minus = (value < 0) ^ (num < 0) ^ (den < 0);
	uint64_t by = magnitude(den), most = (uint64_t)INT64_MAX + minus, rest, low, q;

	low = multiply(magnitude(value), magnitude(num), &rest);
	if (rest >= by)
		return minus ? INT64_MIN : INT64_MAX;
	if (rest == 0) {
		q = low / by;
		rest = low % by;
	} else {
		q = divide(&rest, low, by);
	}
	if (way == 0)
		q += q < UINT64_MAX && rest >= by - rest;
	else if (minus == (way < 0)) /* away from 0 */
		q += q < UINT64_MAX && rest > 0;
	if (q > most)
		q = most;
	return minus ? (int64_t)(0 - q) : (int64_t)q;
}

int64_t pb_scale(int64_t value, int64_t num, int64_t den)
{
	return scale(value, num, den, 0);
}

int64_t pb_scale_toward(int64_t value, int64_t num, int64_t den, int way)
{
	return scale(value, num, den, way);
}

static int64_t gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t t = a % b;

		a = b;
		b = t;
	}
	return a < 0 ? -a : a;
}

int pb_ratio_parse(const char *text, int64_t *ret_num, int64_t *ret_den)
{
	int64_t num = 0, den = 1, divisor;
	bool minus = *text == '-', point = false, digits = false;

	for (const char *p = text + (minus || *text == '+'); *p; p++) {
		if (*p == '.' && !point) {
			point = true;
			continue;
		}
		if (*p < '0' || *p > '9')
			return -EINVAL;
		if (num > (INT64_MAX - 9) / 10 || (point && den > 100000000))
			return -ERANGE;
		num = num * 10 + (*p - '0');
		if (point)
			den *= 10;
		digits = true;
	}
	if (!digits)
		return -EINVAL;

	divisor = gcd(num, den);
	*ret_num = (minus ? -num : num) / divisor;
	*ret_den = den / divisor;
	return 0;
}

int pb_int_parse(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = text + (*text == '-' || *text == '+');
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	char *end;
	long long value;

	/* strtoll() would take blanks, and a leading 0 as octal */
	if (hex ? strspn(digits + 2, "0123456789abcdefABCDEF") == 0
		: strspn(digits, "0123456789") == 0)
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, hex ? 16 : 10);
	if (*end)
		return -EINVAL;
	if (errno || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

void pb_random_seed(struct pb_random *random, uint64_t seed)
{
	/* splitmix64's finish, so that neighbouring seeds give unlike courses; never state 0 */
	seed += UINT64_C(0x9E3779B97F4A7C15);
	seed = (seed ^ seed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	seed = (seed ^ seed >> 27) * UINT64_C(0x94D049BB133111EB);
	seed ^= seed >> 31;
	random->state = seed ? seed : 1;
}

uint32_t pb_random_next(struct pb_random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return (uint32_t)(random->state * UINT64_C(0x2545F4914F6CDD1D) >> 32);
}

uint32_t pb_random_below(struct pb_random *random, uint32_t below)
{
	return (uint32_t)((uint64_t)pb_random_next(random) * below >> 32);
}

uint16_t pb_crc16_add(uint16_t crc, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
	}
	return crc;
}

uint16_t pb_crc16(const uint8_t *bytes, size_t len)
{
	return pb_crc16_add(0xFFFF, bytes, len);
}
