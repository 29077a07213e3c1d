/* SPDX-License-Identifier: MIT */
/*
 * packbridge.yaml -> struct pb_config. Names of codecs, links and maps are kept as strings; the
 * bridge checks them.
 */
#pragma once

#include "packbridge/bank.h"
#include "packbridge/yaml.h"

enum {
	PB_CONFIG_NAME = 32, /**< the NUL included */
	PB_CONFIG_MAP = 64,  /**< name of a map, with its options */
	PB_CONFIG_LINK = 256,
	PB_CONFIG_PASSWORD = 16, /**< of a radio module */
	PB_CONFIG_PIN = 8,	 /**< of a board */
	PB_CONFIG_ADAPTER = 16,
};

/**
 * Effect of a changed key when the daemon reloads the file: `change` in the rows. Keys inside a
 * nested list or section have none; the change of the whole list or section counts.
 */
enum pb_config_change {
	PB_CHANGE_APPLIES = 1 << 0,    /**< takes effect without an interruption */
	PB_CHANGE_RECONNECTS = 1 << 1, /**< the pack is reconnected */
	PB_CHANGE_REOPENS = 1 << 2,    /**< a serial line is reopened; a socket stays open */
	PB_CHANGE_REPLACES = 1 << 3,   /**< the old object is removed and a new one created */
};

struct pb_pack_config {
	char name[PB_CONFIG_NAME]; /**< [a-z0-9-], unique */
	char link[PB_CONFIG_LINK]; /**< TYPE:ADDRESS */
	char protocol[PB_CONFIG_NAME];
	char map[PB_CONFIG_MAP];
	int32_t unit;	    /**< 1..247, unique */
	uint32_t poll_ms;   /**< from the start of one poll to the next, 100..3600000 */
	uint32_t gap_ms;    /**< silence between a reply and the next request */
	uint32_t settle_ms; /**< silence after connecting */
	uint32_t reply_timeout_ms;
	uint32_t tries; /**< how often a request is sent before its poll counts as failed */
	uint32_t connect_timeout_ms;
	uint32_t stale_after_s; /**< default: 3 polls, at least 15 s */
	bool stale_fixed;	/**< the file sets it; compared together with stale_after_s */
	char password[PB_CONFIG_PASSWORD];  /**< of the radio module; "": none */
	char password_file[PB_CONFIG_LINK]; /**< file with the password; read when the configuration
					       is loaded */
	char pin[PB_CONFIG_PIN];	    /**< hardware PIN of the board, 6 digits; "": none */
	char pin_file[PB_CONFIG_LINK];	    /**< file with the PIN, like password_file */
	uint32_t address; /**< address on a line that several packs share, from 1; 0: the line is
			     not shared */
	int32_t passkey;  /**< for pairing, 0..999999; -1: none */
	int chemistry;	  /**< enum pb_chemistry */
	struct pb_limit_setup limits; /**< by chemistry, the file's `limits:`, its own */
	struct pb_alarm_setup alarms; /**< the same for `alarms:` */
	struct pb_control_setup control;
	struct pb_mark link_mark, protocol_mark, map_mark, unit_mark, pin_mark;
	struct pb_mark control_mark; /**< 0: the file does not set it */
};

/** A bank: packs that are also published as one battery. */
struct pb_bank_config {
	char name[PB_CONFIG_NAME]; /**< [a-z0-9-], unique among packs and banks */
	char map[PB_CONFIG_MAP];
	int32_t unit;		      /**< 1..247, unique among packs and banks */
	size_t pack_count;	      /**< 1..PB_MEMBERS_MAX */
	size_t packs[PB_MEMBERS_MAX]; /**< their indexes in pb_config.packs */
	char pack_names[PB_MEMBERS_MAX][PB_CONFIG_NAME];
	struct pb_bank_setup setup;
	struct pb_alarm_setup alarms; /**< in addition to those of its packs */
	uint32_t keep_closed;	      /**< packs whose switches must stay closed, at least */
	struct pb_mark map_mark, packs_mark;
};

enum pb_config_parity { PB_PARITY_NONE, PB_PARITY_EVEN, PB_PARITY_ODD };

enum pb_config_rts { PB_RTS_HIGH, PB_RTS_LOW }; /**< while sending */

/** One unit of a listener's own view. */
struct pb_show_config {
	int32_t unit;		   /**< 1..247, unique on its listener */
	char pack[PB_CONFIG_NAME]; /**< name of the pack; "": it is a bank */
	char bank[PB_CONFIG_NAME];
	size_t index; /**< index of that pack or bank */
	char map[PB_CONFIG_MAP];
	struct pb_mark map_mark;
};

enum pb_listen_kind {
	PB_LISTEN_TCP,
	PB_LISTEN_RTU,	   /**< a serial line */
	PB_LISTEN_RTU_TCP, /**< RTU frames in a TCP stream */
	PB_LISTEN_KINDS
};

struct pb_listen_config {
	enum pb_listen_kind kind;     /**< kind and address together identify a listener */
	char address[PB_CONFIG_LINK]; /**< HOST:PORT, [HOST]:PORT; or a line's device */
	struct pb_show_config *units; /**< all units of the listener, besides the gateway */
	size_t unit_count;	      /**< 0: each pack and bank with its own unit id */
	uint32_t gap_ms;	      /**< not for PB_LISTEN_TCP */
	/* sockets */
	uint32_t max_clients, frame_timeout_ms, idle_timeout_s;
	char **allow;		     /**< networks that may connect */
	size_t allow_count;	     /**< 0: everyone may */
	struct pb_mark *allow_marks; /**< mark of each entry */
	char **write;		     /**< networks that may switch packs; of sockets */
	size_t write_count;	     /**< 0: nobody may */
	struct pb_mark *write_marks;
	bool write_line; /**< of a line: its master may switch packs */
	/* lines */
	uint32_t baud;
	int parity; /**< enum pb_config_parity */
	uint32_t data_bits, stop_bits;
	uint32_t reply_delay_ms;
	bool rs485, echo;
	int rts; /**< enum pb_config_rts, for rs485 */
	uint32_t rts_before_ms, rts_after_ms;
	struct pb_mark mark, baud_mark;
};

/** An adapter with its own limit. */
struct pb_adapter_config {
	char name[PB_CONFIG_ADAPTER]; /**< "hci0" */
	uint32_t max_connections;
};

struct pb_bluetooth_config {
	uint32_t max_connections;   /**< on one adapter at a time */
	uint32_t power_cycle_after; /**< failed connects in a row; 0: never */
	bool acquire; /**< true: transfer bytes through descriptors, not D-Bus messages */
	size_t adapter_count;
	struct pb_adapter_config *adapters;
};

/** Unix sockets of the daemon, by the key of their path. */
enum pb_socket {
	PB_SOCKET_CONTROL, /**< takes commands */
	PB_SOCKET_STATUS,  /**< reports the state */
	PB_SOCKETS
};

struct pb_socket_config {
	char path[PB_CONFIG_LINK];
	bool fixed; /**< the file sets it, so a failure is an error */
	struct pb_mark mark;
};

/** `http:`, the status page. */
struct pb_http_section {
	char address[PB_CONFIG_LINK]; /**< HOST:PORT; "": there is no page */
	size_t host_count, allow_count;
	char **hosts; /**< names accepted in `Host:`, in addition to the usual ones */
	char **allow; /**< networks that may connect; if empty, everyone may */
	struct pb_mark *host_marks, *allow_marks;
	struct pb_mark mark;
};

/** `history:`, what is remembered over a restart. */
struct pb_history_section {
	bool keep;
	char path[PB_CONFIG_LINK]; /**< "": in the StateDirectory of the service */
	uint32_t interval_s;	   /**< between two saves */
};

struct pb_config {
	char *file; /**< name in messages */
	size_t pack_count;
	struct pb_pack_config *packs;
	size_t bank_count;
	struct pb_bank_config *banks;
	size_t listen_count;
	struct pb_listen_config *listens;
	struct pb_bluetooth_config bluetooth;
	struct pb_socket_config sockets[PB_SOCKETS];
	struct pb_http_section http;
	struct pb_history_section history;
};

/**
 * Loads and checks a configuration.
 * @return 0 and the configuration (@ret, free with pb_config_free()); negative with every error
 *         in @report.
 */
int pb_config_load(struct pb_config **ret, const char *path, struct pb_report *report);
int pb_config_parse(struct pb_config **ret, const char *file, const char *text, size_t len,
		    struct pb_report *report);
/**
 * The same, but after errors @ret is the part that could be read, so that pb_bridge_check() can
 * find more errors in the same run. Do not use it for anything else: invalid or missing values are
 * 0 or "". NULL: nothing could be read.
 */
int pb_config_read(struct pb_config **ret, const char *path, struct pb_report *report);
struct pb_config *pb_config_free(struct pb_config *config);
PB_DEFINE_FREEP(struct pb_config, pb_config_free)

/** The keys of the file itself, of one entry of `packs:`, `banks:`, `listen:` and its `units:`, of
 * `http:`, `history:` and of `limits:`, ended by a NULL key. pb_yaml_differs() compares two
 * configurations, or two packs, banks and so on, by them. */
const struct pb_yaml_row *pb_config_file_rows(void);
const struct pb_yaml_row *pb_config_pack_rows(void);
const struct pb_yaml_row *pb_config_listen_rows(void);
const struct pb_yaml_row *pb_config_show_rows(void);
const struct pb_yaml_row *pb_config_http_rows(void);
const struct pb_yaml_row *pb_config_history_rows(void);
const struct pb_yaml_row *pb_config_bluetooth_rows(void);
const struct pb_yaml_row *pb_config_bank_rows(void);
const struct pb_yaml_row *pb_config_limit_rows(void);

/** @return the enum pb_control_mode that all packs of a bank allow: it is switched as a whole. */
int pb_bank_control(const struct pb_config *config, const struct pb_bank_config *bank);
/** @return "off", "charge" or "charge+discharge", as in the file. */
const char *pb_control_mode_name(int mode);

/** @return "tcp", "rtu" or "rtu-over-tcp", as in the file. */
const char *pb_listen_kind_name(enum pb_listen_kind kind);
enum { PB_LISTEN_NAME = PB_CONFIG_LINK + 16 };
/** Writes "tcp 127.0.0.1:502"; @cap: PB_LISTEN_NAME is enough. */
void pb_listen_name(const struct pb_listen_config *listen, char *out, size_t cap);

/** Default paths of the sockets. */
#define PB_CONFIG_CONTROL "/run/packbridge/control.sock"
#define PB_CONFIG_STATUS  "/run/packbridge/status.sock"

/** @return the key of a socket's path in the file. */
const char *pb_socket_name(enum pb_socket socket);
