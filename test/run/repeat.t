#!/usr/bin/perl
# Does a script full of forks and pipes end well each time, on 4 processors?
# TINE_TEST_REPEAT says how often (default 10).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $times = $ENV{TINE_TEST_REPEAT} // 10;
my $script = <<'SCRIPT';
for i in $(seq 20); do
	(echo $i; echo $((i * 2))) | sort -n | while read n; do echo $((n + 1)); done | tail -1 &
done | sort -n | md5sum
wait
x=$(echo a | cat | cat | cat | tr a b); echo "$x"
seq 2000 | xargs -n 50 echo | wc -w
SCRIPT
my $expected;

for my $round (1 .. $times) {
	my $r = tine({ limit => 60 }, 'run', '--kernel', kernel(), '--smp', 4, '--', 'sh', '-c', $script);

	$expected //= `/bin/busybox sh -c '$script'`;
	next if $r->{out} eq $expected && $r->{err} eq '' && $r->{status} == 0;
	is "$r->{out}$r->{err}$r->{status}", "${expected}0", "round $round";
	last;
}
pass "$times rounds";
done_testing;
