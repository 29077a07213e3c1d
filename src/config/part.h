/* SPDX-License-Identifier: MIT */
/*
 * The parts of packbridge.yaml: config.c assembles what pack.c, bank.c, listen.c, bluetooth.c and
 * http.c read of their sections. Battery.c reads alarms and limits, secret.c passwords, control.c
 * checks the keys of control; part.c has what all share.
 */
#pragma once

#include "packbridge/config.h"

#include <assert.h>
#include <stddef.h>

/** For rows: a value that is compared as the bytes of a member of the finished struct. */
#define CONFIG_KEPT(type, member)                                                                  \
	{                                                                                          \
		.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)              \
	}
/** The same for a list of texts. */
#define CONFIG_KEPT_TEXTS(type, member, count_)                                                    \
	{                                                                                          \
		.shape = PB_YAML_TEXTS, .offset = offsetof(type, member),                          \
		.count = offsetof(type, count_)                                                    \
	}
/** The same for a list of items that have rows. */
#define CONFIG_KEPT_ITEMS(type, member, count_, rows_)                                             \
	{                                                                                          \
		.shape = PB_YAML_ITEMS, .offset = offsetof(type, member),                          \
		.size = sizeof(*((type *)0)->member), .count = offsetof(type, count_),             \
		.rows = (rows_)                                                                    \
	}

extern const struct pb_yaml_row config_pack_rows[], config_bank_rows[], config_listen_rows[],
	config_limit_rows[], config_http_rows[], config_history_rows[], config_bluetooth_rows[];

/** Where @key stands in @node; the node itself when it is missing. */
struct pb_mark config_mark(const struct pb_yaml *node, const char *key);
/**
 * @return an array of @size a item of the sequence @node; NULL, with the error in @report, when it
 *         is none, is empty or has more than @max items; NULL with a @ret_count without memory.
 */
void *config_items(const struct pb_yaml *node, size_t size, size_t max, size_t *ret_count,
		   const char *what, struct pb_report *report);

/**
 * Copies the texts of the sequence @node; @expected: what they should be, for messages. @ret and
 * @ret_count are for config_free_texts(), whatever is returned; @ret_marks, where each stands, is
 * for free().
 * @return 0, also when they are wrong, which is in @report; -ENOMEM.
 */
int config_texts(char ***ret, struct pb_mark **ret_marks, size_t *ret_count,
		 const struct pb_yaml *node, const char *what, const char *expected,
		 struct pb_report *report);
void config_free_texts(char **texts, size_t count);

/** Whether a name is of a-z, 0-9 and - only, which names of packs and banks must be. */
bool config_good_name(const char *name);
/** "no pack 'hose', expected 'house' perhaps": @names ended by NULL. */
void config_no_such(const struct pb_yaml *node, const char *what, const char *name,
		    const char *const *names, struct pb_report *report);
/** The names of all packs, ended by NULL; free() the array. */
const char **config_pack_names(const struct pb_config *config);

/** What holds for all packs. */
struct config_common {
	const struct pb_yaml *limits, *alarms; /**< NULL: not given */
};

/**
 * Tells the errors in what holds for all once, however many packs there are. What has errors is
 * left out of @all, so that it is not read again for each pack. Each value is judged by itself;
 * whether the values fit together is judged for each pack, with the presets of its chemistry.
 */
void config_check_defaults(struct config_common *all, struct pb_report *report);
/** Reads `packs:`. @return 0, -ENOMEM. */
int config_read_packs(struct pb_config *config, const struct pb_yaml *node,
		      const struct config_common *all, struct pb_report *report);
/** Reads `bluetooth:`; @node may be NULL. @return 0, -ENOMEM. */
int config_read_bluetooth(struct pb_config *config, const struct pb_yaml *node,
			  struct pb_report *report);

/** Reads `banks:`, when the packs are there; @alarms: the file's for all, or NULL. @return 0,
 * -ENOMEM. */
int config_read_banks(struct pb_config *config, const struct pb_yaml *node,
		      const struct pb_yaml *alarms, struct pb_report *report);

/** Reads keys of `limits:` over what @setup has. @node may be NULL. */
void config_read_limits(struct pb_limit_setup *setup, const struct pb_yaml *node,
			struct pb_report *report);
/** The same for `alarms:`. */
void config_read_alarms(struct pb_alarm_setup *setup, const struct pb_yaml *node,
			struct pb_report *report);
/**
 * Whether what @own and @all made of the presets of a pack's chemistry fits together. Either may be
 * NULL; an error stands where the value does that was given last.
 */
void config_check_limits(const struct pb_pack_config *pack, const struct pb_yaml *own,
			 const struct pb_yaml *all, struct pb_report *report);
/** The same for alarms; @name: of the pack or bank. */
void config_check_alarms(const struct pb_alarm_setup *setup, const char *name,
			 const struct pb_yaml *own, const struct pb_yaml *all,
			 struct pb_report *report);
/** Reads and checks the pack's password, from the file or from a file of its own. */
void config_read_password(struct pb_pack_config *pack, const struct pb_yaml *node,
			  struct pb_report *report);
/** The same for the PIN of its board. */
void config_read_pin(struct pb_pack_config *pack, const struct pb_yaml *node,
		     struct pb_report *report);

extern const char *const config_control_modes[], *const config_lease_ends[];

/** Refuses keys of control in a pack that does not say `control:`. */
void config_check_control(const struct pb_yaml *node, struct pb_report *report);
/** Checks `keep_closed:` of a bank, once it has its packs. */
void config_check_keep_closed(const struct pb_config *config, const struct pb_bank_config *bank,
			      const struct pb_yaml *node, struct pb_report *report);
/**
 * Reads `write:` of a listener: networks, or true or false for a serial line.
 * @return 0, also with an error in @report; -ENOMEM.
 */
int config_read_write(struct pb_listen_config *listen, const struct pb_yaml *node,
		      struct pb_report *report);

/** Whether @key is one of `alarms:`. */
bool config_is_alarm(const char *key);

/** Reads `listen:`, whose units may show the packs of @config. @return 0, -ENOMEM. */
int config_read_listens(struct pb_config *config, const struct pb_yaml *node,
			struct pb_report *report);
void config_free_listens(struct pb_config *config);

/** Reads `history:`; @node may be NULL. */
void config_read_history(struct pb_config *config, const struct pb_yaml *node,
			 struct pb_report *report);
/** Reads `http:`; @node may be NULL. @return 0, -ENOMEM. */
int config_read_http(struct pb_config *config, const struct pb_yaml *node,
		     struct pb_report *report);
void config_free_http(struct pb_config *config);
