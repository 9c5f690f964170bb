#!/usr/bin/perl
# Does the image that `tine image iso` writes boot, from BIOS and from UEFI, to a shell on the serial port?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

plan skip_all => 'an image holds our kernel' if is_linux;
my $iso = work_dir() . '/tine.iso';
my $r = tine({ limit => 120 }, 'image', 'iso', $iso);
is $r->{status}, 0, 'an image is written' or diag $r->{err};
cmp_ok -s $iso, '<', 12 << 20, 'it is small';

for my $case ([ 'BIOS' ], [ 'UEFI', '-bios', '/usr/share/ovmf/OVMF.fd' ]) {
	my ($name, @firmware) = @$case;
	local $ENV{TINE_TEST_COMMAND} = 'qemu-system-x86_64';
	my $t = TineRun::Terminal->new(24, 80, '-machine', 'q35', '-m', '512M', '-smp', smp(), '-cpu',
		'max,-erms,-fsrm', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio',
		'-cdrom', $iso, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', @firmware);

	ok $t->expect(qr/[#\$] /, 60), "$name: a prompt" or diag $t->{all};
	$t->type("echo \$((6 * 7)) processors \$(grep -c ^processor /proc/cpuinfo)\r");
	ok $t->expect(qr/\n42 processors @{[smp()]}\r*\n/, 20), "$name: a shell" or diag $t->{all};
	$t->type("exit\r");
	isnt $t->finish(20), -1, "$name: it powers off";
}

done_testing;
