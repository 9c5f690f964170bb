#!/usr/bin/perl
# Does a program that changes what is mapped run right under each way to change page tables, in a machine
# that has them all (Bochs: PCID, INVPCID), and on Linux?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $r = tine({ limit => 300 }, 'lab', 'tlb');
is $r->{status}, 0, 'lab tlb' or diag $r->{out} . $r->{err};
unlike $r->{out}, qr/^  NO /m, 'each check holds';
for my $method ('cr3', 'pge', 'invpcid', 'pcid') {
	like $r->{out}, qr/^  yes +Bochs: tlb=$method +.*: the program says (\d+) of \1 right$/m,
		"Bochs: tlb=$method: the program runs";
}

my $output = $ENV{TINE_OUTPUT} // root_dir() . '/build';
is system("$output/user/lab-spaces > " . work_dir() . '/said'), 0, 'it is right on the host as well'
	or diag slurp(work_dir() . '/said');

done_testing;
