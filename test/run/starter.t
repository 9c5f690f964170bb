#!/usr/bin/perl
# Does ./tine build what is stale and nothing else, give a demo without a terminal and a shell with one?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;
use Time::HiRes 'time';

plan skip_all => 'the starter script starts our kernel' if is_linux;
my $tine = root_dir() . '/tine';

is system("$tine help > /dev/null"), 0, 'it builds what it needs';
my $start = time;
is `$tine help 2>&1 | head -1` =~ /^usage: /, 1, 'help';
cmp_ok time - $start, '<', 0.5, 'the second time in no time' if $ENV{TINE_TEST_TIMES};

my $demo = `$tine < /dev/null 2>&1`;
is $?, 0, 'without a terminal: status';
like $demo, qr/MiB in use: fork/, 'without a terminal: the demo';

{
	local $ENV{TINE_TEST_COMMAND} = $tine;
	my $t = TineRun::Terminal->new(24, 80);
	ok $t->expect(qr/tine:.*# /), 'with a terminal: a shell';
	$t->type("exit\r");
	is $t->finish, 0, 'which ends well';
}

# The best of some. How long things take is judged only when asked (TINE_TEST_TIMES): the machine may
# be busy with other things.
my $best = 99;
for (1 .. 10) {
	my $begin = time;
	is system("$tine run -- true"), 0, 'true' or last;
	my $seconds = time - $begin;
	$best = $seconds if $seconds < $best;
}
diag sprintf '%.3f s from typing to the exit of `true`', $best;
cmp_ok $best, '<=', 0.25, 'run -- true takes at most 0.25 s' if $ENV{TINE_TEST_TIMES};

done_testing;
