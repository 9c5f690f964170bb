#!/usr/bin/perl
# Is the terminal one sits at the program's terminal: size, ^C, ^Z, job control, full screen; and is it
# given back as it was?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

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

done_testing;
