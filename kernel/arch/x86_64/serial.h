/*
 * The log's serial port. Private to arch/x86_64; see serial.c.
 */
#pragma once

void serial_init(void);
