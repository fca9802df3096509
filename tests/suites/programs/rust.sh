# rustc: a program with threads, channels, unwinding, processes and sockets, compiled twice and run.
set -e
mkdir -p /tmp/rust
rustc -O -o /tmp/rust/fast rust.rs
/tmp/rust/fast && echo "status $?"
rustc -g -C debug-assertions=on -o /tmp/rust/checked rust.rs
/tmp/rust/checked && echo "status $?"
rustc -O --emit=llvm-ir,asm --crate-type=lib -o out/rust rust.rs 2>/dev/null || true
cp /tmp/rust/fast out/fast
