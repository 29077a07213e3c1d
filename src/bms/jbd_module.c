/* SPDX-License-Identifier: MIT */
/*
 * The login of modules with a password:
 *
 *	15 app key "000000"   -> 0 password needed, 2 none is set, 1 refused
 *	17                    -> one random byte r
 *	18 user password      -> 0 good, 1 wrong
 *	17                    -> another r
 *	1D root password      -> 0 good
 *
 * Passwords are sent as ((mac[i] ^ password[i]) + r) & FF, mac[i] = 0 from i = 6 on. A module
 * answers reads after 18 already; 1D unlocks writes, so its failure does not matter until there is
 * a command, which asks for it again (jbd_command.c). Silence and the
 * echo of the request mean that there is no such login. A module that refuses the app key may take
 * the user's password in its place (a shorter flow that one project uses).
 *
 * Source: docs/protocols/jbd.md, "Password"; ten captured exchanges agree, four are tests.
 */
#include "jbd_module.h"
#include "codec.h"

#include <string.h>

enum {
	CMD_APP_KEY = 0x15,
	CMD_RANDOM = 0x17,
	CMD_USER = 0x18,
	CMD_ROOT = 0x1D,
	HEAD = 4, /* FF AA command length */
	KEY = 6,
	ROOT_LEN = 15,
};

enum step {
	STEP_START,
	STEP_APP_KEY,
	STEP_RANDOM,
	STEP_USER,
	STEP_RANDOM_2,
	STEP_ROOT,
	STEP_SHORT
};

/* A constant of the vendor's app. */
static const uint8_t root[ROOT_LEN] = {0x4A, 0x42, 0x44, 0x62, 0x74, 0x70, 0x77, 0x64,
				       0x21, 0x40, 0x23, 0x32, 0x30, 0x32, 0x33};

static enum pb_dialogue_result request(struct pb_dialogue *login, int step, uint8_t command,
				       const uint8_t *data, size_t len)
{
	struct pb_query *query = &login->request;
	unsigned int sum = command + (unsigned int)len;

	*query = (struct pb_query){
		.name = "login", .command = command, .module = true, .secret = true};
	query->bytes[0] = 0xFF;
	query->bytes[1] = 0xAA;
	query->bytes[2] = command;
	query->bytes[3] = (uint8_t)len;
	for (size_t i = 0; i < len; i++) {
		query->bytes[HEAD + i] = data[i];
		sum += data[i];
	}
	query->bytes[HEAD + len] = (uint8_t)sum;
	query->len = (uint8_t)(HEAD + len + 1);
	login->step = step;
	return PB_DIALOGUE_SEND;
}

static enum pb_dialogue_result send_hidden(struct pb_dialogue *login, int step, uint8_t command,
					   const uint8_t *password, size_t len, uint8_t random)
{
	uint8_t hidden[ROOT_LEN];

	for (size_t i = 0; i < len; i++)
		hidden[i] = (uint8_t)((password[i] ^ (i < 6 ? login->mac[i] : 0)) + random);
	return request(login, step, command, hidden, len);
}

static enum pb_dialogue_result send_key(struct pb_dialogue *login, int step, uint8_t command,
					uint8_t random)
{
	uint8_t key[KEY] = {0};

	memcpy(key, login->password, strnlen(login->password, KEY));
	return command == CMD_USER ? send_hidden(login, step, command, key, KEY, random)
				   : request(login, step, command, key, KEY);
}

/* @return whether the module answers; with its one byte. */
static bool module_answer(const struct pb_dialogue *login, const struct pb_frame *reply,
			  uint8_t *ret_value)
{
	/* every reply has one byte; an echo of the request has more, or none */
	bool answer = reply && reply->kind == PB_FRAME_MODULE && reply->payload_len == 1 &&
		      reply->command == login->request.command;

	*ret_value = answer ? reply->payload[0] : 0;
	return answer;
}

enum pb_dialogue_result jbd_module_root(struct pb_dialogue *d, const struct pb_frame *reply,
					int first)
{
	uint8_t value;
	bool answer = module_answer(d, reply, &value);

	if (d->step == first)
		return answer ? send_hidden(d, first + 1, CMD_ROOT, root, ROOT_LEN, value)
			      : PB_DIALOGUE_DONE;
	if (d->step == first + 1) {
		if (answer && value == 0)
			d->unlocked &= (uint8_t)~JBD_NO_ROOT;
		return PB_DIALOGUE_DONE;
	}
	d->unlocked |= JBD_NO_ROOT;
	return request(d, first, CMD_RANDOM, NULL, 0);
}

enum pb_dialogue_result jbd_login(struct pb_dialogue *login, const struct pb_frame *reply)
{
	uint8_t value;
	bool answer = module_answer(login, reply, &value);

	switch ((enum step)login->step) {
	case STEP_START:
		return request(login, STEP_APP_KEY, CMD_APP_KEY, (const uint8_t *)"000000", KEY);
	case STEP_APP_KEY:
		if (!answer)
			return PB_DIALOGUE_NONE;
		if (value == 2)
			return PB_DIALOGUE_DONE;
		return value == 0 ? request(login, STEP_RANDOM, CMD_RANDOM, NULL, 0)
				  : send_key(login, STEP_SHORT, CMD_APP_KEY, 0);
	case STEP_RANDOM:
		return answer ? send_key(login, STEP_USER, CMD_USER, value) : PB_DIALOGUE_NONE;
	case STEP_USER:
		if (!answer)
			return PB_DIALOGUE_NONE;
		return value == 0 ? jbd_module_root(login, NULL, STEP_RANDOM_2)
				  : send_key(login, STEP_SHORT, CMD_APP_KEY, 0);
	case STEP_RANDOM_2:
	case STEP_ROOT:
		return jbd_module_root(login, reply, STEP_RANDOM_2);
	case STEP_SHORT:
		return answer && value != 1 ? PB_DIALOGUE_DONE : PB_DIALOGUE_REFUSED;
	}
	return PB_DIALOGUE_NONE;
}

/* ---- advertisements: docs/protocols/jbd.md, "How packs are found" ---- */

static const uint8_t prefixes[][3] = {
	{0x10, 0xA5, 0x62}, {0xA4, 0xC1, 0x37}, {0xA4, 0xC1, 0x38},
	{0xA5, 0xC2, 0x37}, {0xA5, 0xC2, 0x39}, {0xA5, 0xC2, 0x3A},
	{0xAA, 0xC2, 0x37}, {0x70, 0x3E, 0x97}, {0},
};

static const char *const names[] = {
	"xiaoxiang*", "JBD-*",	"DWF*",	  "LSG-*",  "N-?????BL*", "SX1*",    "SX60*", "SBL-*",
	"OGR-*",      "TZ-H*",	"SP0?S*", "SP1?S*", "SP2?S*",	  "AP2?S*",  "GJ-*",  "DP04S*",
	"ECO-LFP*",   "LT40AH", "PKT*",	  "gokwh*", "DWC*",	  "DXD*",    "DDC*",  "AL12-*",
	"BS20*",      "UP16S*", "121?0*", "12200*", "12300*",	  "BT  LP*", NULL,
};

static const char *const fff0_names[] = {"DP04S*", NULL};
static const char *const ff06_names[] = {"12150EG*", NULL};
static const char *const ks48_names[] = {"HSKS-*", "BL-*", NULL};

/*
 * Other things, printers and toys, have ff00 as well: alone it is no sign. Its own address in
 * display order and service 0001 are Humsienk's, too, which has names like JBD's: there the name
 * decides.
 */
const struct pb_sign jbd_signs[] = {
	{"service ff00 and its own address as maker data", "aiobmsble, 18 captured advertisements",
	 .maker = "%%*", .service = 0xFF00},
	{"service ff00 and its own address as maker data",
	 "aiobmsble, 6 captured advertisements; without 0001: #209", .maker = "@@*",
	 .service = 0xFF00, .without = 0x0001},
	{"service ff00 and maker data of a JBD module",
	 "BMS_BLE-HA #22, #236, #507, #522, aiobmsble #170; KS48: BMS_BLE-HA #303, #613",
	 .maker = "7B0002FFFF7D", .service = 0xFF00, .unnamed = ks48_names},
	{"service ff00 and maker data of a JBD module",
	 "BMS_BLE-HA #22, the id's bytes the other way", .maker = "007B02FFFF7D", .service = 0xFF00,
	 .unnamed = ks48_names},
	{"service ff06 and its own address as maker data", "BMS_BLE-HA #649", .maker = "%%*",
	 .service = 0xFF06},
	{"service ff00 and a JBD address", "aiobmsble", .service = 0xFF00, .prefixes = prefixes},
	{"service ff06 and a JBD address", "aiobmsble", .service = 0xFF06, .prefixes = prefixes},
	{"service ff00 and a JBD name", "aiobmsble, present and past", .service = 0xFF00,
	 .names = names},
	{"service ff06 and a JBD name", "BMS_BLE-HA #649", .service = 0xFF06, .names = ff06_names},
	{"service fff0 and a JBD name", "BMS_BLE-HA #144", .service = 0xFFF0, .names = fff0_names},
	{0},
};
