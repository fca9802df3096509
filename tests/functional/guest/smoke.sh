# The machine as the guest sees it: memory, time, processes, floating point.
set -e
grep -q MemTotal /proc/meminfo
n=0; while [ $n -lt 1000 ]; do n=$((n + 1)); done
[ "$n" = 1000 ]
[ "$(echo 'hello world' | sha256sum | cut -c1-16)" = a948904f2f0f479b ]
a=$(cut -d. -f1 /proc/uptime); sleep 1; b=$(cut -d. -f1 /proc/uptime)
[ "$b" -gt "$a" ]
