/* SPDX-License-Identifier: MIT */
/* The formats. A new one is a file with its print function, and a row here. */
#include "format.h"

enum {
	MANY = 256,
	SCOPE_UNITS = 3, /* connections of a project of level 4 */
	TCP = PB_EXPORT_TCP,
	ANY_WAY = PB_EXPORT_TCP | PB_EXPORT_RTU_TCP | PB_EXPORT_RTU,
	ALL = PB_EXPORT_ALL,
};

/* clang-format off */
const struct pb_export pb_exports[] = {
	{"markdown", "a page of documentation", export_markdown, 1, ANY_WAY, ALL},
	{"csv", "one line per value", export_csv, 1, ANY_WAY, ALL},
	{"json", "one object per value", export_json, 1, ANY_WAY, ALL},
	{"twincat", "TwinCAT: structures and blocks on FB_MBReadRegs, as PLCopen XML",
	 export_twincat, MANY, TCP | PB_EXPORT_NUMBERS, ALL},
	{"st", "the same without Beckhoff's library, as plain IEC 61131-3", export_st, MANY, ANY_WAY, ALL},
	{"homeassistant", "Home Assistant's modbus integration, YAML", export_homeassistant, MANY, ANY_WAY,
	 PB_EXPORT_MAIN},
	{"telegraf", "Telegraf's inputs.modbus, TOML", export_telegraf, MANY, ANY_WAY, ALL},
	{"nodered", "a Node-RED flow, JSON", export_nodered, MANY, ANY_WAY, ALL},
	{"iobroker", "settings of ioBroker.modbus, JSON", export_iobroker, MANY, ANY_WAY, PB_EXPORT_MAIN},
	{"openhab", "things and items of openHAB's Modbus binding", export_openhab, MANY, ANY_WAY,
	 PB_EXPORT_MAIN},
	{"modbusscope", "a ModbusScope project", export_modbusscope, SCOPE_UNITS,
	 PB_EXPORT_TCP | PB_EXPORT_RTU, ALL},
	{"mbpoll", "mbpoll command lines", export_mbpoll, MANY, TCP | PB_EXPORT_RTU, ALL},
	{0},
};
/* clang-format on */
