// WorkStealingDeque under real threads: every element comes out once, none is invented.
// Run under ThreadSanitizer and AddressSanitizer; random yields vary the interleavings.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/deque/work_stealing_deque.h"

namespace home {
namespace {

// Gives the processor away every now and then.
void MaybeYield(unsigned once_in) {
  thread_local std::minstd_rand random(
      static_cast<unsigned>(std::hash<std::thread::id>()(std::this_thread::get_id())));
  if (random() % once_in == 0) std::this_thread::yield();
}

// Atomics that are sometimes preceded by a yield: so operations stop in the middle of
// themselves far more often than the scheduler would have it.
template <typename U>
class YieldingAtomic {
 public:
  YieldingAtomic() = default;
  explicit YieldingAtomic(U value) : value_(value) {}

  U load(std::memory_order order) const {
    MaybeYield(kOnceIn);
    return value_.load(order);
  }
  void store(U value, std::memory_order order) {
    MaybeYield(kOnceIn);
    value_.store(value, order);
  }
  U exchange(U value, std::memory_order order) {
    MaybeYield(kOnceIn);
    return value_.exchange(value, order);
  }
  U fetch_add(U value, std::memory_order order) {
    MaybeYield(kOnceIn);
    return value_.fetch_add(value, order);
  }
  U fetch_sub(U value, std::memory_order order) {
    MaybeYield(kOnceIn);
    return value_.fetch_sub(value, order);
  }
  bool compare_exchange_strong(U& expected, U desired, std::memory_order success,
                               std::memory_order failure) {
    MaybeYield(kOnceIn);
    return value_.compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  static constexpr unsigned kOnceIn = 200;
  std::atomic<U> value_{};
};

// A buffer that must grow over and over, and shrinks again; indices that wrap early on.
struct SmallPolicy : DequePolicy {
  template <typename U>
  using Atomic = YieldingAtomic<U>;
  static constexpr Index kFirstIndex = static_cast<Index>(-100);
  static constexpr std::size_t kMinCapacity = 2;
  static constexpr std::size_t kKeptCapacity = 4;
  static constexpr int kEmptyPops = 1;
};
using Deque = WorkStealingDeque<std::uint32_t*, SmallPolicy>;

// Elements are pointers to plain counters: taking one increments it. A second taker, or a
// taker to whom the element was not properly published, is a data race and a wrong count.
class Elements {
 public:
  explicit Elements(std::size_t count) : counts_(count, 7) {}

  std::uint32_t* Make(std::size_t i) {
    counts_[i] = 0;  // What Push() must publish.
    return &counts_[i];
  }
  void ExpectAllTakenOnce() const {
    for (std::size_t i = 0; i < counts_.size(); ++i) ASSERT_EQ(counts_[i], 1u) << "element " << i;
  }

 private:
  std::vector<std::uint32_t> counts_;
};

constexpr std::size_t kElements = 100'000;
constexpr int kThieves = 3;

// The owner pushes in bursts and pops at both ends; thieves steal one or half.
void OwnerAgainstThieves(bool lifo, bool fifo) {
  Deque deque;
  Elements elements(kElements);
  std::atomic<bool> done = false;
  std::vector<std::thread> thieves;
  for (int t = 0; t < kThieves; ++t) {
    thieves.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      Deque mine;
      for (;;) {
        // Read first: what was pushed before `done` is then visible to the attempts below.
        const bool last_round = done.load();
        StealResult<std::uint32_t*> stolen =
            random() % 2 == 0 ? deque.Steal() : deque.StealHalf(mine);
        if (stolen.ok()) ++*stolen.value();
        while (std::optional<std::uint32_t*> element = mine.PopFront()) ++**element;
        if (stolen.empty() && last_round) return;
        MaybeYield(64);
      }
    });
  }
  std::mt19937 random(42);
  std::size_t next = 0;
  while (next < kElements) {
    const std::size_t burst = random() % 100;
    for (std::size_t i = 0; i < burst && next < kElements; ++i) deque.Push(elements.Make(next++));
    MaybeYield(4);
    const std::size_t pops = random() % 60;
    for (std::size_t i = 0; i < pops; ++i) {
      std::optional<std::uint32_t*> element;
      if (lifo && (!fifo || random() % 2 == 0)) {
        element = deque.Pop();
      } else if (fifo) {
        element = deque.PopFront();
      }
      if (!element) break;
      ++**element;
    }
  }
  while (lifo || fifo) {
    std::optional<std::uint32_t*> element = lifo ? deque.Pop() : deque.PopFront();
    if (!element) break;
    ++**element;
  }
  done = true;
  for (std::thread& thief : thieves) thief.join();
  elements.ExpectAllTakenOnce();
  EXPECT_TRUE(deque.EmptyHint());
}

TEST(WorkStealingDequeStressTest, ConcurrentPushAndSteal) { OwnerAgainstThieves(false, false); }
TEST(WorkStealingDequeStressTest, LifoOwnerAgainstThieves) { OwnerAgainstThieves(true, false); }
TEST(WorkStealingDequeStressTest, FifoOwnerAgainstThieves) { OwnerAgainstThieves(false, true); }
TEST(WorkStealingDequeStressTest, BothEndsAgainstThieves) { OwnerAgainstThieves(true, true); }

// One element at a time, over which owner and thieves always fight.
TEST(WorkStealingDequeStressTest, SingleElementRace) {
  constexpr std::size_t kRounds = 50'000;
  Deque deque;
  Elements elements(kRounds);
  std::atomic<bool> done = false;
  std::vector<std::thread> thieves;
  for (int t = 0; t < 2; ++t) {
    thieves.emplace_back([&] {
      for (;;) {
        const bool last_round = done.load();
        StealResult<std::uint32_t*> stolen = deque.Steal();
        if (stolen.ok()) ++*stolen.value();
        if (stolen.empty()) {
          if (last_round) return;
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::size_t i = 0; i < kRounds; ++i) {
    deque.Push(elements.Make(i));
    if (i % 16 == 0) std::this_thread::yield();
    if (std::optional<std::uint32_t*> element = i % 2 == 0 ? deque.Pop() : deque.PopFront()) {
      ++**element;
    }
  }
  done = true;
  for (std::thread& thief : thieves) thief.join();
  elements.ExpectAllTakenOnce();
  EXPECT_TRUE(deque.EmptyHint());
}

// Growth while thieves read the buffers that it retires: nothing is popped, so that the
// deque always gets longer.
TEST(WorkStealingDequeStressTest, GrowthUnderSteals) {
  for (int round = 0; round < 20; ++round) {
    constexpr std::size_t kCount = 5'000;
    Deque deque;
    Elements elements(kCount);
    std::atomic<std::size_t> stolen_count = 0;
    std::vector<std::thread> thieves;
    for (int t = 0; t < kThieves; ++t) {
      thieves.emplace_back([&] {
        while (stolen_count.load(std::memory_order_relaxed) < kCount) {
          StealResult<std::uint32_t*> stolen = deque.Steal();
          if (stolen.ok()) {
            ++*stolen.value();
            // relaxed: only the deque may order the accesses to the elements.
            stolen_count.fetch_add(1, std::memory_order_relaxed);
          } else {
            std::this_thread::yield();
          }
        }
      });
    }
    for (std::size_t i = 0; i < kCount; ++i) deque.Push(elements.Make(i));
    for (std::thread& thief : thieves) thief.join();
    elements.ExpectAllTakenOnce();
  }
}

// As in a scheduler: every worker owns a deque, works at its front, and when it has nothing
// steals half of another's. All the work comes from the first, so that most elements travel
// through several deques.
TEST(WorkStealingDequeStressTest, WorkersStealHalfFromEachOther) {
  constexpr unsigned kWorkers = 4;
  Elements elements(kElements);
  std::vector<std::unique_ptr<Deque>> deques;
  for (unsigned w = 0; w < kWorkers; ++w) deques.push_back(std::make_unique<Deque>());
  std::atomic<std::size_t> taken = 0;
  std::vector<std::thread> workers;
  for (unsigned w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      std::mt19937 random(w);
      Deque& mine = *deques[w];
      std::size_t next = w == 0 ? 0 : kElements;
      while (taken.load(std::memory_order_relaxed) < kElements) {
        const std::size_t burst = random() % 200;
        for (std::size_t i = 0; i < burst && next < kElements; ++i)
          mine.Push(elements.Make(next++));
        std::optional<std::uint32_t*> element = random() % 4 == 0 ? mine.Pop() : mine.PopFront();
        if (!element) {
          const unsigned victim = static_cast<unsigned>(random() % kWorkers);
          if (victim == w) continue;
          StealResult<std::uint32_t*> stolen = deques[victim]->StealHalf(mine);
          if (!stolen.ok()) {
            std::this_thread::yield();
            continue;
          }
          element = stolen.value();
        }
        ++**element;
        // relaxed: only the deques may order the accesses to the elements.
        taken.fetch_add(1, std::memory_order_relaxed);
        MaybeYield(64);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(taken.load(), kElements);
  elements.ExpectAllTakenOnce();
}

// Bursts that make the buffer grow, and then nothing, so that it is freed under the thieves
// that read it. AddressSanitizer watches.
TEST(WorkStealingDequeStressTest, ShrinkUnderSteals) {
  constexpr std::size_t kBurst = 200;
  constexpr std::size_t kBursts = 300;
  Deque deque;
  Elements elements(kBurst * kBursts);
  std::atomic<bool> done = false;
  std::vector<std::thread> thieves;
  for (int t = 0; t < kThieves; ++t) {
    thieves.emplace_back([&, t] {
      Deque mine;
      for (;;) {
        const bool last_round = done.load();
        StealResult<std::uint32_t*> stolen = t == 0 ? deque.StealHalf(mine) : deque.Steal();
        if (stolen.ok()) ++*stolen.value();
        while (std::optional<std::uint32_t*> element = mine.Pop()) ++**element;
        if (stolen.empty() && last_round) return;
      }
    });
  }
  for (std::size_t burst = 0; burst < kBursts; ++burst) {
    for (std::size_t i = 0; i < kBurst; ++i) deque.Push(elements.Make(burst * kBurst + i));
    while (std::optional<std::uint32_t*> element =
               burst % 2 == 0 ? deque.Pop() : deque.PopFront()) {
      ++**element;
    }
    // Thieves that are still among the elements of a burst leave soon.
    do {
      ASSERT_FALSE(deque.Pop());
    } while (deque.capacity() != 4);
  }
  done = true;
  for (std::thread& thief : thieves) thief.join();
  elements.ExpectAllTakenOnce();
}

}  // namespace
}  // namespace home
