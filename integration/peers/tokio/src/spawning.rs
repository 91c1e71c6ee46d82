//! Tasks that are spawned, joined, and that yield.

use std::future::Future;
use std::pin::Pin;

use tokio_util::task::TaskTracker;

use crate::measure::{run, Sample, Watch};

const BATCH: u64 = 1000;

pub fn spawn_join(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let rounds = n.div_ceil(BATCH);
        let mut handles = Vec::with_capacity(BATCH as usize);
        let mut joined = 0;
        let watch = Watch::start();
        for _ in 0..rounds {
            for _ in 0..BATCH {
                handles.push(tokio::spawn(async {}));
            }
            for handle in handles.drain(..) {
                joined += handle.await.is_ok() as u64;
            }
        }
        watch.stop(rounds * BATCH, joined == rounds * BATCH)
    })
}

pub fn spawn_join_ready(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let mut sum = 0;
        let watch = Watch::start();
        for i in 1..=n {
            sum += tokio::spawn(async move { i }).await.expect("a value");
        }
        watch.stop(n, sum == n * (n + 1) / 2)
    })
}

/// Of TaskTracker, JoinSet and a Vec of handles the first is the fastest way to wait for
/// all.
pub fn spawn_many(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let watch = Watch::start();
        let spawners: Vec<_> = (0..2)
            .map(|_| {
                tokio::spawn(async move {
                    let tracker = TaskTracker::new();
                    for _ in 0..n / 2 {
                        tracker.spawn(async {});
                    }
                    tracker.close();
                    tracker.wait().await;
                    tracker.is_empty()
                })
            })
            .collect();
        let mut correct = true;
        for spawner in spawners {
            correct &= spawner.await.expect("a value");
        }
        watch.stop(n / 2 * 2, correct)
    })
}

pub fn yield_now(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let each = n.div_ceil(BATCH);
        let watch = Watch::start();
        let tasks: Vec<_> = (0..BATCH)
            .map(|_| {
                tokio::spawn(async move {
                    for _ in 0..each {
                        tokio::task::yield_now().await;
                    }
                    each
                })
            })
            .collect();
        let mut yields = 0;
        for task in tasks {
            yields += task.await.expect("a value");
        }
        watch.stop(each * BATCH, yields == each * BATCH)
    })
}

fn fibonacci(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let other = tokio::spawn(fibonacci(n - 1));
        let own = fibonacci(n - 2).await;
        own + other.await.expect("a value")
    })
}

/// fib(n) and how many calls it takes.
fn expected(n: u64) -> (u64, u64) {
    let (mut a, mut b) = (0u64, 1u64);
    for _ in 0..n {
        (a, b) = (b, a + b);
    }
    (a, 2 * b - 1)
}

pub fn fib(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let watch = Watch::start();
        let result = fibonacci(n).await;
        let (value, calls) = expected(n);
        watch.stop(calls, result == value)
    })
}
