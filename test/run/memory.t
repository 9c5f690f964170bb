#!/usr/bin/perl
# How much memory is in use after boot on a machine of 512 MiB, everything counted? Who is ended when it is all in
# use, and is that said?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $r = tine('run', '--kernel', kernel(), '--memory', '512M', '--', 'cat', '/proc/meminfo');
my ($free) = $r->{out} =~ /^MemFree:\s+(\d+) kB/m;
ok defined $free, '/proc/meminfo tells' or diag $r->{out}, $r->{err};
my $used = (512 << 10) - ($free // 0);
diag "$used KiB in use";
cmp_ok $used, '<=', is_linux ? 100 << 10 : 12 << 10, 'at most 12 MiB (KiB)';

# Three processes of eight threads write 720 MiB: is each that is ended for it named once?
my ($program, $log) = ((root_dir() . '/test/run/programs/hogs.c'), work_dir() . '/log');
my $binary = work_dir() . '/hogs';
is system('musl-gcc', '-O1', '-static', '-pthread', '-o', $binary, $program), 0, 'the program builds';

sub hogs {
	my ($command) = @_;
	return tine({ stdin_file => $binary }, 'run', '--kernel', kernel(), '--smp', 4, '--memory',
		is_linux ? '160M' : '96M', '--log', $log, '--', 'sh', '-c',
		"cat > /tmp/hogs && chmod +x /tmp/hogs; $command");
}

my $killed = qr/Out of memory: Killed process (\d+) \((\w+)\) total-vm:\d+kB, anon-rss:\d+kB/;
my $whole = qr/^\[ *\d+\.\d{6}\] $killed, file-rss:\d+kB, shmem-rss:\d+kB, UID:0 pgtables:\d+kB oom_score_adj:0\r?$/m;
$r = hogs('exec /tmp/hogs');
is $r->{out}, "9\n9\n9\n", 'each is ended by signal 9' or diag $r->{err};
is $r->{err}, '', 'nothing is said of what is not the command';
my (@said, %named) = slurp($log) =~ /$whole/g;
$named{$_}++ for grep { /^\d/ } @said;
is join(',', values %named), '1,1,1', 'each is named once';

# The command itself: is its end told, with the status and the stdout that it has without that?
$r = hogs('echo before; exec /tmp/hogs 1');
is $r->{status}, 137, 'the command is ended for its memory: status';
is $r->{out}, "before\n", 'the command is ended for its memory: stdout';
like $r->{err}, qr/\Atine: $killed; [^\n]* --memory\n\z/, 'the command is ended for its memory: one line';
like slurp($log), qr/\Q@{[$r->{err} =~ m{: (Out.*);}]}\E/, 'the log has it too';

# A shell's child, and a signal 9 that is no want of memory.
$r = hogs('/tmp/hogs 1; kill -9 $$');
is $r->{status}, 137, 'a child of a command that is killed: status';
is $r->{err}, "Killed\n", 'a child of a command that is killed: only the shell tells';
done_testing;
