# Hashes, regular expressions, sorting, string building.
use strict; use warnings;
my (%count, @lines);
for my $i (0 .. 60000) {
    my $line = sprintf("item%05d value=%d name=%s", $i, $i * 37 % 1009, chr(97 + $i % 26) x ($i % 7 + 1));
    push @lines, $line if $i % 9 == 0;
    if ($line =~ /value=(\d+) name=(\w+)/) { $count{$2} += $1; }
    $count{substr($line, 4, 2)}++;
}
my $text = join("\n", @lines);
my $n = () = $text =~ /\b[a-e]+\b/g;
$text =~ s/(\d+)/$1 + 1/ge;
print "$n ", scalar(keys %count), " ", length($text), "\n";
print join(",", (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 5]), "\n";
