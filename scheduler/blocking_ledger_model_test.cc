// BlockingLedger under the model checker: closures arrive, threads take them, time out,
// cannot be started, and the ledger is closed, in all orders.

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/parker/model_policy_testing.h"
#include "home/scheduler/blocking_ledger.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::scheduler_internal {
namespace {

using model::Access;
using model::CheckRandomly;
using model::Expect;
using model::ExpectFound;
using model::Randomly;

struct Closure {
  // Links of a queue are written under the mutex.
  Closure* next = nullptr;
  std::size_t task_class = 0;
  model::Data<int> runs{0};
  model::Data<int> cancelled{0};
};

struct Model : ModelPolicy {
  using Task = Closure;
  template <typename U>
  using Data = model::Data<U>;
};

// A mutation: nothing excludes anything.
struct Unlocked : Model {
  struct Mutex {
    void lock() { model::Yield(); }
    void unlock() {}
  };
};

// What any thread of a scenario does: hand in closures, and be the threads that the
// ledger asks for. A thread that the pool would start is played by whoever has to start
// it, once it has handed in all of its own.
template <typename Policy, int kTasks, std::size_t kClasses>
struct PoolScenario : ModelScenario {
  using Ledger = BlockingLedger<kClasses, Policy>;

  explicit PoolScenario(typename Ledger::Limits limits) : ledger(limits) {}

  void Admit(int index) {
    Closure& closure = closures[static_cast<std::size_t>(index)];
    const typename Ledger::Admitted admitted = ledger.Admit(&closure, closure.task_class);
    switch (admitted.what) {
      case Ledger::Admission::kRefused:
        return Cancel(&closure);
      case Ledger::Admission::kAccepted:
        return;
      case Ledger::Admission::kStart:
        if (may_fail && model::Choose(2) == 1) {
          return CancelAll(ledger.StartFailed(admitted.to_run, closure.task_class));
        }
        return RunThread(admitted.to_run, closure.task_class);
    }
  }
  void RunThread(Closure* first, std::size_t task_class) {
    typename Ledger::Thread self(task_class);
    for (Closure* task = first; task != nullptr; task = ledger.Next(self, absl::Seconds(1))) {
      RunClosure(task);
    }
  }
  void RunClosure(Closure* closure) {
    const std::size_t task_class = closure->task_class;
    // relaxed: the ledger's limits are what orders these, if anything does.
    const int now = running[task_class].fetch_add(1, std::memory_order_relaxed) + 1;
    Expect(now <= static_cast<int>(ledger.limits()[task_class]), "no class is above its limit");
    closure->runs = closure->runs + 1;
    running[task_class].fetch_sub(1, std::memory_order_relaxed);
  }
  void Cancel(Closure* closure) { closure->cancelled = closure->cancelled + 1; }
  void CancelAll(Closure* all) {
    while (all != nullptr) Cancel(std::exchange(all, all->next));
  }
  void Close() { CancelAll(ledger.Close()); }
  void After() {
    for (Closure& closure : closures) {
      Expect(closure.runs + closure.cancelled == 1, "each is run or cancelled, once");
    }
    const typename Ledger::Counts counts = ledger.counts();
    Expect(counts.threads == 0 && counts.idle == 0, "every thread is counted out");
    for (std::size_t i = 0; i < kClasses; ++i) {
      Expect(counts.running[i] == 0 && counts.queued[i] == 0, "nothing runs, nothing waits");
    }
  }

  Ledger ledger;
  std::array<Closure, kTasks> closures;
  std::array<model::Atomic<int>, kClasses> running{};
  bool may_fail = false;
};

// Two threads with a closure each, of a class that runs one at a time: the second waits,
// or is given to the first thread when that is idle, or starts its own when that has
// timed out.
template <typename Policy>
struct OneAtATime : PoolScenario<Policy, 2, 1> {
  static constexpr int kThreads = 2;
  OneAtATime() : PoolScenario<Policy, 2, 1>({1}) {}
  void Thread(int index) { this->Admit(index); }
};

TEST(BlockingLedgerModelTest, OneAtATime) { CheckRandomly<OneAtATime<Model>>(100'000); }

TEST(BlockingLedgerModelTest, WithoutTheMutexItIsFound) {
  ExpectFound<OneAtATime<Unlocked>>(Randomly(100'000));
}

// What a thread is given comes with its token.
TEST(BlockingLedgerModelTest, TheTokenReleases) {
  ExpectFound<OneAtATime<Model>>(
      Randomly(100'000),
      {.function = "Unpark", .access = Access::kRmw, .from = std::memory_order_release});
}

// The ledger is closed at any time in between, and waited for.
template <typename Policy>
struct Closing : PoolScenario<Policy, 2, 1> {
  static constexpr int kThreads = 3;
  Closing() : PoolScenario<Policy, 2, 1>({1}) {}
  void Thread(int index) {
    if (index < 2) return this->Admit(index);
    this->Close();
    Expect(this->ledger.AwaitThreads(absl::InfiniteDuration()), "without a limit");
    Expect(this->ledger.counts().threads == 0, "all threads have ended");
  }
};

TEST(BlockingLedgerModelTest, ClosedMeanwhile) { CheckRandomly<Closing<Model>>(100'000); }

// One class is at its limit; the other is not held up.
struct TwoClasses : PoolScenario<Model, 3, 2> {
  static constexpr int kThreads = 3;
  TwoClasses() : PoolScenario({1, 1}) { closures[2].task_class = 1; }
  void Thread(int index) { Admit(index); }
};

TEST(BlockingLedgerModelTest, TwoClasses) { CheckRandomly<TwoClasses>(100'000); }

// Threads that cannot be started: what they were for is run by others or handed back.
struct FailingStarts : PoolScenario<Model, 3, 2> {
  static constexpr int kThreads = 3;
  FailingStarts() : PoolScenario({2, 1}) {
    closures[2].task_class = 1;
    may_fail = true;
  }
  void Thread(int index) { Admit(index); }
};

TEST(BlockingLedgerModelTest, ThreadsThatCannotBeStarted) { CheckRandomly<FailingStarts>(200'000); }

// That a closure which is handed back and forgotten would be seen.
struct ForgetsTheStranded : FailingStarts {
  void Thread(int index) {
    Closure& closure = closures[static_cast<std::size_t>(index)];
    const Ledger::Admitted admitted = ledger.Admit(&closure, closure.task_class);
    if (admitted.what == Ledger::Admission::kStart) {
      static_cast<void>(ledger.StartFailed(admitted.to_run, closure.task_class));
    }
  }
};

TEST(BlockingLedgerModelTest, AForgottenClosureIsFound) {
  ExpectFound<ForgetsTheStranded>(Randomly(1'000));
}

// A closure runs at once, above the limit and after the end, and its thread leaves its place
// to another, which takes what arrives.
template <typename Policy>
struct ChangingPlaces : PoolScenario<Policy, 3, 2> {
  using Base = PoolScenario<Policy, 3, 2>;
  static constexpr int kThreads = 4;
  ChangingPlaces() : Base({1, 1}) { this->closures[2].task_class = 1; }
  void Thread(int index) {
    if (index == 0) return this->Admit(0);
    if (index == 1) return this->Admit(1);
    if (index == 2) return this->Close();
    Closure& offer = this->closures[2];
    const typename Base::Ledger::Admitted admitted = this->ledger.AdmitAtOnce(&offer, 1);
    // Else an idle thread has it, and goes on by itself.
    if (admitted.what != Base::Ledger::Admission::kStart) return;
    // The thread that would be started runs it, and calls the ledger no more.
    this->RunClosure(&offer);
    typename Base::Ledger::Thread self(1);
    while (Closure* task = this->ledger.Next(self, absl::Seconds(1))) this->RunClosure(task);
  }
};

TEST(BlockingLedgerModelTest, AThreadLeavesItsPlaceToAnother) {
  CheckRandomly<ChangingPlaces<Model>>(100'000);
}

TEST(BlockingLedgerModelTest, ChangingPlacesWithoutTheMutexIsFound) {
  ExpectFound<ChangingPlaces<Unlocked>>(Randomly(100'000));
}

}  // namespace
}  // namespace home::scheduler_internal
