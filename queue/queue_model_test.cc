// The queues that allocate nothing under the model checker: BoundedQueue, LockFreeMpscQueue and
// MpscQueue, the production headers with the checker's atomics.

#include <atomic>
#include <cstddef>
#include <utility>

#include "gtest/gtest.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/mpsc_queue.h"
#include "home/queue/queue_test_scenario.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::Exhaustively;
using model::ExpectFound;
using model::WithPreemptions;
using queue_testing::Modelled;
using queue_testing::QueueScenario;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;

using Policy = Modelled<QueuePolicy>;

// In the last lap before the stamps wrap.
struct BoundedPolicy : Modelled<BoundedQueuePolicy> {
  using Stamp = std::uint32_t;
  static constexpr Stamp kFirstLap = ~Stamp{0};
};

// -- BoundedQueue ------------------------------------------------------------------------

template <std::size_t kCapacity>
struct Bounded : BoundedQueue<queue_testing::Handle, BoundedPolicy> {
  Bounded() : BoundedQueue(kCapacity) {}
  // Waits for room.
  void Push(queue_testing::Handle handle) {
    while (!TryPush(std::move(handle))) model::Yield();
  }
};

struct BoundedPushAgainstPop : QueueScenario<Bounded<1>> {
  void Thread(int index) { index == 0 ? Push(0) : static_cast<void>(Pop(1)); }
};
// The second push needs the cell of the first.
struct BoundedReuse : QueueScenario<Bounded<1>> {
  void Before() { Push(kThreads); }
  void Thread(int index) { index == 0 ? Push(0) : static_cast<void>(Pop(1)); }
};
template <std::size_t kCapacity, int kThreads>
struct BoundedPairs : QueueScenario<Bounded<kCapacity>, kThreads> {
  void Thread(int index) {
    for (int i = 0; i < 3; ++i) {
      this->Push(index);
      model::Expect(this->Pop(index), "a completed push is not hidden");
    }
  }
};

TEST(BoundedQueueModelTest, PushAgainstPop) { CheckExhaustively<BoundedPushAgainstPop>(); }
TEST(BoundedQueueModelTest, Reuse) { CheckWithPreemptions<BoundedReuse>(2); }
TEST(BoundedQueueModelTest, Pairs) { CheckRandomly<BoundedPairs<2, 2>>(10'000); }
TEST(BoundedQueueModelTest, ThreePairs) { CheckRandomly<BoundedPairs<3, 3>>(10'000); }

TEST(BoundedQueueModelTest, FillingNeedsRelease) {
  ExpectFound<BoundedPushAgainstPop>(
      Exhaustively(),
      {.function = "TryPush", .access = Access::kStore, .from = memory_order_release});
}
TEST(BoundedQueueModelTest, PoppingNeedsAcquire) {
  ExpectFound<BoundedPushAgainstPop>(
      Exhaustively(),
      {.function = "TryPop", .access = Access::kLoad, .from = memory_order_acquire});
}

// -- The intrusive ones --------------------------------------------------------------------

template <typename Link>
struct Node : Link {
  model::Data<int> value;
};

// Two producers push two nodes each, the third thread consumes what it finds, and what is left
// is consumed at the end. The producer that is told to wake the consumer counts.
template <template <typename, typename> typename Queue, template <typename> typename Link,
          int kProducers, int kEach>
struct Mpsc {
  static constexpr int kThreads = kProducers + 1;
  static constexpr int kAll = kProducers * kEach;
  using Item = Node<Link<Policy>>;

  void Thread(int index) {
    if (index == kProducers) {
      for (int i = 0; i < kAll; ++i) {
        const std::size_t size = queue.SizeHint();
        model::Expect(Consume() || size == 0, "what was counted is there");
      }
      return;
    }
    for (int i = 0; i < kEach; ++i) {
      Item& item = items[index * kEach + i];
      item.value = index * kEach + i;
      queue.Push(&item);
    }
  }
  bool Consume() {
    Item* const item = queue.Pop();
    if (item == nullptr) return false;
    const int value = item->value;
    // The node is ours: the producer does not touch it any more.
    item->value = -1;
    int& expected = next[value / kEach];
    model::Expect(value % kEach == expected, "each producer's nodes in order");
    ++expected;
    return true;
  }
  void After() {
    while (Consume()) {
    }
    for (const int count : next) model::Expect(count == kEach, "all nodes");
  }
  Item items[kAll];
  int next[kProducers] = {};
  Queue<Item, Policy> queue;
};

using LockFree = Mpsc<LockFreeMpscQueue, BasicLockFreeMpscNode, 1, 2>;
using LockFreeOfTwo = Mpsc<LockFreeMpscQueue, BasicLockFreeMpscNode, 2, 2>;
using WaitFree = Mpsc<MpscQueue, BasicMpscNode, 1, 2>;
using WaitFreeOfTwo = Mpsc<MpscQueue, BasicMpscNode, 2, 2>;

// A consumer that sleeps when it has found nothing, and is woken by who got `true` only.
template <template <typename, typename> typename Queue, template <typename> typename Link>
struct Waking {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index < 2) {
      if (queue.Push(&items[index])) {
        wakes.fetch_add(1, memory_order_release);
        wakes.Wake(1);
      }
      return;
    }
    for (int popped = 0; popped < 2;) {
      const int seen = wakes.load(memory_order_acquire);
      while (queue.Pop() != nullptr) ++popped;
      if (popped < 2) wakes.Wait(seen, /*timed=*/false);
    }
  }
  Node<Link<Policy>> items[2];
  model::Atomic<int> wakes{0};
  Queue<Node<Link<Policy>>, Policy> queue;
};

TEST(LockFreeMpscQueueModelTest, OneProducer) { CheckExhaustively<LockFree>(); }
TEST(LockFreeMpscQueueModelTest, TwoProducers) { CheckRandomly<LockFreeOfTwo>(20'000); }
TEST(LockFreeMpscQueueModelTest, NoWakeUpIsLost) {
  CheckRandomly<Waking<LockFreeMpscQueue, BasicLockFreeMpscNode>>(20'000);
}
TEST(LockFreeMpscQueueModelTest, PushingNeedsRelease) {
  ExpectFound<LockFree>(Exhaustively(),
                        {.function = "Push", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(LockFreeMpscQueueModelTest, CollectingNeedsAcquire) {
  // The look before it, which is seq_cst, has acquired most of it already: all but what was
  // pushed between the two.
  ExpectFound<LockFree>(
      Exhaustively(),
      {.function = "Collect", .access = Access::kRmw, .from = memory_order_acquire});
}

TEST(MpscQueueModelTest, OneProducer) { CheckWithPreemptions<WaitFree>(2); }
TEST(MpscQueueModelTest, TwoProducers) { CheckRandomly<WaitFreeOfTwo>(20'000); }
TEST(MpscQueueModelTest, NoWakeUpIsLost) {
  CheckRandomly<Waking<MpscQueue, BasicMpscNode>>(20'000);
}
TEST(MpscQueueModelTest, PushingNeedsRelease) {
  ExpectFound<WaitFree>(WithPreemptions(2),
                        {.function = "Push", .access = Access::kRmw, .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home
