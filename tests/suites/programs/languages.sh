# Compilers at run time and collectors of other languages: luajit, sbcl, guile, ruby, php, pypy, erlang, ocaml. What a root has not is left out.
has() { command -v "$1" > /dev/null && echo "== $1"; }
has luajit && for how in -Ohotloop=2 -joff; do luajit $how - <<'L'
local ffi, bit = require('ffi'), require('bit')
ffi.cdef 'typedef struct { double x, y; int k; } point; int abs(int); size_t strlen(const char *);'
local p, s = ffi.new('point[100]'), 0
for r = 1, 300 do for i = 0, 99 do p[i].x = p[i].x * 0.5 + i; p[i].k = bit.bxor(p[i].k * 33, i + r); s = s + p[i].x + p[i].k % 7 end end
local t = {} for i = 1, 20000 do t[#t + 1] = (i * 7919) % 1009 .. 'x' end table.sort(t)
print(s, #t, t[777], ffi.C.abs(-5), tonumber(ffi.C.strlen('four')), 2^53 + 1, string.format('%.17g', 1 / 3))
local co = coroutine.wrap(function() for i = 1, 1e5 do coroutine.yield(i % 3) end end)
local n = 0 for i = 1, 1e5 do n = n + co() end
print(n, pcall(error, {}), select('#', pcall(string.rep)))
L
done
has sbcl && sbcl --dynamic-space-size 256MB --noinform --no-sysinit --no-userinit --non-interactive --eval '
(progn (defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
 (defun churn () (let ((l nil) (h (make-hash-table))) (dotimes (i 200000) (push (cons i (* i 1.5d0)) l) (setf (gethash (mod i 999) h) l) (when (zerop (mod i 5000)) (setf l nil))) (hash-table-count h)))
 (format t "~a ~a ~a ~a~%" (fib 22) (churn) (expt 3 200) (handler-case (/ 1 0) (division-by-zero () "division")))
 (gc :full t) (let ((n 0) (m (sb-thread:make-mutex))) (mapc (function sb-thread:join-thread) (loop repeat 4 collect (sb-thread:make-thread (lambda () (dotimes (i 2000) (sb-thread:with-mutex (m) (incf n)) (when (zerop (mod i 500)) (churn)))))))
 (format t "~a ~a~%" n (handler-case (labels ((f (x) (+ 1 (f x)))) (f 1)) (storage-condition () "deep")))))'
g=guile-3.0
has $g && $g --no-auto-compile -c '
(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(define v (make-vector 1000 0))
(do ((i 0 (+ i 1))) ((= i 100000)) (vector-set! v (modulo i 1000) (cons i (sqrt i))))
(use-modules (ice-9 threads))
(display (list (fib 20) (car (vector-ref v 7)) (expt 7 100) (par-map (lambda (x) (fib x)) (iota 10)) (call/cc (lambda (k) (for-each (lambda (x) (if (> x 3) (k x))) (iota 9))))))
(newline)'
has ruby && for how in --disable-jit --jit; do ruby $how -e '
def fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2)
h = Hash.new(0)
60000.times { |i| h["k#{i * 7919 % 1009}"] += i }
a = (1..4).map { |t| Thread.new { (1..3000).sum { |i| i ^ t } } }.map(&:value)
r, w = IO.pipe
pid = fork { w.write Process.clock_gettime(Process::CLOCK_MONOTONIC) > 0; exit! 7 }
Process.wait pid; w.close
GC.start; GC.compact rescue 0
p fib(18), h.size, h["k5"], a, r.read, $?.exitstatus, 3**100, (begin; Integer("x"); rescue => e; e.class; end), Fiber.new { Fiber.yield 3; 4 }.then { |f| [f.resume, f.resume] }' ; done
p=$(command -v php || command -v php8.4)
has "${p##*/}" && for how in "-d opcache.enable_cli=0" "-d zend_extension=opcache.so -d opcache.enable_cli=1 -d opcache.jit_buffer_size=16M -d opcache.jit=tracing"; do $p -n $how -r '
function fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); }
$a = []; for ($i = 0; $i < 50000; $i++) { $a[$i * 7919 % 1009] = ($a[$i * 7919 % 1009] ?? 0) + $i * 0.25; }
ksort($a); echo fib(18), " ", count($a), " ", array_sum($a), " ", md5(serialize($a)), " ", preg_replace("/(a+)(b)/", "$2$1", str_repeat("aab", 3)), "\n";'; done
has pypy3 && pypy3 -c '
import hashlib, re, threading
def loop(n):
    s, d, x = 0, {}, 0.5
    for i in range(n):
        x = 3.9 * x * (1 - x)
        d[i % 97] = d.get(i % 97, 0) + (i ^ s) % 11
        s = (s * 31 + int(x * 1000)) & 0xffffffff
    return s, sum(d.values())
out = []
t = [threading.Thread(target=lambda k=k: out.append(loop(30000 + k))) for k in range(3)]
[x.start() for x in t]; [x.join() for x in t]
print(loop(300000), sorted(out), hashlib.sha256(b"x" * 1000).hexdigest()[:16], re.sub(r"(\w)(\d)", r"\2\1", "a1b2"), 3 ** 80)
def deep(n): return deep(n + 1)
try: deep(0)
except RecursionError: print("deep")'
has erl && erl -noshell -eval '
F = fun F(0) -> 0; F(N) -> N rem 7 + F(N - 1) end,
Self = self(),
[spawn(fun() -> Self ! {I, F(500 + I)} end) || I <- lists:seq(1, 100)],
S = lists:sum([receive {I, V} -> V end || I <- lists:seq(1, 100)]),
T = ets:new(t, [public]), [ets:insert(T, {I rem 997, I * 1.5}) || I <- lists:seq(1, 3000)],
io:format("~p ~p ~p ~p ~p~n", [S, ets:info(T, size), erlang:phash2({a, "b", 3.0}), (catch 1 / (S - S)), binary:encode_unsigned(1 bsl 70)]), init:stop().'
has ocamlopt && { mkdir -p /tmp/ml; cat > /tmp/ml/a.ml <<'M'
let rec fib n = if n < 2 then n else fib (n - 1) + fib (n - 2)
let worker k = Domain.spawn (fun () -> let t = Hashtbl.create 10 in for i = 1 to 40000 do Hashtbl.replace t (i mod 501) (float (i * k)) done; Hashtbl.fold (fun _ v s -> s +. v) t 0.)
let rec deep n = 1 + deep (n + 1)
let () = Gc.set { (Gc.get ()) with minor_heap_size = 4096 };
  let d = List.map worker [1; 2; 3; 4] in
  Printf.printf "%d %s %s\n" (fib 25) (String.concat " " (List.map (fun d -> Printf.sprintf "%.1f" (Domain.join d)) d)) (try string_of_int (deep 0) with Stack_overflow -> "deep")
M
cd /tmp/ml && ocamlopt -o a a.ml 2>/dev/null && ./a; ocaml a.ml; cd /mnt; }
true
