#!/usr/bin/perl
# Is a host directory the root of what runs, unchanged on the host without --rw and changed with it?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Socket;
use Test::More;
use TineRun;

my $dir = work_dir() . '/ro,ot';
mkdir "$dir$_", 0755 or die "$dir$_: $!" for '', map { "/$_" } qw(bin dev etc proc sys tmp run root);
chmod 01777, "$dir/tmp";
system('cp', '/bin/busybox', "$dir/bin/busybox") == 0 or die;
symlink 'busybox', "$dir/bin/$_" for qw(sh true ls cat echo mkdir rm id stat grep mv chmod ln seq md5sum mkfifo umount);
spew("$dir/etc/marker", "from the host\n");
spew("$dir/etc/secret", "s\n");
chmod 0600, "$dir/etc/secret";

# All that can be told of the tree from the host.
sub tree {
	my $text = `cd '$dir' && find . -printf '%p %y %m %U:%G %s %T@ %l\n' | grep -v '^./dev/' | sort`;
	return $text;
}

sub in_root {
	my ($options, @command) = @_;
	return tine(tine_argv('--root', $dir, @$options, '--', @command));
}

# fork(2), with one end of a socket pair in the argument, and the other as the child's 3.
sub fork_with_socket {
	socketpair $_[0], my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
	my $pid = fork // die "fork: $!";

	POSIX::dup2(fileno $theirs, 3) if $pid == 0;
	return $pid;
}

# The first use of Linux may fetch it, and says so.
in_root([], 'true') if is_linux;
my $before = tree();
my $r = in_root([], 'cat', '/etc/marker');
is $r->{out}, "from the host\n", 'a file of the host';
is $r->{err}, '', 'no complaint';

$r = in_root([], 'sh', '-c', 'echo new > /etc/new; echo more >> /etc/marker; rm /etc/secret; '
	. 'mkdir /d; mv /etc/new /d/x; chmod 700 /bin; ln -s a /d/l; cat /d/x /etc/marker; ls /etc');
is $r->{out}, "new\nfrom the host\nmore\nmarker\n", 'writes are seen by who wrote';
is $r->{err}, '', 'no complaint';
is tree(), $before, 'and nothing on the host has changed';

$r = in_root([], 'sh', '-c', 'grep -c . /proc/self/status > /dev/null && ls -d /proc/1 /dev/null '
	. '/dev/pts/ptmx /sys/class; stat -c %a /dev/shm /tmp');
is $r->{out}, "/dev/null\n/dev/pts/ptmx\n/proc/1\n/sys/class\n1777\n1777\n", 'the usual file systems';
$r = in_root([], 'stat', '-c', '%u:%g %a', '/etc/secret');
is $r->{out}, "$>:" . ($) + 0) . " 600\n", 'owners and modes are those of the host';
$r = in_root([], 'stat', '-c', '%s', '/bin/seq');
is $r->{out}, length('busybox') . "\n", "a symbolic link's size is its target's length";

my $data = join '', map { chr(int rand 256) } 1 .. 1 << 20;
spew("$dir/etc/data", $data);
require Digest::MD5;
$r = in_root([], 'md5sum', '/etc/data');
is $r->{out}, Digest::MD5::md5_hex($data) . "  /etc/data\n", 'a megabyte read';

$r = in_root(['--rw'], 'sh', '-c', 'echo new > /etc/new; mkdir /etc/d; mv /etc/new /etc/d/x; '
	. 'rm /etc/secret; cat /etc/data > /etc/copy');
is $r->{err}, '', '--rw: no complaint';
is slurp("$dir/etc/d/x"), "new\n", '--rw: a file arrives on the host';
ok !-e "$dir/etc/secret", '--rw: a file goes on the host';
ok slurp("$dir/etc/copy") eq $data, '--rw: a megabyte written';

# FIFOs, sockets and devices: on the host, and in the layer above it. New names fill the name cache of
# what is below, which the test would take for a leak: without /proc it does not look.
my $program = ($ENV{TINE_OUTPUT} // root_dir() . '/build') . '/guest/special';
system('cp', $program, "$dir/bin/special") == 0 or die "$program: make guest-tests";
# Linux's own 9p has an inode for each name, where no two names meet.
for my $options ([], is_linux ? () : ['--rw']) {
	$r = in_root($options, 'sh', '-c', 'umount /proc; special');
	is $r->{status}, 0, "special files @$options" or diag $r->{out};
	unlike $r->{out}, qr/^not ok/m, 'all of them';
}
POSIX::mkfifo("$dir/etc/hosts-own", 0600);
$r = in_root(['--rw'], 'sh', '-c', 'mkfifo -m 640 /etc/fifo; (echo through > /etc/hosts-own) & '
	. 'cat /etc/hosts-own');
is $r->{out}, "through\n", "--rw: a FIFO of the host is a pipe of the guest's";
ok -p "$dir/etc/fifo" && ((stat _)[2] & 07777) == 0640, '--rw: a FIFO is one on the host';

# The line that --dry-run prints, in a shell whose 3 is a launcher's socket: START with /, `mkfifo` and its argument.
$r = in_root(['--rw', '--dry-run'], 'true');
my ($line, $pasted) = ($r->{out}, fork_with_socket(my $socket));
if ($pasted == 0) {
	exec 'sh', '-c', $line or POSIX::_exit(126);
}
my $start = pack('V3v4', 1 << 5, 2, 0, (0) x 4) . "/\0mkfifo\0/etc/pasted\0";
syswrite $socket, pack('VCCv', length $start, 1, 0, 0) . $start;
TineRun::wait_limited($pasted, 60);
ok -p "$dir/etc/pasted", '--rw --dry-run: what it prints does the same' or diag $line;

# The guest holds it open and has read it; what the host makes of it is seen a second later.
SKIP: {
	skip 'Linux is told to keep what it has read', 1 if is_linux;
	my @cases = ([ 'cut', '', 'ls -l' ], [ 'longer', 'y' x 9000, 'chmod 600' ], [ 'another', 'z' x 5000, 'ls -l' ]);

	spew("$dir/etc/$_->[0]", 'x' x 5000) for @cases;
	my $pid = fork // die;
	if ($pid == 0) {
		for (1 .. 600) {
			last if -e "$dir/etc/opened";
			select undef, undef, undef, 0.05;
		}
		select undef, undef, undef, 0.2;
		spew("$dir/etc/$_->[0]", $_->[1]) for @cases;
		spew("$dir/etc/changed", '');
		exit 0;
	}
	$r = in_root(['--rw'], 'sh', '-c', 'cd /etc; exec 3< cut 4< longer 5< another; cat cut longer another > /dev/null; '
		. ': > opened; while ! [ -e changed ]; do sleep 0.1; done; sleep 2.5; '
		. join('; ', map { "$cases[$_][2] $cases[$_][0] > /dev/null; md5sum < $cases[$_][0]; md5sum <&" . ($_ + 3) } 0 .. 2));
	waitpid $pid, 0;
	my @sums = $r->{out} =~ /^(\w+)  -$/mg;
	is "@sums[2 * $_, 2 * $_ + 1]", join(' ', (Digest::MD5::md5_hex($cases[$_][1])) x 2),
		"--rw: a file that the host made $cases[$_][0]" for 0 .. 2;
}

# The guest has seen all of it and holds some open; then the host gives the names to others.
SKIP: {
	skip 'Linux is told to keep what it has read', 1 if is_linux;
	my $own = "$dir/hosts";
	mkdir $_ or die "$_: $!" for $own, "$own/folder";
	spew("$own/$_", "$_\n") for qw(replaced seen kind folder/in);
	POSIX::mkfifo("$own/fifo", 0600);
	symlink 'before', "$own/link";
	my $pid = fork // die;
	if ($pid == 0) {
		for (1 .. 600) {
			last if -e "$own/opened";
			select undef, undef, undef, 0.05;
		}
		spew("$own/new", "another one\n");
		unlink "$own/kind", "$own/fifo", "$own/link";
		mkdir "$own/kind";
		spew("$own/$_", "made\n") for 'kind/in', 'fifo';
		symlink 'after', "$own/link";
		rename "$own/$_->[0]", "$own/$_->[1]" or die for [ 'new', 'replaced' ], [ 'seen', 'moved' ], [ 'folder', 'other' ];
		spew("$own/changed", '');
		exit 0;
	}
	$r = in_root(['--rw'], 'sh', '-c', 'cd /hosts; exec 3< replaced; cat replaced kind folder/in > /dev/null; ls -l > /dev/null; '
		. ': > opened; while ! [ -e changed ]; do sleep 0.1; done; cat moved other/in; sleep 1.5; '
		. '[ -p fifo ] || cat fifo; cat replaced kind/in; stat -c %N link; cat seen folder/in; cat <&3');
	waitpid $pid, 0;
	is $r->{out}, "seen\nfolder/in\nmade\nanother one\nmade\n'link' -> 'after'\nreplaced\n",
		'--rw: names that the host gave to others';
}

mkdir work_dir() . '/empty';
$r = tine(tine_argv('--root', work_dir() . '/empty', '--', 'sh'));
is $r->{status}, 127, 'an empty root has no shell';
is $r->{err}, "tine: sh: No such file or directory\n", 'one line';

done_testing;
