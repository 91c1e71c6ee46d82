//! Channels of values, the mutex, the semaphore, and tasks that notify each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, Mutex, Notify, Semaphore};
use tokio::time::sleep;

use crate::measure::{resident, run, Sample, Watch};

const CAPACITY: usize = 1024;
const LOCKERS: u64 = 64;
const PERMITS: usize = 4;
const PAIRS: u64 = 1000;

/// Two oneshots and one spawn a round trip.
pub fn oneshot_round_trip(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let mut sum = 0;
        let watch = Watch::start();
        for i in 1..=n {
            let (question, asked) = oneshot::channel();
            let (reply, answer) = oneshot::channel();
            tokio::spawn(async move {
                let asked: u64 = asked.await.expect("a question");
                reply.send(asked).expect("a listener");
            });
            question.send(i).expect("a listener");
            sum += answer.await.expect("an answer");
        }
        watch.stop(n, sum == n * (n + 1) / 2)
    })
}

fn pairs(pairs: u64, round_trips: u64, threads: usize) -> Sample {
    run(threads, async move {
        let watch = Watch::start();
        let mut players = Vec::new();
        for _ in 0..pairs {
            let (ping, mut pinged) = mpsc::channel::<u64>(1);
            let (pong, mut ponged) = mpsc::channel::<u64>(1);
            tokio::spawn(async move {
                while let Some(value) = pinged.recv().await {
                    pong.send(value).await.expect("a listener");
                }
            });
            players.push(tokio::spawn(async move {
                let mut sum = 0;
                for i in 1..=round_trips {
                    ping.send(i).await.expect("a listener");
                    sum += ponged.recv().await.expect("an answer");
                }
                sum
            }));
        }
        let mut sum = 0;
        for player in players {
            sum += player.await.expect("a value");
        }
        watch.stop(
            pairs * round_trips,
            sum == pairs * round_trips * (round_trips + 1) / 2,
        )
    })
}

pub fn ping_pong(n: u64, threads: usize) -> Sample {
    pairs(PAIRS, n.div_ceil(PAIRS), threads)
}

pub fn ping_pong1(n: u64, threads: usize) -> Sample {
    pairs(1, n, threads)
}

/// Spawns the producers' tasks, which send 1 to n between them.
macro_rules! produce {
    ($n:expr, $producers:expr, $sender:expr, |$own:ident, $value:ident| $send:expr) => {{
        for producer in 0..$producers {
            let $own = $sender.clone();
            tokio::spawn(async move {
                let mut $value = producer + 1;
                while $value <= $n {
                    $send.expect("a listener");
                    $value += $producers;
                }
            });
        }
        drop($sender);
    }};
}

pub fn bounded(n: u64, threads: usize, producers: u64) -> Sample {
    run(threads, async move {
        let watch = Watch::start();
        let (sender, mut receiver) = mpsc::channel::<u64>(CAPACITY);
        produce!(n, producers, sender, |own, value| own.send(value).await);
        let consumer = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(value) = receiver.recv().await {
                sum += value;
            }
            sum
        });
        let sum = consumer.await.expect("a value");
        watch.stop(n, sum == n * (n + 1) / 2)
    })
}

pub fn unbounded(n: u64, threads: usize, producers: u64) -> Sample {
    run(threads, async move {
        let watch = Watch::start();
        let (sender, mut receiver) = mpsc::unbounded_channel::<u64>();
        produce!(n, producers, sender, |own, value| own.send(value));
        let consumer = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(value) = receiver.recv().await {
                sum += value;
            }
            sum
        });
        let sum = consumer.await.expect("a value");
        watch.stop(n, sum == n * (n + 1) / 2)
    })
}

pub fn mutex(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let each = n.div_ceil(LOCKERS);
        let counter = Arc::new(Mutex::new(0u64));
        let watch = Watch::start();
        let lockers: Vec<_> = (0..LOCKERS)
            .map(|_| {
                let counter = counter.clone();
                tokio::spawn(async move {
                    for _ in 0..each {
                        *counter.lock().await += 1;
                    }
                })
            })
            .collect();
        for locker in lockers {
            locker.await.expect("an end");
        }
        let total = *counter.lock().await;
        watch.stop(each * LOCKERS, total == each * LOCKERS)
    })
}

/// n tasks that each wait for a channel of their own. The figure is the resident memory.
pub fn idle_recv(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let started = Arc::new(AtomicU64::new(0));
        let before = resident();
        let mut senders = Vec::with_capacity(n as usize);
        let watch = Watch::start();
        for _ in 0..n {
            let started = started.clone();
            let (sender, mut receiver) = mpsc::channel::<u64>(1);
            senders.push(sender);
            tokio::spawn(async move {
                started.fetch_add(1, Ordering::Relaxed);
                receiver.recv().await
            });
        }
        while started.load(Ordering::Relaxed) < n {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(100)).await;
        let bytes = resident().saturating_sub(before) as f64 / n as f64;
        let mut sample = watch.stop(n, true);
        sample.more.push(("bytes", bytes));
        drop(senders);
        sample
    })
}

pub fn idle_channel(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let before = resident();
        let mut channels = Vec::with_capacity(n as usize);
        let watch = Watch::start();
        for _ in 0..n {
            channels.push(mpsc::channel::<u64>(16));
        }
        let bytes = resident().saturating_sub(before) as f64 / n as f64;
        let mut sample = watch.stop(n, true);
        sample.more.push(("bytes", bytes));
        drop(channels);
        sample
    })
}

pub fn channel_depth(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        const VALUES: u64 = 1_000_000;
        let (sender, mut receiver) = mpsc::unbounded_channel::<u64>();
        let mut correct = true;
        for i in 0..n {
            correct &= sender.send(i).is_ok();
        }
        let watch = Watch::start();
        for i in 0..VALUES {
            correct &= sender.send(n + i).is_ok();
            correct &= receiver.recv().await == Some(i);
        }
        watch.stop(VALUES, correct)
    })
}

pub fn semaphore(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let each = n.div_ceil(LOCKERS);
        let permits = Arc::new(Semaphore::new(PERMITS));
        let watch = Watch::start();
        let tasks: Vec<_> = (0..LOCKERS)
            .map(|_| {
                let permits = permits.clone();
                tokio::spawn(async move {
                    for _ in 0..each {
                        let _permit = permits.acquire().await.expect("an open semaphore");
                        tokio::task::yield_now().await;
                    }
                    each
                })
            })
            .collect();
        let mut total = 0;
        for task in tasks {
            total += task.await.expect("a value");
        }
        let all_back = permits.available_permits() == PERMITS;
        watch.stop(each * LOCKERS, total == each * LOCKERS && all_back)
    })
}

pub fn notify(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let signals = Arc::new((Notify::new(), Notify::new()));
        let watch = Watch::start();
        let others = signals.clone();
        tokio::spawn(async move {
            for _ in 0..n {
                others.0.notified().await;
                others.1.notify_one();
            }
        });
        let player = tokio::spawn(async move {
            for _ in 0..n {
                signals.0.notify_one();
                signals.1.notified().await;
            }
            n
        });
        let times = player.await.expect("a value");
        watch.stop(n, times == n)
    })
}
