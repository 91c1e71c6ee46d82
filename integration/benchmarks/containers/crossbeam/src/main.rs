// crossbeam's containers, and what Rust's standard library has of the kind, under the
// workloads of the C++ program beside this folder: the same command line, the same line of
// output, the same loops. Everything that is measured is Rust.

mod harness;

use crossbeam_deque::{Steal, Stealer, Worker};
use crossbeam_queue::{ArrayQueue, SegQueue};
use crossbeam_utils::sync::Parker;
use harness::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{mpsc, Mutex};

const QUEUE_CAPACITY: usize = 1024;
const STEAL_BURST: u64 = 64;

type Element = u64;

// -- Queues -------------------------------------------------------------------

trait Queue: Sync {
    fn create(capacity: usize) -> Self;
    fn push(&self, element: Element) -> bool;
    fn pop(&self) -> Option<Element>;
}

impl Queue for SegQueue<Element> {
    fn create(_: usize) -> Self {
        SegQueue::new()
    }
    fn push(&self, element: Element) -> bool {
        SegQueue::push(self, element);
        true
    }
    fn pop(&self) -> Option<Element> {
        SegQueue::pop(self)
    }
}

impl Queue for ArrayQueue<Element> {
    fn create(capacity: usize) -> Self {
        ArrayQueue::new(capacity)
    }
    fn push(&self, element: Element) -> bool {
        ArrayQueue::push(self, element).is_ok()
    }
    fn pop(&self) -> Option<Element> {
        ArrayQueue::pop(self)
    }
}

fn share(n: u64, index: u64, count: u64) -> u64 {
    n / count + if index + 1 == count { n % count } else { 0 }
}

fn producers_and_consumers<Q: Queue>(load: &Load) -> Sample {
    let (producers, consumers) = (load.a, load.b);
    let queue = Q::create(QUEUE_CAPACITY);
    let sum = AtomicU64::new(0);
    let mut sample = run_together(producers + consumers, |index| {
        if index < producers {
            let first = index * (load.n / producers) + 1;
            for number in first..first + share(load.n, index, producers) {
                let mut backoff = Backoff::new();
                while !queue.push(number * 16) {
                    backoff.wait();
                }
            }
        } else {
            let mut mine = 0u64;
            for _ in 0..share(load.n, index - producers, consumers) {
                let mut backoff = Backoff::new();
                mine += loop {
                    match queue.pop() {
                        Some(element) => break element,
                        None => backoff.wait(),
                    }
                };
            }
            sum.fetch_add(mine, Ordering::Relaxed);
        }
    });
    sample.correct = sum.load(Ordering::Relaxed) == 16 * sum_to(load.n);
    sample
}

fn queue_bursts<Q: Queue>(load: &Load) -> Sample {
    let queue = Q::create(QUEUE_CAPACITY);
    let sum = AtomicU64::new(0);
    let mut sample = run_together(1, |_| {
        let mut mine = 0u64;
        let mut done = 0;
        while done < load.n {
            let end = std::cmp::min(done + load.a, load.n);
            for number in done + 1..=end {
                if !queue.push(number * 16) {
                    return;
                }
            }
            while done < end {
                match queue.pop() {
                    Some(element) => mine += element,
                    None => return,
                }
                done += 1;
            }
        }
        sum.fetch_add(mine, Ordering::Relaxed);
    });
    sample.correct = sum.load(Ordering::Relaxed) == 16 * sum_to(load.n);
    sample
}

// std::sync::mpsc wants a sender for each producer and its receiver in one thread.
fn std_mpsc(load: &Load) -> Sample {
    let (sender, receiver) = mpsc::channel::<Element>();
    let receiver = Mutex::new(receiver);
    let senders: Vec<_> = (0..load.a).map(|_| Mutex::new(sender.clone())).collect();
    let sum = AtomicU64::new(0);
    let mut sample = run_together(load.a + 1, |index| {
        if index < load.a {
            let sender = senders[index as usize].lock().unwrap().clone();
            let first = index * (load.n / load.a) + 1;
            for number in first..first + share(load.n, index, load.a) {
                sender.send(number * 16).unwrap();
            }
        } else {
            let receiver = receiver.lock().unwrap();
            let mut mine = 0u64;
            for _ in 0..load.n {
                let mut backoff = Backoff::new();
                mine += loop {
                    match receiver.try_recv() {
                        Ok(element) => break element,
                        Err(_) => backoff.wait(),
                    }
                };
            }
            sum.fetch_add(mine, Ordering::Relaxed);
        }
    });
    sample.correct = sum.load(Ordering::Relaxed) == 16 * sum_to(load.n);
    sample
}

// -- Deque --------------------------------------------------------------------

fn own_bursts(worker: &Worker<Element>, n: u64, burst: u64) -> u64 {
    let mut sum = 0u64;
    let mut done = 0;
    while done < n {
        let end = std::cmp::min(done + burst, n);
        while done < end {
            done += 1;
            worker.push(done * 16);
        }
        while let Some(element) = worker.pop() {
            sum += element;
        }
    }
    sum
}

fn deque_bursts(load: &Load) -> Sample {
    // A Worker belongs to one thread at a time.
    let worker = Mutex::new(Worker::new_lifo());
    let sum = AtomicU64::new(0);
    let mut sample = run_together(1, |_| {
        let worker = worker.lock().unwrap();
        sum.store(own_bursts(&worker, load.n, load.a), Ordering::Relaxed);
    });
    sample.correct = sum.load(Ordering::Relaxed) == 16 * sum_to(load.n);
    sample
}

fn thieve(stealer: &Stealer<Element>, done: &AtomicBool, batches: bool) -> (u64, u64) {
    let own = Worker::new_lifo();
    let (mut sum, mut count) = (0u64, 0u64);
    let mut backoff = Backoff::new();
    loop {
        // Read first: what is empty after an owner that was done stays so.
        let last = done.load(Ordering::Acquire);
        let stolen = if !batches {
            stealer.steal()
        } else if let Some(element) = own.pop() {
            Steal::Success(element)
        } else {
            stealer.steal_batch_and_pop(&own)
        };
        match stolen {
            Steal::Success(element) => {
                sum += element;
                count += 1;
                backoff = Backoff::new();
            }
            Steal::Empty if last => return (sum, count),
            Steal::Empty => backoff.wait(),
            Steal::Retry => {}
        }
    }
}

fn with_thieves(load: &Load, drain: bool, batches: bool) -> Sample {
    let worker = Worker::new_lifo();
    let stealer = worker.stealer();
    let worker = Mutex::new(worker);
    let done = AtomicBool::new(false);
    let (sum, stolen) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut sample = run_together(1 + load.a, |index| {
        if index == 0 {
            let worker = worker.lock().unwrap();
            let mine = own_bursts(&worker, load.n, if drain { load.n } else { STEAL_BURST });
            done.store(true, Ordering::Release);
            sum.fetch_add(mine, Ordering::Relaxed);
        } else {
            let (mine, count) = thieve(&stealer, &done, batches);
            sum.fetch_add(mine, Ordering::Relaxed);
            stolen.fetch_add(count, Ordering::Relaxed);
        }
    });
    sample.correct = sum.load(Ordering::Relaxed) == 16 * sum_to(load.n);
    sample.stolen = Some(stolen.load(Ordering::Relaxed));
    sample
}

// -- Ping-pong ----------------------------------------------------------------

fn ping_pong(load: &Load) -> Sample {
    let parkers = [Parker::new(), Parker::new()];
    let unparkers = [parkers[0].unparker().clone(), parkers[1].unparker().clone()];
    let parkers = parkers.map(Mutex::new);
    // Relaxed loads and stores, as of a plain word: the tokens order them.
    let turn = AtomicU64::new(0);
    let wrong = AtomicU64::new(0);
    let take_turn = |expected| {
        let found = turn.load(Ordering::Relaxed);
        turn.store(found + 1, Ordering::Relaxed);
        if found != expected {
            wrong.fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut sample = run_together(2, |side| {
        let side = side as usize;
        pin_to(if load.a == 1 { 0 } else { side });
        let own = parkers[side].lock().unwrap();
        let other = &unparkers[1 - side];
        for i in 0..load.n {
            if side == 0 {
                take_turn(2 * i);
                other.unpark();
                own.park();
            } else {
                own.park();
                take_turn(2 * i + 1);
                other.unpark();
            }
        }
    });
    sample.correct =
        wrong.load(Ordering::Relaxed) == 0 && turn.load(Ordering::Relaxed) == 2 * load.n;
    sample
}

// -----------------------------------------------------------------------------

const ENTRIES: &[Entry] = &[
    ("deque_1t", "crossbeam_deque", deque_bursts),
    ("deque_steal", "crossbeam_deque", |load| with_thieves(load, false, false)),
    ("deque_steal", "crossbeam_deque_batch", |load| with_thieves(load, false, true)),
    ("deque_drain", "crossbeam_deque", |load| with_thieves(load, true, false)),
    ("deque_drain", "crossbeam_deque_batch", |load| with_thieves(load, true, true)),
    ("queue_1t", "crossbeam_seg_queue", queue_bursts::<SegQueue<Element>>),
    ("queue", "crossbeam_seg_queue", producers_and_consumers::<SegQueue<Element>>),
    ("mpsc", "crossbeam_seg_queue", producers_and_consumers::<SegQueue<Element>>),
    ("mpsc", "rust_std_mpsc", std_mpsc),
    ("bounded_1t", "crossbeam_array_queue", queue_bursts::<ArrayQueue<Element>>),
    ("bounded", "crossbeam_array_queue", producers_and_consumers::<ArrayQueue<Element>>),
    ("ping_pong", "crossbeam_parker", ping_pong),
];

fn main() {
    harness::main(ENTRIES)
}
