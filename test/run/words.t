#!/usr/bin/perl
# Does the kernel's log name each word of the command line that it does not know, and each value that a word does not
# take, once; does the machine run all the same; and is nothing said of words and values that it knows?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $log = work_dir() . '/log';

# Several words a machine: what is said of each is looked for in the same log.
for my $case ([ 'log=xyz fork=x sched=x headway=x wake=x step=x compare=x aslr=never tlb=x timer=x',
		[ 'log=xyz', 'error|warn|info|debug|sync' ], [ 'fork=x', 'eager' ], [ 'sched=x', 'rr' ], [ 'headway=x', 'off' ],
		[ 'wake=x', 'lost' ], [ 'step=x', 'fork' ], [ 'compare=x', 'fork' ], [ 'aslr=never', 'exec|boot' ],
		[ 'tlb=x', 'cr3|pge|invpcid|pcid|measure' ], [ 'timer=x', 'pit' ] ],
	      [ 'log=debug,xyz,warn fork= sched=', [ 'log=xyz,warn', 'error|warn|info|debug|sync' ], [ 'fork=', 'eager' ], [ 'sched=', 'rr' ] ],
	      [ 'log', [ 'log=', 'error|warn|info|debug|sync' ] ],
	      [ 'timer=pit hz=5000 baud=5', [ 'hz=5000', 'a number from 1 to 1000' ], [ 'baud=5', 'a number from 300 to 115200' ] ],
	      [ 'hz=2000 divisor=x', [ 'hz=2000', 'a number from 1 to 1000' ], [ 'divisor=x', 'a number from 0 to 4294967295' ] ],
	      [ 'timer=pit sched=rr hz=x', [ 'hz=x', 'a number from 1 to 1000' ] ],
	      [ 'trace=1K nomonitor=1 explore=x', [ 'trace=1K', 'a size from 512K to 64M' ],
		[ 'nomonitor=1', 'without a value' ], [ 'explore=x', 'without a value' ] ],
	      [ 'trace=4X panic-test=0 nokaslr=0 norandmaps=no', [ 'trace=4X', 'a size from 512K to 64M' ], [ 'panic-test=0', 'without a value' ],
		[ 'nokaslr=0', 'without a value' ], [ 'norandmaps=no', 'without a value' ] ],
	      [ 'epoch=12x', [ 'epoch=12x', 'seconds since 1970, with a fraction or without' ] ],
	      [ 'epoch=12.5x', [ 'epoch=12.5x', 'seconds since 1970, with a fraction or without' ] ],
	      [ 'selftest=none selftest_go', [ 'selftest=none', "a suite's name" ] ]) {
	my ($words, @named) = @$case;
	my $r = tine('run', '--append', $words, '--log', $log, '--', 'true');

	is $r->{status}, 0, "$words: it runs" or diag $r->{err};
	for my $name (@named) {
		my $said = "$name->[0] on the command line: must be $name->[1]";
		my @lines = grep { /\] \Q$said\E$/ } split /\r?\n/, slurp($log);
		is scalar(@lines), 1, "$said";
	}
	unlike slurp($log), qr/unknown word/, "$words: none is unknown";
}

for my $case ([ 'tlb=pcid', qr/tlb=pcid: this processor has no PCID; tlb=cr3 is used/ ],
	      [ 'timer=pit divisor=119318', qr/divisor 119318 is 53782 to the chip: 22\.18 Hz/ ],
	      [ 'xyzzy xyzzy2=3', qr/unknown word on the command line: xyzzy\r?\n.*unknown word on the command line: xyzzy2=3\r?\n/s ]) {
	my ($words, $said) = @$case;
	is tine('run', '--append', $words, '--log', $log, '--', 'true')->{status}, 0, "$words: it runs";
	like slurp($log), $said, "$words: the log says";
}

for my $words ('', 'log=debug,sync', 'log=debug log=warn', 'aslr=exec nokaslr norandmaps nomonitor explore', 'epoch=12.5 trace=1M fork=eager tlb=pge',
	       'hz=10 divisor=5', 'timer=pit hz=10 sched=rr baud=115200', 'log=warn tlb=measure compare=fork step=fork') {
	is tine('run', '--append', $words, '--log', $log, '--', 'true')->{status}, 0, "'$words': it runs";
	unlike slurp($log), qr/on the command line/, "'$words': nothing is said of it";
}

# The first process, with arguments; what stands behind `--` is the launcher's.
my $r = tine('run', '--append', 'init="/bin/echo one two" panic-test=x', '--log', $log, '--', 'true');
like slurp($log), qr/^one two\b/m, 'init= with arguments: it runs as the first process';
unlike slurp($log), qr/unknown word/, 'and is known';

done_testing;
