/* SPDX-License-Identifier: MIT */
/*
 * The commands. Each is one file and one row in commands[] of main.c; argv[0] is the command's
 * name. Exit status: 0 good, 1 the answer is no or the work failed, 2 usage.
 */
#pragma once

struct pb_maps;

int pb_cli_run(int argc, char **argv);
int pb_cli_demo(int argc, char **argv);
int pb_cli_check(int argc, char **argv);
int pb_cli_decode(int argc, char **argv);
int pb_cli_map(int argc, char **argv);
int pb_cli_scan(int argc, char **argv);
int pb_cli_probe(int argc, char **argv);
int pb_cli_record(int argc, char **argv);
int pb_cli_events(int argc, char **argv);
int pb_cli_release(int argc, char **argv);
int pb_cli_switch(int argc, char **argv);
int pb_cli_reset(int argc, char **argv);
int pb_cli_reload(int argc, char **argv);
int pb_cli_status(int argc, char **argv);
int pb_cli_read(int argc, char **argv);

/**
 * The maps in the usual folders: the one that $PACKBRIDGE_MAPS names, /etc/packbridge/maps, then
 * those that belong to this program.
 * @return 0, negative errno. Free with pb_maps_free().
 */
int pb_cli_maps(struct pb_maps **ret);
