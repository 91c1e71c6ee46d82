//! Clocks, and the line that a program prints.

use std::future::Future;
use std::time::Instant;

/// What came of one measurement.
pub struct Sample {
    /// Wall and processor time of all threads, in ns.
    pub wall: f64,
    pub cpu: f64,
    /// By how many operations they are divided.
    pub operations: u64,
    /// Whether the results added up.
    pub correct: bool,
    /// More figures, by name.
    pub more: Vec<(&'static str, f64)>,
}

impl Sample {
    pub fn print(&self, workload: &str, peer: &str, n: u64, threads: usize) {
        let each = |total: f64| total / self.operations as f64;
        print!(
            "{workload} {peer} {n} {threads} {:.2} cpu={:.2}",
            each(self.wall),
            each(self.cpu)
        );
        for (name, value) in &self.more {
            print!(" {name}={value:.2}");
        }
        println!(" check={}", if self.correct { "ok" } else { "wrong" });
    }
}

/// Measures from its making on.
pub struct Watch {
    wall: Instant,
    cpu: f64,
}

impl Watch {
    pub fn start() -> Self {
        let cpu = cpu_ns();
        Self {
            wall: Instant::now(),
            cpu,
        }
    }

    pub fn stop(&self, operations: u64, correct: bool) -> Sample {
        let wall = self.wall.elapsed().as_nanos() as f64;
        Sample {
            wall,
            cpu: cpu_ns() - self.cpu,
            operations,
            correct,
            more: Vec::new(),
        }
    }
}

fn cpu_ns() -> f64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for writes.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc/self/statm");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse::<u64>().ok());
    pages.expect("two numbers in /proc/self/statm") * 4096
}

/// Runs `body` as a task, on a worker, of a runtime with `threads` workers.
pub fn run<F>(threads: usize, body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_time()
        .build()
        .expect("a runtime");
    let output = runtime.block_on(async { tokio::spawn(body).await });
    runtime.shutdown_background();
    output.expect("the body's output")
}

/// Numbers that look random, the same in every program (splitmix64).
pub fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
