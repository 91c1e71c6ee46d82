// Barrier: where the threads of a test meet.
//
// std::barrier, std::latch and std::binary_semaphore lose wake-ups in libstdc++ 12 where it has no
// futex, as with mingw-w64 (docs/platforms.md).

#ifndef HOME_PARKER_BARRIER_TESTING_H_
#define HOME_PARKER_BARRIER_TESTING_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace home::testing {

// Thread-safety: full.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}

  // Blocks until that many threads are here. Then the next meeting begins.
  void ArriveAndWait() {
    std::unique_lock lock(mutex_);
    const std::uint64_t meeting = meeting_;
    if (++here_ == threads_) {
      here_ = 0;
      ++meeting_;
      all_here_.notify_all();
    } else {
      all_here_.wait(lock, [&] { return meeting_ != meeting; });
    }
  }

 private:
  const int threads_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  int here_ = 0;
  std::uint64_t meeting_ = 0;
};

}  // namespace home::testing

#endif  // HOME_PARKER_BARRIER_TESTING_H_
