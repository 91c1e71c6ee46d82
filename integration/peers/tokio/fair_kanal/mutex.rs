//! A ticket lock in the place of kanal's spin lock (its src/mutex.rs, whose names it has): whoever
//! comes first has the lock first. With it tools/race builds the peer `kanal-fair`, to tell what
//! kanal's channels take from what its lock gives to the thread that had it last.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use lock_api::{GuardSend, RawMutex};

pub struct RawMutexLock {
    next: AtomicU32,
    served: AtomicU32,
}

unsafe impl RawMutex for RawMutexLock {
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: RawMutexLock = RawMutexLock {
        next: AtomicU32::new(0),
        served: AtomicU32::new(0),
    };
    type GuardMarker = GuardSend;

    #[inline(always)]
    fn lock(&self) {
        // relaxed: only numbers the ticket.
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        // acquire: what the last holder did. pairs with: unlock().
        while self.served.load(Ordering::Acquire) != ticket {
            spin_loop();
        }
    }

    #[inline(always)]
    fn try_lock(&self) -> bool {
        // acquire: as in lock(). If the CAS succeeds nobody has a ticket, and nobody had one since.
        let served = self.served.load(Ordering::Acquire);
        self.next
            .compare_exchange(
                served,
                served.wrapping_add(1),
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    #[inline(always)]
    unsafe fn unlock(&self) {
        // relaxed: only the holder changes it.
        let served = self.served.load(Ordering::Relaxed);
        // release: what the holder did. pairs with: lock() and try_lock().
        self.served.store(served.wrapping_add(1), Ordering::Release);
    }
}

#[allow(dead_code)]
pub type Mutex<T> = lock_api::Mutex<RawMutexLock, T>;
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutexLock, T>;
