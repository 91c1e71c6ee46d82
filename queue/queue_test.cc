// What all queues that own their elements have in common, on one thread and on several.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/michael_scott_queue.h"
#include "home/queue/segment_queue.h"

namespace home {
namespace {

// More than any test here has inside at once.
constexpr std::size_t kEnough = 5000;

// A bounded queue with the interface of the others.
template <typename T>
class RoomyBoundedQueue : public BoundedQueue<T> {
 public:
  RoomyBoundedQueue() : BoundedQueue<T>(kEnough) {}
  void Push(T value) { EXPECT_TRUE(this->TryPush(std::move(value))); }
};

// Blocks of two cells: every other element is at a border.
struct TinyBlocks : SegmentQueuePolicy {
  static constexpr std::size_t BlockCells(std::size_t) { return 2; }
};
// Tickets that wrap early, and for some tests often.
struct TicketsThatWrap : SegmentQueuePolicy {
  using Ticket = std::uint16_t;
  static constexpr Ticket kFirstTicket = 65'500;
  static constexpr std::size_t BlockCells(std::size_t) { return 8; }
};

struct MichaelScott {
  template <typename T>
  using Queue = MichaelScottQueue<T>;
};
struct Bounded {
  template <typename T>
  using Queue = RoomyBoundedQueue<T>;
};
template <typename Policy = SegmentQueuePolicy>
struct Segment {
  template <typename T>
  using Queue = SegmentQueue<T, Policy>;
};

template <typename Kind>
class QueueTest : public testing::Test {
 protected:
  template <typename T>
  using Queue = typename Kind::template Queue<T>;
};

using Kinds =
    testing::Types<Bounded, MichaelScott, Segment<>, Segment<TinyBlocks>, Segment<TicketsThatWrap>>;
TYPED_TEST_SUITE(QueueTest, Kinds);

TYPED_TEST(QueueTest, BasicOperations) {
  typename TestFixture::template Queue<int> queue;
  EXPECT_EQ(queue.TryPop(), std::nullopt);
  queue.Push(1);
  queue.Push(2);
  EXPECT_EQ(queue.TryPop(), 1);
  queue.Push(3);
  EXPECT_EQ(queue.TryPop(), 2);
  EXPECT_EQ(queue.TryPop(), 3);
  EXPECT_EQ(queue.TryPop(), std::nullopt);
}

TYPED_TEST(QueueTest, Fifo) {
  typename TestFixture::template Queue<int> queue;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < static_cast<int>(kEnough); ++i) queue.Push(i);
    for (int i = 0; i < static_cast<int>(kEnough); ++i) ASSERT_EQ(queue.TryPop(), i);
    ASSERT_EQ(queue.TryPop(), std::nullopt);
  }
}

TYPED_TEST(QueueTest, SingleItem) {
  typename TestFixture::template Queue<std::string> queue;
  for (int i = 0; i < 1000; ++i) {
    queue.Push("a string too long to be stored in place");
    EXPECT_EQ(queue.TryPop(), "a string too long to be stored in place");
    EXPECT_EQ(queue.TryPop(), std::nullopt);
  }
}

TYPED_TEST(QueueTest, StructElements) {
  struct Event {
    int id;
    std::string name;
  };
  typename TestFixture::template Queue<Event> queue;
  queue.Push(Event{1, "one"});
  queue.Push(Event{2, "two"});
  const std::optional<Event> event = queue.TryPop();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->id, 1);
  EXPECT_EQ(event->name, "one");
}

TYPED_TEST(QueueTest, MoveOnlyElements) {
  typename TestFixture::template Queue<std::unique_ptr<int>> queue;
  for (int i = 0; i < 100; ++i) queue.Push(std::make_unique<int>(i));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(**queue.TryPop(), i);
}

TYPED_TEST(QueueTest, ElementsThatHaveAnAddressOperator) {
  struct Unaddressable {
    void operator&() = delete;
    int number = 0;
  };
  typename TestFixture::template Queue<Unaddressable> queue;
  for (int i = 0; i < 3; ++i) queue.Push({.number = i});
  EXPECT_EQ(queue.TryPop()->number, 0);
  EXPECT_EQ(queue.TryPop()->number, 1);
}

TYPED_TEST(QueueTest, OverAlignedElements) {
  struct alignas(64) Aligned {
    std::uint64_t value;
  };
  typename TestFixture::template Queue<Aligned> queue;
  for (std::uint64_t i = 0; i < 100; ++i) queue.Push(Aligned{i});
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(queue.TryPop()->value, i);
}

TYPED_TEST(QueueTest, SizeHint) {
  typename TestFixture::template Queue<int> queue;
  EXPECT_EQ(queue.SizeHint(), 0u);
  EXPECT_TRUE(queue.EmptyHint());
  for (std::size_t i = 1; i <= 100; ++i) {
    queue.Push(1);
    ASSERT_EQ(queue.SizeHint(), i);
    ASSERT_FALSE(queue.EmptyHint());
  }
  for (std::size_t i = 100; i > 0; --i) {
    EXPECT_TRUE(queue.TryPop().has_value());
    ASSERT_EQ(queue.SizeHint(), i - 1);
  }
  EXPECT_TRUE(queue.EmptyHint());
}

TYPED_TEST(QueueTest, DestructionWithElementsInside) {
  const auto shared = std::make_shared<int>(1);
  // In the first block, at borders, over many blocks.
  for (const int inside : {0, 1, 2, 7, 8, 9, 600}) {
    for (const int popped : {0, 1, 500}) {
      {
        typename TestFixture::template Queue<std::shared_ptr<int>> queue;
        for (int i = 0; i < inside + popped; ++i) queue.Push(std::shared_ptr<int>(shared));
        for (int i = 0; i < popped; ++i) EXPECT_TRUE(queue.TryPop().has_value());
        EXPECT_EQ(shared.use_count(), 1 + inside);
      }
      ASSERT_EQ(shared.use_count(), 1) << inside << " inside after " << popped;
    }
  }
}

TYPED_TEST(QueueTest, NothingStaysBehindInAnEmptyQueue) {
  const auto shared = std::make_shared<int>(1);
  typename TestFixture::template Queue<std::shared_ptr<int>> queue;
  for (int i = 0; i < 1000; ++i) queue.Push(std::shared_ptr<int>(shared));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(queue.TryPop().has_value());
  EXPECT_EQ(shared.use_count(), 1);
}

TYPED_TEST(QueueTest, AgreesWithAModel) {
  std::mt19937 random(7);
  typename TestFixture::template Queue<int> queue;
  std::deque<int> model;
  for (int i = 0; i < 200'000; ++i) {
    // Phases in which it fills and phases in which it drains.
    if (random() % 100 < ((i / 5000) % 2 == 0 ? 60u : 40u)) {
      if (model.size() == kEnough) continue;
      queue.Push(i);
      model.push_back(i);
    } else {
      std::optional<int> expected;
      if (!model.empty()) {
        expected = model.front();
        model.pop_front();
      }
      ASSERT_EQ(queue.TryPop(), expected);
    }
    ASSERT_EQ(queue.SizeHint(), model.size());
  }
}

// The library is in no critical section when a value dies: neither that of a pop, nor that
// which a push was given.
TYPED_TEST(QueueTest, ElementsMayUseTheQueueWhenTheyDie) {
  struct Heir;
  using Queue = typename TestFixture::template Queue<std::unique_ptr<Heir>>;
  struct Heir {
    Heir(Queue& its_queue, int its_heirs) : queue(its_queue), heirs(its_heirs) {}
    Heir(const Heir&) = delete;
    Heir& operator=(const Heir&) = delete;
    ~Heir() {
      EXPECT_EQ(queue.SizeHint(), 0u);
      EXPECT_FALSE(queue.TryPop().has_value());
      if (heirs > 0) queue.Push(std::make_unique<Heir>(queue, heirs - 1));
    }
    Queue& queue;
    const int heirs;
  };
  Queue queue;
  queue.Push(std::make_unique<Heir>(queue, 100));
  int popped = 0;
  while (queue.TryPop()) ++popped;
  EXPECT_EQ(popped, 101);
}

TYPED_TEST(QueueTest, ElementsMustMoveWithoutThrowing) {
  struct ThrowingMove {
    ThrowingMove(ThrowingMove&&) {}
  };
  static_assert(!QueueElement<ThrowingMove>);
  static_assert(QueueElement<std::unique_ptr<int>>);
  struct ThrowingDestructor {
    ThrowingDestructor(ThrowingDestructor&&) noexcept = default;
    ~ThrowingDestructor() noexcept(false) {}
  };
  static_assert(!QueueElement<ThrowingDestructor>);
}

}  // namespace
}  // namespace home
