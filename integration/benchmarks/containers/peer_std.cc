// What the standard library and the system offer: mutexed containers, and the ways to
// sleep until another thread says so. The bare futex is the least that works.

#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <semaphore>  // lint: allow lost-wake

#include "home/integration/benchmarks/containers/deque_workloads.h"
#include "home/integration/benchmarks/containers/ping_pong.h"
#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

class MutexQueue {
 public:
  explicit MutexQueue(std::size_t capacity) : capacity_(capacity) {}
  bool Push(Element element) {
    const std::lock_guard lock(mutex_);
    if (elements_.size() == capacity_) return false;
    elements_.push_back(element);
    return true;
  }
  bool Pop(Element* element) {
    const std::lock_guard lock(mutex_);
    if (elements_.empty()) return false;
    *element = elements_.front();
    elements_.pop_front();
    return true;
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::deque<Element> elements_;
};

struct UnboundedMutexQueue : MutexQueue {
  explicit UnboundedMutexQueue(std::size_t) : MutexQueue(SIZE_MAX) {}
};

class MutexDeque {
 public:
  void Push(Element element) {
    const std::lock_guard lock(mutex_);
    elements_.push_back(element);
  }
  bool Pop(Element* element) {
    const std::lock_guard lock(mutex_);
    if (elements_.empty()) return false;
    *element = elements_.back();
    elements_.pop_back();
    return true;
  }

  class Thief {
   public:
    explicit Thief(MutexDeque& victim) : victim_(victim) {}
    Theft Steal(Element* element) {
      const std::lock_guard lock(victim_.mutex_);
      if (victim_.elements_.empty()) return Theft::kEmpty;
      *element = victim_.elements_.front();
      victim_.elements_.pop_front();
      return Theft::kTaken;
    }

   private:
    MutexDeque& victim_;
  };

 private:
  std::mutex mutex_;
  std::deque<Element> elements_;
};

// One store and one wake, always; one wait.
class BareFutex {
 public:
  void Unpark() {
    word_.store(1, std::memory_order_release);
    syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void Park() {
    while (word_.load(std::memory_order_acquire) == 0) {
      syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
    // relaxed: the other side writes again only after we have woken it.
    word_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

class StdSemaphore {
 public:
  void Unpark() { semaphore_.release(); }
  void Park() { semaphore_.acquire(); }

 private:
  std::binary_semaphore semaphore_{0};
};

class PosixSemaphore {
 public:
  PosixSemaphore() { sem_init(&semaphore_, 0, 0); }
  ~PosixSemaphore() { sem_destroy(&semaphore_); }
  void Unpark() { sem_post(&semaphore_); }
  void Park() {
    while (sem_wait(&semaphore_) != 0) {
    }
  }

 private:
  sem_t semaphore_;
};

class ConditionVariable {
 public:
  void Unpark() {
    {
      const std::lock_guard lock(mutex_);
      token_ = true;
    }
    condition_.notify_one();
  }
  void Park() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return token_; });
    token_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool token_ = false;
};

class AtomicWait {
 public:
  void Unpark() {
    token_.store(1, std::memory_order_release);
    token_.notify_one();
  }
  void Park() {
    token_.wait(0, std::memory_order_acquire);
    token_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t> token_{0};
};

const bool kAdded = AddUnbounded<UnboundedMutexQueue>("std_mutex_deque") &&
                    AddMpsc<UnboundedMutexQueue>("std_mutex_deque") &&
                    AddBounded<MutexQueue>("std_mutex_deque") &&
                    AddDeque<MutexDeque>("std_mutex_deque") && AddParker<BareFutex>("bare_futex") &&
                    AddParker<StdSemaphore>("std_binary_semaphore") &&
                    AddParker<PosixSemaphore>("posix_semaphore") &&
                    AddParker<ConditionVariable>("std_condition_variable") &&
                    AddParker<AtomicWait>("std_atomic_wait");

}  // namespace
}  // namespace home::containers
