#!/usr/bin/perl
# Do Debian's own programs run from a Debian root, unmodified?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $root = ($ENV{TINE_OUTPUT} // root_dir() . '/build') . '/debian-root';
$root = $ENV{TINE_DEBIAN_ROOT} if $ENV{TINE_DEBIAN_ROOT};
plan skip_all => 'debootstrap needs root' if $> != 0 && !-e "$root/.complete";
system(root_dir() . '/tools/setup/debian-root', $root) == 0 or BAIL_OUT 'no Debian root';

# The first use of Linux may fetch it, and says so.
tine(tine_argv('--root', $root, '--', 'true')) if is_linux;

# NAME, what to run, what it prints; fails when it says anything on stderr.
sub prints {
	my ($name, $expected, @command) = @_;
	my $r = tine({ limit => 120 }, tine_argv('--memory', '1G', '--root', $root, '--', @command));

	is $r->{out}, $expected, $name;
	is $r->{err}, '', "$name: no complaint";
	is $r->{status}, 0, "$name: status";
}

prints('coreutils', "3\nb\na\n", 'bash', '-c',
	'cd /tmp && printf "a\nb\n" > f && seq 3 | tail -1 && tac f && cp f g && cmp f g && '
	. 'ln -s f h && test "$(readlink h)" = f && rm f g h');
prints('bash: job control', "[1]+  Running                 sleep 100 &\nstopped\n143\n", 'bash', '-c',
	'exec 2> /dev/null; set -m; sleep 100 & jobs; kill -STOP %1; sleep 0.2; '
	. 'jobs | grep -q Stopped && echo stopped; kill -CONT %1; kill %1; wait %1; echo $?');
prints('findutils, grep, sed', "/etc/passwd\nROOT:x:0:0:root:/root:/bin/bash\n", 'bash', '-c',
	'find /etc -maxdepth 1 -name "pass*" ! -name "*-" | sort; '
	. 'grep ^root: /etc/passwd | sed s/root/ROOT/');
prints('awk', "499500\n", 'bash', '-c', 'seq 0 999 | awk "{ s += \$1 } END { print s }"');
prints('tar, gzip, xz', "same\nsame\n", 'bash', '-c',
	'cd /tmp && for z in gzip xz; do tar -cf - -C /usr/share/perl5 . | $z > a.$z && '
	. 'mkdir -p $z && $z -dc a.$z | tar -xf - -C $z && diff -r /usr/share/perl5 $z && echo same; done');
prints('perl', "42 perl\n", 'perl', '-MList::Util=sum', '-e',
	'my %h = (a => 20, b => 22); open my $p, "-|", "echo perl"; print sum(values %h), " ", <$p>');
prints('python3: threads', "4950\n", 'python3', '-c', <<'PYTHON');
import threading
total, lock = 0, threading.Lock()
def add(n):
    global total
    with lock:
        total += n
threads = [threading.Thread(target=add, args=(n,)) for n in range(100)]
[t.start() for t in threads]
[t.join() for t in threads]
print(total)
PYTHON
prints('python3: subprocess', "b'hello\\n'\n7\n", 'python3', '-c', <<'PYTHON');
import subprocess
print(subprocess.run(["cat"], input=b"hello\n", stdout=subprocess.PIPE).stdout)
print(subprocess.call("exit 7", shell=True))
PYTHON
prints('python3: multiprocessing', "500500\n", 'python3', '-c',
	'import multiprocessing as m; print(sum(m.Pool(4).map(abs, range(-1000,0))))');
prints('procps: slabtop, vmstat -m', "OBJS ACTIVE USE OBJ SIZE SLABS OBJ/SLAB CACHE SIZE NAME\ndentry\n"
	. "Cache Num Total Size Pages\ndentry\n", 'bash', '-c',
	'slabtop -o | awk "/OBJS/ { \$1 = \$1; print } \$NF == \"dentry\" { print \$NF }"; '
	. 'vmstat -m | awk "/^Cache/ && NR == 1 { \$1 = \$1; print } \$1 == \"dentry\" { print \$1 }"');
my $cores = smp();
prints('util-linux: lscpu', "1 per core, $cores per socket, 1 sockets\n", 'bash', '-c',
	q{lscpu | sed -n 's/^\(Thread\|Core\|Socket\)(s)[^:]*: *//p' | }
	. q{xargs printf '%s per core, %s per socket, %s sockets\n'});
prints('gcc', "compiled 6\n", 'bash', '-c', <<'SCRIPT');
cd /tmp
cat > p.c <<'SOURCE'
#include <stdio.h>
int main(int argc, char **argv) { (void)argv; printf("compiled %d\n", argc * 2); return 0; }
SOURCE
gcc -O2 -Wall -o p p.c && ./p one two
SCRIPT
prints('gcc: a program of threads', "arguments: a b\nthreads: 4000\n", 'bash', '-c',
	"cat > /tmp/t.c <<'SOURCE'\n" . slurp("$FindBin::Bin/programs/threads.c") . "\nSOURCE\n"
	. 'cd /tmp && gcc -O2 -pthread -o t t.c && ./t a b | head -2');

my $t = TineRun::Terminal->new(24, 80, tine_argv('--root', $root, '--', 'bash', '--norc', '-i'));
ok $t->expect(qr/[#\$] /), 'bash: a prompt on a terminal';
$t->type("sleep 100\r");
select undef, undef, undef, 1;
$t->type("\x1a");
ok $t->expect(qr/Stopped/), 'bash: ^Z';
$t->type("fg\r");
select undef, undef, undef, 1;
$t->type("\x03");
ok $t->expect(qr/\^C/), 'bash: fg, ^C';
$t->type("echo st=\$?\r");
ok $t->expect(qr/st=130\r/), 'bash: the status of what ^C ended';
$t->type("exit 3\r");
is $t->finish, 3, 'bash: status';

done_testing;
