/*
 * The monitor's thread: who does not get on, and why (monitor.c).
 */
#pragma once

/* Boot, once; `nomonitor` on the command line leaves it out. */
void monitor_start(void);
