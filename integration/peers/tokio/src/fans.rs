//! Channels in which every receiver learns of every value.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch, Barrier};

use crate::measure::{run, Sample, Watch};

const CAPACITY: usize = 1024;
const RECEIVERS: usize = 8;

pub fn broadcast(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let round = Arc::new(Barrier::new(RECEIVERS + 1));
        let (sender, receiver) = broadcast::channel::<u64>(CAPACITY);
        let clock = Watch::start();
        let receivers: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let mut receiver = receiver.resubscribe();
                let round = round.clone();
                tokio::spawn(async move {
                    let mut sum = 0;
                    let mut heard = 0;
                    loop {
                        match receiver.recv().await {
                            Ok(value) => sum += value,
                            Err(RecvError::Closed) => return sum,
                            Err(RecvError::Lagged(_)) => return 0,
                        }
                        heard += 1;
                        if heard % CAPACITY == 0 {
                            round.wait().await;
                        }
                    }
                })
            })
            .collect();
        drop(receiver);
        tokio::spawn(async move {
            for value in 1..=n {
                sender.send(value).expect("a listener");
                // Nobody may fall behind by more than the channel holds.
                if value % CAPACITY as u64 == 0 {
                    round.wait().await;
                }
            }
        });
        let mut correct = true;
        for receiver in receivers {
            correct &= receiver.await.expect("a value") == n * (n + 1) / 2;
        }
        clock.stop(n, correct)
    })
}

pub fn watch(n: u64, threads: usize) -> Sample {
    run(threads, async move {
        let (sender, receiver) = watch::channel::<u64>(0);
        let clock = Watch::start();
        let receivers: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let mut receiver = receiver.clone();
                tokio::spawn(async move {
                    let mut seen = 0u64;
                    while receiver.changed().await.is_ok() {
                        seen += 1;
                        if *receiver.borrow_and_update() == n {
                            return seen;
                        }
                    }
                    0
                })
            })
            .collect();
        drop(receiver);
        tokio::spawn(async move {
            for value in 1..=n {
                sender.send(value).expect("a listener");
                tokio::task::yield_now().await;
            }
        });
        let mut seen = 0;
        let mut correct = true;
        for receiver in receivers {
            let one = receiver.await.expect("a value");
            correct &= one != 0;
            seen += one;
        }
        let mut sample = clock.stop(n, correct);
        sample.more.push(("seen", seen as f64 / n as f64));
        sample
    })
}
