#!/usr/bin/perl
# Can a static program of one's own be sent in over stdin and run, built with glibc and with musl?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

for my $compiler ('gcc', 'musl-gcc') {
	my $program = work_dir() . "/$compiler-program";

	if (system($compiler, '-std=gnu11', '-O2', '-static', '-pthread', '-o', $program,
		   "$FindBin::Bin/programs/threads.c") != 0) {
		fail "$compiler builds the program";
		next;
	}
	my $r = tine_run({ stdin_file => $program }, 'sh', '-c',
		'cat > /tmp/p && chmod +x /tmp/p && /tmp/p one two');
	is $r->{err}, '', "$compiler: no complaint";
	is $r->{out}, "arguments: one two\nthreads: 4000\ncondition: 1\nsignal: 1\nfile: mapped\n"
		. "socket: hello\nepoll: 1\npty: typed\n", "$compiler: what the program found";
	is $r->{status}, 3, "$compiler: its status";
}

done_testing;
