// The queues under real threads that are interrupted in the middle of operations: every
// element comes out once, none is invented, each producer's in order. Run under
// ThreadSanitizer and AddressSanitizer.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/hazard_pointers.h"
#include "home/queue/michael_scott_queue.h"
#include "home/queue/segment_queue.h"
#include "home/queue/yielding_policy.h"

namespace home {
namespace {

using queue_testing::Yielding;

struct Element {
  std::size_t producer;
  int sequence;
};

class BoundedAdapter : public BoundedQueue<std::unique_ptr<Element>, Yielding<BoundedQueuePolicy>> {
 public:
  BoundedAdapter() : BoundedQueue(64) {}
  void Push(std::unique_ptr<Element> element) {
    while (!TryPush(std::move(element))) std::this_thread::yield();
  }
};

struct TinyBlocks : SegmentQueuePolicy {
  static constexpr std::size_t BlockCells(std::size_t) { return 2; }
  static constexpr std::size_t kSpareBlocks = 1;
};
struct TicketsThatWrap : SegmentQueuePolicy {
  using Ticket = std::uint16_t;
  static constexpr Ticket kFirstTicket = 65'000;
  static constexpr std::size_t BlockCells(std::size_t) { return 8; }
};

template <typename Policy>
using Segment = SegmentQueue<std::unique_ptr<Element>, Yielding<Policy>>;

// Interrupted in the hazard pointers too, which look for garbage all the time here.
struct FrequentReclaim : Yielding<HazardPolicy> {
  static constexpr std::size_t kMinBatch = 1;
  static constexpr std::size_t kBatchFactor = 0;
  static constexpr std::size_t kSlots = 2;
};
struct InterruptedMichaelScott : Yielding<MichaelScottPolicy> {
  using Domain = BasicHazardDomain<FrequentReclaim>;

  class Access {
   public:
    [[nodiscard]] Domain::Participant& participant() const {
      // Never destroyed: mingw-w64 ends the main thread's variables after the static ones.
      static Domain* const domain = new Domain;
      thread_local Domain::Participant of_this_thread(*domain);
      return of_this_thread;
    }
  };
};
using MichaelScott = MichaelScottQueue<std::unique_ptr<Element>, InterruptedMichaelScott>;

template <typename Queue>
class QueueStressTest : public testing::Test {};

using Queues = testing::Types<BoundedAdapter, MichaelScott, Segment<SegmentQueuePolicy>,
                              Segment<TinyBlocks>, Segment<TicketsThatWrap>>;
TYPED_TEST_SUITE(QueueStressTest, Queues);

struct Shape {
  std::size_t producers;
  std::size_t consumers;
};

// At most half of the tickets of the narrowest kind are inside at once.
constexpr int kElements = 24'000;

TYPED_TEST(QueueStressTest, ConcurrentPushAndPop) {
  for (const Shape shape : {Shape{1, 1}, Shape{2, 2}, Shape{1, 4}, Shape{4, 1}, Shape{3, 3}}) {
    SCOPED_TRACE(std::to_string(shape.producers) + "x" + std::to_string(shape.consumers));
    const int per_producer = kElements / static_cast<int>(shape.producers);
    TypeParam queue;
    std::vector<std::vector<std::atomic<int>>> seen(shape.producers);
    for (auto& counts : seen) {
      counts = std::vector<std::atomic<int>>(static_cast<std::size_t>(per_producer));
    }
    std::atomic<int> left = per_producer * static_cast<int>(shape.producers);
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < shape.producers; ++p) {
      threads.emplace_back([&, p] {
        for (int i = 0; i < per_producer; ++i) queue.Push(std::make_unique<Element>(Element{p, i}));
      });
    }
    for (std::size_t c = 0; c < shape.consumers; ++c) {
      threads.emplace_back([&] {
        std::vector<int> last(shape.producers, -1);
        while (left.load() > 0) {
          const std::optional<std::unique_ptr<Element>> element = queue.TryPop();
          if (!element) {
            std::this_thread::yield();
            continue;
          }
          const auto [producer, sequence] = **element;
          EXPECT_LT(last[producer], sequence);
          last[producer] = sequence;
          ++seen[producer][static_cast<std::size_t>(sequence)];
          --left;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& counts : seen) {
      for (const std::atomic<int>& count : counts) ASSERT_EQ(count.load(), 1);
    }
    EXPECT_EQ(queue.SizeHint(), 0u);
    EXPECT_FALSE(queue.TryPop().has_value());
  }
}

TYPED_TEST(QueueStressTest, ConcurrentPush) {
  constexpr std::size_t kProducers = 4;
  constexpr int kPerProducer = 16;  // All fit into the bounded queue.
  for (int round = 0; round < 100; ++round) {
    TypeParam queue;
    std::vector<std::thread> producers;
    for (std::size_t p = 0; p < kProducers; ++p) {
      producers.emplace_back([&, p] {
        for (int i = 0; i < kPerProducer; ++i) queue.Push(std::make_unique<Element>(Element{p, i}));
      });
    }
    for (std::thread& producer : producers) producer.join();
    std::vector<int> next(kProducers, 0);
    while (std::optional<std::unique_ptr<Element>> element = queue.TryPop()) {
      ASSERT_EQ((*element)->sequence, next[(*element)->producer]++);
    }
    for (const int count : next) ASSERT_EQ(count, kPerProducer);
  }
}

// An element whose push has returned is there for a pop that starts afterwards, although an
// earlier push may be stuck half-way: "empty" is never said wrongly.
TYPED_TEST(QueueStressTest, ACompletedPushIsNeverHiddenByAnUnfinishedOne) {
  constexpr int kRounds = 10'000;
  TypeParam queue;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        queue.Push(std::make_unique<Element>(Element{0, i}));
        // As every thread pushes before it pops, there is an element for each.
        ASSERT_TRUE(queue.TryPop().has_value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(queue.SizeHint(), 0u);
}

// Elements left by threads that stopped at any point are destroyed with the queue.
TYPED_TEST(QueueStressTest, DestructionAfterConcurrentUseWithElementsInside) {
  for (int round = 0; round < 200; ++round) {
    TypeParam queue;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) {
          queue.Push(std::make_unique<Element>(Element{t, i}));
          if (i % 2 == 0) static_cast<void>(queue.TryPop());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(queue.SizeHint(), 30u);
  }
}

}  // namespace
}  // namespace home
