#!/usr/bin/perl
# Does a trace show what a program did: as a timeline that a browser can read, as text, and in the order
# that doc/paths says?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use TineRun;

plan skip_all => 'only our kernel records' if is_linux;

my $work = work_dir();

# --- a line an event -------------------------------------------------------------------------------

my $program = 'echo note > /proc/tine/trace; for i in 1 2 3 4 5 6; do /bin/ls / > /dev/null & wait; done; sleep 0.05; kill -9 $$';
my $r = tine(tine_argv('--trace', "$work/t.txt", '--', 'sh', '-c', $program));
is $r->{status}, 137, 'the status is the program\'s';
is $r->{out} . $r->{err}, '', 'and nothing else is said';
my $text = slurp("$work/t.txt");
for my $what ([ 'a note', qr/\(sh\) mark a=note$/m ],
	[ 'a call with its arguments', qr/\(ls\) syscall_enter number=openat a=0xffffff9c/ ],
	[ 'its result', qr/\(sh\) syscall_exit number=wait4 result=0x\d+$/m ],
	[ 'fork', qr/\(sh\) process_fork_commit parent=\d+ child=\d+\(/ ],
	[ 'exec', qr/\(ls\) exec process=\d+/ ],
	[ 'a fault', qr/page_fault address=0x[0-9a-f]+ error=user-read-absent/ ],
	[ 'where a thread blocks, by name', qr/\(sleep\) sleep thread=\d+\(sleep\) reason=[a-z_]+ mode=interruptible/ ],
	[ 'who wakes it', qr/ wake thread=\d+\(sleep\)/ ],
	[ 'a switch', qr/context_switch from=idle to=\d+\(sleep\) state=runnable/ ],
	[ 'an interrupt', qr/irq_enter vector=timer pc=[a-z_]+/ ],
	[ 'a signal', qr/signal_send signal=SIGKILL process=\d+/ ],
	[ 'an exit', qr/ exit process=\d+ status=0x9$/m ]) {
	ok $text =~ $what->[1], "text: $what->[0]";
}
if (smp() > 1) {
	ok $text =~ qr/ipi_send cpu=\d kind=reschedule/, 'text: a processor interrupts another';
}
my ($last, $backwards) = (0, 0);
while ($text =~ /^ *([\d.]+) cpu/mg) {
	$backwards++ if $1 < $last;
	$last = $1;
}
is $backwards, 0, 'in the order of time';

# --- the documents -----------------------------------------------------------------------------------

my $check = root_dir() . '/tools/check-paths';
is system($check, "$work/t.txt"), 0, 'the trace goes the ways of doc/paths';
my %wrong = (
	'syscall.md' => [ 'two hops change places', sub {
		$_[0] =~ s/`syscall_enter` \|$/`X` |/m;
		$_[0] =~ s/`syscall_exit` \|$/`syscall_enter` |/m;
		$_[0] =~ s/`X` \|$/`syscall_exit` |/m } ],
	'fork.md' => [ 'the parent arrives where the child does', sub {
		$_[0] =~ s/child: `thread_first_return`/parent: `thread_first_return`/ } ],
	'exec.md' => [ 'a hop too many', sub {
		$_[0] =~ s/^(\| `exec_open` .*)\| \|$/$1| `process_fork_commit` |/m } ],
	'page-fault.md' => [ 'the fault is over before it began', sub {
		$_[0] =~ s/`page_fault` \|$/`X` |/m;
		$_[0] =~ s/`page_fault_done` \|$/`page_fault` |/m;
		$_[0] =~ s/`X` \|$/`page_fault_done` |/m } ],
	'context-switch.md' => [ 'the chosen thread is the one that leaves', sub {
		$_[0] =~ s/next: `user_return`/left: `user_return`/; $_[0] =~ s/from=\@left//;
		$_[0] =~ s/left: `sched_pick` thread=\@next/left: `sched_pick` thread=\@left/ } ],
	'exit.md' => [ 'the thread comes back from the dead', sub {
		$_[0] =~ s/state=dead/state=sleeping/ } ],
);
my @paths = glob root_dir() . '/doc/paths/*.md';
is join(' ', map { m{([^/]+)$} } @paths), join(' ', sort keys %wrong), 'each document is falsified here';
for my $name (sort keys %wrong) {
	my ($what, $falsify) = @{ $wrong{$name} };
	my $page = slurp(root_dir() . "/doc/paths/$name");
	my $before = $page;

	mkdir "$work/wrong";
	unlink glob "$work/wrong/*";
	$falsify->($page);
	isnt $page, $before, "$name is changed";
	spew("$work/wrong/$name", $page);
	like `$check $work/t.txt $work/wrong`, qr/^\S*\Q$name\E:\d+: the trace never shows/, "$name with $what is found out";
}

# --- a timeline ----------------------------------------------------------------------------------------

sub is_nested {
	my ($outer, $inner) = @_;
	return $inner->{ts} + $inner->{dur} <= $outer->{ts} + $outer->{dur} + 0.0005;
}

# Spans of one track are one in another or apart.
sub crossing {
	my %tracks;
	my $bad = 0;

	push @{ $tracks{"$_->{pid}.$_->{tid}"} }, $_ for grep { $_->{ph} eq 'X' } @_;
	for my $spans (values %tracks) {
		my @open;
		for my $span (sort { $a->{ts} <=> $b->{ts} || $b->{dur} <=> $a->{dur} } @$spans) {
			pop @open while @open && $open[-1]{ts} + $open[-1]{dur} <= $span->{ts} + 0.0005;
			$bad++ if @open && !is_nested($open[-1], $span);
			push @open, $span;
		}
	}
	return $bad;
}

$r = tine(tine_argv('--trace', "$work/t.json", '--', 'sh', '-c', $program));
my $trace = decode_json(slurp("$work/t.json"));
my @events = @{ $trace->{traceEvents} };
my %seen;
$seen{ $_->{ph} . ' ' . ($_->{cat} // '') }++ for @events;
ok $seen{"X $_"}, "json: spans: $_" for qw(run running blocked runnable syscall fault interrupt);
ok $seen{"s $_"} && $seen{"f $_"}, "json: arrows: $_" for qw(wake fork);
my @names = grep { $_->{ph} eq 'M' && $_->{name} eq 'thread_name' } @events;
is scalar(grep { $_->{args}{name} =~ /^CPU \d+$/ } @names), smp(), 'json: a track for each processor';
ok scalar(grep { $_->{args}{name} eq 'sleep' || $_->{args}{name} eq 'sh' } @names), 'json: and for the threads';
is crossing(@events), 0, 'json: spans of one track nest';
my %starts = map { $_->{id} => $_ } grep { $_->{ph} eq 's' } @events;
is scalar(grep { $_->{ph} eq 'f' && !($starts{ $_->{id} } && $starts{ $_->{id} }{ts} <= $_->{ts}) } @events), 0,
	'json: each arrow begins before it ends';
my ($nap) = grep { $_->{ph} eq 'X' && $_->{name} =~ /nanosleep/ } @events;
cmp_ok $nap->{dur}, '>=', 50000, 'json: the sleeper sleeps as long as it asked for';

# --- a page that shows itself ------------------------------------------------------------------------------

SKIP: {
	skip 'chromium is missing: tools/setup/install browser', 11 unless -x '/usr/bin/chromium';
	$r = tine(tine_argv('--trace', "$work/t.html", '--', 'sh', '-c', $program));
	my $page = slurp("$work/t.html");
	ok $page !~ m{(?:src|href)=|\burl\(|https?://}, 'html: it fetches nothing';
	my $browser = 'chromium --headless=new --no-sandbox --disable-gpu --virtual-time-budget=5000 --window-size=1400,900';
	my $dom = `timeout 120 $browser --user-data-dir=$work/chromium --dump-dom file://$work/t.html 2> $work/chromium.err`;
	is $?, 0, 'html: the browser ends' or diag(slurp("$work/chromium.err"));
	my ($spans) = $dom =~ /<body [^>]*data-spans="(\d+)"/;
	my ($drawn) = $dom =~ /<body [^>]*data-drawn="([^"]*)"/;
	my $count = () = $page =~ /"ph":"X"/g;
	is $spans, $count, 'html: the page knows each span';
	my %painted = (($drawn // '') =~ /&quot;(\w+)&quot;:(\d+)/g);
	ok $painted{$_}, "html: painted: $_" for qw(run running blocked syscall fault interrupt arrow);
	like $dom, qr{<tr><td>(?:sh|sleep) 2</td><td>[\d.]+ [mµ]?s</td>}, 'html: a thread\'s sums';
}

# --- limits ---------------------------------------------------------------------------------------------

$r = tine(tine_argv('--trace', "$work/t.txt", '--append', 'trace=512K', '--', 'sh', '-c',
	'i=0; while [ $i -lt 3000 ]; do echo > /dev/null; i=$((i+1)); done'));
is $r->{status}, 0, 'a small ring: status';
like $r->{err}, qr/\Atine: --trace \S+: \d+ events; the \d+ before them did not fit: [^\n]+\n\z/, 'what was lost is said';
$r = tine(tine_argv('--timeout', '4', '--trace', "$work/t.txt", '--', 'sleep', '60'));
is $r->{status}, 124, 'a program out of time: status';
ok slurp("$work/t.txt") =~ /\(sleep\) sleep thread=/, 'its trace is there';
$r = tine(tine_argv('--trace', "$work/none/t.txt", '--', 'true'));
is $r->{status}, 2, 'a file that cannot be: status';
like $r->{err}, qr/\Atine: --trace [^\n]+No such file[^\n]+\n\z/, 'and why';
$r = tine(tine_argv('--trace', "$work/t.any", '--trace-format', 'txt', '--', 'sh', '-c',
	'printf "\\000bcdefgh\\000jkl\\000\n" > /proc/tine/trace; grep " mark " /proc/tine/trace'));
like slurp("$work/t.any"), qr/\A# \d+ events, /, 'a format of its own, whatever the file is called';
like slurp("$work/t.any"), qr/ mark a=_bcdefgh_jkl_$/m, 'a note that has zeros: nothing is lost';
like $r->{out}, qr/ mark a=_bcdefgh b=_jkl_ c= d= e=$/m, 'nor in the guest';
$r = tine('run', '--kernel', 'linux', '--trace', "$work/t.txt", '--', 'true');
is $r->{status}, 2, 'Linux does not record';
$r = tine(tine_argv('--append', 'panic-test trace', '--', 'true'));
like $r->{err}, qr/^the last events:\n(?: *[\d.]+ cpu\d .*\n){20}/m, 'a panic shows the last events';
$r = tine_run('sh', '-c', 'cat /proc/tine/trace; echo $?');
is $r->{out}, "1\n", 'without --trace there is none';
$r = tine(tine_argv('--trace', "$work/t.txt", '--', 'sh', '-c', 'echo live > /proc/tine/trace; grep -c mark.a=live /proc/tine/trace'));
is $r->{out}, "1\n", 'a program sees the events that are';

done_testing;
