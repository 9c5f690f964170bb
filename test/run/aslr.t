#!/usr/bin/perl
# Do aslr=exec, aslr=boot, norandmaps and personality(2) place programs, mappings and stacks as
# decision and documentation say: anew at each execution, once in a boot, never?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $root = work_dir() . '/root';
mkdir $root or die "$root: $!";
is system('gcc', '-O1', '-static-pie', '-o', "$root/places", "$FindBin::Bin/programs/places.c"), 0, 'the program';

# The places of two executions in one boot.
sub places {
	my ($words, @arguments) = @_;
	my $r = tine(tine_argv('--root', $root, '--append', $words, '--', '/places', @arguments));
	my @found;

	push @found, { program => $1, mapping => $2, stack => $3 }
		while $r->{out} =~ /^program (\S+) mapping (\S+) stack (\S+)$/mg;
	is scalar @found, 2, "$words @arguments: two executions";
	return @found == 2 ? @found : ({}, {});
}

sub same { my ($one, $other, $what, $name) = @_; is $one->{$what}, $other->{$what}, "$name: $what: the same" }
sub other { my ($one, $other, $what, $name) = @_; isnt $one->{$what}, $other->{$what}, "$name: $what: another" }

my @fixed = places('norandmaps');
my @fixed_again = places('norandmaps');
for my $what (qw(program mapping stack)) {
	same(@fixed, $what, 'norandmaps, two executions');
	same($fixed[0], $fixed_again[0], $what, 'norandmaps, two boots');
}
SKIP: {
	skip 'words of Tine', 1 if is_linux;

	my @boot = places('aslr=boot');
	my @boot_again = places('aslr=boot');
	for my $what (qw(program mapping)) {
		same(@boot, $what, 'aslr=boot, two executions');
		other($boot[0], $boot_again[0], $what, 'aslr=boot, two boots');
	}
	other(@boot, 'stack', 'aslr=boot, two executions');

	my @exec = places('aslr=exec');
	other(@exec, $_, 'aslr=exec, two executions') for qw(program mapping stack);

	my @asked = places('aslr=exec', 'fixed');
	for my $what (qw(program mapping stack)) {
		same(@asked, $what, 'personality, two executions');
		same($asked[0], $fixed[0], $what, 'personality and norandmaps') if $what ne 'stack';
	}
}

done_testing;
