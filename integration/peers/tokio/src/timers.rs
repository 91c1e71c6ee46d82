//! Timers and tasks that sleep.

use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::unconstrained;
use tokio::time::{sleep, Sleep};

use crate::measure::{resident, run, scramble, Sample, Watch};

/// 1 ms to 1 h.
fn far(i: u64) -> Duration {
    Duration::from_millis(1 + scramble(i) % 3_600_000)
}

/// Arms n timers, in one slice: no allocation each. Then drops them.
pub fn timers(n: u64, threads: usize) -> Sample {
    // Without a budget, whose end would keep timers from being armed.
    run(
        threads,
        unconstrained(async move {
            let mut armed: Vec<Sleep> = Vec::with_capacity(n as usize);
            let watch = Watch::start();
            armed.extend((0..n).map(|i| sleep(far(i))));
            let mut pending = 0u64;
            poll_fn(|cx| {
                for timer in &mut armed {
                    // SAFETY: the vector does not grow any more, nor is it moved out of.
                    let timer = unsafe { Pin::new_unchecked(timer) };
                    pending += timer.poll(cx).is_pending() as u64;
                }
                Poll::Ready(())
            })
            .await;
            let arming = watch.stop(n, true).wall;
            drop(armed);
            // The first ones may be due before the last one is armed.
            let mut sample = watch.stop(n, pending > n / 2);
            sample.more.push(("arm", arming / n as f64));
            sample
                .more
                .push(("cancel", (sample.wall - arming) / n as f64));
            sample
        }),
    )
}

/// n tasks that sleep up to two seconds each. The figure is the processor time.
pub fn sleeps(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let late: Arc<Vec<AtomicU32>> = Arc::new((0..n).map(|_| AtomicU32::new(0)).collect());
        let watch = Watch::start();
        let tasks: Vec<_> = (0..n)
            .map(|i| {
                let late = late.clone();
                tokio::spawn(async move {
                    let wanted = Duration::from_micros(scramble(i) % 2_000_000);
                    let start = Instant::now();
                    sleep(wanted).await;
                    let slept = start.elapsed();
                    late[i as usize].store(
                        slept.saturating_sub(wanted).as_micros() as u32,
                        Ordering::Relaxed,
                    );
                    slept >= wanted
                })
            })
            .collect();
        let mut in_time = 0;
        for task in tasks {
            in_time += task.await.expect("a value") as u64;
        }
        let mut sample = watch.stop(n, in_time == n);
        let mut micros: Vec<u32> = late
            .iter()
            .map(|each| each.load(Ordering::Relaxed))
            .collect();
        micros.sort_unstable();
        let at = |share: f64| f64::from(micros[(n as f64 * share) as usize]) / 1000.0;
        sample.more.push(("late_p50_ms", at(0.5)));
        sample.more.push(("late_p99_ms", at(0.99)));
        sample
    })
}

/// n tasks that sleep. The figure is the resident memory of each.
pub fn idle_sleep(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let started = Arc::new(AtomicU64::new(0));
        let before = resident();
        let watch = Watch::start();
        for _ in 0..n {
            let started = started.clone();
            tokio::spawn(async move {
                started.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(3600)).await;
            });
        }
        while started.load(Ordering::Relaxed) < n {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(100)).await;
        let bytes = resident().saturating_sub(before) as f64 / n as f64;
        let mut sample = watch.stop(n, true);
        sample.more.push(("bytes", bytes));
        sample
    })
}

pub fn burst(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let ended = Arc::new(AtomicU64::new(0));
        let before = resident();
        let watch = Watch::start();
        for _ in 0..n {
            let ended = ended.clone();
            tokio::spawn(async move {
                sleep(Duration::from_secs(2)).await;
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        let peak = resident().saturating_sub(before) as f64 / n as f64;
        while ended.load(Ordering::Relaxed) < n {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_secs(1)).await;
        let bytes = resident().saturating_sub(before) as f64 / n as f64;
        let mut sample = watch.stop(n, true);
        sample.more.push(("peak_bytes", peak));
        sample.more.push(("bytes", bytes));
        sample
    })
}
