#!/usr/bin/perl
# Do the lab's commands observe what they claim, on 100 columns, do they fail in a kernel where that cannot be
# observed, and does the report's program run on Linux as well?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

for my $name ('report', 'step', 'livelock', 'compare', 'tlb', 'latency', 'trace') {
	my $r = tine({ limit => 600 }, 'lab', $name, '--quick');

	is $r->{status}, 0, "lab $name" or diag $r->{out} . $r->{err};
	unlike $r->{out}, qr/^  NO /m, "lab $name: each check holds";
	unlike $r->{out}, qr/^.{101}/m, "lab $name: no line is longer than 100";
}

# Another kernel than the one that each command asks for: what it claims is not to be seen. (What makes `trace`
# fail is a change of the recorder: doc/headway.md.)
for my $case ([ 'report', 'fork=x' ], [ 'step', 'step=x' ], [ 'livelock', 'headway=off' ], [ 'compare', 'fork=eager' ],
	      [ 'tlb', 'tlb=pge' ], [ 'latency', 'step=x log=warn' ]) {
	my ($name, $words) = @$case;
	my $r = tine({ limit => 600 }, 'lab', $name, '--quick', '--append', $words);

	is $r->{status}, 1, "lab $name --append '$words': fails" or diag $r->{out} . $r->{err};
	like $r->{out}, qr/^  NO .*^not shown: /ms, "lab $name --append '$words': says what it did not see";
}

# Words that make no sense are named, and the machine runs without them.
my $log = work_dir() . '/log';
for my $case ([ 'tlb=pcid', qr/tlb=pcid: this processor has no PCID; tlb=cr3 is used/ ],
	      [ 'tlb=x', qr/tlb=x: must be cr3, pge, invpcid, pcid or measure/ ],
	      [ 'timer=pit hz=5000', qr/hz=5000: must be from 1 to 1000/ ],
	      [ 'timer=pit divisor=119318', qr/divisor 119318 is 53782 to the chip: 22\.18 Hz/ ],
	      [ 'sched=x', qr/sched=x: not known, only sched=rr is/ ],
	      [ 'baud=5', qr/baud=5: must be from 300 to 115200/ ],
	      [ 'compare=x', qr/compare=x: not known, only compare=fork is/ ],
	      [ 'step=x', qr/step=x: not known, only step=fork is/ ]) {
	my ($words, $said) = @$case;
	my $r = tine('run', '--append', $words, '--log', $log, '--', 'true');

	is $r->{status}, 0, "$words: it runs";
	like slurp($log), $said, "$words: the log says";
}

# Emulated or not, the words change nothing of what programs compute.
for my $words ('tlb=pge', 'sched=rr', 'sched=rr timer=pit hz=1000', 'fork=eager', 'timer=pit hz=10') {
	my $r = tine('run', '--smp', 2, '--append', $words, '--', 'sh', '-c',
		'for i in $(seq 50); do echo $((i * 7)); done | sort -rn | head -1');

	is $r->{out}, "350\n", "$words: a pipeline";
}

my ($output) = $ENV{TINE_OUTPUT} // root_dir() . '/build';
my $r = tine({ stdin_file => "$output/user/lab-report", limit => 120 }, 'run', '--kernel', 'linux', '--',
	'sh', '-c', 'cat > /tmp/report; chmod +x /tmp/report; /tmp/report 1');
is $r->{status}, 0, 'the program runs on Linux';
like $r->{out}, qr/child: done\n.*parent: done, child reaped\n\z/s, 'and both sides finish there';

done_testing;
