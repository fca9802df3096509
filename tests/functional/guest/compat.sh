# compat.sh: programs of 32 bits (busybox32, Debian's armhf) under a kernel of 64: the same results, processes, pipes.
set -e
fail() { echo "FAILED: $*"; exit 1; }
b=/bin/busybox32
[ "$($b sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; echo $i')" = 3000 ] || fail "a loop"
[ "$($b dd if=/dev/zero bs=1M count=4 2>/dev/null | $b sha256sum)" = "$(dd if=/dev/zero bs=1M count=4 2>/dev/null | sha256sum)" ] || fail "sha256sum"
[ "$($b awk 'BEGIN { print 3.5 * 2, 1 / 3 }')" = "7 0.333333" ] || fail "floating point"
[ "$($b sh -c '$1 sleep 1 & wait; echo waited' x $b)" = waited ] || fail "wait"
n=0
while [ $n -lt 5 ]; do
  [ "$($b gzip -c /bin/busybox | $b gunzip -c | $b md5sum)" = "$(md5sum < /bin/busybox)" ] || fail "gzip, round $n"
  n=$((n + 1))
done
