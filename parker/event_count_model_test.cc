// EventCount under the model checker: waiters, notifiers, cancellations and timeouts.
//
// The conditions are relaxed atomics, so that it is the event count alone which keeps a waiter
// from sleeping over them. A lost wake-up is a deadlock.

#include <atomic>
#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "home/parker/event_count.h"
#include "home/parker/futex.h"
#include "home/parker/model_policy_testing.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"
#include "home/tools/model/weakening.h"

namespace home {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::Expect;
using model::ExpectFound;
using model::Randomly;
using model::Weakening;
using model::WithPreemptions;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

using ModelEventCount = BasicEventCount<ModelPolicy>;

enum class Notify { kOne, kAll };

template <Notify kNotify>
void NotifyBy(ModelEventCount& event_count) {
  if constexpr (kNotify == Notify::kOne) {
    event_count.NotifyOne();
  } else {
    event_count.NotifyAll();
  }
}

// The one step that matters most: publish and notify beside prepare and look.
template <Notify kNotify>
struct OneWaiter : ModelScenario {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      ModelEventCount::Waiter waiter;
      event_count.Await(waiter, [this] { return ready.load(memory_order_relaxed) == 1; });
    } else {
      ready.store(1, memory_order_relaxed);
      NotifyBy<kNotify>(event_count);
    }
  }
  ModelEventCount event_count;
  model::Atomic<int> ready{0};
};

TEST(EventCountModelTest, OneWaiter) {
  CheckWithPreemptions<OneWaiter<Notify::kOne>>(4);
  CheckWithPreemptions<OneWaiter<Notify::kAll>>(4);
}

// What precedes the notification is seen by whom it reaches.
template <Notify kNotify>
struct Payload : ModelScenario {
  static constexpr int kThreads = 2;
  void Before() { event_count.Prepare(waiter); }
  void Thread(int index) {
    if (index == 0) {
      event_count.Commit(waiter);
      Expect(payload == 1, "the payload came with the notification");
    } else {
      payload = 1;
      NotifyBy<kNotify>(event_count);
    }
  }
  ModelEventCount event_count;
  ModelEventCount::Waiter waiter;
  model::Data<int> payload{0};
};

TEST(EventCountModelTest, Payload) {
  CheckWithPreemptions<Payload<Notify::kOne>>(4);
  CheckWithPreemptions<Payload<Notify::kAll>>(4);
}

// A waiter that leaves in between, by Cancel() or because its time is over, or that was notified
// and has no use for it. The notification must reach the other one, with its payload.
struct Leaving : ModelScenario {
  static constexpr int kThreads = 3;
  void Before() {
    event_count.Prepare(stayer);
    event_count.Prepare(leaver);
  }
  void Thread(int index) {
    if (index == 0) {
      event_count.Commit(stayer);
      Expect(payload == 1, "the payload came with the notification");
    } else if (index == 1) {
      if (model::Choose(2) == 0) {
        event_count.Cancel(leaver);
      } else if (event_count.CommitUntil(leaver, ModelPolicy::kSomeDeadline)) {
        Expect(payload == 1, "the payload came with the notification");
        event_count.NotifyOne();
      }
    } else {
      payload = 1;
      event_count.NotifyOne();
    }
  }
  ModelEventCount event_count;
  ModelEventCount::Waiter stayer;
  ModelEventCount::Waiter leaver;
  model::Data<int> payload{0};
};

TEST(EventCountModelTest, NotificationOfALeavingWaiterPassesOn) { CheckRandomly<Leaving>(100'000); }

// That the checker would see it: a canceller that keeps what it was given.
struct KeepsItsNotification : Leaving {
  void Thread(int index) {
    if (index != 1) {
      Leaving::Thread(index);
    } else if (event_count.CommitUntil(leaver, ModelPolicy::kSomeDeadline)) {
      // No NotifyOne().
    }
  }
};

TEST(EventCountModelTest, NotificationThatIsKeptIsFound) {
  ExpectFound<KeepsItsNotification>(Randomly(100'000));
}

// Items for two takers, announced one by one: who is promised one is not counted again.
template <bool kTimeouts>
struct TwoItems : ModelScenario {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 2) {
      for (int i = 0; i < 2; ++i) {
        items.fetch_add(1, memory_order_relaxed);
        event_count.NotifyOne();
      }
      return;
    }
    ModelEventCount::Waiter waiter;
    for (;;) {
      event_count.Prepare(waiter);
      if (Take()) {
        event_count.Cancel(waiter);
        return;
      }
      if (kTimeouts && index == 0 && model::Choose(2) == 0) {
        static_cast<void>(event_count.CommitUntil(waiter, ModelPolicy::kSomeDeadline));
        model::Yield();
      } else {
        event_count.Commit(waiter);
      }
      if (Take()) return;
    }
  }
  bool Take() {
    int seen = items.load(memory_order_relaxed);
    while (seen > 0) {
      if (items.compare_exchange_strong(seen, seen - 1, memory_order_relaxed,
                                        memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  ModelEventCount event_count;
  model::Atomic<int> items{0};
};

TEST(EventCountModelTest, TwoItems) { CheckRandomly<TwoItems<false>>(100'000); }
TEST(EventCountModelTest, TwoItemsAndTimeouts) { CheckRandomly<TwoItems<true>>(100'000); }

// NotifyAll() reaches both, the one that sleeps and the one that is about to, though a single
// notification goes around that any of them may take.
struct Everyone : ModelScenario {
  static constexpr int kThreads = 4;
  void Thread(int index) {
    if (index <= 1) {
      ModelEventCount::Waiter waiter;
      event_count.Await(waiter, [this] { return stop.load(memory_order_relaxed) == 1; });
    } else if (index == 2) {
      stop.store(1, memory_order_relaxed);
      event_count.NotifyAll();
    } else {
      event_count.NotifyOne();
    }
  }
  ModelEventCount event_count;
  model::Atomic<int> stop{0};
};

TEST(EventCountModelTest, NotifyAllReachesEveryone) { CheckRandomly<Everyone>(100'000); }

// The waiter frees the event count the moment that it is notified for the last time.
template <Notify kNotify>
struct Lifetime : ModelScenario {
  static constexpr int kThreads = 2;
  void Before() {
    owner = std::make_unique<ModelEventCount>();
    waiter = std::make_unique<ModelEventCount::Waiter>();
    event_count = owner.get();
    event_count->Prepare(*waiter);
  }
  void Thread(int index) {
    if (index == 0) {
      owner->Commit(*waiter);
      waiter.reset();
      owner.reset();
    } else {
      NotifyBy<kNotify>(*event_count);
    }
  }
  std::unique_ptr<ModelEventCount> owner;
  std::unique_ptr<ModelEventCount::Waiter> waiter;
  ModelEventCount* event_count = nullptr;
};

TEST(EventCountModelTest, NotifyTouchesNothingAfterItsReleasingStore) {
  CheckWithPreemptions<Lifetime<Notify::kOne>>(4);
  CheckWithPreemptions<Lifetime<Notify::kAll>>(4);
}

// -- Mutations -------------------------------------------------------------------

constexpr Weakening FenceOf(const char* function) {
  return {.function = function, .access = Access::kFence, .from = memory_order_seq_cst};
}

// Without the store-load barrier on either side the wake-up is lost.
TEST(EventCountModelTest, WaiterNeedsItsFence) {
  ExpectFound<OneWaiter<Notify::kOne>>(Randomly(100'000), FenceOf("Prepare"));
  ExpectFound<OneWaiter<Notify::kAll>>(Randomly(100'000), FenceOf("Prepare"));
}

TEST(EventCountModelTest, NotifierNeedsItsFence) {
  ExpectFound<OneWaiter<Notify::kOne>>(Randomly(100'000), FenceOf("NotifyOne"));
  ExpectFound<OneWaiter<Notify::kAll>>(Randomly(100'000), FenceOf("NotifyAll"));
}

// A fence that only acquires and releases is no store-load barrier either.
TEST(EventCountModelTest, AcquireReleaseFencesAreNotEnough) {
  Weakening weaker = FenceOf("NotifyOne");
  weaker.to = std::memory_order_acq_rel;
  ExpectFound<OneWaiter<Notify::kOne>>(Randomly(100'000), weaker);
}

TEST(EventCountModelTest, SignalThatIsTakenNeedsAcquire) {
  ExpectFound<Payload<Notify::kOne>>(
      WithPreemptions(3),
      {.function = "Enlist", .access = Access::kRmw, .from = memory_order_acquire});
}

TEST(EventCountModelTest, SignalThatIsPassedOnNeedsAcquire) {
  ExpectFound<Leaving>(
      Randomly(100'000),
      {.function = "Cancel", .access = Access::kRmw, .from = memory_order_acquire});
}

// The release is there for ThreadSanitizer only: the fence before it does the same.
TEST(EventCountModelTest, SignalIsReleasedByTheFence) {
  model::ExpectUnseen<Payload<Notify::kOne>>(
      WithPreemptions(4),
      {.function = "SignalOrWake", .access = Access::kRmw, .from = memory_order_release});
}

}  // namespace
}  // namespace home
