/* SPDX-License-Identifier: MIT */
/*
 * The switches of a simulated pack, and what boards do with commands to them.
 *
 *	command ──▶ ordered ──(at once, or a second later)──▶ open ──┐
 *	protection, heating ────────────────────────────────────────┴▶ FET ──▶ current
 *
 * Boards differ in what they show of this: JBD one bit for both switches, JK and Daly's newer
 * dialects what was ordered, Daly A5 nothing. docs/simulator.md, "Commands".
 */
#include "switches.h"
#include "model.h"

#include <string.h>

#define LATE_S	   1.0
#define RECLOSE_MA 2000

static const char *const words[] = {
	[PB_SIM_OBEYS] = "obey",
	[PB_SIM_REFUSES] = "refuse",
	[PB_SIM_REFUSES_81] = "refuse-81",
	[PB_SIM_REFUSES_82] = "refuse-82",
	[PB_SIM_REFUSES_BADLY] = "refuse-bad",
	[PB_SIM_IGNORES] = "ignore",
	[PB_SIM_REFUSES_E1] = "refuse-e1",
	[PB_SIM_IGNORES_E1] = "ignore-e1",
	[PB_SIM_MUTE] = "mute",
	[PB_SIM_LATE] = "late",
	[PB_SIM_HANGS_UP] = "hangup",
	[PB_SIM_GARBLES] = "garble",
	[PB_SIM_SPLITS] = "split",
	[PB_SIM_WRAPS] = "wrap",
};

bool pb_sim_obey_parse(const char *word, uint32_t *ret)
{
	for (uint32_t i = 0; i < PB_ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

bool sim_closed(const struct pb_sim *sim, unsigned int which, double current_c)
{
	bool charge = which == PB_SIM_CHARGE;
	uint32_t stops = charge ? PB_SIM_STOPS_CHARGE : PB_SIM_STOPS_DISCHARGE;
	double opposite_ma = current_c * sim->full_mah * (charge ? -1 : 1);

	if (sim->protection_mask & stops || (charge && sim->options.heat))
		return false;
	return !(sim->open & which) || (sim->options.reclose && opposite_ma > RECLOSE_MA);
}

static void order(struct pb_sim *sim, unsigned int switches, unsigned int open, double wait_s)
{
	sim->ordered = (uint8_t)((sim->ordered & ~switches) | (open & switches));
	sim->open_s = sim->time_s + wait_s * sim->options.speed;
	sim_follow(sim);
}

void sim_follow(struct pb_sim *sim)
{
	if (sim->time_s >= sim->open_s)
		sim->open = sim->ordered;
}

void pb_sim_app(struct pb_sim *sim, unsigned int switches, bool open)
{
	order(sim, switches, open ? switches : 0, 0);
}

void pb_sim_power_cycle(struct pb_sim *sim)
{
	if (sim->options.profile->board->forgets)
		order(sim, PB_SIM_CHARGE | PB_SIM_DISCHARGE, 0, 0);
	sim->counters[PB_COUNTER_SYSTEM_RESTARTS]++;
}

unsigned int sim_ordered(const struct pb_sim_talk *talk)
{
	return talk->sim ? talk->sim->ordered : 0;
}

uint8_t sim_refusal(const struct pb_sim_talk *talk)
{
	uint32_t obey = talk->sim ? talk->sim->options.obey : PB_SIM_REFUSES;

	return obey == PB_SIM_REFUSES_81 ? 0x81 : obey == PB_SIM_REFUSES_82 ? 0x82 : 0x80;
}

void sim_offend(struct pb_sim_talk *talk)
{
	talk->offence = true;
	if (talk->sim)
		talk->sim->offences++;
}

enum sim_outcome sim_switch(struct pb_sim_talk *talk, enum sim_command_kind kind,
			    unsigned int switches, unsigned int open)
{
	struct pb_sim *sim = talk->sim;
	enum pb_sim_obey obey = sim ? (enum pb_sim_obey)sim->options.obey : PB_SIM_REFUSES;

	if (sim && sim->options.login && !talk->unlocked)
		return SIM_SILENT;
	if ((sim && sim->options.pin[0] && !talk->pin) ||
	    (obey >= PB_SIM_REFUSES && obey <= PB_SIM_REFUSES_82) ||
	    (obey == PB_SIM_REFUSES_E1 && kind == SIM_E1))
		return SIM_REFUSED;
	if (obey == PB_SIM_REFUSES_BADLY)
		return SIM_REFUSED_BADLY;
	if (obey == PB_SIM_IGNORES || (obey == PB_SIM_IGNORES_E1 && kind == SIM_E1))
		return SIM_ACKNOWLEDGED;
	order(sim, switches, open, obey == PB_SIM_LATE ? LATE_S : 0);
	talk->hang_up = obey == PB_SIM_HANGS_UP;
	talk->piece = obey == PB_SIM_SPLITS ? 10 : 0;
	return obey == PB_SIM_MUTE	? SIM_SILENT
	       : obey == PB_SIM_GARBLES ? SIM_GARBLED
					: SIM_ACKNOWLEDGED;
}
