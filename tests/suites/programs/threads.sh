# 32 threads at everything threads do, built by the guest's gcc and run; every number is known beforehand.
set -e
gcc -O2 -pthread -o threads threads.c
cat > expected <<'X'
mutex 96000 atomic 96000 cas 288000 spin 12000 rwlock 6016 torn 0
bytes 0 maps 480 signals 960 forks 12 turns 640 results 10416
cancelled 1
robust 0 1
joined 35216
X
for i in 1 2 3; do
  ./threads > found
  diff expected found
done
