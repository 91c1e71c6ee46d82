// Condvar and Barrier under the model checker. They have no atomics of their own: what is checked
// is their order of steps, against those who give up.

#include <atomic>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/sync/model_headers_testing.h"
#include "home/sync/model_testing.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using sync_testing::ModelTask;

template <int kThreadCount>
struct Scenario {
  static constexpr int kThreads = kThreadCount;

  template <typename F>
  auto Run(int thread, F future) {
    return tasks[thread].Run(future);
  }
  void After() {
    for (ModelTask& task : tasks) model::Expect(task.wakers() == 0, "no waker is left");
  }

  ModelTask tasks[kThreads];
};

// -- Condvar --------------------------------------------------------------------------------

// Some give to a stock, and others take from it once there is something.
template <int kThreadCount>
struct Stock : Scenario<kThreadCount> {
  using Guard = MutexGuard<model::Data<int>>;

  Guard Lock(int thread) { return this->Run(thread, mutex.Lock()); }
  // Waits for as long as there is nothing.
  void Take(int thread) {
    Guard guard = Lock(thread);
    while (*guard == 0) guard = this->Run(thread, condvar.Wait(std::move(guard)));
    *guard = *guard - 1;
  }
  void Give(int thread, int amount) {
    const Guard guard = Lock(thread);
    *guard = *guard + amount;
  }
  void ExpectLeft(int amount) {
    const auto guard = mutex.TryLock();
    model::Expect(guard.has_value(), "nobody has the lock");
    model::Expect(**guard == amount, "what is left");
  }

  Mutex<model::Data<int>> mutex{0};
  Condvar condvar;
};
// `kLooksEarly`: who waits has unlocked since it looked, which is wrong.
template <bool kLooksEarly = false>
struct NotifyOne : Stock<2> {
  void Thread(int index) {
    if (index == 0) {
      Give(0, 1);
      return condvar.NotifyOne();
    }
    if (!kLooksEarly) return Take(1);
    const bool is_empty = *Lock(1) == 0;
    if (is_empty) static_cast<void>(Run(1, condvar.Wait(Lock(1))));
  }
  void After() {
    ExpectLeft(kLooksEarly ? 1 : 0);
    Stock::After();
  }
};
// All who wait are told. `kOne`: one of them is, which is not enough.
template <bool kOne = false>
struct NotifyAll : Stock<3> {
  void Thread(int index) {
    if (index != 0) return Take(index);
    Give(0, 2);
    kOne ? condvar.NotifyOne() : condvar.NotifyAll();
  }
  void After() {
    ExpectLeft(0);
    Stock::After();
  }
};
// One of two that wait gives up: before it is notified, or after that and before it has the lock.
// The other one gets what there is. `kKept`: it only looks as if it gave up, which is wrong.
template <bool kKept = false>
struct WaitIsCancelled : Stock<3> {
  using Wait = CondvarFuture<model::Data<int>, Mutex<model::Data<int>>*>;

  void Thread(int index) {
    if (index == 0) {
      Give(0, 1);
      condvar.NotifyOne();
    } else if (index == 1) {
      auto guard = Lock(1);
      if (*guard != 0) return;
      wait.emplace(condvar.Wait(std::move(guard)));
      const bool ready = IsReady() || (model::Choose(2) == 0 && IsReady());
      if (!kKept) wait.reset();
      // What it got, and did not use.
      if (ready) condvar.NotifyOne();
    } else {
      Take(2);
    }
  }
  void After() {
    wait.reset();
    ExpectLeft(0);
    Stock::After();
  }
  bool IsReady() { return tasks[1].PollOnce(*wait).ready(); }

  std::optional<Wait> wait;
};

TEST(CondvarModelTest, NotifyOne) { CheckWithPreemptions<NotifyOne<>>(2); }
TEST(CondvarModelTest, NotifyAll) { CheckRandomly<NotifyAll<>>(20'000); }
TEST(CondvarModelTest, WaitIsCancelled) { CheckRandomly<WaitIsCancelled<>>(20'000); }

// -- Barrier --------------------------------------------------------------------------------

// All meet: one leads, and each sees what the others did before. `kCount`: for how many it is.
template <int kThreadCount, int kCount = kThreadCount>
struct Meeting : Scenario<kThreadCount> {
  void Thread(int index) {
    notes[index] = 1;
    if (this->Run(index, barrier.Wait())) ++leaders;
    for (const auto& note : notes) model::Expect(note == 1, "what precedes each arrival");
  }
  void After() {
    model::Expect(leaders == 1, "one leads");
    Scenario<kThreadCount>::After();
  }

  Barrier barrier{kCount};
  model::Data<int> notes[kThreadCount];
  int leaders = 0;  // plain: all threads of the checker are one
};
// Of three, of which two are a round, one has arrived and takes that back as the others come: it
// makes up a round with one of them, or they make up one. `kKept`: it does not take it back.
template <bool kKept = false>
struct ArrivalIsCancelled : Scenario<3> {
  void Before() {
    waits[0].emplace(barrier.Wait());
    model::Expect(tasks[0].PollOnce(*waits[0]).pending(), "it is the first");
  }
  void Thread(int index) {
    if (index == 0) {
      if (!kKept) waits[0].reset();
      // release: after its end. pairs with: below.
      is_gone.store(true, std::memory_order_release);
      return;
    }
    // acquire: as above.
    if (is_gone.load(std::memory_order_acquire)) ++came_later;
    waits[index].emplace(barrier.Wait());
    if (!IsReady(index, *waits[index])) return;
    ++leaders;
    waits[index].reset();
  }
  void After() {
    waits[0].reset();
    model::Expect(leaders == 1, "two of three make up a round");
    int left = 0;
    for (int i = 1; i < 3; ++i) {
      if (waits[i].has_value() && !IsReady(i, *waits[i])) left = i;
    }
    model::Expect(came_later != 2 || left == 0, "nobody waits for one who is gone");
    auto last = barrier.Wait();
    model::Expect(IsReady(0, last) == (left != 0), "who is left waits for one");
    if (left != 0) model::Expect(IsReady(left, *waits[left]), "it is released");
    for (auto& wait : waits) wait.reset();
  }
  bool IsReady(int task, Barrier::WaitFuture& wait) { return tasks[task].PollOnce(wait).ready(); }

  Barrier barrier{2};
  std::optional<Barrier::WaitFuture> waits[3];
  model::Atomic<bool> is_gone{false};
  int leaders = 0;     // plain, as above
  int came_later = 0;  // than the first was gone
};

TEST(BarrierModelTest, Meeting) { CheckWithPreemptions<Meeting<2>>(2); }
TEST(BarrierModelTest, MeetingOfThree) { CheckRandomly<Meeting<3>>(20'000); }
TEST(BarrierModelTest, ArrivalIsCancelled) { CheckWithPreemptions<ArrivalIsCancelled<>>(2); }

// -- Mutations ------------------------------------------------------------------------------

TEST(CondvarMutationTest, ALookBeforeTheUnlockIsFound) {
  ExpectFound<NotifyOne</*kLooksEarly=*/true>>(WithPreemptions(2));
}
TEST(CondvarMutationTest, ANotificationOfOneAloneIsFound) {
  ExpectFound<NotifyAll</*kOne=*/true>>(Randomly(20'000));
}
TEST(CondvarMutationTest, AWaitThatIsKeptIsFound) {
  ExpectFound<WaitIsCancelled</*kKept=*/true>>(Randomly(20'000));
}
TEST(BarrierMutationTest, ABarrierForTooFewIsFound) {
  ExpectFound<Meeting<3, 2>>(Randomly(20'000));
}
TEST(BarrierMutationTest, AnArrivalThatIsKeptIsFound) {
  ExpectFound<ArrivalIsCancelled</*kKept=*/true>>(WithPreemptions(2));
}

}  // namespace
}  // namespace home
