#!/usr/bin/perl
# Is the built-in image what it should be: reproducible, its data at page boundaries, its programs there?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $output = $ENV{TINE_OUTPUT} // root_dir() . '/build';
my $image = slurp("$output/initramfs.cpio");

system("make", "-s", "-C", root_dir(), "O=" . work_dir() . "/again", work_dir() . "/again/initramfs.cpio");
ok $image eq slurp(work_dir() . '/again/initramfs.cpio'), 'the same sources give the same image';

my ($at, $files, $unaligned) = (0, 0, '');
while ($at + 110 <= length $image) {
	my @fields = map { hex } unpack 'x6(A8)13', substr $image, $at, 110;
	my ($mode, $size, $name_bytes) = @fields[1, 6, 11];
	my ($name) = unpack 'Z*', substr $image, $at + 110, $name_bytes;
	my $data = ($at + 110 + $name_bytes + 3) & ~3;

	last if $name eq 'TRAILER!!!';
	cmp_ok $name_bytes, '<=', 4096, "$name: a name that Linux takes" if $name_bytes > 4096;
	if (($mode & 0170000) == 0100000) {
		$files++;
		$unaligned .= " $name" if $size && $data % 4096;
	}
	$at = ($data + $size + 3) & ~3;
}
cmp_ok $files, '>', 8, 'files';
is $unaligned, '', 'the data of each begins at a page';
cmp_ok length $image, '<', 3 << 20, 'it is small';

my $r = tine_run('sh', '-c', 'ls /bin /sbin /usr/bin /usr/sbin | wc -l; ls -l /bin/sh /init | wc -l; '
	. 'id -un; hostname; cat /etc/hostname; stat -c %a /tmp; df -t tmpfs /tmp | tail -1 | cut -c1-5');
is $r->{out} =~ s/^(\d+)\n//r, "2\nroot\ntine\ntine\n1777\ntmpfs\n", 'what it holds';
cmp_ok $1, '>', 200, 'all the applets of busybox';

$r = tine({ stdin => '' }, 'run', '--kernel', kernel(), '--smp', smp(), '--', 'demo');
is $r->{status}, 0, 'the demo: status';
is $r->{err}, '', 'the demo: no complaint';
like $r->{out}, qr/256 MiB in use: fork\(\) takes +\d+ us/, 'the demo: the cost of fork';
like $r->{out}, qr/\n    7000\n/, 'the demo: a pipeline';
like $r->{out}, qr/address 0xdead000, code 1: caught/, 'the demo: a fault caught';
like $r->{out}, qr/exit status 139/, 'the demo: a fault not caught';
diag $r->{out} if $ENV{TINE_TEST_SHOW};

done_testing;
