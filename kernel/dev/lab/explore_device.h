/*
 * /dev/explore, for the lab's explorer.
 */
#pragma once

void explore_device_init(void);
