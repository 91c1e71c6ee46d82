// What harness.h and main.cc are for the C++ program, in Rust.

use std::os::raw::{c_int, c_long};
use std::sync::Barrier;
use std::time::Instant;

#[derive(Clone, Copy)]
pub struct Load {
    pub n: u64,
    pub a: u64,
    pub b: u64,
}

pub struct Sample {
    pub wall_ns: f64,
    pub cpu_ns: f64,
    pub correct: bool,
    pub stolen: Option<u64>,
    pub threads: u64,
}

pub type Entry = (&'static str, &'static str, fn(&Load) -> Sample);

#[repr(C)]
struct TimeSpec {
    seconds: c_long,
    nanos: c_long,
}

extern "C" {
    fn clock_gettime(clock: c_int, now: *mut TimeSpec) -> c_int;
    fn sched_getaffinity(thread: c_int, size: usize, set: *mut u64) -> c_int;
    fn sched_setaffinity(thread: c_int, size: usize, set: *const u64) -> c_int;
}

fn cpu_nanos() -> f64 {
    const CLOCK_PROCESS_CPUTIME_ID: c_int = 2;
    let mut now = TimeSpec { seconds: 0, nanos: 0 };
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.seconds as f64 * 1e9 + now.nanos as f64
}

// Pins the calling thread to one of the processors that it may use, counted from 0.
pub fn pin_to(index: usize) {
    let mut allowed = [0u64; 16];
    let size = std::mem::size_of_val(&allowed);
    let status = unsafe { sched_getaffinity(0, size, allowed.as_mut_ptr()) };
    assert!(status >= 0, "cannot ask for the processors");
    let cpu = (0..64 * allowed.len())
        .filter(|cpu| allowed[cpu / 64] >> (cpu % 64) & 1 == 1)
        .nth(index)
        .expect("too few processors");
    let mut set = [0u64; 16];
    set[cpu / 64] = 1 << (cpu % 64);
    let status = unsafe { sched_setaffinity(0, size, set.as_ptr()) };
    assert!(status == 0, "cannot pin a thread to processor {}", cpu);
}

pub struct Backoff {
    looks: u32,
}

impl Backoff {
    pub fn new() -> Backoff {
        Backoff { looks: 0 }
    }
    pub fn wait(&mut self) {
        const LOOKS: u32 = 32;
        if self.looks < LOOKS {
            self.looks += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

pub fn sum_to(n: u64) -> u64 {
    n * (n + 1) / 2
}

pub fn run_together(threads: u64, body: impl Fn(u64) + Sync) -> Sample {
    let start = Barrier::new(threads as usize);
    let cpu = cpu_nanos();
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|index| {
                let (body, start) = (&body, &start);
                scope.spawn(move || {
                    start.wait();
                    let begin = Instant::now();
                    body(index);
                    (begin, Instant::now())
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let cpu_ns = cpu_nanos() - cpu;
    let begin = spans.iter().map(|span| span.0).min().unwrap();
    let end = spans.iter().map(|span| span.1).max().unwrap();
    let wall_ns = (end - begin).as_nanos() as f64;
    Sample { wall_ns, cpu_ns, correct: false, stolen: None, threads }
}

fn usage() -> ! {
    eprintln!("usage: compare_crossbeam WORKLOAD PEER N | compare_crossbeam --list");
    std::process::exit(2)
}

pub fn main(entries: &[Entry]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.len() == 1 && arguments[0] == "--list" {
        for (kind, peer, _) in entries {
            println!("{} {}", kind, peer);
        }
        return;
    }
    if arguments.len() != 3 {
        usage();
    }
    let (kind, numbers) = arguments[0].rsplit_once('_').unwrap_or_else(|| usage());
    let mut numbers =
        numbers.split('x').map(|text| text.parse::<u64>().unwrap_or_else(|_| usage()));
    let load = Load {
        n: arguments[2].parse().unwrap_or_else(|_| usage()),
        a: numbers.next().unwrap_or_else(|| usage()),
        b: numbers.next().unwrap_or(0),
    };
    for (entry_kind, peer, run) in entries {
        if *entry_kind != kind || *peer != arguments[1] {
            continue;
        }
        let sample = run(&load);
        let n = load.n as f64;
        print!(
            "{} {} {} {} {:.3} cpu={:.3} check={}",
            arguments[0],
            peer,
            load.n,
            sample.threads,
            sample.wall_ns / n,
            sample.cpu_ns / n,
            if sample.correct { "ok" } else { "wrong" }
        );
        if let Some(stolen) = sample.stolen {
            print!(" stolen={:.3}", stolen as f64 / n);
        }
        println!();
        return;
    }
    eprintln!("no peer {} for {}", arguments[1], kind);
    std::process::exit(2)
}
