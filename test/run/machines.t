#!/usr/bin/perl
# Does the same command run on every machine, with 1 to 16 processors and from 32 MiB to 16 GiB?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $count = 'grep -c ^processor /proc/cpuinfo; cat';

for my $machine ('microvm', 'q35', 'pc') {
	for my $processors (1, 4) {
		my $r = tine({ stdin => "in\n" }, 'run', '--kernel', kernel(), '--machine', $machine,
			'--smp', $processors, '--', 'sh', '-c', $count);

		is $r->{out}, "$processors\nin\n", "$machine, $processors processors";
		is $r->{err}, '', "$machine, $processors processors: no complaint";
	}
}
for my $case ([ 'microvm', 16, '512M' ], [ 'microvm', 2, '16G' ], [ 'q35', 2, '6G' ],
	      is_linux ? () : [ 'microvm', 1, '32M' ]) {
	my ($machine, $processors, $memory) = @$case;
	my $r = tine({ stdin => "in\n" }, 'run', '--kernel', kernel(), '--machine', $machine, '--smp',
		$processors, '--memory', $memory, '--', 'sh', '-c', $count);

	is $r->{out}, "$processors\nin\n", "$machine, $processors processors, $memory";
	is $r->{err}, '', "$machine, $processors processors, $memory: no complaint";
}

# Virtual time is the number of instructions: what the clock says is the same each time.
my @said = map {
	tine('run', '--kernel', kernel(), '--icount', '--', 'cat', '/proc/uptime')->{out}
} 1 .. 2;
like $said[0], qr/^\d+\.\d+ /, '--icount runs';
is $said[0], $said[1], '--icount: two runs are the same' unless is_linux;

done_testing;
