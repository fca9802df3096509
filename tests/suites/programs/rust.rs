use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::{fs, panic, thread, time};

fn sum(n: u64) -> u64 {
    (0..n).map(|i| i.wrapping_mul(2654435761) ^ (i >> 3)).fold(0, |a, b| a.rotate_left(5) ^ b)
}

#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Leaf(f64),
    Node(Box<Tree>, Box<Tree>),
}

fn tree(depth: u32, x: f64) -> Tree {
    if depth == 0 { Tree::Leaf(x.sin()) } else { Tree::Node(Box::new(tree(depth - 1, x * 0.5)), Box::new(tree(depth - 1, x + 1.0))) }
}

fn total(t: &Tree) -> f64 {
    match t {
        Tree::Leaf(x) => *x,
        Tree::Node(a, b) => total(a) + total(b),
    }
}

pub fn main() {
    let (tx, rx) = mpsc::channel();
    let counter = Arc::new(AtomicU64::new(0));
    let bytes = Arc::new([const { AtomicU8::new(0) }; 8]);
    let map = Arc::new(Mutex::new(HashMap::new()));
    let lock = Arc::new(RwLock::new(vec![0u32; 16]));
    let barrier = Arc::new(Barrier::new(16));
    let handles: Vec<_> = (0..16u64)
        .map(|i| {
            let (tx, counter, bytes, map, lock, barrier) =
                (tx.clone(), counter.clone(), bytes.clone(), map.clone(), lock.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                for k in 0..2000u64 {
                    counter.fetch_add(k, Ordering::SeqCst);
                    bytes[(k % 8) as usize].fetch_add(1, Ordering::Relaxed);
                    if k % 50 == 0 {
                        *map.lock().unwrap().entry(k).or_insert(0u64) += i;
                        lock.write().unwrap()[i as usize] += 1;
                    }
                }
                tx.send((i, sum(1000 + i))).unwrap();
            })
        })
        .collect();
    drop(tx);
    for h in handles {
        h.join().unwrap();
    }
    let got: BTreeMap<_, _> = rx.iter().collect();
    println!("{} {:?}", got.len(), got.get(&7));
    println!("{} {:?}", counter.load(Ordering::SeqCst), bytes.iter().map(|b| b.load(Ordering::SeqCst)).collect::<Vec<_>>());
    println!("{} {:?}", map.lock().unwrap().values().sum::<u64>(), lock.read().unwrap());

    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let other = pair.clone();
    let t = thread::spawn(move || {
        for _ in 0..100 {
            let mut n = other.0.lock().unwrap();
            while *n % 2 == 0 {
                n = other.1.wait(n).unwrap();
            }
            *n += 1;
            other.1.notify_one();
        }
    });
    for _ in 0..100 {
        let mut n = pair.0.lock().unwrap();
        while *n % 2 == 1 {
            n = pair.1.wait(n).unwrap();
        }
        *n += 1;
        pair.1.notify_one();
    }
    t.join().unwrap();
    println!("{}", pair.0.lock().unwrap());

    panic::set_hook(Box::new(|_| {}));
    let r = panic::catch_unwind(|| {
        let v: Vec<i32> = Vec::new();
        v[std::hint::black_box(3)]
    });
    println!("caught {}", r.is_err());
    println!("joined a panic {}", thread::spawn(|| panic!("x")).join().is_err());
    let t = tree(12, 0.7);
    println!("{:.12} {}", total(&t), t == t.clone());
    println!("{} {:e} {:?} {}", u128::MAX / 7, 1.0f64 / 3.0, f32::MIN_POSITIVE / 2.0, (-7i64).rem_euclid(3));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for s in listener.incoming().take(4) {
            let mut s = s.unwrap();
            let mut text = String::new();
            s.read_to_string(&mut text).unwrap();
            s.write_all(text.to_uppercase().as_bytes()).unwrap();
        }
    });
    for i in 0..4 {
        let mut s = TcpStream::connect(addr).unwrap();
        write!(s, "client {}", i).unwrap();
        s.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        s.read_to_string(&mut text).unwrap();
        println!("{}", text);
    }
    server.join().unwrap();
    let out = Command::new("sh").args(["-c", "echo child; exit 3"]).output().unwrap();
    println!("{:?} {:?}", out.status.code(), String::from_utf8_lossy(&out.stdout));
    fs::write("out/rust.txt", (0..500).map(|i| format!("{:08.3}\n", (i as f64).sqrt())).collect::<String>()).unwrap();
    println!("{}", fs::read_dir(".").unwrap().count() > 3);
    let start = time::Instant::now();
    thread::sleep(time::Duration::from_millis(30));
    println!("{}", start.elapsed().as_millis() >= 30);
    let r = thread::Builder::new().stack_size(64 << 10).spawn(|| sum(5000)).unwrap().join().unwrap();
    println!("{:x}", r);
}
