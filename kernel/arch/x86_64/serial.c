/*
 * The log's console: the first 16550 serial port, polled. A FIFO of 16 is filled between two looks
 * at the status, since a port access is the dearest thing an emulated machine does.
 *
 * An emulated port swallows bytes at any speed. baud=N (lab) waits for each what a real line of
 * that speed takes, ten bits a byte.
 */
#include "arch/x86_64/serial.h"

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/klog.h"

#define PORT 0x3f8
#define LINE_STATUS 5
#define TRANSMITTER_EMPTY 0x20
#define SHIFTED_OUT 0x40
#define DATA_READY 1
#define FIFO 16
#define PATIENCE 1000000

#define BAUD_MIN 300
#define BAUD_MAX 115200

static bool present;
static uint64_t byte_ns;		/* [I] after the boot; 0: as fast as the port takes them */

void serial_init(void)
{
	if (inb(PORT + LINE_STATUS) == 0xff)
		return;
	present = true;
	outb(PORT + 1, 0);		/* no interrupts */
	outb(PORT + 3, 0x80);		/* divisor: 115200 baud */
	outb(PORT + 0, 1);
	outb(PORT + 1, 0);
	outb(PORT + 3, 3);		/* 8 bits, no parity */
	outb(PORT + 2, 7);		/* FIFO on, cleared */
	outb(PORT + 4, 3);
}

void serial_choose(void)
{
	uint64_t baud = 0;

	if (cmdline_get_uint("baud", BAUD_MIN, BAUD_MAX, &baud))
		byte_ns = 10 * NSEC_PER_SEC / baud;
}

/* A port that never gets ready loses text rather than the machine. */
static void wait_ready(void)
{
	for (uint32_t i = 0; i < PATIENCE; i++)
		if ((inb(PORT + LINE_STATUS) & TRANSMITTER_EMPTY) != 0)
			return;
	present = false;
}

void serial_drain(void)
{
	for (uint32_t i = 0; present && i < PATIENCE; i++)
		if ((inb(PORT + LINE_STATUS) & SHIFTED_OUT) != 0)
			return;
}

void arch_console_write(const char *text, size_t n)
{
	uint32_t room = 0;

	for (size_t i = 0; i < n && present; i++) {
		if (room < 2) {
			wait_ready();
			room = FIFO;
		}
		if (text[i] == '\n') {
			outb(PORT, '\r');
			room--;
		}
		outb(PORT, (uint8_t)text[i]);
		room--;
		if (unlikely(byte_ns != 0))
			x86_delay_us(byte_ns / NSEC_PER_USEC);
	}
}

long arch_console_read(char *text, size_t n)
{
	size_t done = 0;

	if (!present)
		return -ENODEV;
	while (done < n && (inb(PORT + LINE_STATUS) & DATA_READY) != 0)
		text[done++] = (char)inb(PORT);
	return (long)done;
}
