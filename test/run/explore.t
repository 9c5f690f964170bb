#!/usr/bin/perl
# Does the explorer find an update that is lost without a lock, at every boundary, on one processor and
# on two, with the same table each time? Does a schedule that it names run again, and do shards join?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use TineRun;

plan skip_all => 'the explorer is our kernel\'s' if is_linux;

my $work = work_dir();

sub lab {
	return tine('lab', @_);
}

my @explore = ('explore', '--pairs', 20000, '--jobs', 1);
my $r = lab(@explore, '--json', "$work/1.json", 'control', 'control-2');
is $r->{status}, 0, 'all that must be seen was' or diag $r->{out} . $r->{err};
my @records = @{ decode_json(slurp("$work/1.json")) };
my ($switch) = grep { $_->{type} eq 'result' && $_->{kind} eq 'switch' } @records;
cmp_ok $switch->{kernel}, '>', 1000, 'boundaries of the kernel';
cmp_ok $switch->{user}, '>', 50, 'boundaries of the program';
for my $kind ('switch', 'turn') {
	my ($lost) = grep { $_->{type} eq 'outcome' && $_->{kind} eq $kind && $_->{outcome} eq 'one lost' } @records;
	cmp_ok $lost->{count}, '>', 0, "an update is lost ($kind)";
}

lab(@explore, '--json', "$work/2.json", 'control', 'control-2');
is slurp("$work/2.json"), slurp("$work/1.json"), 'the same results again';

my @parts = map { "$work/part$_.json" } 0, 1;
lab(@explore, '--bound', 1, '--shard', "$_/2", '--json', $parts[$_], 'control') for 0, 1;
$r = lab('merge', @parts);
is $r->{status}, 0, 'two shards join';
like $r->{out}, qr/^control +switch .*one lost [1-9]/m, 'and have what one has';

$r = lab('explore', '--replay', 'control:switch:300,0');
like $r->{out}, qr/^replay control:switch:300,0 \w+@[0-9a-f]+ thread \d+ :: /, 'one schedule runs again';
isnt lab('explore', 'nothing-of-that-name')->{status}, 0, 'a scenario that is not there is an error';

done_testing;
