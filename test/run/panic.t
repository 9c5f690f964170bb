#!/usr/bin/perl
# When the machine fails instead of the program: is the reason shown, with status 125?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $r;
if (is_linux) {
	$r = tine_run('sh', '-c', 'echo before; sleep 0.2; echo c > /proc/sysrq-trigger');
	is $r->{out}, "before\n", 'what the program said before';
	like $r->{err}, qr/Kernel panic/, 'the panic is shown';
} else {
	$r = tine(tine_argv('--append', 'panic-test', '--', 'true'));
	like $r->{err}, qr/^(\[.*\] *)?panic: /m, 'the panic is shown';
	like $r->{err}, qr/\[<[0-9a-f]{16}>\] \w+\+0x[0-9a-f]+/, 'with names in its stack';
}
is $r->{status}, 125, 'status';

$r = tine_run('sh', '-c', 'echo before; sleep 0.2; poweroff -f; sleep 10');
is $r->{status}, 125, 'a program that switches the machine off: status';
is $r->{out}, "before\n", 'what it said before';
like $r->{err}, qr/\Atine: [^\n]+\n\z/, 'one line';

done_testing;
