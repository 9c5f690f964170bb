#!/usr/bin/perl
# Does a make that is killed in the middle of a file leave nothing under its name that the next make takes for made?
use strict;
use warnings;
use FindBin;
use File::Temp qw(tempdir);
use lib "$FindBin::Bin/lib";
use Test::More;
use TineRun;

my $out = tempdir(CLEANUP => 1);

# Runs make, in a process group of its own; its status as a shell's.
sub make {
	my (@words) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0) {
		setpgrp;
		open STDOUT, '>>', "$out/log" or die;
		open STDERR, '>&', \*STDOUT or die;
		exec 'make', '-C', root_dir(), "O=$out", @words or POSIX::_exit(126);
	}
	waitpid $pid, 0;
	return TineRun::shell_status($?);
}

# Compilers that cut what they made for $VICTIM in half, and kill make and all that it started.
my $killers = tempdir(CLEANUP => 1);
for my $name ('gcc', 'musl-gcc') {
	chomp(my $real = `which $name`);
	spew("$killers/$name", <<"END");
#!/bin/bash
$real "\$@" || exit
while (("\$#")) && [[ \$1 != -o ]]; do shift; done
[[ \${2-} == "\$VICTIM"* ]] || exit 0
truncate -s \$((\$(stat -c %s "\$2") / 2)) "\$2"
kill -KILL 0
END
	chmod 0755, "$killers/$name" or die;
}

for my $target ('release/kernel/lib/number.c.o', 'debug/kernel/arch/x86_64/entry.S.o', 'user/forkcost') {
	my $file = "$out/$target";

	{
		local @ENV{'PATH', 'VICTIM'} = ("$killers:$ENV{PATH}", $file);
		is make($file), 137, "$target: make is killed" or diag slurp("$out/log");
	}
	ok !-e $file && -s "$file.new", "$target: half of it has another name";
	is make($file), 0, "$target: the next make succeeds" or diag slurp("$out/log");
	ok -s $file && !-e "$file.new", "$target: and makes it";
}

# The same of every rule, by what make would do: no command writes to what is a target.
my @said = `make -n -p -B -C @{[root_dir()]} O=$out all host-tests fuzzers guest-tests perf 2>> $out/log`;
my %target = map { /^(\Q$out\E\/[^\s:]+):/ ? ($1 => 1) : () } @said;
my %written = map { $_ => 1 } map { /(?:^|\s)(?:-o|>) (\Q$out\E\/\S+)/g } @said;
cmp_ok scalar(keys %target), '>', 400, 'make tells its targets';
cmp_ok scalar(grep { /\.new$/ } keys %written), '>', 400, 'and what it writes';
is join(' ', sort grep { $target{$_} } keys %written), '', 'nothing is written under the name of a target';

done_testing;
