/* SPDX-License-Identifier: MIT */
/*
 * Basics that every room uses: byte order, scaling without overflow, the clock, the log, clean-up.
 * Nothing here is about batteries or Modbus.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define PB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PB_ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))

/**
 * Frees a pointer variable when it leaves its scope: PB_CLEANUP(pb_x_freep) struct pb_x *x = NULL.
 * PB_DEFINE_FREEP() makes the pb_x_freep() that it needs.
 */
#define PB_CLEANUP(func) __attribute__((cleanup(func)))
#define PB_DEFINE_FREEP(type, func)                                                                \
	static inline void func##p(type **pointer)                                                 \
	{                                                                                          \
		if (*pointer)                                                                      \
			func(*pointer);                                                            \
	}

/* ---- bytes: big endian is what Modbus, JBD and Daly speak, little endian JK ---- */

static inline uint16_t pb_get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline int16_t pb_get_be16s(const uint8_t *p)
{
	return (int16_t)pb_get_be16(p);
}

static inline void pb_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t pb_get_be32(const uint8_t *p)
{
	return (uint32_t)pb_get_be16(p) << 16 | pb_get_be16(p + 2);
}

static inline uint16_t pb_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t pb_get_le32(const uint8_t *p)
{
	return (uint32_t)pb_get_le16(p + 2) << 16 | pb_get_le16(p);
}

static inline void pb_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/**
 * CRC-16 of Modbus (Serial Line V1.02, 6.2.2); Daly uses it too. The low byte is sent first. The
 * CRC of a whole frame, its CRC included, is 0.
 */
uint16_t pb_crc16(const uint8_t *bytes, size_t len);
/** Adds more bytes to @crc. */
uint16_t pb_crc16_add(uint16_t crc, const uint8_t *bytes, size_t len);

/**
 * Parses hex digits. Blanks, ':' and '-' may stand between bytes, and "0x" in front.
 * @return the number of bytes written to @out; -EINVAL not hex or an odd digit; -ENOSPC more than
 *         @cap bytes.
 */
int pb_hex_parse(const char *text, uint8_t *out, size_t cap);

/**
 * Prints @len bytes as upper case pairs with @sep between (0: none); always ends @out with NUL.
 * @return the number of bytes printed; fewer than @len if @out is too small.
 */
size_t pb_hex_print(char *out, size_t cap, const uint8_t *bytes, size_t len, char sep);
/**
 * The same with blanks, for people. If not all bytes fit, the text ends with their number ("and 12
 * bytes more").
 */
void pb_hex_trace(char *out, size_t cap, const uint8_t *bytes, size_t len);

/* ---- numbers ---- */

/**
 * value * num / den, rounded half away from zero, saturated to int64_t; never wraps.
 * @den must not be 0; either may be negative.
 */
int64_t pb_scale(int64_t value, int64_t num, int64_t den);
/** The same; @way < 0 rounds down, @way > 0 rounds up, 0 rounds to the nearest. */
int64_t pb_scale_toward(int64_t value, int64_t num, int64_t den, int way);

static inline int64_t pb_clamp(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

/**
 * Parses a whole decimal number ("-12", "0.01", "2.5e-3" is refused) as an exact fraction in
 * lowest terms with a positive denominator of at most 10^9.
 * @return 0; -EINVAL not a number; -ERANGE too many digits.
 */
int pb_ratio_parse(const char *text, int64_t *ret_num, int64_t *ret_den);

/**
 * Parses an integer, decimal or 0x...; nothing may follow it.
 * @return 0; -EINVAL not a number; -ERANGE outside @min..@max.
 */
int pb_int_parse(const char *text, int64_t min, int64_t max, int64_t *ret);

/** A small deterministic generator (xorshift64*), for jitter and simulators; not for secrets. */
struct pb_random {
	uint64_t state;
};

void pb_random_seed(struct pb_random *random, uint64_t seed);
uint32_t pb_random_next(struct pb_random *random);
/** @return 0..@below - 1; 0 if @below is 0. */
uint32_t pb_random_below(struct pb_random *random, uint32_t below);

/* ---- words ---- */

/**
 * Finds the entry of @words (ended by NULL) nearest to @word by edit distance, for "did you mean".
 * @return one of @words, or NULL if none is near.
 */
const char *pb_nearest(const char *word, const char *const *words);

/* ---- files ---- */

/**
 * Reads a whole regular file of at most @max bytes. Never waits for another program: a FIFO, a
 * device, a socket or a folder is refused without opening it.
 * @return 0 and the bytes (@ret, with a NUL behind them; free() it); -ENOENT and other errnos;
 *         -ENODEV no regular file; -EISDIR a folder; -EFBIG; with the reason in @why.
 */
int pb_file_read(const char *path, size_t max, char **ret, size_t *ret_len, char *why,
		 size_t why_cap);
/**
 * Writes the canonical path of a file: without symbolic links, "." and "//". If the file does not
 * exist, only its folder is resolved and its last part stays.
 */
void pb_path_canonical(const char *path, char *out, size_t cap);

/* ---- untrusted text ---- */

/**
 * Takes the next character of an untrusted text, so that it can be shown anywhere. Valid UTF-8
 * characters stay. TAB, line ends and the like become a blank. Other control characters, invisible
 * ones, those that change the writing direction, and each invalid one become '?'. @text moves to
 * the next character; @ret gets 1 to 4 bytes, without a NUL.
 * @return the number of bytes in @ret; 0: the text ended, at @end or at a NUL before it.
 */
size_t pb_text_next(const char **text, const char *end, char ret[static 4]);

/**
 * Copies an untrusted text, cleaned as by pb_text_next(). A text that does not fit is cut between
 * two characters. @out may be @text; @cap, at least 1, counts the NUL, which is always there.
 * @return @out.
 */
char *pb_text_clean(char *out, size_t cap, const char *text, size_t len);

/* ---- radio ---- */

enum { PB_ADVERT_NAME = 64, PB_ADVERT_UUIDS = 16, PB_ADVERT_MAKER = 32 };

/** What a Bluetooth device advertises before it is connected; missing parts are empty. */
struct pb_advert {
	uint8_t mac[6];		   /**< in display order */
	char name[PB_ADVERT_NAME]; /**< cleaned by pb_text_clean() */
	size_t uuid_count;
	uint16_t uuids[PB_ADVERT_UUIDS]; /**< 16-bit service UUIDs */
	size_t maker_len;
	uint8_t maker[PB_ADVERT_MAKER]; /**< manufacturer data as sent: the id first, little endian
					 */
};

/**
 * A pair of GATT characteristics that carry a two-way stream of bytes. UUIDs are text: four hex
 * digits, e.g. "fff0", for one of 16 bits, or all 36 characters of one of 128 bits.
 */
struct pb_pipe {
	const char *service;
	const char *notify; /**< the pack sends by it */
	const char *write;  /**< it is written to; may be the same as @notify */
};

/* ---- time ---- */

/**
 * CLOCK_BOOTTIME in ms: it is never set back, and it includes the time in which the machine slept.
 */
uint64_t pb_now_ms(void);
/**
 * @now: of the machine's clock, which may be set at any time.
 * @return false: it was never set; it then shows a time before 2026.
 */
bool pb_clock_is_set(time_t now);
/** Writes "2026-11-28T21:14:03Z"; "" if @at is out of range. @cap: 32 is enough. */
void pb_utc_text(time_t at, char *out, size_t cap);

/* ---- log: lines to stderr, or to the program's own sink ---- */

enum pb_log_level { PB_LOG_ERR = 3, PB_LOG_WARNING = 4, PB_LOG_INFO = 6, PB_LOG_DEBUG = 7 };

/** Shows messages up to @level (default PB_LOG_INFO). */
void pb_log_set_level(enum pb_log_level level);
bool pb_log_enabled(enum pb_log_level level);

/** Fields of a log message, for logs that store fields (the journal). NULL or 0: no such field. */
struct pb_log_about {
	const char *pack, *bank; /**< names of the configuration */
	int32_t unit;
	const char *alarm;    /**< pb_alarm_name() */
	const char *error;    /**< pb_error_text() */
	const char *listener; /**< "Modbus TCP 0.0.0.0:502" */
	const char *client;   /**< its address */
};

/**
 * Takes one message, its text without a newline at the end.
 * @return 0; -EAGAIN: the sink would block, so the message is dropped; another negative errno: the
 *         message goes to stderr.
 */
typedef int pb_log_sink(enum pb_log_level level, const struct pb_log_about *about,
			const char *text);
/** Sends messages to @sink from now on, up to the level of pb_log_set_level(). NULL: to stderr. */
void pb_log_set_sink(pb_log_sink *sink);

/**
 * From now on the log never blocks, even if nobody reads stderr. A message that would block is
 * dropped and counted; the log reports the count as soon as it takes messages again. Other programs
 * that share stderr are not affected.
 */
void pb_log_never_wait(void);
/**
 * Reports dropped messages to the log, if it takes messages again. Each new message tries that too.
 */
void pb_log_catch_up(void);
/** Messages dropped since the start; wraps at 2^32. */
uint32_t pb_log_left_out(void);

/** One line, without the newline. Allocates nothing. */
void pb_log_about(enum pb_log_level level, const struct pb_log_about *about, const char *format,
		  ...) PB_PRINTF(3, 4);
void pb_log(enum pb_log_level level, const char *format, ...) PB_PRINTF(2, 3);

/* ---- the service manager ---- */

/**
 * Sends a message ("READY=1") to systemd, as sd_notify() does; does nothing if systemd does not
 * listen. The first call opens the socket and keeps it, so later calls need no descriptor. Never
 * blocks.
 */
void pb_notify(const char *format, ...) PB_PRINTF(1, 2);

/* ---- messages that repeat ---- */

enum { PB_REPEAT_MS = 60000, PB_REPEAT_WORDS = 2, PB_REPEAT_KEYS = 64 * PB_REPEAT_WORDS };

/**
 * Limits repeated log messages, e.g. of a state that flaps. The first message of each key is logged
 * at once. The same key again within a minute is only counted; at the end of the minute the caller
 * logs the count. As long as a key keeps repeating, only its count is logged, once a minute. Zero
 * it to start. Pure: the caller passes the time (any clock that is never set back).
 */
struct pb_repeat {
	uint64_t until_ms; /**< when the running minute ends; 0: none runs */
	/**
	 * Bit sets of keys. @said: logged in this minute, or still repeating since the last one.
	 * @repeated: left out in this minute.
	 */
	uint64_t said[PB_REPEAT_WORDS], repeated[PB_REPEAT_WORDS];
	uint32_t left_out; /**< messages of this minute that were not logged */
};

/**
 * Call it before each message. @key: the kind of message, below PB_REPEAT_KEYS; the caller chooses
 * the numbers.
 * @return true: log it; false: it was counted, see pb_repeat_due_ms().
 */
bool pb_repeat_say(struct pb_repeat *repeat, unsigned int key, uint64_t now_ms);
/**
 * @return the time at which pb_repeat_sum() has something to log; UINT64_MAX: nothing is counted.
 */
uint64_t pb_repeat_due_ms(const struct pb_repeat *repeat);
/**
 * @return the number of messages left out in the minute that has ended, to be logged in one line;
 *         0: none, or the minute has not ended.
 */
uint32_t pb_repeat_sum(struct pb_repeat *repeat, uint64_t now_ms);
