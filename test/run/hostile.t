#!/usr/bin/perl
# Does the launcher survive a guest that sends it anything? An emulator of our own says what a broken or
# hostile guest could say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $bin = work_dir() . '/bin';
mkdir $bin;
spew("$bin/qemu-system-x86_64", <<'EMULATOR');
#!/usr/bin/perl
my ($fd) = "@ARGV" =~ /id=port,fd=(\d+)/ or die;
open my $port, '+<&=', $fd or die;
open my $say, '<:raw', $ENV{TINE_TEST_SAY} or die;
local $/;
my $bytes = <$say>;
syswrite $port, $bytes;
sleep 1 if $ENV{TINE_TEST_STAY};
EMULATOR
chmod 0755, "$bin/qemu-system-x86_64";

my %type = (data => 16, credit => 17, close => 18, hello => 32, error => 33, exit => 34);
sub frame {
	my ($type, $stream, $payload) = @_;
	return pack('VCCv', length $payload, $type{$type} // $type, $stream, 0) . $payload;
}
my ($version) = slurp(root_dir() . '/user/protocol.h') =~ /PROTOCOL_VERSION\D+(\d+)/ or die 'no version';
my $hello = frame('hello', 0, pack 'V', $version);

sub said {
	my ($bytes, %env) = @_;
	spew(work_dir() . '/say', $bytes);
	return tine({ limit => 20, env => { PATH => "$bin:$ENV{PATH}", TINE_TEST_STAY => 1, %env,
		TINE_TEST_SAY => work_dir() . '/say' } }, tine_argv('--', 'true'));
}

my $r = said($hello . frame('data', 1, "out\n") . frame('data', 2, "err\n")
	. frame('exit', 0, pack 'VV', 0, 5));
is "$r->{out}$r->{err}$r->{status}", "out\nerr\n5", 'a guest that behaves';
$r = said($hello . frame('exit', 0, pack 'VV', 1, 0xffffffff));
is $r->{status}, 255, 'a signal that cannot be';
$r = said($hello . frame('exit', 0, pack 'VV', 0, 256));
is $r->{status}, 0, 'a status that cannot be';
$r = said($hello . frame('error', 0, "a\e]0;title\a\nb") . frame('exit', 0, pack 'VV', 0, 127));
is $r->{err}, "tine: a?]0;title??b\n", 'words that would steer the terminal';


for my $case (
	[ 'an unknown type', frame(99, 0, '') ],
	[ 'a frame for the guest', frame(1, 0, '') ],
	[ 'too long a frame', pack('VCCv', 0xffffffff, 16, 1, 0) ],
	[ 'too long a text', pack('VCCv', 4097, 33, 0, 0) ],
	[ 'a stream that does not exist', frame('data', 4, 'x') ],
	[ 'data to stdin', frame('data', 0, 'x') ],
	[ 'credit that is too short', frame('credit', 0, 'x') ],
	[ 'another version', frame('hello', 0, pack 'V', $version + 1) ],
	[ 'random bytes', pack 'V*', map { int rand 2**32 } 1 .. 1000 ],
) {
	my ($name, $bytes) = @$case;
	$r = said($hello . $bytes . $hello);
	is $r->{status}, 125, "$name: status";
	like $r->{err}, qr/\Atine: [^\n]*\n\z/, "$name: one line";
}

# Credit is checked, not trusted: too much of it counts for nothing.
$r = said($hello . join('', map { frame('credit', 0, pack 'V', 0xffffffff) } 1 .. 100)
	. frame('close', 0, '') . frame('close', 3, '') . frame('exit', 0, pack 'VV', 0, 3));
is $r->{status}, 3, 'endless credit';

$r = said($hello . frame('data', 1, 'half'), TINE_TEST_STAY => 0);
is $r->{status}, 125, 'a machine that goes away: status';
is $r->{out}, 'half', 'a machine that goes away: what it said';
like $r->{err}, qr/\Atine: [^\n]*\n\z/, 'a machine that goes away: one line';
$r = said('', TINE_TEST_STAY => 0);
is $r->{status}, 125, 'a machine that says nothing';

done_testing;
