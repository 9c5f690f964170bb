#!/usr/bin/perl
# Does `tine bench` measure what it is asked for, beside Linux too, and refuse what it does not know? (How
# fast anything is, is no test's business.)
use strict;
use warnings;
use FindBin;
use File::Temp qw(tempdir);
use JSON::PP;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $dir = tempdir(CLEANUP => 1);
my $r = tine('bench', '--list');
is $r->{status}, 0, 'bench --list: status';
my @names = $r->{out} =~ /^(\S+) +\S/mg;
for my $name (qw(null pipe switch-2 fork-exit fork-1g processes-1000 redis boot boot-first memory)) {
	ok((grep { $_ eq $name } @names), "bench --list: $name");
}

# It needs one of the programs for that, and says so.
unlike $r->{err}, qr/^(?!tine: bench: building its programs, once$)./m, 'bench --list: no other words';
like tine('bench', '--help')->{out}, qr/--list +the metrics, .*built/s, 'bench --help: --list builds';

$r = tine('bench', 'no-such-metric');
is $r->{status}, 2, 'an unknown metric: status';
is $r->{err}, "tine: bench: no metric no-such-metric; see ./tine bench --list\n", 'an unknown metric: one line';

# A file that was asked for and cannot be made is known before anything is measured.
for my $case ([ ['--svg', "$dir/none.svg", 'null'], '--svg shows fork by size; name the metrics fork-1m, fork-64m, ... too' ],
	      [ ['--svg', '/no/such/dir/x', 'fork-1m'], '/no/such/dir/x: No such file or directory' ],
	      [ ['--json', '/no/such/dir/x', 'null'], '/no/such/dir/x: No such file or directory' ]) {
	my ($words, $said) = @$case;
	$r = tine('bench', @$words);
	is $r->{status}, 2, "@$words: status";
	is $r->{err}, "tine: bench: $said\n", "@$words: one line";
}

$r = tine({ limit => 600 }, 'bench', '--vs', 'linux', '--icount', '--rounds', '1', '--samples', '3',
	'--json', "$dir/json", '--markdown', "$dir/table.md", '--svg', "$dir/fork's.svg", 'null', 'fork-1m', 'boot-first');
is $r->{status}, 0, 'bench --vs linux: status';
like $r->{out}, qr/^metric +tine .* linux .* ratio$/m, 'a head';
like $r->{out}, qr/^null +\d+ .*\d\.\d+$/m, 'a row with a ratio';
open my $file, '<', "$dir/json" or die "$dir/json: $!";
my $json = decode_json(do { local $/; <$file> });
is $json->{unit}, 'instructions', 'JSON: unit';
for my $kernel ('tine', 'linux') {
	is $json->{metrics}{null}{$kernel}{count}, 3, "JSON: samples on $kernel";
	cmp_ok $json->{metrics}{'boot-first'}{$kernel}{median}, '>', 100_000, "JSON: boot on $kernel";
	cmp_ok $json->{metrics}{'fork-1m.call'}{$kernel}{median}, '>', 0, "JSON: fork on $kernel";
}
open $file, '<', "$dir/table.md" or die "$dir/table.md: $!";
like do { local $/; <$file> }, qr/^\| null \| \d+ \| \d+ \| \d\.\d+ \|/m, 'Markdown: a row with a ratio';
open $file, '<', "$dir/fork's.svg" or die "$dir/fork's.svg: $!";
my $svg = do { local $/; <$file> };
like $svg, qr/<svg .*<\/svg>/s, 'SVG: a whole drawing';
like $svg, qr/>\Q$_\E</, "SVG: a curve of $_" for 'tine', 'linux', 'linux-4k';
done_testing;
