#!/usr/bin/perl
# Are mistakes on the command line answered with one line and status 2, and do the options do what
# they say?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

sub refused {
	my ($pattern, @words) = @_;
	my $r = tine(@words);

	is $r->{status}, 2, "@words: status";
	like $r->{err}, qr/\Atine: [^\n]*$pattern[^\n]*\n\z/, "@words: one line";
	is $r->{out}, '', "@words: no output";
}

refused('no command', 'run');
refused('no command', 'run', '--');
refused('1536 is the most', 'run', '--append', 'x' x 1537, '--', 'true');
is tine('run', '--append', 'x' x 1400, '--', 'true')->{status}, 0, 'a long command line: status';
refused('image isoo: there is no such image', 'image', 'isoo', 'x');
refused('what to make is missing', 'image');
refused('one FILE', 'image', 'iso');
refused('one FILE', 'image', 'iso', 'x', 'y');
refused('--rounds: 0: must be a number from 1 to 10000', 'bench', '--rounds', '0');
refused('--frobnicate', 'run', '--frobnicate', '--', 'true');
refused('--smp', 'run', '--smp');
refused('1 to 16', 'run', '--smp', '17', '--', 'true');
refused('1 to 16', 'run', '--smp', '-1', '--', 'true');
refused('32M to 16G', 'run', '--memory', '31M', '--', 'true');
refused('32M to 16G', 'run', '--memory', '17G', '--', 'true');
refused('32M to 16G', 'run', '--memory', '18446744073709551615G', '--', 'true');
refused('microvm, q35, pc', 'run', '--machine', 'vax', '--', 'true');
refused('above 0', 'run', '--timeout', '0', '--', 'true');
refused('No such file', 'run', '--root', '/no/such/dir', '--', 'true');
refused('not a directory', 'run', '--root', '/etc/passwd', '--', 'true');
refused('needs --root', 'run', '--rw', '--', 'true');
refused('No such file', 'run', '--kernel', '/no/such/kernel', '--', 'true');
refused('not a kernel', 'run', '--kernel', '/etc/passwd', '--', 'true');
refused('not there yet', 'run', '--disk', 'x', '--', 'true');
refused('not there yet', 'run', '--publish', '1:2', '--', 'true');
refused('No such file', 'run', '--trace', '/no/such/dir/x', '--', 'true');
refused('must be json, html or txt', 'run', '--trace', 'x', '--trace-format', 'svg', '--', 'true');
refused('no name', 'lab');
refused('no such command', 'lab', 'nothing');
refused('no metric', 'bench', 'nothing-such');
refused('No such file', 'image', 'iso', '/no/such/dir/x');
refused('not there yet', 'image', 'disk', 'x');
refused('no such verb', 'frobnicate');

my $r = tine('run', '--help');
is $r->{status}, 0, '--help: status';
like $r->{out}, qr/--root=DIR/, '--help: options';

$r = tine(tine_argv('--dry-run', '--memory', '1G', '--append', "a 'b'", '--', 'true'));
is $r->{status}, 0, '--dry-run: status';
like $r->{out}, qr/^qemu-system-x86_64 .* -m 1024M .*name=tine/, '--dry-run: a command line';
like $r->{out}, qr/a '\\''b'\\'''/, '--dry-run: quoted for a shell';
is scalar(() = $r->{out} =~ /\n/g), 1, '--dry-run: one line';
$r = tine(tine_argv('--dry-run', '--append', 'timer=pit', '--', 'true'));
like $r->{out}, qr/pit=on/, 'timer=pit brings the timer';
$r = tine(tine_argv('--dry-run', '--icount', '--', 'true'));
like $r->{out}, qr/-icount shift=0,sleep=off/, '--icount counts instructions';

$r = tine(tine_argv('--timeout', '4', '--', 'sh', '-c', 'echo before; sleep 100'));
is $r->{status}, 124, '--timeout: status';
is $r->{out}, "before\n", '--timeout: what was said before';
like $r->{err}, qr/\Atine: [^\n]*4 s[^\n]*\n\z/, '--timeout: one line';
cmp_ok $r->{seconds}, '<', 6, '--timeout: in time' if $ENV{TINE_TEST_TIMES};

is tine('run', '--kernel', kernel(), 'sh', '-c', 'exit 4')->{status}, 4, '-- may be left out';
is tine(tine_argv('--memory', '64M', '--', 'true'))->{status}, 0, '64 MiB are enough'
	unless is_linux;
$r = tine(tine_argv('--memory', '300M', '--', 'grep', 'MemTotal', '/proc/meminfo'));
my ($total) = $r->{out} =~ /(\d+) kB/;
cmp_ok $total, '<=', 300 << 10, '--memory: not more';
cmp_ok $total, '>', 200 << 10, '--memory: and not much less';
$r = tine('run', '--kernel', kernel(), '--smp', '3', '--', 'grep', '-c', '^processor', '/proc/cpuinfo');
is $r->{out}, "3\n", '--smp: processors';

for my $name ('report', 'step', 'livelock', 'compare', 'tlb', 'latency', 'trace', 'explore', 'merge') {
	for my $words ([ '--help' ], [ '--quick', '--help' ]) {
		my $help = tine('lab', $name, @$words);

		is $help->{status}, 0, "lab $name @$words: status";
		like $help->{out}, qr/\A[Uu]sage: .*tine lab $name\b.*\n/, "lab $name @$words: usage";
		like $help->{out}, qr/\bTakes .*(?: s\b|minute)/, "lab $name @$words: how long it takes";
	}
	refused("lab $name: --frobnicate: ", 'lab', $name, '--frobnicate');
}

for my $verb ('run', 'test', 'lab', 'bench', 'image') {
	my $help = tine($verb, '--help');

	is $help->{status}, 0, "$verb --help: status";
	like $help->{out}, qr/\btine\b.*\n/, "$verb --help: says how it is called";
}

my $log = work_dir() . '/log';
$r = tine(tine_argv('--log', $log, '--append', 'frobnicate=7', '--', 'echo', 'hello'));
is $r->{out}, "hello\n", '--log: the output stays clean';
is $r->{err}, '', '--log: nothing on stderr';
cmp_ok length slurp($log), '>', 20, '--log: a log';
like slurp($log), qr/frobnicate/, 'a word that the kernel does not know is named in its log';
$r = tine(tine_argv('--log', $log, '--', 'sh', '-c', 'echo for dmesg alone > /dev/kmsg; dmesg'));
like $r->{out}, qr/\A\[ .*^\[ *\d+\.\d+\] for dmesg alone$/ms, 'dmesg has what a program logs, and what the kernel said';
cmp_ok scalar(() = $r->{out} =~ /\n/g), '>', 4, 'dmesg has lines that the log leaves out';
unlike slurp($log), qr/for dmesg alone/, '--log: has what log= says' unless is_linux;
refused('--log', tine_argv('--log', '/no/such/dir/log', '--', 'true'));
# Into something that is no file it is copied at the end.
$r = tine(tine_argv('--log', '/dev/stderr', '--append', 'frobnicate=7', '--', 'echo', 'hello'));
cmp_ok length $r->{err}, '>', 20, '--log /dev/stderr';

done_testing;
