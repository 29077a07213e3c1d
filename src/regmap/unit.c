/* SPDX-License-Identifier: MIT */
#include "map.h"

#include <stdio.h>
#include <string.h>

static const struct unit units[] = {
	{"mV", PB_UOM_MV, 1, 0},	 {"V", PB_UOM_MV, 1000, 0},
	{"mA", PB_UOM_MA, 1, 0},	 {"A", PB_UOM_MA, 1000, 0},
	{"mW", PB_UOM_MW, 1, 0},	 {"W", PB_UOM_MW, 1000, 0},
	{"kW", PB_UOM_MW, 1000000, 0},	 {"mAh", PB_UOM_MAH, 1, 0},
	{"Ah", PB_UOM_MAH, 1000, 0},	 {"permille", PB_UOM_PERMILLE, 1, 0},
	{"mWh", PB_UOM_MWH, 1, 0},	 {"Wh", PB_UOM_MWH, 1000, 0},
	{"kWh", PB_UOM_MWH, 1000000, 0}, {"%", PB_UOM_PERMILLE, 10, 0},
	{"degC", PB_UOM_MC, 1000, 0},	 {"K", PB_UOM_MC, 1000, 273150},
	{"mC", PB_UOM_MC, 1, 0},	 {"s", PB_UOM_S, 1, 0},
	{"min", PB_UOM_S, 60, 0},	 {"dBm", PB_UOM_DBM, 1, 0},
	{"", PB_UOM_NONE, 1, 0},
};

const struct unit *unit_find(const char *symbol, enum pb_uom uom)
{
	const char *wanted = *symbol ? symbol : pb_uom_symbol(uom);

	for (size_t i = 0; i < PB_ARRAY_SIZE(units); i++)
		if (units[i].uom == uom && strcmp(units[i].symbol, wanted) == 0)
			return &units[i];
	return NULL;
}

void unit_list(enum pb_uom uom, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < PB_ARRAY_SIZE(units) && at < cap; i++)
		if (units[i].uom == uom)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "",
					       *units[i].symbol ? units[i].symbol : "none");
}
