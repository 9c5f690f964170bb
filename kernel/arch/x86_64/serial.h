/*
 * The log's serial port. Private to arch/x86_64; see serial.c.
 */
#pragma once

void serial_init(void);
void serial_drain(void);		/* waits for the last byte to be on the line */
void serial_choose(void);		/* baud=; needs the clock */
