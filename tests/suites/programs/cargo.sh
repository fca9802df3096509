# cargo: a workspace of four crates and a build script, without network: debug and release, tests, the program.
set -e
export CARGO_HOME=/tmp/cargo-home CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never
mkdir -p /tmp/ws
cd /tmp/ws
printf '[workspace]\nresolver = "2"\nmembers = ["app", "numbers", "text", "shared"]\n[profile.release]\nlto = true\ncodegen-units = 2\n' > Cargo.toml
for c in app numbers text shared; do
  mkdir -p $c/src
  printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n' $c > $c/Cargo.toml
done
printf 'numbers = { path = "../numbers" }\ntext = { path = "../text" }\n' >> app/Cargo.toml
printf 'shared = { path = "../shared" }\n' | tee -a numbers/Cargo.toml >> text/Cargo.toml
cat > shared/build.rs <<'R'
fn main() {
    let table: Vec<String> = (0..64u64).map(|i| (i * i * 2654435761 % 1009).to_string()).collect();
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/table.rs"), format!("pub const TABLE: [u64; 64] = [{}];", table.join(","))).unwrap();
    println!("cargo:rerun-if-changed=build.rs");
}
R
echo 'include!(concat!(env!("OUT_DIR"), "/table.rs"));' > shared/src/lib.rs
cat > numbers/src/lib.rs <<'R'
use std::sync::{mpsc, Arc, Mutex};
pub fn mixed(n: u64) -> u64 {
    (0..n).fold(n, |a, i| a.rotate_left(7) ^ a.wrapping_mul(i | 1).wrapping_add(shared::TABLE[i as usize % 64]))
}
pub fn parallel(threads: u64) -> (u64, usize) {
    let seen = Arc::new(Mutex::new(std::collections::BTreeMap::new()));
    let (tx, rx) = mpsc::channel();
    for t in 0..threads {
        let (tx, seen) = (tx.clone(), seen.clone());
        std::thread::spawn(move || {
            let m = mixed(10_000 + t);
            seen.lock().unwrap().insert(t, m);
            tx.send(m).unwrap();
        });
    }
    drop(tx);
    let sum = rx.iter().fold(0, u64::wrapping_add);
    let n = seen.lock().unwrap().len();
    (sum, n)
}
#[cfg(test)]
mod tests {
    #[test]
    fn same_again() { assert_eq!(super::parallel(8), super::parallel(8)); }
    #[test]
    fn known() { assert_eq!(super::mixed(0), 0); }
    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn bounds() { let i = shared::TABLE.len(); std::hint::black_box(&shared::TABLE[..])[i]; }
}
R
cat > text/src/lib.rs <<'R'
//! ```
//! assert_eq!(text::longest("a bcd ef"), Some("bcd"));
//! ```
pub fn longest(s: &str) -> Option<&str> { s.split_whitespace().max_by_key(|w| w.len()) }
pub fn label(i: usize) -> String { format!("{:>5}|{:<5}|{:^9.3e}", i, shared::TABLE[i % 64], i as f64 / 7.0) }
R
cat > app/src/main.rs <<'R'
fn main() {
    for i in [1, 30, 63] { println!("{}", text::label(i)); }
    println!("{:?} {:?}", text::longest("some words of a sentence"), numbers::parallel(16));
    let caught = std::panic::catch_unwind(|| { let v: Vec<u8> = Vec::new(); v[std::env::args().count()] });
    println!("caught {}", caught.is_err());
}
R
cargo build --offline -q
./target/debug/app 2>/dev/null
cargo build --offline -q --release
./target/release/app 2>/dev/null
cargo test --offline -q -p numbers -p text 2>&1 | sed 's/finished in .*//' | sort
cargo build --offline --release 2>&1 | grep -c Finished
cp target/release/app /mnt/out/app
