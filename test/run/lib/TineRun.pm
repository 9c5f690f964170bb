# TineRun - runs `tine` for the tests of its command line: with pipes, or on a pty.
#
# TINE_TEST_KERNEL	tine (default) or linux, the oracle
# TINE_TEST_SMP		processors (default 1)
# TINE_TEST_COMMAND	the command (default: the starter script)
# TINE_BUILD		release or debug, as for the starter script
package TineRun;

use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use File::Temp ();
use IO::Select;
use POSIX ();
use Time::HiRes 'time';

our @EXPORT = qw(tine tine_run tine_argv slurp spew work_dir kernel is_linux smp root_dir);

my ($here) = __FILE__ =~ m{^(.*)/[^/]+$};
my $root = POSIX::getcwd() . '/';
$root = '' if $here =~ m{^/};
my $project = "$root$here/../../..";
my $work = File::Temp->newdir('tine-test-XXXXXX', TMPDIR => 1);
# No run of a test may take longer: what hangs is to fail, not to block.
my $limit_s = 60;

sub root_dir { $project }
sub kernel { $ENV{TINE_TEST_KERNEL} // 'tine' }
sub is_linux { kernel() eq 'linux' }
sub smp { $ENV{TINE_TEST_SMP} // 1 }
sub work_dir { "$work" }

sub slurp {
	my ($path) = @_;
	open my $file, '<:raw', $path or die "$path: $!";
	local $/;
	return <$file> // '';
}

sub spew {
	my ($path, @data) = @_;
	open my $file, '>:raw', $path or die "$path: $!";
	print $file @data or die "$path: $!";
	close $file or die "$path: $!";
}

sub command { $ENV{TINE_TEST_COMMAND} // "$project/tine" }

# The words of a run: options, then the command after `--`.
sub tine_argv {
	return ('run', '--kernel', kernel(), '--smp', smp(), @_);
}

# Runs tine with these words. Named settings come first, in a hash: stdin (bytes) or stdin_file,
# signal => [seconds, name], env => {...}. Returns { status, out, err, seconds }; status as a shell's.
sub tine {
	my $settings = ref $_[0] eq 'HASH' ? shift : {};
	my @words = @_;
	my $start = time;
	my $input = $settings->{stdin_file};

	if (!defined $input) {
		$input = "$work/stdin";
		spew($input, $settings->{stdin} // '');
	}
	spew("$work/stdout", '');
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		$ENV{$_} = $settings->{env}{$_} for keys %{ $settings->{env} // {} };
		open STDOUT, '>', "$work/stdout" or die;
		open STDERR, '>', "$work/stderr" or die;
		# Bytes come through a pipe, as most programs give them, not from the file.
		open STDIN, '-|', 'cat', $input or die unless $settings->{stdin_file};
		open STDIN, '<', $input or die if $settings->{stdin_file};
		exec command(), @words or POSIX::_exit(126);
	}
	my $status = wait_limited($pid, $settings->{limit} // $limit_s, $settings->{signal});
	return {
		status => $status,
		out => slurp("$work/stdout"),
		err => slurp("$work/stderr"),
		seconds => time - $start,
	};
}

sub tine_run {
	my @settings = ref $_[0] eq 'HASH' ? shift : ();
	my @words = @_;

	@words = ('--', @words) unless grep { $_ eq '--' } @words;
	return tine(@settings, tine_argv(@words));
}

sub shell_status {
	my ($status) = @_;
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

# Starts tine with these words, its stdout to a file, and waits until that has something. The process.
sub start_until_output {
	my ($out, @words) = @_;
	my $pid = fork // die;

	if ($pid == 0) {
		open STDOUT, '>', $out or die;
		open STDIN, '<', '/dev/null' or die;
		exec command(), tine_argv(@words) or die;
	}
	for (1 .. 600) {
		last if -s $out;
		Time::HiRes::sleep(0.05);
	}
	return $pid;
}

# The processes that came of this one, itself not among them.
sub descendants {
	my ($pid) = @_;
	my @children = split ' ', eval { slurp("/proc/$pid/task/$pid/children") } // '';

	return map { ($_, descendants($_)) } @children;
}

# Waits until there are so many of them; they.
sub wait_descendants {
	my ($pid, $count) = @_;
	my @found;

	for (1 .. 600) {
		@found = descendants($pid);
		last if @found >= $count;
		Time::HiRes::sleep(0.05);
	}
	return @found;
}

# Whether a process runs; a dead one, which its parent has not waited for, does not.
sub is_running {
	my ($pid) = @_;
	return (eval { slurp("/proc/$pid/stat") } // '') =~ /\) [^ZX] /;
}

# Waits up to half a minute until none of them runs; true when none does.
sub wait_gone {
	my @pids = @_;

	for (1 .. 600) {
		@pids = grep { is_running($_) } @pids or return 1;
		Time::HiRes::sleep(0.05);
	}
	return 0;
}

sub wait_limited {
	my ($pid, $limit, $signal) = @_;
	my $start = time;
	my $sent;

	while (waitpid($pid, POSIX::WNOHANG()) == 0) {
		my $elapsed = time - $start;

		if ($signal && !$sent && -s "$work/stdout") {
			Time::HiRes::sleep($signal->[0]);
			kill $signal->[1], $pid;
			$sent = 1;
		}
		if ($elapsed > $limit) {
			kill 'KILL', $pid;
			waitpid $pid, 0;
			return -1;
		}
		Time::HiRes::sleep(0.01);
	}
	return shell_status($?);
}

# A tine on a pty of its own: new, type, expect, resize, finish.
package TineRun::Terminal;

use constant { TIOCSPTLCK => 0x40045431, TIOCGPTN => 0x80045430, TIOCSWINSZ => 0x5414,
	       TIOCSCTTY => 0x540e };

sub new {
	my ($class, $rows, $columns, @words) = @_;
	my $number = pack 'i', 0;
	my $unlock = pack 'i', 0;

	sysopen my $master, '/dev/ptmx', Fcntl::O_RDWR() | Fcntl::O_NOCTTY() or die "ptmx: $!";
	ioctl $master, TIOCSPTLCK, $unlock or die "unlockpt: $!";
	ioctl $master, TIOCGPTN, $number or die "ptsname: $!";
	my $name = '/dev/pts/' . unpack 'i', $number;
	ioctl $master, TIOCSWINSZ, pack 'S4', $rows, $columns, 0, 0 or die "TIOCSWINSZ: $!";
	sysopen my $slave, $name, Fcntl::O_RDWR() | Fcntl::O_NOCTTY() or die "$name: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		POSIX::setsid();
		ioctl $slave, TIOCSCTTY, 0 or die;
		POSIX::dup2(fileno $slave, $_) for 0 .. 2;
		close $master;
		$ENV{TERM} = 'vt100';
		exec TineRun::command(), @words or POSIX::_exit(126);
	}
	# The slave stays open: its modes are looked at in the end.
	return bless { master => $master, slave => $slave, pid => $pid, seen => '', all => '' }, $class;
}

sub type {
	my ($self, $text) = @_;
	syswrite $self->{master}, $text;
}

# Waits for a match in what has come since the last match. True when it came.
sub expect {
	my ($self, $pattern, $limit) = @_;
	my $deadline = Time::HiRes::time() + ($limit // 30);
	my $select = IO::Select->new($self->{master});

	while (1) {
		if ($self->{seen} =~ $pattern) {
			$self->{seen} = substr $self->{seen}, $+[0];
			return 1;
		}
		my $left = $deadline - Time::HiRes::time();
		return 0 if $left <= 0;
		next unless $select->can_read($left);
		my $got = sysread $self->{master}, my $bytes, 65536;
		return 0 unless $got;
		$self->{seen} .= $bytes;
		$self->{all} .= $bytes;
	}
}

sub resize {
	my ($self, $rows, $columns) = @_;
	ioctl $self->{master}, TIOCSWINSZ, pack 'S4', $rows, $columns, 0, 0;
}

# What stty would say of the host's terminal: local and output modes, as numbers.
sub modes {
	my ($self) = @_;
	my $termios = POSIX::Termios->new;

	$termios->getattr(fileno $self->{slave});
	return join ' ', $termios->getlflag, $termios->getoflag, $termios->getiflag;
}

# Waits for the end; the status.
sub finish {
	my ($self, $limit) = @_;
	my $deadline = Time::HiRes::time() + ($limit // 30);

	while (waitpid($self->{pid}, POSIX::WNOHANG()) == 0) {
		$self->expect(qr/\z.^/, 0.05);
		if (Time::HiRes::time() > $deadline) {
			kill 'KILL', $self->{pid};
			waitpid $self->{pid}, 0;
			return -1;
		}
	}
	return TineRun::shell_status($?);
}

1;
