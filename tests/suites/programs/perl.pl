use strict;
use warnings;
use POSIX qw(:sys_wait_h floor strftime);
use Socket;
use List::Util qw(sum shuffle reduce);
use Digest::MD5 qw(md5_hex);
use IO::Select;
use Time::HiRes qw(sleep alarm);
$| = 1;
my %count;
$count{$_ * 7919 % 101}++ for 1 .. 20000;
print join(',', map { "$_=$count{$_}" } (sort { $count{$b} <=> $count{$a} || $a <=> $b } keys %count)[0 .. 4]), "\n";
my $text = join ' ', map { chr(97 + $_ % 26) x ($_ % 9 + 1) } 1 .. 5000;
my @m = $text =~ /\b(([a-m])\2{2,5})\b/g;
print scalar(@m), ' ', md5_hex(join '|', @m), "\n";
(my $copy = $text) =~ s/(\w+) (\w+)/$2 $1/g;
print md5_hex($copy), "\n";
print unpack('H*', pack('NnCa5dq>', 1, 2, 3, 'abc', 1 / 3, -5)), "\n";
printf "%.15g %.15g %s %e\n", exp(1), atan2(1, -1), 2**53 + 1, 1 / 7;
my @pids;
for my $i (1 .. 10) {
    pipe(my $r, my $w) or die;
    my $pid = fork;
    if (!$pid) {
        close $r;
        print $w sum(map { $_ * $i } 1 .. 1000), "\n";
        close $w;
        exit $i;
    }
    close $w;
    push @pids, [$pid, $r];
}
for (@pids) {
    my ($pid, $r) = @$_;
    my $line = <$r>;
    waitpid $pid, 0;
    chomp $line;
    print "$line ", $? >> 8, "\n";
}
my $got = 0;
$SIG{USR1} = sub { $got++ };
kill USR1 => $$ for 1 .. 5;
print "signals $got\n";
eval {
    local $SIG{ALRM} = sub { die "alarm\n" };
    alarm 0.1;
    1 while 1;
};
print "interrupted by $@";
socketpair(my $x, my $y, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
syswrite $x, "over the socket\n";
my @ready = IO::Select->new($y)->can_read(5);
print scalar(@ready), ' ', scalar(readline $y);
print `echo backquotes; exit 3`, $? >> 8, "\n";
open(my $p, '-|', 'sort', '-rn', '/dev/fd/0') or die "no sort" if 0;
open(my $out, '>', 'out/perl') or die;
print $out "$_ ", sprintf('%.10f', sqrt $_), "\n" for 1 .. 1000;
close $out;
eval { my @deep; my $f; $f = sub { my $n = shift; $n ? 1 + $f->($n - 1) : 0 }; no warnings 'recursion'; print $f->(20000), "\n" };
if (eval { require threads; require threads::shared; 1 }) {
    my @t = map { my $n = $_; threads->create(sub { my $s = 0; $s += $_ % ($n + 1) for 1 .. 20000; $s }) } 1 .. 6;
    print join(' ', map { $_->join } @t), "\n";
}
print strftime('%Y-%m-%d %H:%M:%S', gmtime 1e9), "\n";
exit 4;
