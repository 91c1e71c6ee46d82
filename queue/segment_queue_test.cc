// SegmentQueue: what becomes of its blocks.

#include "home/queue/segment_queue.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/queue/yielding_policy.h"

namespace home {
namespace {

// I6 for a queue that is empty and that nobody uses: the block at the front, those before it
// that wait for their lines or for the next move of a hint, one that is linked ahead, and the
// spares.
constexpr std::size_t kHandful = 5 + SegmentQueuePolicy::kSpareBlocks;

struct TinyBlocks : SegmentQueuePolicy {
  static constexpr std::size_t BlockCells(std::size_t) { return 4; }
};

struct TicketsThatWrap : TinyBlocks {
  using Ticket = std::uint8_t;
  static constexpr Ticket kFirstTicket = 253;  // Not the first of its block either.
};

TEST(SegmentQueueTest, AnUnusedQueueHoldsOneBlock) {
  SegmentQueue<std::uint64_t> queue;
  EXPECT_EQ(queue.BlockCountHint(), 1u);
  queue.Push(1);
  EXPECT_EQ(queue.TryPop(), 1u);
  EXPECT_EQ(queue.BlockCountHint(), 1u);
}

// Pitfall 28: memory in proportion to the past.
TEST(SegmentQueueTest, MemoryIsReturnedAfterTenMillionElements) {
  constexpr std::uint64_t kTotal = 10'000'000;
  SegmentQueue<std::uint64_t> queue;
  // A small backlog all the time.
  std::uint64_t popped = 0;
  for (std::uint64_t i = 0; i < kTotal; ++i) {
    queue.Push(i);
    if (i % 1000 != 999) continue;
    while (std::optional<std::uint64_t> value = queue.TryPop()) ASSERT_EQ(*value, popped++);
  }
  EXPECT_EQ(popped, kTotal);
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}

TEST(SegmentQueueTest, MemoryIsReturnedAfterALongBacklog) {
  constexpr std::uint64_t kTotal = 1'000'000;
  SegmentQueue<std::uint64_t> queue;
  for (std::uint64_t i = 0; i < kTotal; ++i) queue.Push(i);
  EXPECT_GT(queue.BlockCountHint(), 1000u);
  // It goes back while the queue drains, not at the end.
  std::size_t before = queue.BlockCountHint();
  for (std::uint64_t i = 0; i < kTotal; ++i) {
    ASSERT_EQ(queue.TryPop(), i);
    if (i % (kTotal / 10) != kTotal / 10 - 1) continue;
    EXPECT_LT(queue.BlockCountHint(), before);
    before = queue.BlockCountHint();
  }
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}

TEST(SegmentQueueTest, MemoryIsReturnedAfterConcurrentUse) {
  constexpr std::uint64_t kPerThread = 40'000;
  constexpr std::uint64_t kThreads = 3;
  SegmentQueue<std::uint64_t, queue_testing::Yielding<TinyBlocks>> queue;
  std::atomic<std::uint64_t> left = kThreads * kPerThread;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kPerThread; ++i) queue.Push(i);
    });
    threads.emplace_back([&] {
      while (left.load() > 0) {
        if (queue.TryPop().has_value()) {
          --left;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}

// A thread that sets `here` stops when it has moved a hint, until `go_on`.
struct Interruption {
  std::promise<void> stopped;
  std::promise<void> go_on;
};
thread_local Interruption* here = nullptr;

template <typename U>
struct InterruptedAtomic : std::atomic<U> {
  using std::atomic<U>::atomic;
  bool compare_exchange_strong(U& expected, U desired, std::memory_order success,
                               std::memory_order failure) {
    const bool moved = std::atomic<U>::compare_exchange_strong(expected, desired, success, failure);
    if constexpr (std::is_pointer_v<U>) {
      // The hints go from block to block; the other pointers come from null.
      if (moved && expected != nullptr && here != nullptr) {
        here->stopped.set_value();
        std::exchange(here, nullptr)->go_on.get_future().wait();
      }
    }
    return moved;
  }
};

struct Interrupted : TinyBlocks {
  template <typename U>
  using Atomic = InterruptedAtomic<U>;
};

// I6: a thread that loses its processor while a hint moves holds nothing up for good.
TEST(SegmentQueueTest, MemoryIsReturnedAfterAPushWasInterrupted) {
  constexpr std::uint64_t kTotal = 1000;
  SegmentQueue<std::uint64_t, Interrupted> queue;
  for (std::uint64_t i = 0; i < 4; ++i) queue.Push(i);
  Interruption interruption;
  std::thread late([&] {
    here = &interruption;
    queue.Push(4);
  });
  interruption.stopped.get_future().wait();
  for (std::uint64_t i = 5; i < kTotal; ++i) queue.Push(i);
  interruption.go_on.set_value();
  late.join();
  for (std::uint64_t i = 0; i < kTotal; ++i) ASSERT_EQ(queue.TryPop(), i);
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}
TEST(SegmentQueueTest, MemoryIsReturnedAfterAPopWasInterrupted) {
  constexpr std::uint64_t kTotal = 1000;
  SegmentQueue<std::uint64_t, Interrupted> queue;
  for (std::uint64_t i = 0; i < kTotal; ++i) queue.Push(i);
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_EQ(queue.TryPop(), i);
  Interruption interruption;
  std::thread late([&] {
    here = &interruption;
    EXPECT_EQ(queue.TryPop(), 4u);
  });
  interruption.stopped.get_future().wait();
  for (std::uint64_t i = 5; i < kTotal; ++i) ASSERT_EQ(queue.TryPop(), i);
  interruption.go_on.set_value();
  late.join();
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}

// What stops when it is moved out of its cell, if its thread asks for that.
struct Stopping {
  explicit Stopping(std::uint64_t n) : number(n) {}
  Stopping(Stopping&& other) noexcept : number(other.number) {
    if (here == nullptr) return;
    here->stopped.set_value();
    std::exchange(here, nullptr)->go_on.get_future().wait();
  }
  Stopping& operator=(Stopping&&) = delete;
  ~Stopping() = default;

  std::uint64_t number;
};

// I7: it is the last to leave, far behind the others, and no operation follows.
TEST(SegmentQueueTest, MemoryIsReturnedAfterAPopStoodStill) {
  constexpr std::uint64_t kTotal = 1000;
  SegmentQueue<Stopping, TinyBlocks> queue;
  for (std::uint64_t i = 0; i < kTotal; ++i) queue.Push(Stopping(i));
  for (std::uint64_t i = 0; i < 5; ++i) ASSERT_EQ(queue.TryPop()->number, i);
  std::vector<std::thread> late;
  std::vector<Interruption> interruptions(3);
  for (std::uint64_t i = 0; i < interruptions.size(); ++i) {
    late.emplace_back([&, i] {
      here = &interruptions[i];
      EXPECT_EQ(queue.TryPop()->number, 5 + 100 * i);
    });
    interruptions[i].stopped.get_future().wait();
    for (std::uint64_t n = 6 + 100 * i; n < 105 + 100 * i; ++n) {
      ASSERT_EQ(queue.TryPop()->number, n);
    }
  }
  while (queue.TryPop().has_value()) {
  }
  EXPECT_GE(queue.BlockCountHint(), (kTotal - 5) / 4);
  // They end in an order that is not that of their tickets.
  for (const std::size_t i : {1, 0, 2}) {
    interruptions[i].go_on.set_value();
    late[i].join();
  }
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}

TEST(SegmentQueueTest, PoppingFromAnEmptyQueueBurnsNoTickets) {
  SegmentQueue<int, TinyBlocks> queue;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.TryPop(), std::nullopt);
  EXPECT_EQ(queue.BlockCountHint(), 1u);
  for (int i = 0; i < 4; ++i) queue.Push(i);
  // All four in the first block; the second is linked ahead.
  EXPECT_EQ(queue.BlockCountHint(), 2u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(queue.TryPop(), i);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.TryPop(), std::nullopt);
  EXPECT_EQ(queue.BlockCountHint(), 2u);
}

// Pitfalls 3 and 4: tickets that start just below their maximum and go around many times.
TEST(SegmentQueueTest, TicketsWrap) {
  SegmentQueue<int, TicketsThatWrap> queue;
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 1 + round % 100; ++i) queue.Push(pushed++);
    EXPECT_EQ(queue.SizeHint(), static_cast<std::size_t>(pushed - popped));
    while (std::optional<int> value = queue.TryPop()) ASSERT_EQ(*value, popped++);
    ASSERT_EQ(popped, pushed);
  }
  EXPECT_LE(queue.BlockCountHint(), kHandful);
}

TEST(SegmentQueueTest, BlocksAreSizedByTheirElements) {
  EXPECT_EQ(SegmentQueuePolicy::BlockCells(16), 256u);
  EXPECT_EQ(SegmentQueuePolicy::BlockCells(24), 128u);
  EXPECT_EQ(SegmentQueuePolicy::BlockCells(1 << 20), 16u);
  struct Large {
    char bytes[10'000];
  };
  SegmentQueue<Large> queue;
  for (char i = 0; i < 100; ++i) queue.Push(Large{{i}});
  for (char i = 0; i < 100; ++i) EXPECT_EQ(queue.TryPop()->bytes[0], i);
}

}  // namespace
}  // namespace home
