#!/usr/bin/perl
# Does the monitor name a program's fault loop with its place, and leave a quiet program alone? (What needs the kernel's own help is in test/kernel/monitor.c.)
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

sub stuck {
	my ($how) = @_;
	return tine(tine_argv('--root', "$work/root", '--log', "$work/log", '--trace', "$work/t.txt", '--', '/stuck', $how));
}

my $r = stuck('quiet');
is $r->{status}, 0, 'a quiet program: status';
unlike $r->{out}, qr/^(?:fault_loop|waits|lost_wake|no_headway) /m, 'nothing is found';
is $r->{out} =~ /^dispatches \d+$/m, 1, '/proc/PID/headway is there';

$r = stuck('faults');
is $r->{status}, 0, 'a fault loop: status';
like $r->{out}, qr/^fault_loop count=\d+ thread=\d+ pc=(0x[0-9a-f]+) address=0x123000 faults=0x3e8 .*cause=a fault that the handler does not repair comes again$/m,
	'in /proc/headway';
like slurp("$work/log"), qr/headway: fault_loop: a fault that the handler does not repair comes again; thread \d+ at [0-9a-f]+, address 123000/,
	'in the log';
ok slurp("$work/t.txt") =~ /\(stuck\) finding kind=fault_loop thread=\d+\(stuck\) pc=0x[0-9a-f]+ evidence=0x123000/, 'in the trace';

$r = stuck('waits');
is $r->{status}, 0, 'a child behind a real-time thread: status';
my ($spinner, $child) = $r->{out} =~ /^spinner (\d+) child (\d+)$/m or diag $r->{out} . $r->{err};
like $r->{out}, qr/^waits count=\d+ thread=$child .*behind_thread=\S*${\sprintf '%x', $spinner} .*cause=runnable behind a real-time thread$/m,
	'the child waits, behind its parent, not behind the monitor';

done_testing;
