#include "home/timer/shard_lock.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "home/parker/cpu_relax.h"

namespace home::timer_internal {
namespace {

// About a microsecond: several times as long as the lock is held to arm a timer.
constexpr int kSpins = 64;
constexpr std::chrono::microseconds kShortestNap(20);
constexpr std::chrono::microseconds kLongestNap(1000);

}  // namespace

void ShardLock::LockSlowly() {
  std::chrono::microseconds nap = kShortestNap;
  for (;;) {
    for (int i = 0; i < kSpins; ++i) {
      parker_internal::CpuRelax();
      // relaxed: only a hint that it is worth an RMW, which has the order. acquire: as in
      // lock().
      if (!locked_.load(std::memory_order_relaxed) &&
          !locked_.exchange(true, std::memory_order_acquire)) {
        return;
      }
    }
    std::this_thread::sleep_for(nap);
    nap = std::min(nap * 2, kLongestNap);
  }
}

}  // namespace home::timer_internal
