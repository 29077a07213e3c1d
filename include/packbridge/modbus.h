/* SPDX-License-Identifier: MIT */
/*
 * Modbus, pure: register images, the responder (request PDU in, reply PDU out) and MBAP framing.
 * No sockets, no clock, no allocation.
 * Sources: MODBUS Application Protocol V1.1b3 (APP), Messaging on TCP/IP Guide V1.0b (TCP).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PB_PDU_MAX = 253, /**< APP 4.1 */
	PB_MBAP_LEN = 7,  /**< TCP 3.1.3: transaction, protocol, length, unit */
	PB_TCP_ADU_MAX = PB_MBAP_LEN + PB_PDU_MAX,
	PB_READ_REGISTERS_MAX = 125,  /**< APP 6.3 */
	PB_READ_BITS_MAX = 2000,      /**< APP 6.1 */
	PB_WRITE_REGISTERS_MAX = 123, /**< APP 6.12 */
	PB_WRITE_BITS_MAX = 1968,     /**< APP 6.11 */
	PB_READWRITE_WRITE_MAX = 121, /**< APP 6.17 */
};

enum pb_function {
	PB_FC_READ_COILS = 1,
	PB_FC_READ_DISCRETE_INPUTS = 2,
	PB_FC_READ_HOLDING_REGISTERS = 3,
	PB_FC_READ_INPUT_REGISTERS = 4,
	PB_FC_WRITE_COIL = 5,
	PB_FC_WRITE_REGISTER = 6,
	PB_FC_READ_EXCEPTION_STATUS = 7,
	PB_FC_DIAGNOSTICS = 8,
	PB_FC_WRITE_COILS = 15,
	PB_FC_WRITE_REGISTERS = 16,
	PB_FC_REPORT_SERVER_ID = 17,
	PB_FC_MASK_WRITE_REGISTER = 22,
	PB_FC_READ_WRITE_REGISTERS = 23,
	PB_FC_ENCAPSULATED = 43, /**< with MEI type 14: read device identification */
};

enum pb_exception {
	PB_EXCEPTION_NONE = 0,
	PB_EXCEPTION_ILLEGAL_FUNCTION = 0x01,
	PB_EXCEPTION_ILLEGAL_ADDRESS = 0x02,
	PB_EXCEPTION_ILLEGAL_VALUE = 0x03,
	PB_EXCEPTION_DEVICE_FAILURE = 0x04,
	PB_EXCEPTION_DEVICE_BUSY = 0x06,
	PB_EXCEPTION_GATEWAY_PATH = 0x0A,   /**< no such unit */
	PB_EXCEPTION_GATEWAY_TARGET = 0x0B, /**< the unit's pack has not answered in time */
};

/** Tables are bits, so that one block can belong to several. */
enum pb_table {
	PB_TABLE_COIL = 1 << 0,
	PB_TABLE_DISCRETE = 1 << 1,
	PB_TABLE_HOLDING = 1 << 2,
	PB_TABLE_INPUT = 1 << 3,
};

enum pb_fault {
	PB_FAULT_NONE = 0,
	PB_FAULT_EXCEPTION = PB_EXCEPTION_GATEWAY_TARGET, /**< data is stale: exception 0B */
	PB_FAULT_SILENT = 0xFF, /**< data is stale: no reply at all; on Modbus TCP exception 0B */
};

/** A range of addresses without gaps. */
struct pb_block {
	uint8_t tables; /**< set of enum pb_table: registers or bits, not both */
	uint8_t fault;	/**< enum pb_fault: answer to each request that touches this block */
	uint16_t addr;	/**< wire address of the first */
	uint32_t count; /**< registers or bits; addr + count <= 65536 */
	uint8_t *bytes; /**< as on the wire: registers big endian, bits from the lowest bit on */
	const uint8_t *writable; /**< a bit per address, lowest first; NULL: read-only */
};

/** The client at the other end of a connection or line. */
struct pb_peer {
	char name[48];	     /**< for messages: "192.168.1.7", "fe80::1%eth0", "/dev/ttyUSB0" */
	uint8_t address[16]; /**< IPv6, or IPv4 as ::ffff:a.b.c.d; zeros for a serial line */
	bool may_control;    /**< the listener's `write:` lets it switch packs */
};

/**
 * Content of one unit. Blocks of one table do not overlap and are sorted by address. Borrowed
 * memory.
 */
struct pb_image {
	const struct pb_block *blocks;
	size_t block_count;
	uint8_t exception_status; /**< answer to function 7 */
	bool word_count; /**< not Modbus: replies to 3 and 4 carry the number of registers in two
			    bytes, instead of the number of bytes in one */
	/** For functions 17 and 43/14: names of map, pack and battery protocol; NULL: left out. */
	const char *model, *name, *protocol;
	/**
	 * Executes a write of @count addresses of @table (coils or holding) from @addr on. All of
	 * them are writable. @bytes: as on the wire. All or nothing. @peer: the client; NULL: not
	 * known.
	 * @return PB_EXCEPTION_NONE; else nothing was written.
	 */
	enum pb_exception (*write)(void *userdata, const struct pb_peer *peer, enum pb_table table,
				   uint16_t addr, uint16_t count, const uint8_t *bytes);
	void *userdata;
};

/** Counters of a line or listener for function 8; they wrap at 65536 (APP 6.8). */
struct pb_diagnostics {
	uint16_t bus_messages;	  /**< sub-function 0B: frames without an error, for any server */
	uint16_t bus_errors;	  /**< 0C: frames with a wrong CRC */
	uint16_t exceptions;	  /**< 0D: exceptions that were answered */
	uint16_t server_messages; /**< 0E: frames for one of our units, broadcasts too */
	uint16_t no_response;	  /**< 0F: of these, not answered */
	uint16_t naks;		  /**< 10: always 0 */
	uint16_t busy;		  /**< 11: answered by exception 06 */
	uint16_t overruns;	  /**< 12: characters that came too fast */
};

/** The program as a Modbus device; the same for all its units. Borrowed texts. */
struct pb_identity {
	const char *vendor, *product, *revision, *url, *product_name;
};

/** The origin of a request. */
struct pb_origin {
	const struct pb_peer *peer;	    /**< the client; NULL: not known */
	const struct pb_identity *identity; /**< NULL: functions 17 and 43/14 are unsupported */
	struct pb_diagnostics *diagnostics; /**< of the listener; NULL: function 8 is unsupported */
};

/**
 * Answers one request from the image.
 * @origin: NULL: functions 8, 17 and 43 are unknown.
 * @image: NULL when the unit does not exist: exception 0A for every request.
 * @pdu, @len: function code and data, len may be 0 (no reply).
 * @reply: room for PB_PDU_MAX bytes. Order of checks (APP 6): function supported, else 01;
 * quantity, value and length of the request legal, else 03; all addresses in the image, and
 * writable for a write, else 02; no block with a fault, else that fault; then the result of the
 * write. Function codes 0 and 128..255 are answered (code | 0x80), 01. Function 8 changes no
 * counter, except its sub-function 0A, which clears all. The server counts.
 * @return length of the reply PDU; 0 = stay silent.
 */
size_t pb_modbus_reply(const struct pb_origin *origin, const struct pb_image *image,
		       const uint8_t *pdu, size_t len, uint8_t *reply);

/* ---- framings: requests and replies within a stream of bytes ---- */

/** A request or reply without its framing. */
struct pb_adu {
	uint16_t transaction; /**< of MBAP: the reply repeats it */
	uint8_t unit;
	const uint8_t *pdu; /**< borrowed from the buffer in which it was found */
	size_t pdu_len;	    /**< 1..PB_PDU_MAX */
};

/** State of a framing for one stream; the framing's own members may follow. */
struct pb_framer {
	/** @return whether a unit is ours. For lines with other servers. */
	bool (*ours)(void *userdata, uint8_t unit);
	/** Called for each request to another server; may be NULL. */
	void (*other)(void *userdata, const struct pb_adu *request);
	void *userdata;
	/* counters; the code that adds them up sets them to 0 */
	uint32_t frames;   /**< frames without an error: requests, and replies of other servers */
	uint32_t errors;   /**< frames ended by silence without a valid CRC */
	uint32_t overruns; /**< more bytes than a frame can have */
};

/** One kind of framing. Pure; no allocation. */
struct pb_framing {
	const char *over_tcp; /**< its name over TCP: "TCP", "RTU over TCP" */
	size_t framer_size; /**< of its state, which begins with a struct pb_framer; the rest starts
			       as 0 */
	uint8_t head, tail; /**< bytes of an ADU before and after its PDU */
	/**
	 * true: as on a serial line. Units are 1 to 247, 0 is the broadcast, and requests for other
	 * units get no reply. false: every request is answered.
	 */
	bool line;
	bool by_silence; /**< a frame may end only with a gap behind it: next() with @silence */
	/**
	 * Takes the next request.
	 * @silence: nothing was received during the gap after the last byte; @len is 0 then.
	 * @ret_taken: number of the @len bytes that it consumed, for any result. Pass the other
	 * bytes again.
	 * @return 1 and @ret, valid until the next call; 0: no whole request yet; -EPROTO: the
	 *         stream has lost synchronisation, close it.
	 */
	int (*next)(struct pb_framer *framer, const uint8_t *bytes, size_t len, bool silence,
		    size_t *ret_taken, struct pb_adu *ret);
	/** @return whether the framer holds a part of a request. */
	bool (*pending)(const struct pb_framer *framer);
	/**
	 * Completes a reply whose PDU is already at @adu + head.
	 * @return length of the ADU, at most head + PB_PDU_MAX + tail.
	 */
	size_t (*wrap)(uint8_t *adu, const struct pb_adu *request, size_t pdu_len);
};

/** Modbus TCP (TCP 3.1). Its framer is a bare struct pb_framer. */
extern const struct pb_framing pb_framing_mbap;
/** A serial line, or its bytes over TCP. Its framer is a struct pb_rtu. */
extern const struct pb_framing pb_framing_rtu;

/* ---- MBAP ---- */

/**
 * Takes the frame at the head of a TCP stream, by its length field only.
 * @ret: its pdu is borrowed from the buffer.
 * @return number of bytes consumed; 0: more are needed; -EPROTO: protocol id not 0, or length
 *         outside 2..254. Then the stream has lost synchronisation, close it (found as soon as
 *         these bytes are received).
 */
int pb_mbap_next(const uint8_t *buf, size_t len, struct pb_adu *ret);

/** Writes the header for a reply PDU that is already at @adu + PB_MBAP_LEN. @return ADU length. */
size_t pb_mbap_wrap(uint8_t *adu, const struct pb_adu *request, size_t pdu_len);

/* ---- RTU: bytes of a serial line (Serial Line V1.02, SER) ---- */

enum {
	PB_RTU_ADU_MAX = 256, /**< SER 2.3: address, PDU, CRC */
	PB_RTU_ADU_MIN = 4,
	PB_RTU_UNIT_MAX = 247, /**< SER 2.2 */
};

/**
 * Finds requests on a line that may have other servers. A frame ends at the length given by its
 * function, if the CRC is valid there, else at the silence of the line. A frame that follows a
 * request for another server is recognised as that server's reply.
 */
struct pb_rtu {
	struct pb_framer framer;
	uint8_t bytes[PB_RTU_ADU_MAX];
	size_t len, taken; /**< taken: length of the frame that was returned last */
	bool lost;	   /**< more bytes than a frame can have: ignore all until the silence */
	bool foreign;	   /**< the last request was for another server, which may answer */
	uint8_t foreign_unit, foreign_function;
};

/**
 * @return how many of @len bytes it took: all, or as many as fit (then take frames and push the
 *         rest).
 */
size_t pb_rtu_push(struct pb_rtu *rtu, const uint8_t *bytes, size_t len);
/**
 * The next request for one of our units, or a broadcast.
 * @silence: the line has been silent for the gap after the last byte.
 * @ret: its pdu is borrowed from @rtu, valid until the next call.
 * @return true and @ret; false: none (yet). Call until false.
 */
bool pb_rtu_next(struct pb_rtu *rtu, bool silence, struct pb_adu *ret);
/** Drops received bytes after the line was closed; keeps the counters. */
void pb_rtu_reset(struct pb_rtu *rtu);
/** Adds address and CRC to a reply PDU that is already at @adu + 1. @return ADU length. */
size_t pb_rtu_wrap(uint8_t *adu, uint8_t unit, size_t pdu_len);
/** The frame gap of 3.5 characters of 11 bits in us; 1750 above 19200 baud (SER 2.5.1.1). */
uint32_t pb_rtu_gap_us(uint32_t baud);
