#!/usr/bin/perl
# Are streams binary-clean at megabytes, and does neither side hold more than a window of them?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;
use Digest::MD5;

my $size = 64 << 20;
my $random = work_dir() . '/random';
open my $in, '<:raw', '/dev/urandom' or die;
open my $out, '>:raw', $random or die;
for (1 .. 64) {
	read $in, my $bytes, 1 << 20;
	print $out $bytes;
}
close $out;

sub digest {
	open my $file, '<:raw', $_[0] or die;
	return Digest::MD5->new->addfile($file)->hexdigest;
}

my $r = tine_run({ stdin_file => $random }, 'cat');
is $r->{status}, 0, '64 MiB through cat: status';
is length $r->{out}, $size, '64 MiB through cat: size';
is Digest::MD5::md5_hex($r->{out}), digest($random), '64 MiB through cat: the same bytes';
$r = undef;

$r = tine_run({ stdin_file => $random }, 'sh', '-c', 'cat >&2');
is Digest::MD5::md5_hex($r->{err}), digest($random), '64 MiB to stderr: the same bytes';
$r = undef;

$r = tine_run({ stdin_file => $random }, 'md5sum');
is $r->{out}, digest($random) . "  -\n", '64 MiB in, read by the program';

# The host's reader is slow and goes away early: the program must get SIGPIPE, and wait meanwhile.
my @words = map { "'$_'" } TineRun::command(), tine_argv('--', 'sh', '-c', 'yes; echo $? >&2');
my $text = `(@words 2> @{[work_dir()]}/status) | (sleep 0.5; head -c 4)`;
is $text, "y\ny\n", 'a reader that goes away early gets what it read';
is slurp(work_dir() . '/status'), "141\n", 'and the program SIGPIPE';

# Output that the host cannot write must not be lost under a status of success.
for (['true', 0], ['echo lost', 125], ['echo lost; exit 3', 3]) {
	my ($script, $status) = @$_;
	my @command = map { "'$_'" } TineRun::command(), tine_argv('--', 'sh', '-c', $script);
	system "@command > /dev/full 2> @{[work_dir()]}/full";
	is $? >> 8, $status, "output to a full device: status of $script";
}

# A closed stdout refuses what is written, as it does on the host; a program that writes nothing does not notice.
for (['true', 0, ''], ['echo lost', 125, "tine: write: Bad file descriptor\n"], ['echo lost; exit 3', 3, "tine: write: Bad file descriptor\n"],
     ['echo said >&2', 0, "said\n"]) {
	my ($script, $status, $said) = @$_;
	my @command = map { "'$_'" } TineRun::command(), tine_argv('--', 'sh', '-c', $script);
	system "@command >&- 2> @{[work_dir()]}/closed";
	is $? >> 8, $status, "stdout closed: status of $script";
	is slurp(work_dir() . '/closed'), $said, "stdout closed: what $script says";
}

# So with what the command says itself.
for my $words ('--help', 'run --help', 'run --dry-run -- true') {
	system "@{[TineRun::command()]} $words >&- 2> @{[work_dir()]}/closed";
	is $? >> 8, 125, "stdout closed: status of $words";
	is slurp(work_dir() . '/closed'), "tine: write: Bad file descriptor\n", "stdout closed: what $words says";
}

# A program that does not read its stdin: the launcher must not read all of it ahead.
my $pid = fork // die;
if ($pid == 0) {
	open STDIN, '-|', 'yes' or die;
	open STDOUT, '>', work_dir() . '/idle' or die;
	exec TineRun::command(), tine_argv('--', 'sh', '-c', 'echo here; sleep 2; head -c 2') or die;
}
my $peak = 0;
while (waitpid($pid, 1) == 0) {
	my ($kib) = (-e "/proc/$pid/status" ? slurp("/proc/$pid/status") : '') =~ /VmHWM:\s+(\d+)/;
	$peak = $kib if $kib && $kib > $peak;
	select undef, undef, undef, 0.05;
}
is slurp(work_dir() . '/idle'), "here\ny\n", 'endless stdin, read late';
cmp_ok $peak, '<', 16 * 1024, 'the launcher stays small meanwhile (KiB)';

$r = tine_run('sh', '-c', 'exec 0<&-; sleep 0.3; echo gone');
is $r->{out}, "gone\n", 'a program may close its stdin';

$r = tine_run({ stdin_file => '/dev/null' }, 'cat');
is $r->{out}, '', 'an empty stdin ends';

my $script = 'for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done';
@words = map { "'$_'" } TineRun::command(), tine_argv('--', 'sh', '-c', $script);
is `@words 2>&1`, join('', map { "out $_\nerr $_\n" } 1 .. 5),
	'stdout and stderr in one pipe keep their order';

# The launcher is held up while the machine says its last words and ends: it must still read them all.
{
	my $out = work_dir() . '/late';
	my $pid = TineRun::start_until_output($out, '--', 'sh', '-c',
		'echo ready; sleep 2; head -c 262138 /dev/zero; exit 5');
	kill 'STOP', $pid;
	for (1 .. 600) {
		last if machine_has_ended($pid);
		select undef, undef, undef, 0.05;
	}
	ok machine_has_ended($pid), 'a machine ends while the launcher is stopped';
	kill 'CONT', $pid;
	is TineRun::wait_limited($pid, 20), 5, 'whose status is known when it goes on';
	is -s $out, 262144, 'and whose output is whole';
}

# Whether a process has children, none of which runs: they wait to be reaped.
sub machine_has_ended {
	my ($pid) = @_;
	my @children = split ' ', `cat /proc/$pid/task/*/children`;

	return @children && !grep { `cat /proc/$_/stat` !~ /\) Z/ } @children;
}

done_testing;
