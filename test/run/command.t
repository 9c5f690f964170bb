#!/usr/bin/perl
# Does `tine run` give a command its streams and return its status, as the command line promises?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $r = tine_run('sh', '-c', 'for i in $(seq 1000); do echo $((i*7)); done | sort -rn | head -1');
is $r->{out}, "7000\n", 'a pipeline of three';
is $r->{status}, 0, 'its status';
is $r->{err}, '', 'nothing else is said';

$r = tine_run({ stdin => "b\na\n" }, 'sort');
is $r->{out}, "a\nb\n", 'stdin to its end through sort';

is tine_run('sh', '-c', 'exit 7')->{status}, 7, 'an exit status';
is tine_run('sh', '-c', 'kill -9 $$')->{status}, 137, 'a death by SIGKILL';
is tine_run('sh', '-c', 'kill -TERM $$')->{status}, 143, 'a death by SIGTERM';
is tine_run('true')->{status}, 0, 'true';

$r = tine_run('no-such-program', 'argument');
is $r->{status}, 127, 'a missing program: status';
is $r->{err}, "tine: no-such-program: No such file or directory\n", 'a missing program: one line';

$r = tine_run('');
is $r->{status}, 127, 'no name at all: status';
is $r->{err}, "tine: : No such file or directory\n", 'no name at all: one line';

$r = tine_run('/etc/passwd');
is $r->{status}, 126, 'a file that is no program: status';
is $r->{err}, "tine: /etc/passwd: Permission denied\n", 'a file that is no program: one line';

$r = tine_run('sh', '-c', 'echo out; echo err >&2');
is $r->{out}, "out\n", 'stdout apart';
is $r->{err}, "err\n", 'stderr apart';

$r = tine_run('printf', '%s|', 'a b', '', "new\nline", '*', '--', '-x', "\xff\x01");
is $r->{out}, "a b||new\nline|*|--|-x|\xff\x01|", 'arguments arrive as they are';

$r = tine({ env => { SECRET => 'x', LANG => 'C.UTF-8' } },
	tine_argv('--', 'sh', '-c', 'echo "$LANG $SECRET $HOME"; pwd; tty'));
is $r->{out}, "C.UTF-8  /root\n/\nnot a tty\n", 'environment, directory, no terminal';

$r = tine_run('sh', '-c', '(sleep 0.1; echo late) & echo early');
is $r->{out}, "early\nlate\n", 'what a child says shortly after its parent ended is not lost';

$r = tine_run({ limit => 20 }, 'sh', '-c', 'sleep 1000 & echo done');
is $r->{out}, "done\n", 'a child left behind does not keep the machine';

$r = tine_run('sh', '-c', 'sh -c "sleep 0.05 & exit 0"; sleep 0.2; grep -l Z /proc/[0-9]*/stat; '
	. 'cut -d" " -f1 /proc/1/stat');
is $r->{out}, "1\n", 'orphans are reaped, init is process 1';

done_testing;
