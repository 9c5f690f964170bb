#!/usr/bin/perl
# Does the monitor name each thing that keeps threads from getting on, in the log, in /proc/headway and in the trace, and does it leave quiet and busy programs alone?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

plan skip_all => 'Linux has no monitor' if is_linux;

my $work = work_dir();
mkdir "$work/root";
is system('musl-gcc', '-O1', '-static', '-o', "$work/root/stuck", "$FindBin::Bin/programs/stuck.c"), 0, 'the program';

my @FILES = ('--log', "$work/log", '--trace', "$work/t.txt");

sub stuck {
	my ($how, @options) = @_;
	return tine({ limit => 240 }, tine_argv('--root', "$work/root", @FILES, @options, '--', '/stuck', $how));
}

sub stuck_counted {
	my ($how) = @_;
	return tine({ limit => 240 }, 'run', '--smp', 1, '--icount', '--root', "$work/root", @FILES, '--', '/stuck', $how);
}

# The same finding in all three places; `thread` and `pc` as the program knows them, `traced` as the trace shows the two.
sub named {
	my ($r, $kind, $thread, $pc, $evidence, $cause, $traced) = @_;
	$traced //= qr/thread=$thread\(\w+\) pc=0x$pc/;
	like $r->{out}, qr/^$kind count=\d+ thread=$thread pc=0x$pc $evidence.* cause=$cause/m, "$kind: in /proc/headway";
	like slurp("$work/log"), qr/headway: $kind: $cause.*; thread $thread at 0x$pc, $evidence/, "$kind: in the log";
	# The first report is what the log has of it, and the trace knows names of threads and places.
	my ($logged) = slurp("$work/log") =~ /headway: $kind: [^\n]*; thread $thread at 0x$pc, (\S+=\S+ \S+=\S+)\r?$/m;
	my $as_traced = join ' ', map { my ($name, $value) = split /=/; $name eq 'lock' ? qr/lock=\w+/ : qr/$name=$value(?:\(\w+\))?/ }
		split / /, $logged;
	ok slurp("$work/t.txt") =~ / finding kind=$kind $traced $as_traced$/m, "$kind: in the trace, with the same numbers ($logged)";
}

my $r = stuck('faults');
is $r->{status}, 0, 'a fault loop: status';
named($r, 'fault_loop', qr/\d+/, qr/[0-9a-f]+/, 'address=0x123000 faults=1000', 'a fault that the handler does not repair comes again');

$r = stuck('waits');
is $r->{status}, 0, 'a child behind a real-time thread: status';
my ($spinner, $child) = $r->{out} =~ /^spinner (\d+) child (\d+)$/m or diag $r->{out} . $r->{err};
named($r, 'waits', $child, qr/[0-9a-f]+/, qr/waited_ns=\d+ behind_thread=$spinner/, 'runnable behind a real-time thread');

# A kernel that loses wake-ups on purpose, and the same program on one that does not.
$r = stuck('lost', '--append', 'wake=lost');
is $r->{status}, 0, 'a lost wake-up: status';
($child) = $r->{out} =~ /^child (\d+) ended 0$/m or diag $r->{out} . $r->{err};
named($r, 'lost_wake', $child, qr/[0-9a-f]+/, qr/asleep_ns=\d+ wait_mode=\d/, 'asleep with a signal pending');
$r = stuck('lost');
like $r->{out}, qr/^child \d+ ended 1$/m, 'a wake-up that is not lost: the child ends';
unlike $r->{out}, qr/^lost_wake /m, 'and nothing is found lost';

# The rest has its number of processors of its own: once is enough.
if (smp() != 1) {
	done_testing;
	exit;
}

# Without the host's time: a processor that is held up looks like one that does not get on. And on one processor: of
# several, the emulator that counts instructions lets one run for 100 ms while a lock's holder stands on another.
for my $how ('quiet', 'busy') {
	$r = stuck_counted($how);
	is $r->{status}, 0, "$how: status" or diag $r->{err};
	unlike $r->{out}, qr/^\w+ count=/m, "$how: nothing is found";
	unlike slurp("$work/log"), qr/headway: /, "$how: nothing is logged";
	unlike slurp("$work/t.txt"), qr/ finding /, "$how: nothing is in the trace";
	like $r->{out}, qr/^dispatches \d+$/m, "$how: /proc/PID/headway is there";
}

# An instruction that jumps to itself, and a tick that is pending at each return to it (headway.md): nothing ever retires.
$r = stuck('jumps', '--smp', 1, '--append', 'timer=pit hz=200 sched=rr log=sync baud=115200');
is $r->{status}, 0, 'a tick at each return: status';
($child, my $jump) = $r->{out} =~ /^child (\d+) jump 0x([0-9a-f]+)$/m or diag $r->{out} . $r->{err};
named($r, 'no_headway', $child, $jump, qr/at_once=\d+ dispatches=\d+/, 'each slice ends where it began');

# The same instruction where slices are whole, and a loop whose registers repeat, are busy programs.
for my $case ([ 'counted', stuck_counted('jumps') ], [ 'timed', stuck('jumps', '--smp', 1) ]) {
	my ($how, $busy) = @$case;
	is $busy->{status}, 0, "whole slices, $how: status";
	unlike $busy->{out}, qr/^no_headway /m, "whole slices, $how: not called stuck";
}

# What only the kernel can do: test/kernel/monitor.c provokes it, then the machine goes on.
$r = tine({ limit => 240 }, 'run', '--smp', 2, '--append', 'selftest=monitor selftest_go', @FILES,
	'--', 'sh', '-c', 'sleep 1; cat /proc/headway');
is $r->{status}, 0, 'the kernel\'s own suite, and then a program: status' or diag $r->{err};
for my $case ([ 'lock_held', qr/lock=0x[0-9a-f]+ waited_ns=\d+/ ], [ 'irqs_off', qr/late_ns=\d+ cpu=\d/ ],
	      [ 'irq_storm', qr/vector=\d+ in_window=\d+/ ]) {
	named($r, $case->[0], qr/\d+/, qr/[0-9a-f]+/, $case->[1], qr/\w/, qr/thread=idle pc=[a-z]\w+/);
}

done_testing;
