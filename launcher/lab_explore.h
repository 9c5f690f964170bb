/*
 * lab_explore.h - `tine lab explore` and `tine lab merge`.
 */
#pragma once

/* Runs scenarios under the schedules of a space, prints a table; 0 when no outcome was wrong. */
int lab_explore(int argc, char **argv);
/* Joins the JSON files of shards and prints their table. */
int lab_merge(int argc, char **argv);
