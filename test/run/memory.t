#!/usr/bin/perl
# How much memory is in use after boot on a machine of 512 MiB, everything counted?
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
SKIP: {
	skip 'the log is our kernel\'s', 3 if is_linux;
	# Three processes of eight threads write 720 MiB: is each that is ended for it named once?
	my ($program, $log) = ((root_dir() . '/test/run/programs/hogs.c'), work_dir() . '/log');
	my $binary = work_dir() . '/hogs';
	is system('musl-gcc', '-O1', '-static', '-pthread', '-o', $binary, $program), 0, 'the program builds';
	$r = tine({ stdin_file => $binary }, 'run', '--smp', 4, '--memory', '96M', '--log', $log, '--',
		'sh', '-c', 'cat > /tmp/hogs && chmod +x /tmp/hogs && /tmp/hogs');
	is $r->{out}, "9\n9\n9\n", 'each is ended by signal 9' or diag $r->{err};
	my %named;
	$named{$_}++ for slurp($log) =~ /out of memory: ending pid (\d+)/g;
	is join(',', values %named), '1,1,1', 'each is named once';
}
done_testing;
