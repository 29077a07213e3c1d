/* SPDX-License-Identifier: MIT */
#include "pipes.h"

/*
 * JBD and Daly share the first: the reply decides. Some of Daly's refuse notifications there and
 * have the second as well. The third is of JBD boards in Eleksol packs. JK's have one
 * characteristic for both ways, or two of the same name. Sources: docs/protocols.
 */
const struct pb_pipe bms_serial_pipes[] = {
	{"fff0", "fff1", "fff2"},
	{"ff00", "ff01", "ff02"},
	{"ff06", "ff07", "ff08"},
	{"ffe0", "ffe1", "ffe1"},
	{0},
};
