//! Channels of other crates, between tasks of Tokio: peers of their own in the table.

use std::future::ready;

use tokio::task::coop::consume_budget;

use crate::measure::{run, Sample, Watch};

const CAPACITY: usize = 1024;

/// A function that sends 1 to n from `producers` tasks to `consumers` tasks, which receive
/// from clones of one receiver. `$turn` is awaited after each value that was sent or received.
/// Who sends to a channel without a bound never waits, and awaits nothing.
macro_rules! stream {
    ($name:ident, $make:expr, |$to:ident, $value:ident| $send:expr, $recv:ident, $turn:expr) => {
        fn $name(n: u64, threads: usize, producers: u64, consumers: u64) -> Sample {
            run(threads, async move {
                let watch = Watch::start();
                let (sender, receiver) = $make;
                for producer in 0..producers {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        let $to = sender;
                        let mut $value = producer + 1;
                        while $value <= n {
                            $send.expect("a listener");
                            $value += producers;
                            $turn.await;
                        }
                    });
                }
                drop(sender);
                let tasks: Vec<_> = (0..consumers)
                    .map(|_| {
                        let receiver = receiver.clone();
                        tokio::spawn(async move {
                            let mut sum = 0;
                            while let Ok(value) = receiver.$recv().await {
                                sum += value;
                                $turn.await;
                            }
                            sum
                        })
                    })
                    .collect();
                let mut sum = 0;
                for task in tasks {
                    sum += task.await.expect("a value");
                }
                watch.stop(n, sum == n * (n + 1) / 2)
            })
        }
    };
}

stream!(
    flume_b,
    flume::bounded(CAPACITY),
    |to, value| to.send_async(value).await,
    recv_async,
    ready(())
);
stream!(
    flume_u,
    flume::unbounded(),
    |to, value| to.send(value),
    recv_async,
    ready(())
);
stream!(
    kanal_b,
    kanal::bounded_async(CAPACITY),
    |to, value| to.send(value).await,
    recv,
    ready(())
);
stream!(
    kanal_u,
    kanal::unbounded_async(),
    |to, value| to.try_send(value),
    recv,
    ready(())
);
// With the budget that Tokio's own channels spend: a task gives way after 128 values.
stream!(
    kanal_budget_b,
    kanal::bounded_async(CAPACITY),
    |to, value| to.send(value).await,
    recv,
    consume_budget()
);
stream!(
    kanal_budget_u,
    kanal::unbounded_async(),
    |to, value| to.try_send(value),
    recv,
    consume_budget()
);
stream!(
    async_b,
    async_channel::bounded(CAPACITY),
    |to, value| to.send(value).await,
    recv,
    ready(())
);
stream!(
    async_u,
    async_channel::unbounded(),
    |to, value| to.try_send(value),
    recv,
    ready(())
);

/// PEER/WORKLOAD, and what runs it.
pub const WORKLOADS: &[crate::Workload] = &[
    ("flume/chan_b_1x1", |n, threads| flume_b(n, threads, 1, 1)),
    ("flume/chan_b_1x4", |n, threads| flume_b(n, threads, 1, 4)),
    ("flume/chan_b_2x2", |n, threads| flume_b(n, threads, 2, 2)),
    ("flume/chan_b_4x1", |n, threads| flume_b(n, threads, 4, 1)),
    ("flume/chan_b_4x4", |n, threads| flume_b(n, threads, 4, 4)),
    ("flume/chan_u_1x1", |n, threads| flume_u(n, threads, 1, 1)),
    ("flume/chan_u_1x4", |n, threads| flume_u(n, threads, 1, 4)),
    ("flume/chan_u_2x2", |n, threads| flume_u(n, threads, 2, 2)),
    ("flume/chan_u_4x1", |n, threads| flume_u(n, threads, 4, 1)),
    ("flume/chan_u_4x4", |n, threads| flume_u(n, threads, 4, 4)),
    ("kanal/chan_b_1x1", |n, threads| kanal_b(n, threads, 1, 1)),
    ("kanal/chan_b_1x4", |n, threads| kanal_b(n, threads, 1, 4)),
    ("kanal/chan_b_2x2", |n, threads| kanal_b(n, threads, 2, 2)),
    ("kanal/chan_b_4x1", |n, threads| kanal_b(n, threads, 4, 1)),
    ("kanal/chan_b_4x4", |n, threads| kanal_b(n, threads, 4, 4)),
    ("kanal/chan_u_1x1", |n, threads| kanal_u(n, threads, 1, 1)),
    ("kanal/chan_u_1x4", |n, threads| kanal_u(n, threads, 1, 4)),
    ("kanal/chan_u_2x2", |n, threads| kanal_u(n, threads, 2, 2)),
    ("kanal/chan_u_4x1", |n, threads| kanal_u(n, threads, 4, 1)),
    ("kanal/chan_u_4x4", |n, threads| kanal_u(n, threads, 4, 4)),
    ("kanal-budget/chan_b_1x1", |n, threads| {
        kanal_budget_b(n, threads, 1, 1)
    }),
    ("kanal-budget/chan_b_1x4", |n, threads| {
        kanal_budget_b(n, threads, 1, 4)
    }),
    ("kanal-budget/chan_b_2x2", |n, threads| {
        kanal_budget_b(n, threads, 2, 2)
    }),
    ("kanal-budget/chan_b_4x1", |n, threads| {
        kanal_budget_b(n, threads, 4, 1)
    }),
    ("kanal-budget/chan_b_4x4", |n, threads| {
        kanal_budget_b(n, threads, 4, 4)
    }),
    ("kanal-budget/chan_u_1x1", |n, threads| {
        kanal_budget_u(n, threads, 1, 1)
    }),
    ("kanal-budget/chan_u_1x4", |n, threads| {
        kanal_budget_u(n, threads, 1, 4)
    }),
    ("kanal-budget/chan_u_2x2", |n, threads| {
        kanal_budget_u(n, threads, 2, 2)
    }),
    ("kanal-budget/chan_u_4x1", |n, threads| {
        kanal_budget_u(n, threads, 4, 1)
    }),
    ("kanal-budget/chan_u_4x4", |n, threads| {
        kanal_budget_u(n, threads, 4, 4)
    }),
    ("async-channel/chan_b_1x1", |n, threads| {
        async_b(n, threads, 1, 1)
    }),
    ("async-channel/chan_b_1x4", |n, threads| {
        async_b(n, threads, 1, 4)
    }),
    ("async-channel/chan_b_2x2", |n, threads| {
        async_b(n, threads, 2, 2)
    }),
    ("async-channel/chan_b_4x1", |n, threads| {
        async_b(n, threads, 4, 1)
    }),
    ("async-channel/chan_b_4x4", |n, threads| {
        async_b(n, threads, 4, 4)
    }),
    ("async-channel/chan_u_1x1", |n, threads| {
        async_u(n, threads, 1, 1)
    }),
    ("async-channel/chan_u_1x4", |n, threads| {
        async_u(n, threads, 1, 4)
    }),
    ("async-channel/chan_u_2x2", |n, threads| {
        async_u(n, threads, 2, 2)
    }),
    ("async-channel/chan_u_4x1", |n, threads| {
        async_u(n, threads, 4, 1)
    }),
    ("async-channel/chan_u_4x4", |n, threads| {
        async_u(n, threads, 4, 4)
    }),
];
