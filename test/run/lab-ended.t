#!/usr/bin/perl
# Does a command of the lab that is ended by a signal leave a file or a process behind?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes 'sleep';
use TineRun;

sub files { return map { $_ => 1 } grep { -f } glob '/tmp/tine-*' }

for my $case ([ 'latency', 'TERM' ], [ 'latency', 'INT' ], [ 'trace', 'TERM' ], [ 'report', 'TERM' ]) {
	my ($name, $signal) = @$case;
	my %before = files();
	my $pid = fork // die "fork: $!";

	if ($pid == 0) {
		open STDOUT, '>', '/dev/null' or die;
		exec TineRun::command(), 'lab', $name, '--quick' or POSIX::_exit(126);
	}
	# The machine is there when the lab has a child, `tine run`, that has one, the emulator.
	my @machine = TineRun::wait_descendants($pid, 2);
	sleep 0.2;
	kill $signal, $pid;
	waitpid $pid, 0;
	is TineRun::shell_status($?), 128 + ($signal eq 'INT' ? 2 : 15), "lab $name: ended by SIG$signal";

	my %left = files();
	delete @left{keys %before};
	is join(' ', sort keys %left), '', "lab $name: no file is left of it";
	ok @machine >= 2 && TineRun::wait_gone(@machine), "lab $name: its machine has ended";
}

done_testing;
