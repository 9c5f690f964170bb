#!/usr/bin/perl
# Do signals to `tine run` reach the program, and can it always be ended?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

for my $case ([ INT => 2 ], [ TERM => 15 ], [ HUP => 1 ], [ QUIT => 3 ]) {
	my ($name, $number) = @$case;
	my $r = tine_run({ signal => [ 0.2, $name ] }, 'sh', '-c',
		"trap 'echo got $name; exit 3' $name; echo ready; while :; do sleep 0.1; done");

	is $r->{out}, "ready\ngot $name\n", "SIG$name reaches the program";
	is $r->{status}, 3, "whose handler decides on SIG$name";
}

my $r = tine_run({ signal => [ 0.2, 'TERM' ] }, 'sh', '-c', 'echo ready; exec sleep 100');
is $r->{status}, 143, 'a program that SIGTERM ends';

$r = tine_run({ signal => [ 0.2, 'INT' ] }, 'sh', '-c', 'echo ready; sleep 100 | cat');
is $r->{status}, 130, 'a pipeline that SIGINT ends, all of it';

# Three times, for a program that will not.
my $out = work_dir() . '/stubborn';
my $pid = TineRun::start_until_output($out, '--', 'sh', '-c',
	'trap "" TERM; echo ready; while :; do sleep 1; done');
for (1 .. 3) {
	kill 'TERM', $pid;
	select undef, undef, undef, 0.1;
}
is TineRun::wait_limited($pid, 20), 143, 'the third signal ends the machine';

# Before there is a program a signal ends the run at once. The port is this test's own: others run beside it.
my $port = 20000 + $$ % 20000;
$pid = fork // die;
if ($pid == 0) {
	open STDIN, '<', '/dev/null' or die;
	exec TineRun::command(), tine_argv('--append', 'x=1', '--gdb', $port, '--', 'true') or die
		if open STDERR, '>', '/dev/null';
}
select undef, undef, undef, 1;
kill 'INT', $pid;
is TineRun::wait_limited($pid, 5), 130, 'a signal before the start ends the run';

done_testing;
