//! The workloads of the race, for Tokio. ../README.md defines them and the command line.

mod channels;
mod fans;
mod measure;
mod servers;
mod spawning;
mod sync;
mod timers;

use std::process::exit;

use measure::Sample;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Workload = (&'static str, fn(u64, usize) -> Sample);

const WORKLOADS: &[Workload] = &[
    ("spawn_join", spawning::spawn_join),
    ("spawn_join_ready", spawning::spawn_join_ready),
    ("spawn_many", spawning::spawn_many),
    ("yield", spawning::yield_now),
    ("fib", spawning::fib),
    ("oneshot", sync::oneshot_round_trip),
    ("ping_pong", sync::ping_pong),
    ("ping_pong1", sync::ping_pong1),
    ("chan_b_1x1", |n, threads| sync::bounded(n, threads, 1)),
    ("chan_b_4x1", |n, threads| sync::bounded(n, threads, 4)),
    ("chan_u_1x1", |n, threads| sync::unbounded(n, threads, 1)),
    ("chan_u_4x1", |n, threads| sync::unbounded(n, threads, 4)),
    ("broadcast_1x8", fans::broadcast),
    ("watch_1x8", fans::watch),
    ("mutex", sync::mutex),
    ("semaphore", sync::semaphore),
    ("notify", sync::notify),
    ("timers", timers::timers),
    ("sleeps", timers::sleeps),
    ("idle_sleep", timers::idle_sleep),
    ("idle_recv", sync::idle_recv),
    ("idle_channel", sync::idle_channel),
    ("burst", timers::burst),
    ("chan_depth", sync::channel_depth),
    ("serve_echo", servers::echo),
    ("serve_http", servers::http),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() == 2 && arguments[1] == "--list" {
        for (name, _) in WORKLOADS.iter().chain(channels::WORKLOADS) {
            println!("{name}");
        }
        return;
    }
    let numbers = (
        arguments.get(2).and_then(|text| text.parse::<u64>().ok()),
        arguments.get(3).and_then(|text| text.parse::<usize>().ok()),
    );
    let (4, (Some(n @ 1..), Some(threads @ 1..))) = (arguments.len(), numbers) else {
        eprintln!("usage: {} --list | WORKLOAD N THREADS", arguments[0]);
        exit(2);
    };
    let mut all = WORKLOADS.iter().chain(channels::WORKLOADS);
    let Some((name, run)) = all.find(|(name, _)| *name == arguments[1]) else {
        eprintln!("unknown workload: {}", arguments[1]);
        exit(2);
    };
    run(n, threads).print(name, "tokio", n, threads);
    // A million tasks that sleep need not be taken down one by one.
    exit(0);
}
