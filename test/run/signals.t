#!/usr/bin/perl
# Do signals to `tine run` reach the program, can it always be ended, and does its machine end with it?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Socket;
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

# A launcher that can do nothing about its machine any more.
$pid = TineRun::start_until_output(work_dir() . '/ready', '--', 'sh', '-c', 'echo ready; sleep 100');
my @machine = TineRun::descendants($pid);
kill 'KILL', $pid;
waitpid $pid, 0;
ok @machine && TineRun::wait_gone(@machine), 'SIGKILL to the launcher ends the machine';

# A machine that was started by hand: its end of the socket is all that it knows of a launcher.
sub machine_left_by_launcher {
	my ($sent, $awaited) = @_;
	my $emulator = tine(tine_argv('--dry-run', '--', 'true'))->{out};
	my $said = '';

	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		close $ours;
		POSIX::dup2(fileno $theirs, 3);
		exec 'sh', '-c', "exec $emulator" or POSIX::_exit(126);
	}
	close $theirs;
	syswrite $ours, $sent;
	while ($said !~ $awaited) {
		sysread $ours, $said, 65536, length $said or last;
	}
	close $ours;
	ok $said =~ $awaited && TineRun::wait_gone($pid), "its launcher goes away: $_[2]";
	kill 'KILL', $pid;
	waitpid $pid, 0;
}

sub start_frame {
	my $words = join '', map { "$_\0" } '/', @_;
	my $payload = pack('VVVv4', 0, scalar @_, 0, 0, 0, 0, 0) . $words;
	return pack('VCCv', length $payload, 1, 0, 0) . $payload;
}

machine_left_by_launcher(start_frame('/bin/sh', '-c', 'echo ready; sleep 100'), qr/ready/, 'a program that sleeps');
machine_left_by_launcher(start_frame('/bin/sh', '-c', 'while :; do :; done & yes'), qr/y\ny\n/, 'programs that are busy');
machine_left_by_launcher('', qr/\A.{8}/s, 'before it said what to run');
machine_left_by_launcher('', qr//, 'before the machine is there');

done_testing;
