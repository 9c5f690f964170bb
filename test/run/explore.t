#!/usr/bin/perl
# Does the explorer's quick form find nothing wrong in any scenario, and does the explorer find an update
# that is lost without a lock, at every boundary, on one processor and on two? Is the table the same
# each time, whoever does which part? Does a schedule that it names run again? Are words that make no sense
# named, does a schedule that cannot take place fail, and are violations all counted though only the first are told?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use TineRun;

plan skip_all => 'the explorer is our kernel\'s' if is_linux;

my $work = work_dir();

# A limit for machines that are busy otherwise: what runs here takes a minute or two.
sub lab {
	return tine({ limit => 900 }, 'lab', @_);
}

sub records {
	my ($file, %want) = @_;
	return grep {
		my $record = $_;
		!grep { ($record->{$_} // '') ne $want{$_} } keys %want;
	} @{ decode_json(slurp($file)) };
}

my $quick = "$work/quick.json";
my $r = lab('explore', '--quick', '--json', $quick);
is $r->{status}, 0, 'nothing is violated, and all that must be seen was' or diag $r->{out} . $r->{err};
is scalar(records($quick, type => 'violation')), 0, 'no violation';
cmp_ok scalar(() = $r->{out} =~ /\n/g), '<=', 40, 'the table fits on a screen';
my %scenarios = map { $_->{scenario} => 1 } records($quick, type => 'result');
ok $scenarios{$_}, "$_ was gone through"
	for qw(fork vfork exec exit-wait cow pipe pipe-2 futex futex-2 signal signal-2 fault thread munmap-2 tick);
is scalar(grep { $_->{schedules} == 0 } records($quick, type => 'result')), 0, 'each by some schedules';

for my $kind ('switch', 'slice', 'call') {
	my ($row) = records($quick, type => 'result', scenario => 'control', kind => $kind);
	cmp_ok $row->{kernel}, '>', 1000, "boundaries of the kernel ($kind)";
	cmp_ok $row->{user}, '>', 50, "boundaries of the program ($kind)";
}
for (['control', 'switch'], ['control', 'slice'], ['control-2', 'turn']) {
	my ($lost) = records($quick, scenario => $_->[0], kind => $_->[1], outcome => 'one lost');
	cmp_ok $lost->{count}, '>', 0, "an update is lost (@$_)";
}

my @some = ('explore', '--quick', 'control-2', 'thread', 'cow', 'pipe-2');
my $whole = lab(@some, '--json', "$work/1.json");
lab(@some, '--jobs', 1, '--json', "$work/2.json");
is slurp("$work/2.json"), slurp("$work/1.json"), 'the same results again';
{
	my @command = TineRun::command();
	local $ENV{TINE_TEST_COMMAND} = '/bin/sh';
	my $inherited = tine({ limit => 900 }, '-c', 'sleep 0.5 & exec "$@"', 'sh', @command, 'lab', @some);
	is $inherited->{status}, 0, 'a child that is not its own is no machine' or diag $inherited->{err};
	is $inherited->{out}, $whole->{out}, 'nor does it change what is said';
}
my @parts = map { "$work/part$_.json" } 0, 1;
is lab(@some, '--shard', "$_/2", '--json', $parts[$_])->{status}, 0, "share $_" for 0, 1;
$r = lab('merge', @parts);
is $r->{status}, 0, 'two shares join';
is $r->{out}, $whole->{out}, 'and are the whole';
is lab('merge', $parts[0])->{status}, 2, 'one share is not the whole';
is lab('merge', @parts[0, 0])->{status}, 2, 'nor is one twice';

$r = lab('explore', '--replay', 'control:switch:300,0');
is $r->{status}, 0, 'one schedule: status';
like $r->{out}, qr/^replay control:switch:300,0 (user@[0-9a-f]+|kernel@\w+\+0x[0-9a-f]+) thread \d+ :: /, 'one schedule runs again';
for my $missed ('control:switch:900000,0', 'control:pair:300,900000', 'control-2:turn:300,900000') {
	$r = lab('explore', '--replay', $missed);
	is $r->{status}, 1, "$missed, which cannot take place: status";
	like $r->{out}, qr/^replay $missed .*:: it ended before the shot: /, "$missed: what it did instead";
	like $r->{err}, qr/\Atine: lab explore: --replay $missed: it did not take place: [^\n]+\n\z/, "$missed: and one line";
}

# One line and status 2.
for my $case ([ 'no scenario nothing-such', 'nothing-such' ], [ 'no scenario nothing-such', '--replay', 'nothing-such:switch:1,0' ],
	      [ 'a kind of fork \(switch, slice, call, pair\)', '--replay', 'fork:bad' ],
	      [ 'a kind of fork', '--replay', 'fork' ], [ 'a kind of fork', '--replay', 'fork:turn:1,2' ],
	      [ 'a kind of fork', '--replay', 'fork:switch:0,0' ], [ 'a kind of fork', '--replay', 'fork:switch:-5,0' ],
	      [ 'a kind of fork', '--replay', 'fork:switch:5,0x' ], [ '--frobnicate', '--frobnicate' ], [ '--shard 1/2/3', '--shard', '1/2/3' ], [ '--shard 4294967296/2', '--shard', '4294967296/2' ],
	      [ '--jobs x: must be a number from 1 to 16', '--jobs', 'x' ], [ 'from 1 to 2', '--bound', '-1' ], [ 'not I/N', '--shard', '2/2' ]) {
	my ($said, @words) = @$case;
	my $bad = tine('lab', 'explore', @words);
	is $bad->{status}, 2, "@words: status";
	like $bad->{err}, qr/\Atine: lab explore: [^\n]*$said[^\n]*\n\z/, "@words: one line";
	is $bad->{out}, '', "@words: no output";
}

# The controls' lost updates, taken as violations.
my $red = lab('explore', '--quick', '--red', '--json', "$work/red.json", 'control');
is $red->{status}, 1, 'what counts as a violation fails';
my $told = () = $red->{out} =~ /^violation: control:/mg;
my ($more) = $red->{out} =~ /^violations: (\d+) more of control, not listed$/m;
cmp_ok $told, '<=', 8 * 2, 'of each machine at most eight are told';
cmp_ok $more, '>', 0, 'and how many more there were';
like $red->{out}, qr/ ${\ ($told + $more)} violations$/m, 'all are counted';
is((records("$work/red.json", type => 'total', scenario => 'control'))[0]{violations}, $told + $more, 'in the results as well');
unlike $red->{out}, qr/leak/, 'and telling them leaves nothing behind';
my ($again) = $red->{out} =~ m{^  \./tine lab (explore --red --replay control:\S+)$}m;
$r = lab(split ' ', $again);
is $r->{status}, 1, 'one of them, as the table says to replay it: status';
like $r->{out}, qr/^violation: control:\S+ .*:: one lost$/m, 'and it is lost again';

done_testing;
