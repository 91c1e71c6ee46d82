// The intrusive queues with one consumer: behaviour on one thread, then order and completeness
// under many producers.

#include "home/queue/mpsc_queue.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/yielding_policy.h"

namespace home {
namespace {

template <typename Link>
struct ItemOf : Link {
  explicit ItemOf(int item_value = 0) : value(item_value) {}
  int value;
};

struct LockFree {
  using Link = LockFreeMpscNode;
  template <typename T>
  using Queue = LockFreeMpscQueue<T>;
  static Link* Next(const Link* link) { return link->next; }
};
struct WaitFree {
  using Link = MpscNode;
  template <typename T>
  using Queue = MpscQueue<T>;
  static Link* Next(const Link* link) { return link->Next(); }
};
// The same with interruptions.
struct InterruptedLockFree {
  using Policy = queue_testing::Yielding<QueuePolicy>;
  using Link = BasicLockFreeMpscNode<Policy>;
  template <typename T>
  using Queue = LockFreeMpscQueue<T, Policy>;
  static Link* Next(const Link* link) { return link->next; }
};
struct InterruptedWaitFree {
  using Policy = queue_testing::Yielding<QueuePolicy>;
  using Link = BasicMpscNode<Policy>;
  template <typename T>
  using Queue = MpscQueue<T, Policy>;
  static Link* Next(const Link* link) { return link->Next(); }
};

template <typename Kind>
class MpscQueueTest : public testing::Test {};

using Kinds = testing::Types<LockFree, WaitFree, InterruptedLockFree, InterruptedWaitFree>;
TYPED_TEST_SUITE(MpscQueueTest, Kinds);

TYPED_TEST(MpscQueueTest, BasicOperations) {
  using Item = ItemOf<typename TypeParam::Link>;
  typename TypeParam::template Queue<Item> queue;
  EXPECT_TRUE(queue.Empty());
  EXPECT_EQ(queue.Pop(), nullptr);
  Item a(1);
  Item b(2);
  queue.Push(&a);
  EXPECT_FALSE(queue.Empty());
  queue.Push(&b);
  EXPECT_EQ(queue.Pop(), &a);
  EXPECT_FALSE(queue.Empty());
  EXPECT_EQ(queue.Pop(), &b);
  EXPECT_TRUE(queue.Empty());
  EXPECT_EQ(queue.Pop(), nullptr);
}

TYPED_TEST(MpscQueueTest, Fifo) {
  using Item = ItemOf<typename TypeParam::Link>;
  typename TypeParam::template Queue<Item> queue;
  std::vector<Item> items(100);
  for (int i = 0; i < 100; ++i) items[static_cast<std::size_t>(i)].value = i;
  // Interleaved, so that nodes wait both in the stack and in the consumer's list.
  std::size_t pushed = 0;
  int popped = 0;
  for (std::size_t step = 1; pushed < items.size(); ++step) {
    for (std::size_t i = 0; i < step && pushed < items.size(); ++i) queue.Push(&items[pushed++]);
    for (std::size_t i = 0; i < step / 2; ++i) ASSERT_EQ(queue.Pop()->value, popped++);
  }
  while (Item* item = queue.Pop()) ASSERT_EQ(item->value, popped++);
  EXPECT_EQ(popped, 100);
}

TYPED_TEST(MpscQueueTest, SingleItem) {
  using Item = ItemOf<typename TypeParam::Link>;
  typename TypeParam::template Queue<Item> queue;
  Item item(5);
  for (int i = 0; i < 10; ++i) {
    queue.Push(&item);
    EXPECT_EQ(queue.Pop(), &item);
    EXPECT_EQ(TypeParam::Next(&item), nullptr);
    EXPECT_EQ(queue.Pop(), nullptr);
  }
}

TYPED_TEST(MpscQueueTest, StructElements) {
  struct Header {
    int header = 1;
  };
  struct Job : Header, TypeParam::Link {  // The link need not come first.
    std::unique_ptr<int> payload = std::make_unique<int>(42);
  };
  typename TypeParam::template Queue<Job> queue;
  Job job;
  queue.Push(&job);
  Job* const popped = queue.Pop();
  ASSERT_EQ(popped, &job);
  EXPECT_EQ(*popped->payload, 42);
}

TYPED_TEST(MpscQueueTest, PushTellsWhoHasToWakeTheConsumer) {
  using Item = ItemOf<typename TypeParam::Link>;
  typename TypeParam::template Queue<Item> queue;
  Item a;
  Item b;
  Item c;
  EXPECT_TRUE(queue.Push(&a));
  EXPECT_FALSE(queue.Push(&b));
  EXPECT_EQ(queue.Pop(), &a);  // Collects b too.
  EXPECT_TRUE(queue.EmptyHint());
  EXPECT_FALSE(queue.Empty());
  EXPECT_TRUE(queue.Push(&c));
}

TYPED_TEST(MpscQueueTest, PopAll) {
  using Item = ItemOf<typename TypeParam::Link>;
  typename TypeParam::template Queue<Item> queue;
  EXPECT_EQ(queue.PopAll(), nullptr);
  std::vector<Item> items(6);
  const auto expect_all = [&](std::size_t from) {
    typename TypeParam::Link* node = queue.PopAll();
    for (std::size_t i = from; i < items.size(); ++i, node = TypeParam::Next(node)) {
      ASSERT_EQ(node, &items[i]);
    }
    EXPECT_EQ(node, nullptr);
    EXPECT_TRUE(queue.Empty());
  };
  for (Item& item : items) queue.Push(&item);
  expect_all(0);
  // Some collected, some not; then all collected.
  for (std::size_t i = 0; i < 3; ++i) queue.Push(&items[i]);
  EXPECT_EQ(queue.Pop(), &items[0]);
  for (std::size_t i = 3; i < 6; ++i) queue.Push(&items[i]);
  expect_all(1);
  for (Item& item : items) queue.Push(&item);
  EXPECT_EQ(queue.Pop(), &items[0]);
  expect_all(1);
}

TYPED_TEST(MpscQueueTest, SizeHint) {
  using Item = ItemOf<typename TypeParam::Link>;
  typename TypeParam::template Queue<Item> queue;
  EXPECT_EQ(queue.SizeHint(), 0U);
  std::vector<Item> items(5);
  for (std::size_t i = 0; i < 3; ++i) queue.Push(&items[i]);
  EXPECT_EQ(queue.SizeHint(), 3U);
  EXPECT_EQ(queue.Pop(), &items[0]);
  EXPECT_EQ(queue.SizeHint(), 2U);  // Both collected,
  for (std::size_t i = 3; i < 5; ++i) queue.Push(&items[i]);
  EXPECT_EQ(queue.SizeHint(), 4U);  // and now some not yet.
  EXPECT_EQ(queue.PopAll(), &items[1]);
  EXPECT_EQ(queue.SizeHint(), 0U);
}

TYPED_TEST(MpscQueueTest, DestroyedWithElementsInsideForgetsThem) {
  using Item = ItemOf<typename TypeParam::Link>;
  Item a;
  Item b;
  {
    typename TypeParam::template Queue<Item> queue;
    queue.Push(&a);
    queue.Push(&b);
  }
  typename TypeParam::template Queue<Item> other;
  other.Push(&a);
  EXPECT_EQ(other.Pop(), &a);
}

constexpr int kProducers = 4;
constexpr int kPerProducer = 20'000;

// Values are producer * kPerProducer + sequence.
template <typename Item>
std::vector<std::vector<Item>> MakeItems() {
  std::vector<std::vector<Item>> items;
  for (int p = 0; p < kProducers; ++p) items.emplace_back(kPerProducer);
  for (int p = 0; p < kProducers; ++p) {
    for (int i = 0; i < kPerProducer; ++i) {
      items[static_cast<std::size_t>(p)][static_cast<std::size_t>(i)].value = p * kPerProducer + i;
    }
  }
  return items;
}

class FifoPerProducer {
 public:
  void Saw(int value) {
    int& expected = next_[static_cast<std::size_t>(value / kPerProducer)];
    EXPECT_EQ(value % kPerProducer, expected);
    expected = value % kPerProducer + 1;
    ++count_;
  }
  int count() const { return count_; }

 private:
  std::vector<int> next_ = std::vector<int>(kProducers, 0);
  int count_ = 0;
};

TYPED_TEST(MpscQueueTest, ConcurrentPush) {
  using Item = ItemOf<typename TypeParam::Link>;
  std::vector<std::vector<Item>> items = MakeItems<Item>();
  typename TypeParam::template Queue<Item> queue;
  std::vector<std::thread> producers;
  for (std::vector<Item>& mine : items) {
    producers.emplace_back([&] {
      for (Item& item : mine) queue.Push(&item);
    });
  }
  for (std::thread& producer : producers) producer.join();
  FifoPerProducer order;
  while (Item* item = queue.Pop()) order.Saw(item->value);
  EXPECT_EQ(order.count(), kProducers * kPerProducer);
}

TYPED_TEST(MpscQueueTest, ConcurrentPushAndPop) {
  using Item = ItemOf<typename TypeParam::Link>;
  std::vector<std::vector<Item>> items = MakeItems<Item>();
  typename TypeParam::template Queue<Item> queue;
  std::vector<std::thread> producers;
  for (std::vector<Item>& mine : items) {
    producers.emplace_back([&] {
      for (Item& item : mine) {
        queue.Push(&item);
        if (item.value % 64 == 0) std::this_thread::yield();
      }
    });
  }
  FifoPerProducer order;
  while (order.count() < kProducers * kPerProducer) {
    if (Item* item = queue.Pop()) {
      order.Saw(item->value);
    } else {
      std::this_thread::yield();
    }
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(queue.Empty());
}

// A popped node goes straight back to its producer and into the queue again: the case that
// would confuse a stack that is popped node by node.
TYPED_TEST(MpscQueueTest, NodesAreReusedAtOnce) {
  using Item = ItemOf<typename TypeParam::Link>;
  constexpr int kRounds = 20'000;
  typename TypeParam::template Queue<Item> queue;
  std::vector<std::unique_ptr<std::atomic<bool>>> free;
  std::vector<Item> items(kProducers);
  for (int p = 0; p < kProducers; ++p) {
    free.push_back(std::make_unique<std::atomic<bool>>(true));
    items[static_cast<std::size_t>(p)].value = p;
  }
  std::vector<std::thread> producers;
  for (std::size_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kRounds; ++i) {
        while (!free[p]->exchange(false)) std::this_thread::yield();
        queue.Push(&items[p]);
      }
    });
  }
  for (int popped = 0; popped < kProducers * kRounds;) {
    Item* const item = queue.Pop();
    if (item == nullptr) {
      std::this_thread::yield();
      continue;
    }
    ++popped;
    EXPECT_FALSE(free[static_cast<std::size_t>(item->value)]->exchange(true));
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(queue.Empty());
}

// The protocol of the header: only a Push() that returned true wakes, and the consumer
// sleeps only after it has found the queue empty. Nothing may be slept through.
TYPED_TEST(MpscQueueTest, WakingOnlyOnTheFirstPushLosesNoWakeUp) {
  using Item = ItemOf<typename TypeParam::Link>;
  std::vector<std::vector<Item>> items = MakeItems<Item>();
  typename TypeParam::template Queue<Item> queue;
  std::atomic<int> wakes = 0;
  std::vector<std::thread> producers;
  for (std::vector<Item>& mine : items) {
    producers.emplace_back([&] {
      for (Item& item : mine) {
        if (queue.Push(&item)) {
          ++wakes;
        }
        if (item.value % 16 == 0) std::this_thread::yield();
      }
    });
  }
  FifoPerProducer order;
  while (order.count() < kProducers * kPerProducer) {
    const int seen = wakes.load();
    while (Item* item = queue.Pop()) order.Saw(item->value);
    // A node pushed after that Pop() found nothing brings a wake of its own.
    if (order.count() == kProducers * kPerProducer) break;
    // Not by wait(): where g++ 12 has no futex for it, as on Windows, it loses wake-ups.
    while (wakes.load() == seen) std::this_thread::yield();
  }
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
}  // namespace home
