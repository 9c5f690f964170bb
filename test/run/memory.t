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
done_testing;
