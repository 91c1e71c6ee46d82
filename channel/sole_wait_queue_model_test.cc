// SoleWaitQueue under the model checker, around the smallest store: a count of things.

#include <atomic>

#include "gtest/gtest.h"
#include "home/channel/model_policy_testing.h"
#include "home/channel/sole_wait_queue.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/sync/model_testing.h"
#include "home/sync/wait.h"
#include "home/tools/model/checker.h"

namespace home::channel_internal {
namespace {

using channel_testing::ModelChannelPolicy;
using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_seq_cst;
using sync_testing::ModelTask;
using Queue = SoleWaitQueue<ModelChannelPolicy>;

// What is published, and by one thread taken.
struct Store {
  void Publish() {
    published.fetch_add(1, memory_order_seq_cst);
    queue.Notify();
  }

  model::Atomic<int> published{0};
  model::Data<int> taken{0};
  Queue queue;
};

struct Side {
  explicit Side(Store& store) : store(store) {}
  Queue& queue() { return store.queue; }
  bool Take() {
    // acquire, and no more: production's store is no better ordered.
    if (store.published.load(std::memory_order_acquire) == store.taken) return false;
    store.taken = store.taken + 1;
    return true;
  }
  bool Look() { return store.published.load(memory_order_seq_cst) != store.taken; }
  void Enter() {}
  void Leave() {}

  Store& store;
};

// The future of one thing.
class Receive {
 public:
  explicit Receive(Store& store) : store_(store) {}
  Receive(const Receive&) = delete;
  Receive& operator=(const Receive&) = delete;
  ~Receive() {
    Side side(store_);
    wait_.Cancel(side);
  }
  home::Poll<void> Poll(Context& cx) {
    Side side(store_);
    return wait_.Poll(side, cx.waker()) ? home::Poll<void>(kReady) : home::Poll<void>(kPending);
  }

 private:
  Store& store_;
  sync_internal::Wait<Queue> wait_;
};

// Two publish; the last thread receives both.
template <int kThreadCount>
struct Publishing {
  static constexpr int kThreads = kThreadCount;
  static constexpr int kPublishers = kThreads - 1;

  void Thread(int index) {
    if (index < kPublishers) {
      store.Publish();
    } else {
      Consume();
    }
  }
  virtual void Consume() {
    for (int i = 0; i < kPublishers; ++i) ReceiveBy(task);
  }
  void ReceiveBy(ModelTask& receiver) {
    Receive receive(store);
    receiver.Run(receive);
  }
  void After() {
    model::Expect(store.taken == kPublishers, "all was received");
    model::Expect(task.wakers() == 0 && other_task.wakers() == 0, "no waker is left");
  }
  virtual ~Publishing() = default;

  Store store;
  ModelTask task;
  ModelTask other_task;
};
// The receiver drops its first future, which may have been woken, after one poll.
template <int kThreadCount>
struct GivingUp : Publishing<kThreadCount> {
  void Consume() override {
    int missing = this->kPublishers;
    {
      Receive receive(this->store);
      if (this->task.PollOnce(receive).ready()) --missing;
    }
    for (; missing != 0; --missing) this->ReceiveBy(this->other_task);
  }
};
// A future that waits goes on in another task.
template <int kThreadCount>
struct ChangingTask : Publishing<kThreadCount> {
  void Consume() override {
    {
      Receive receive(this->store);
      if (!this->task.PollOnce(receive).ready()) this->other_task.Run(receive);
    }
    for (int i = 1; i < this->kPublishers; ++i) this->ReceiveBy(this->task);
  }
};

TEST(SoleWaitQueueModelTest, Publishing) { CheckWithPreemptions<Publishing<2>>(3); }
TEST(SoleWaitQueueModelTest, PublishingByTwo) { CheckRandomly<Publishing<3>>(40'000); }
TEST(SoleWaitQueueModelTest, GivingUp) { CheckWithPreemptions<GivingUp<2>>(3); }
TEST(SoleWaitQueueModelTest, GivingUpBetweenTwo) { CheckRandomly<GivingUp<3>>(40'000); }
TEST(SoleWaitQueueModelTest, ChangingTask) { CheckWithPreemptions<ChangingTask<2>>(3); }
TEST(SoleWaitQueueModelTest, ChangingTaskBetweenTwo) { CheckRandomly<ChangingTask<3>>(40'000); }

TEST(SoleWaitQueueMutationTest, AddingNeedsItsOrder) {
  ExpectFound<Publishing<2>>(
      Randomly(50'000), {.function = "Add", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(SoleWaitQueueMutationTest, NotifyNeedsItsOrder) {
  ExpectFound<Publishing<2>>(
      Randomly(50'000),
      {.function = "Notify", .access = Access::kLoad, .from = memory_order_seq_cst});
}
// That the waker is read before a CAS that releases the slot has no mutation: the checker does not
// let a load see what is stored after it.

}  // namespace
}  // namespace home::channel_internal
