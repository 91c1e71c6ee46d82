#include "home/parker/portable_futex.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "home/parker/futex.h"

namespace home::parker_internal {
namespace {

using Clock = std::chrono::steady_clock;
static_assert(Clock::is_steady);

// One thread in Wait(), on its stack. All of it is guarded by the queue's mutex; the condition
// variable is notified under it, so that the sleeper can't be gone by then.
struct Sleeper {
  const void* address = nullptr;
  bool woken = false;
  std::condition_variable condition;
  Sleeper* next = nullptr;
};

struct alignas(64) Queue {
  std::mutex mutex;
  Sleeper* head = nullptr;
};

Queue& QueueOf(const void* address) {
  constexpr std::size_t kQueues = 64;
  // Never destroyed: threads may still sleep while the program ends.
  static std::array<Queue, kQueues>& queues = *new std::array<Queue, kQueues>();
  // Words are often a cache line or more apart, so the lowest bits alone tell little.
  const auto bits = reinterpret_cast<std::uintptr_t>(address);
  return queues[((bits >> 2) ^ (bits >> 8) ^ (bits >> 14)) % kQueues];
}

void Remove(Queue& queue, Sleeper& sleeper) {
  Sleeper** link = &queue.head;
  while (*link != &sleeper) link = &(*link)->next;
  *link = sleeper.next;
}

}  // namespace

std::int64_t PortableFutex::ClockNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

bool PortableFutex::Wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::int64_t deadline) {
  Queue& queue = QueueOf(&word);
  std::unique_lock<std::mutex> lock(queue.mutex);
  // relaxed: whoever changes the word and then takes the lock in Wake() either comes before us,
  // and the lock shows us its change, or finds us in the queue.
  if (word.load(std::memory_order_relaxed) != expected) return true;
  Sleeper sleeper;
  sleeper.address = &word;
  sleeper.next = queue.head;
  queue.head = &sleeper;
  while (!sleeper.woken) {
    if (deadline == kNoDeadline) {
      sleeper.condition.wait(lock);
    } else if (ClockNanos() < deadline) {
      sleeper.condition.wait_until(lock,
                                   Clock::time_point(std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::nanoseconds(deadline))));
    } else {
      Remove(queue, sleeper);
      return false;
    }
  }
  return true;
}

void PortableFutex::Wake(const std::atomic<std::uint32_t>* word) {
  Queue& queue = QueueOf(word);
  const std::lock_guard<std::mutex> lock(queue.mutex);
  for (Sleeper* sleeper = queue.head; sleeper != nullptr; sleeper = sleeper->next) {
    if (sleeper->address != word) continue;
    Remove(queue, *sleeper);
    sleeper->woken = true;
    sleeper->condition.notify_one();
    return;
  }
}

}  // namespace home::parker_internal
