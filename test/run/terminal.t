#!/usr/bin/perl
# Is the terminal one sits at the program's terminal: size, ^C, ^Z, job control, full screen; and is it
# given back as it was?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

# Modes that a program leaves changed when it is ended: cut anywhere, by the machine's end as well.
sub changed_terminal {
	my ($say, @options) = @_;

	return TineRun::Terminal->new(24, 80, tine_argv(@options, '--', 'sh', '-c',
		"trap '' TERM; $say; echo rea''dy; while :; do sleep 1; done"));
}

sub end_of {
	my ($terminal, $how) = @_;

	$terminal->expect(qr/ready\r\n/) or return 'not ready';
	$how->($terminal->{pid});
	my $status = $terminal->finish;

	$terminal->expect(qr/\z.^/, 0.2);	# what came with the end
	return "$status $terminal->{seen}";
}

sub ended_terminal {
	my ($say, $how) = @_;

	return end_of(changed_terminal($say), $how);
}

my $in_pieces = "for piece in '\\033' '[' '?10' '49' ';100' '6h' '\\033[?2' '5l'; do "
	. 'printf "$piece"; sleep 0.1; done';
# Its time passes while others are looked at.
my $limited = changed_terminal($in_pieces, '--timeout', 20);

my $t = TineRun::Terminal->new(33, 101, tine_argv('--', 'sh'));
my $before = $t->modes;
ok $t->expect(qr/# /), 'a shell with a prompt';
isnt $t->modes, $before, 'the host terminal is raw meanwhile';

$t->type("stty size\r");
ok $t->expect(qr/\n33 101\r\n/), 'the window size';
$t->resize(20, 90);
$t->type("sleep 0.3; stty size\r");
ok $t->expect(qr/\n20 90\r\n/), 'a new window size';
ok $t->expect(qr/# /), 'prompt';

$t->type("tty; echo out\r");
ok $t->expect(qr{/dev/pts/0\r\nout\r\n}), 'a pty, with newlines as a terminal shows them';

$t->type("sleep 100; echo status \$?\r");
select undef, undef, undef, 0.5;
$t->type("\x03");
ok $t->expect(qr/status 130|\^C.*# /s), '^C ends a program';
$t->type("echo still here\r");
ok $t->expect(qr/\nstill here\r\n/), 'but not the shell';

$t->type("sleep 101\r");
select undef, undef, undef, 0.5;
$t->type("\x1a");
ok $t->expect(qr/Stopped/), '^Z stops a program';
$t->type("bg; jobs\r");
ok $t->expect(qr/Running/), 'bg continues it' or diag substr $t->{all}, -300;
$t->type("fg\r");
select undef, undef, undef, 0.5;
$t->type("\x03");
ok $t->expect(qr/# /), 'fg takes it back, and ^C ends it';

$t->type("seq 1000 > /tmp/n; vi /tmp/n\r");
ok $t->expect(qr/\x1b\[.*\b17\b/s), 'a full-screen program draws';
$t->type("Gofinis");
$t->type("\x1b") if $t->expect(qr/finis/);
# An escape that others follow at once would begin a key's sequence.
select undef, undef, undef, 1;
$t->type(":wq\r");
ok $t->expect(qr/# /), 'and ends';
$t->type("tail -1 /tmp/n\r");
ok $t->expect(qr/\nfinis\r\n/), 'with what was typed';

$t->type("exit 5\r");
is $t->finish, 5, 'the status of the shell';
is $t->modes, $before, 'the host terminal is as it was';

$t = TineRun::Terminal->new(24, 80, tine_argv('--', 'sh', '-c', 'echo ready; cat; echo eof'));
ok $t->expect(qr/ready/), 'a program on a terminal';
$t->type("line\r\x04");
ok $t->expect(qr/line\r\n.*line\r\neof\r\n/s), '^D ends the input of a program';
is $t->finish, 0, 'which then ends';

$t = TineRun::Terminal->new(24, 80, tine_argv('--', 'sh', '-c', 'cat; echo eof'));
$t->type("ahead\r");
# Echoed by the host's terminal, then by the guest's, then said by cat.
ok $t->expect(qr/ahead\r\n.*ahead\r\n.*ahead\r\n/s), 'what is typed ahead of the start is not lost';
$t->type("\x04");
ok $t->expect(qr/eof\r\n/), 'nor what follows it';
is $t->finish, 0, 'and the end';

# Standard input from elsewhere: the terminal stays as it is, and ^C there reaches the program.
my @words = map { "'$_'" } TineRun::command(), tine_argv('--', 'sh', '-c',
	'trap "echo trapped; exit 9" INT; echo ready; while :; do sleep 0.1; done');
{
	local $ENV{TINE_TEST_COMMAND} = '/bin/sh';
	$t = TineRun::Terminal->new(24, 80, '-c', "exec @words < /dev/null");
}
ok $t->expect(qr/ready\r\n/), 'only output on the terminal';
is $t->modes, $before, 'then its modes are left alone';
$t->type("\x03");
ok $t->expect(qr/trapped\r\n/), '^C is forwarded as a signal';
is $t->finish, 9, 'and its handler decides';

# Ignored by the program; the third one ends the machine.
my $signals = sub { kill('TERM', $_[0]), select(undef, undef, undef, 0.3) for 1 .. 3 };
my $nothing = sub { };
my $failure = sub { kill 'KILL', split ' ', slurp("/proc/$_[0]/task/$_[0]/children") };

is ended_terminal($in_pieces, $signals), "143 \e[?1006l\e[?25h\e[?1049l", 'ended by signals: modes are undone';
is end_of($limited, $nothing), "124 \e[?1006l\e[?25h\e[?1049l"
	. "tine: the time of 20 s was up\r\n", 'by the time limit: before what is said';
like ended_terminal($in_pieces, $failure), qr/^125 \e\[\?1006l\e\[\?25h\e\[\?1049ltine: /, 'by a failure of the machine';
is ended_terminal('printf "\033[?1049h\033[?25l\033[?25h\033[?1047;1049l"', $signals), '143 ',
	'nothing is undone that the program undid';
is ended_terminal('printf "\033[?25l\033[?1049h\033c"', $signals), '143 ', 'nor what a reset did';
# Too large, cancelled, of another kind, in a title; and a sequence inside a control character.
is ended_terminal('printf "\033[?4294968345h\033[?429496732125l\033[?25\030l\033[>25l\033[25l'
	. '\033[?25\044p\033]0;?25l[?25l\007\033[?;;25;;x"', $signals), '143 ', 'hostile ones are none';
is ended_terminal('printf "\033[?2\n5\033[?25\rl"', $signals), "143 \e[?25h", 'a newline in one is none';

my $hidden = "\e[?25l\e[?1049h";
my $r = tine_run('printf', '\033[?25l\033[?1049h');
is $r->{out}, $hidden, 'what is no terminal gets what the program said';

done_testing;
