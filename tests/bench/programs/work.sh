# Loops, arithmetic, strings, functions, arrays: no processes.
f() { local a=$1; (( a = a * 3 + 1 )); r=$(( a % 1000 )); }
sum=0
for (( i = 0; i < 20000; i++ )); do f $i; (( sum += r )); done
declare -A h
for (( i = 0; i < 8000; i++ )); do k=key$(( i * 7 % 101 )); h[$k]=$(( ${h[$k]:-0} + i )); done
s=
for (( i = 0; i < 3000; i++ )); do s+=x$i; s=${s#x}; [[ $s == *99* ]] && n=$(( n + 1 )); s=${s: -40}; done
echo $sum ${#h[@]} ${h[key5]} $n ${s//[0-4]/-}
