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
