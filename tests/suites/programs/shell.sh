# bash: pipelines, job control, traps, process substitution, here-documents, subshells.
# status 3
exec bash -s <<'BASH'
set -u
trap 'echo got USR1' USR1
trap 'echo leaving with $?' EXIT
kill -USR1 $$
for i in $(seq 1 200); do echo $((i * i % 97)); done | sort -n | uniq -c | awk '{ s += $1 * $2 } END { print "sum", s }'
diff <(seq 1 5) <(seq 2 6); echo "diff $?"
(sleep 0.2; exit 7) & p=$!; wait $p; echo "waited $?"
sleep 60 & p=$!; kill -TERM $p; wait $p 2>/dev/null; echo "killed $?"
coproc cat; echo through >&"${COPROC[1]}"; read -r x <&"${COPROC[0]}"; echo "coproc $x"; eval "exec ${COPROC[1]}>&-"; wait
timeout 0.3 sleep 10; echo "timeout $?"
f() { local n=$1; [ "$n" -le 1 ] && { echo 1; return; }; echo $((n * $(f $((n - 1))))); }
f 12
declare -A m; for w in a b a c b a; do m[$w]=$(( ${m[$w]:-0} + 1 )); done
for k in a b c; do echo "$k=${m[$k]}"; done
s=$(printf '%s\n' one two three | while read -r l; do printf '<%s>' "$l"; done); echo "$s"
mkdir -p d; for i in 1 2 3; do (echo $i > d/$i) & done; wait; cat d/* > out/cat; ls d
find . -name '*.sh' | sed 's/.*\///' | sort | head -3
seq 1 20000 | tee >(md5sum > out/tee) | wc -l; sleep 0.5
exec 5<>/tmp/rw; echo hello >&5; cat /tmp/rw
seq 1 100 | xargs -P 8 -n 1 sh -c 'echo $(( $0 * 3 ))' | sort -n | md5sum
ulimit -n 64; ulimit -n
mkfifo /tmp/ff; (cat /tmp/ff | tr a-z A-Z) & echo fifo > /tmp/ff; wait
head -c 100000 /dev/zero | tr '\0' x | (head -c 10; echo); echo "${PIPESTATUS[*]}"
exit 3
BASH
