/*
 * The line discipline (termios(3)): what a typed byte does, what a printed byte becomes.
 *
 * In canonical mode the input ring holds finished lines and, behind line_start, the line being
 * edited. A line's last byte is marked in line_end; the byte that stands for VEOF is marked in
 * eof_mark too and never given to a reader. In raw mode nothing is marked.
 */
#include "abi/signal.h"
#include "dev/tty/tty.h"
#include "proc/signal.h"

#define CONTROL(c) ((c) & 0x1f)
#define DELETE 0x7f

void ldisc_init_termios(struct abi_termios2 *t)
{
	static const uint8_t characters[NCCS] = {
		[VINTR] = CONTROL('C'), [VQUIT] = CONTROL('\\'), [VERASE] = DELETE,
		[VKILL] = CONTROL('U'), [VEOF] = CONTROL('D'), [VMIN] = 1,
		[VSTART] = CONTROL('Q'), [VSTOP] = CONTROL('S'), [VSUSP] = CONTROL('Z'),
		[VREPRINT] = CONTROL('R'), [VDISCARD] = CONTROL('O'), [VWERASE] = CONTROL('W'),
		[VLNEXT] = CONTROL('V'),
	};

	*t = (struct abi_termios2){
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_ispeed = 38400, .c_ospeed = 38400,
	};
	memcpy(t->c_cc, characters, sizeof(characters));
}

static bool lflag(const struct tty *tty, uint32_t bits)
{
	return (tty->termios.c_lflag & bits) != 0;
}
static bool iflag(const struct tty *tty, uint32_t bits)
{
	return (tty->termios.c_iflag & bits) != 0;
}
static bool oflag(const struct tty *tty, uint32_t bits)
{
	return (tty->termios.c_oflag & bits) != 0;
}

/* Byte 0 in c_cc means that the function is off. */
static bool is_cc(const struct tty *tty, unsigned int which, unsigned char byte)
{
	return byte != 0 && tty->termios.c_cc[which] == byte;
}

/* --- marks, by ring position ------------------------------------------------------------------ */

static void mark_set(uint64_t *marks, size_t position, bool on)
{
	size_t at = position % TTY_INPUT_BYTES;

	if (on)
		marks[at / 64] |= 1UL << (at % 64);
	else
		marks[at / 64] &= ~(1UL << (at % 64));
}

static bool mark_get(const uint64_t *marks, size_t position)
{
	size_t at = position % TTY_INPUT_BYTES;

	return (marks[at / 64] >> (at % 64) & 1) != 0;
}

/* --- output ----------------------------------------------------------------------------------- */

static uint32_t column_after(uint32_t column, unsigned char byte)
{
	if (byte == '\t')
		return (column | 7) + 1;
	if (byte == '\b')
		return column > 0 ? column - 1 : 0;
	if (byte == '\r')
		return 0;
	/* UTF-8 continuation bytes take no column of their own. */
	return byte < 0x20 || (byte & 0xc0) == 0x80 ? column : column + 1;
}

static bool put_pair(struct tty *tty, unsigned char first, unsigned char second)
{
	if (ring_free(&tty->output) < 2)
		return false;
	ring_put(&tty->output, first);
	ring_put(&tty->output, second);
	return true;
}

bool ldisc_output(struct tty *tty, unsigned char byte)
{
	assert_held(&tty->lock);
	if (!oflag(tty, OPOST))
		return ring_put(&tty->output, byte);
	if (byte == '\n' && oflag(tty, ONLCR)) {
		if (!put_pair(tty, '\r', '\n'))
			return false;
		tty->column = 0;
		return true;
	}
	if (byte == '\r' && oflag(tty, ONOCR) && tty->column == 0)
		return true;
	if (byte == '\r' && oflag(tty, OCRNL))
		byte = '\n';
	if (byte == '\t' && (tty->termios.c_oflag & TABDLY) == XTABS) {
		size_t spaces = 8 - tty->column % 8;

		if (ring_free(&tty->output) < spaces)
			return false;
		ring_write(&tty->output, "        ", spaces);
		tty->column += (uint32_t)spaces;
		return true;
	}
	if (!ring_put(&tty->output, byte))
		return false;
	if (byte == '\n')
		tty->column = oflag(tty, ONLRET) ? 0 : tty->column;
	else
		tty->column = column_after(tty->column, byte);
	return true;
}

/* --- echo: best effort, a full output ring drops it ------------------------------------------- */

static void emit(struct tty *tty, unsigned char byte) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	(void)ldisc_output(tty, byte);
}

static bool echoes_as_control(const struct tty *tty, unsigned char byte)
{
	return lflag(tty, ECHOCTL) && (byte < 0x20 || byte == DELETE) && byte != '\t';
}

static void echo(struct tty *tty, unsigned char byte) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	if (!lflag(tty, ECHO)) {
		if (byte == '\n' && lflag(tty, ECHONL) && lflag(tty, ICANON))
			emit(tty, '\n');
		return;
	}
	if (byte != '\n' && echoes_as_control(tty, byte)) {
		emit(tty, '^');
		emit(tty, byte ^ 0x40);
	} else {
		emit(tty, byte);
	}
}

/* The cursor's column after echoing the unfinished line's first `bytes` bytes. */
static uint32_t line_column_after(const struct tty *tty, size_t bytes)
{
	uint32_t column = tty->line_column;
	size_t first = tty->line_start - tty->input.head;

	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte = ring_peek(&tty->input, first + i);

		if (echoes_as_control(tty, byte))
			column += 2;
		else
			column = column_after(column, byte);
	}
	return column;
}

static size_t line_bytes(const struct tty *tty)
{
	return tty->input.tail - tty->line_start;
}

/* Removes the line's last byte from the ring and from the screen. */
static void erase_byte(struct tty *tty) REQUIRES(&tty->lock)
{
	uint32_t before = line_column_after(tty, line_bytes(tty) - 1);
	uint32_t now = line_column_after(tty, line_bytes(tty));
	unsigned char byte = ring_unput(&tty->input);

	assert_held(&tty->lock);
	if (!lflag(tty, ECHO))
		return;
	if (!lflag(tty, ECHOE)) {
		echo(tty, tty->termios.c_cc[VERASE]);
		return;
	}
	for (; now > before; now--) {
		emit(tty, '\b');
		if (byte != '\t') {
			emit(tty, ' ');
			emit(tty, '\b');
		}
	}
}

static unsigned char last_byte(const struct tty *tty)
{
	return ring_peek(&tty->input, ring_filled(&tty->input) - 1);
}

/* One character: with IUTF8 all bytes of it. */
static void erase_character(struct tty *tty) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	while (line_bytes(tty) > 1 && iflag(tty, IUTF8) && (last_byte(tty) & 0xc0) == 0x80)
		erase_byte(tty);
	if (line_bytes(tty) > 0)
		erase_byte(tty);
}

static bool is_word_byte(unsigned char byte)
{
	return byte == '_' || byte >= 0x80 || (byte >= '0' && byte <= '9') ||
	       ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

static void erase_word(struct tty *tty) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	while (line_bytes(tty) > 0 && !is_word_byte(last_byte(tty)))
		erase_character(tty);
	while (line_bytes(tty) > 0 && is_word_byte(last_byte(tty)))
		erase_character(tty);
}

static void erase_line(struct tty *tty) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	if (lflag(tty, ECHOK) && lflag(tty, ECHOKE) && lflag(tty, ECHOE)) {
		while (line_bytes(tty) > 0)
			erase_byte(tty);
		return;
	}
	tty->input.tail = tty->line_start;
	echo(tty, tty->termios.c_cc[VKILL]);
	if (lflag(tty, ECHOK) && lflag(tty, ECHO))
		emit(tty, '\n');
}

static void reprint_line(struct tty *tty) REQUIRES(&tty->lock)
{
	size_t first = tty->line_start - tty->input.head, n = line_bytes(tty);

	assert_held(&tty->lock);
	echo(tty, tty->termios.c_cc[VREPRINT]);
	emit(tty, '\n');
	tty->line_column = 0;
	for (size_t i = 0; i < n; i++)
		echo(tty, ring_peek(&tty->input, first + i));
}

/* --- input ------------------------------------------------------------------------------------ */

void ldisc_flush_input(struct tty *tty)
{
	assert_held(&tty->lock);
	ring_clear(&tty->input);
	memset(tty->line_end, 0, sizeof(tty->line_end));
	memset(tty->eof_mark, 0, sizeof(tty->eof_mark));
	tty->lines = 0;
	tty->line_start = tty->input.tail;
}

static bool receive_signal(struct tty *tty, unsigned char byte, tty_signals_t *signals)
	REQUIRES(&tty->lock)
{
	int signo;

	assert_held(&tty->lock);
	if (!lflag(tty, ISIG))
		return false;
	if (is_cc(tty, VINTR, byte))
		signo = SIGINT;
	else if (is_cc(tty, VQUIT, byte))
		signo = SIGQUIT;
	else if (is_cc(tty, VSUSP, byte))
		signo = SIGTSTP;
	else
		return false;
	if (!lflag(tty, NOFLSH)) {
		ldisc_flush_input(tty);
		/* What was written stays for the master to read, as on Linux. */
		tty->packet_status |= TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE;
	}
	tty->output_stopped = false;
	echo(tty, byte);
	*signals |= sigmask_of(signo);
	return true;
}

static void output_stop(struct tty *tty, bool stop)
{
	if (tty->output_stopped == stop)
		return;
	tty->output_stopped = stop;
	tty->packet_status &= (uint8_t)~(TIOCPKT_STOP | TIOCPKT_START);
	tty->packet_status |= stop ? TIOCPKT_STOP : TIOCPKT_START;
}

static bool receive_flow(struct tty *tty, unsigned char byte)
{
	if (!iflag(tty, IXON))
		return false;
	if (is_cc(tty, VSTART, byte)) {
		output_stop(tty, false);
		return true;
	}
	if (is_cc(tty, VSTOP, byte)) {
		output_stop(tty, true);
		return true;
	}
	if (iflag(tty, IXANY))
		output_stop(tty, false);
	return false;
}

/* Ends the line: `byte` is its last one, or stands for VEOF. Room was checked. */
static void finish_line(struct tty *tty, unsigned char byte, bool is_eof)
{
	mark_set(tty->line_end, tty->input.tail, true);
	mark_set(tty->eof_mark, tty->input.tail, is_eof);
	ring_put(&tty->input, byte);
	tty->lines++;
	tty->line_start = tty->input.tail;
}

static bool receive_editing(struct tty *tty, unsigned char byte) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	if (is_cc(tty, VERASE, byte))
		erase_character(tty);
	else if (is_cc(tty, VKILL, byte))
		erase_line(tty);
	else if (lflag(tty, IEXTEN) && is_cc(tty, VWERASE, byte))
		erase_word(tty);
	else if (lflag(tty, IEXTEN) && is_cc(tty, VREPRINT, byte) && lflag(tty, ECHO))
		reprint_line(tty);
	else
		return false;
	return true;
}

/* An ordinary byte of the line; the last free place is kept for the byte that ends the line. */
static void receive_plain(struct tty *tty, unsigned char byte) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	if (ring_free(&tty->input) <= 1) {
		if (iflag(tty, IMAXBEL))
			emit(tty, '\a');
		return;
	}
	if (line_bytes(tty) == 0)
		tty->line_column = tty->column;
	mark_set(tty->line_end, tty->input.tail, false);
	ring_put(&tty->input, byte);
	echo(tty, byte);
}

static void receive_canonical(struct tty *tty, unsigned char byte) REQUIRES(&tty->lock)
{
	assert_held(&tty->lock);
	if (lflag(tty, IEXTEN) && is_cc(tty, VLNEXT, byte)) {
		tty->literal_next = true;
		if (lflag(tty, ECHO) && lflag(tty, ECHOCTL)) {
			emit(tty, '^');
			emit(tty, '\b');
		}
	} else if (receive_editing(tty, byte)) {
		return;
	} else if (is_cc(tty, VEOF, byte)) {
		finish_line(tty, byte, true);
	} else if (byte == '\n' || is_cc(tty, VEOL, byte) || is_cc(tty, VEOL2, byte)) {
		echo(tty, byte);
		finish_line(tty, byte, false);
	} else {
		receive_plain(tty, byte);
	}
}

/* With unread lines a full ring makes the writer wait; without, the line is simply too long. */
static bool input_has_room(const struct tty *tty)
{
	if (ring_free(&tty->input) > (lflag(tty, ICANON) ? 1 : 0))
		return true;
	return lflag(tty, ICANON) && tty->lines == 0;
}

bool ldisc_receive(struct tty *tty, unsigned char byte, tty_signals_t *signals)
{
	assert_held(&tty->lock);
	if (!input_has_room(tty))
		return false;
	if (iflag(tty, ISTRIP))
		byte &= 0x7f;
	if (tty->literal_next) {
		tty->literal_next = false;
		receive_plain(tty, byte);
		return true;
	}
	if (receive_flow(tty, byte) || receive_signal(tty, byte, signals))
		return true;
	if (byte == '\r') {
		if (iflag(tty, IGNCR))
			return true;
		if (iflag(tty, ICRNL))
			byte = '\n';
	} else if (byte == '\n' && iflag(tty, INLCR)) {
		byte = '\r';
	}
	if (lflag(tty, ICANON)) {
		receive_canonical(tty, byte);
	} else {
		ring_put(&tty->input, byte);
		echo(tty, byte);
	}
	return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

bool ldisc_has_line(const struct tty *tty)
{
	return tty->lines > 0;
}

size_t ldisc_readable(const struct tty *tty)
{
	assert_held(&tty->lock);
	if (!lflag(tty, ICANON))
		return ring_filled(&tty->input);
	return tty->lines > 0 ? tty->line_start - tty->input.head : 0;
}

static size_t take_line(struct tty *tty, unsigned char *to, size_t n, bool *eof)
{
	bool ends = false;
	size_t done = 0;

	if (tty->lines == 0)
		return 0;
	while (done < n && !ends) {
		size_t position = tty->input.head;
		bool is_eof;

		ends = mark_get(tty->line_end, position);
		is_eof = ends && mark_get(tty->eof_mark, position);

		if (!is_eof)
			to[done++] = ring_peek(&tty->input, 0);
		ring_consume(&tty->input, 1);
		if (ends) {
			mark_set(tty->line_end, position, false);
			mark_set(tty->eof_mark, position, false);
			tty->lines--;
			*eof = is_eof;
		}
	}
	/*
	 * The reader's buffer ended right before VEOF: that one belongs to this line, not the next.
	 */
	if (!ends && n > 0 && tty->lines > 0 && mark_get(tty->eof_mark, tty->input.head)) {
		size_t position = tty->input.head;

		mark_set(tty->line_end, position, false);
		mark_set(tty->eof_mark, position, false);
		ring_consume(&tty->input, 1);
		tty->lines--;
	}
	return done;
}

size_t ldisc_take(struct tty *tty, unsigned char *to, size_t n, bool *eof)
{
	size_t done;

	assert_held(&tty->lock);
	*eof = false;
	if (lflag(tty, ICANON))
		return take_line(tty, to, n, eof);
	done = ring_read(&tty->input, to, n);
	tty->line_start = tty->input.tail;
	return done;
}

void ldisc_mode_changed(struct tty *tty, uint32_t old_lflag)
{
	bool canonical = lflag(tty, ICANON);

	assert_held(&tty->lock);
	if (canonical == ((old_lflag & ICANON) != 0))
		return;
	tty->literal_next = false;
	memset(tty->line_end, 0, sizeof(tty->line_end));
	memset(tty->eof_mark, 0, sizeof(tty->eof_mark));
	tty->lines = 0;
	tty->line_start = tty->input.tail;
	/* Bytes typed raw become one line. */
	if (canonical && !ring_is_empty(&tty->input)) {
		mark_set(tty->line_end, tty->input.tail - 1, true);
		tty->lines = 1;
	}
}
