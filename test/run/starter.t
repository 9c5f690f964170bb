#!/usr/bin/perl
# Does ./tine build what is stale and nothing else, give a demo without a terminal and a shell with one? Does a build
# end with the command that began it, and does one that waits for another's, or that failed, say so?
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

# --- builds that take long, and that fail: a make of our own ---------------------------------------------

my ($bin, $output) = (work_dir() . '/bin', work_dir() . '/output');
mkdir $bin;
my %own = (PATH => "$bin:$ENV{PATH}", TINE_OUTPUT => $output);

sub make_does {
	my ($script) = @_;

	system 'rm', '-rf', $output;
	spew("$bin/make", "#!/bin/bash\n$script\n");
	chmod 0755, "$bin/make" or die;
}

# Its stderr goes to that file.
sub start {
	my ($err) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0) {
		@ENV{keys %own} = values %own;
		open STDOUT, '>', '/dev/null' or die;
		open STDERR, '>', $err or die;
		exec $tine, 'help' or POSIX::_exit(126);
	}
	return $pid;
}

my ($first_err, $second_err, $third_err) = map { work_dir() . "/$_" } 'first', 'second', 'third';
for my $case ([ INT => 2 ], [ TERM => 15 ], [ HUP => 1 ], [ QUIT => 3 ]) {
	my ($signal, $number) = @$case;

	make_does('(sleep 60; echo made) & wait');
	my $pid = start($first_err);
	my @build = TineRun::wait_descendants($pid, 3);
	kill $signal, $pid;
	# Again while it ends, as timeout(1) and impatient people do.
	for (1 .. 4) {
		Time::HiRes::sleep(0.004);
		kill $signal, $pid;
	}
	is TineRun::wait_limited($pid, 10), 128 + $number, "SIG$signal while it builds: status";
	ok @build == 3 && TineRun::wait_gone(@build), "SIG$signal while it builds: the build has ended";
	is slurp($first_err), "tine: building, once\n", "SIG$signal while it builds: nothing more is said";
}

my ($made, $go) = (work_dir() . '/made', work_dir() . '/go');
make_does(<<"END");
echo make >> $made
until [[ -e $go ]]; do sleep 0.05; done
mkdir $output/launcher
ln -s /bin/true $output/launcher/tine
END
my $first = start($first_err);
TineRun::wait_descendants($first, 2);
my @second = map { start($_) } $second_err, $third_err;
for (1 .. 600) {
	last if -s $second_err && -s $third_err;
	Time::HiRes::sleep(0.05);
}
my @waiting = map { TineRun::wait_descendants($_, 1) } @second;
kill 'TERM', $second[1];
is TineRun::wait_limited($second[1], 10), 143, 'SIGTERM while it waits for a build: status';
ok TineRun::wait_gone($waiting[1]), 'SIGTERM while it waits for a build: nothing is left of it';
like slurp($second_err), qr/\Atine: waiting for [^\n]+\n\z/, 'one that waits for another\'s build says so';
spew($go, '');
is TineRun::wait_limited($_, 10), 0, 'and both go on' for $first, $second[0];
is slurp($made), "make\n", 'after one build';

for my $case ([ 'exit 3', 'make ended with status 3' ],
	      [ 'kill -KILL $$', 'make ended with status 137' ],
	      [ 'echo as: out of room; exit 2', 'as: out of room' ],
	      [ 'printf "x.c: In function x:\nx.c:3:1: error: no x\ncc1: all warnings\nmake: *** [Makefile:9: x] Error 1\n"; exit 2',
		'x.c:3:1: error: no x' ],
	      [ 'printf "bash: line 1: gcc: command not found\nmake: *** [Makefile:9: x] Error 127\n"; exit 2',
		'bash: line 1: gcc: command not found' ],
	      [ 'echo "make: *** No rule to make target x.  Stop."; exit 2', 'make: *** No rule to make target x.  Stop.' ]) {
	my ($script, $why) = @$case;

	make_does($script);
	my $r = tine({ env => \%own }, 'help');
	is $r->{status}, 125, "a build that fails: status: $why";
	is $r->{err}, "tine: building, once\ntine: the build failed, see $output/build-release.log: $why\n", 'and why';
}
my $r = tine({ env => { TINE_OUTPUT => '/proc/none' } }, 'help');
is $r->{status}, 125, 'no place for what is built: status';
like $r->{err}, qr{\A[^\n]*/proc/none[^\n]*: No such file or directory\n\z}, 'and why';

done_testing;
