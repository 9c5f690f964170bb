/*
 * The devices without hardware: null, zero, full, random, urandom, kmsg.
 */
#pragma once

void mem_devices_init(void);
