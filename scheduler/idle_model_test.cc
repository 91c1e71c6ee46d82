// Idle, Watch and WorkerSleep under the model checker: workers that search and go to sleep
// while tasks are handed in from outside, and while events arrive at the reactor. A wake-up
// that is lost leaves all threads asleep, and the checker calls that a deadlock.
//
// What a worker does around these classes is Worker::Run(), Park() and FoundWork() in
// small: one queue, from which anybody takes, stands for all of theirs. It promises as
// little as it may: its accesses are relaxed, so that only the protocol orders them.

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/parker/model_policy_testing.h"
#include "home/parker/parker.h"
#include "home/scheduler/idle.h"
#include "home/scheduler/watch.h"
#include "home/scheduler/worker_sleep.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::scheduler_internal {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

struct Model : ModelPolicy {
  static constexpr absl::Duration kNap = absl::Seconds(1);
  static constexpr int kQuietNaps = 1;
};

// A step of the protocol that a mutation leaves out.
enum class Without { kNothing, kLookAfterSleep, kLookAfterSearch, kWatch, kWatchOfTheWoken };

// Threads 0 to kWorkers - 1 are workers. They are told to stop when kThings tasks and
// events are being dealt with.
template <int kWorkers, int kThings, Without kWithout = Without::kNothing, int kPinned = 0>
struct Workers : ModelScenario {
  // -- What others do ----------------------------------------------------------------

  void Submit() {
    queued.fetch_add(1, memory_order_relaxed);
    NotifyOne();
  }
  void Happen() {
    events.fetch_add(1, memory_order_relaxed);
    reactor.Unpark();
  }
  // A wake of something that is pinned to a worker, and counts as kPinned things.
  void WakePinned(int worker) {
    pinned[Index(worker)].store(1, memory_order_relaxed);
    Unpark(Index(worker));
  }
  void NotifyOne() {
    if (const std::optional<std::size_t> worker = idle.WorkerToNotify()) Unpark(*worker);
  }
  void Unpark(std::size_t worker) {
    sleeps[worker].Unpark([this] { reactor.Unpark(); });
  }

  // -- What workers do -----------------------------------------------------------------

  struct Mind {
    bool searching = false;
    bool woken = false;
  };

  void Work(int worker) {
    const std::size_t self = Index(worker);
    Mind mind;
    while (stop.load(memory_order_acquire) == 0) {
      if (pinned[self].load(memory_order_relaxed) != 0) {
        pinned[self].store(0, memory_order_relaxed);
        FoundWork(mind);
        Run(kPinned);
      } else if (Take()) {
        FoundWork(mind);
        Run(1);
      } else if (!mind.searching && idle.StartSearching()) {
        mind.searching = true;
      } else {
        Park(self, mind);
      }
    }
    if (mind.searching) FoundWork(mind);
  }
  bool Take() {
    int count = queued.load(memory_order_relaxed);
    while (count > 0) {
      if (queued.compare_exchange_weak(count, count - 1, memory_order_relaxed)) return true;
    }
    return false;
  }
  void FoundWork(Mind& mind) {
    if (std::exchange(mind.searching, false) && idle.StopSearching() &&
        kWithout != Without::kLookAfterSearch && WorkVisible()) {
      NotifyOne();
    }
    if (std::exchange(mind.woken, false) && kWithout != Without::kWatchOfTheWoken) {
      KeepWatch(watch.Keep());
    }
  }
  void Park(std::size_t self, Mind& mind) {
    idle.Sleep(self, std::exchange(mind.searching, false));
    if (kWithout != Without::kLookAfterSleep && WorkVisible()) NotifyOne();
    int came = 0;
    const bool driver = sleeps[self].Sleep(self, watch, [this, &came] {
      reactor.Park();
      came = TakeEvents();
    });
    mind.searching = idle.WakeUp(self);
    if (driver) KeepWatch(watch.ReleaseDriver());
    mind.woken = !driver;
    if (came > 0) Run(came);
  }
  // A busy worker looks at the reactor.
  void Maintain() {
    if (!watch.TryTakeDriver()) return;
    const int came = TakeEvents();
    KeepWatch(watch.ReleaseDriver());
    if (came > 0) Run(came);
  }
  int TakeEvents() { return events.exchange(0, memory_order_relaxed); }
  void KeepWatch(std::optional<std::size_t> other) {
    if (kWithout != Without::kWatch && other) Unpark(*other);
  }
  bool WorkVisible() const { return queued.load(memory_order_relaxed) > 0; }
  // So many things, which take so long that other workers have to deal with the others.
  void Run(int things) {
    if (begun.fetch_add(things, memory_order_relaxed) + things == kThings) {
      stop.store(1, memory_order_release);
      stop.Wake(kWorkers);
      for (std::size_t i = 0; i < kWorkers; ++i) Unpark(i);
    }
    while (stop.load(memory_order_relaxed) == 0) stop.Wait(0, /*timed=*/false);
  }

  static std::size_t Index(int worker) { return static_cast<std::size_t>(worker); }

  BasicIdle<Model> idle{kWorkers};
  BasicWatch<Model> watch{idle, kWorkers};
  std::array<BasicWorkerSleep<Model>, kWorkers> sleeps;
  std::array<model::Atomic<int>, kWorkers> pinned{};
  model::Atomic<int> queued{0};
  // The reactor: it holds a wake-up as a parker holds a token.
  model::Atomic<int> events{0};
  BasicParker<Model> reactor;
  model::Atomic<int> begun{0};
  model::Atomic<int> stop{0};
};

// One task from outside, one worker.
struct OneTask : Workers<1, 1> {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index < 1) return Work(index);
    Submit();
  }
};

TEST(IdleModelTest, ATaskIsNotForgotten) { CheckWithPreemptions<OneTask>(3); }

// Two tasks from outside, each of which needs a worker of its own.
template <Without kWithout>
struct TwoTasks : Workers<2, 2, kWithout> {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index < 2) return this->Work(index);
    this->Submit();
    this->Submit();
  }
};
using Submitting = TwoTasks<Without::kNothing>;

TEST(IdleModelTest, NoTaskIsForgotten) { CheckRandomly<Submitting>(100'000); }
// Three of them: only two workers may search at once.
struct ThreeTasks : Workers<3, 3> {
  static constexpr int kThreads = 4;
  void Thread(int index) {
    if (index < 3) return Work(index);
    for (int i = 0; i < 3; ++i) Submit();
  }
};

TEST(IdleModelTest, NoTaskOfThreeIsForgotten) { CheckRandomly<ThreeTasks>(50'000); }
TEST(IdleModelTest, WithoutTheLookAfterSleepOneIs) {
  ExpectFound<TwoTasks<Without::kLookAfterSleep>>(Randomly(1'000));
}
TEST(IdleModelTest, WithoutTheLookAfterSearchOneIs) {
  ExpectFound<TwoTasks<Without::kLookAfterSearch>>(Randomly(1'000));
}
TEST(IdleModelTest, NotifyingReleases) {
  ExpectFound<Submitting>(
      Randomly(100'000),
      {.function = "WorkerToNotify", .access = Access::kRmw, .from = memory_order_release});
}
TEST(IdleModelTest, LeavingTheSearchAcquires) {
  ExpectFound<Submitting>(
      Randomly(100'000),
      {.function = "StopSearching", .access = Access::kRmw, .from = memory_order_acquire});
}
TEST(IdleModelTest, GoingToSleepAcquires) {
  ExpectFound<Submitting>(
      Randomly(100'000),
      {.function = "Sleep", .access = Access::kRmw, .from = memory_order_seq_cst});
}

// Something pinned to a worker, which has only its Unpark().
struct PinnedWake : Workers<1, 1, Without::kNothing, /*kPinned=*/1> {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index < 1) return Work(index);
    WakePinned(0);
  }
};

TEST(WorkerSleepModelTest, AnUnparkIsNotLost) { CheckExhaustively<PinnedWake>(); }
TEST(WorkerSleepModelTest, AnUnparkReleases) {
  ExpectFound<PinnedWake>(WithPreemptions(3), {.function = "Unpark",
                                               .access = Access::kRmw,
                                               .type = "State",
                                               .from = memory_order_acq_rel});
}

// Two events, of which the first keeps the driver busy.
template <Without kWithout>
struct TwoEvents : Workers<2, 2, kWithout> {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index < 2) return this->Work(index);
    this->Happen();
    this->Happen();
  }
};
using Driving = TwoEvents<Without::kNothing>;

TEST(WatchModelTest, TheReactorIsTakenOver) { CheckRandomly<Driving>(50'000); }
TEST(WatchModelTest, WithoutTheWatchItIsNot) {
  ExpectFound<TwoEvents<Without::kWatch>>(Randomly(200'000));
}
// A sleeper that would have kept the watch is woken for something else, and that keeps it
// busy, too: the standby, or the one that was woken to be it.
template <int kWorkers, Without kWithout = Without::kNothing>
struct BusyElsewhere : Workers<kWorkers, kWorkers - 1, kWithout> {
  static constexpr int kThreads = kWorkers + 1;
  void Thread(int index) {
    if (index < kWorkers) return this->Work(index);
    this->Happen();
    this->WakePinned(1);
    for (int i = 2; i < kWorkers; ++i) this->Happen();
  }
};

TEST(WatchModelTest, TheStandbyIsBusyElsewhere) { CheckRandomly<BusyElsewhere<3>>(50'000); }
TEST(WatchModelTest, TheNextStandbyIsBusyElsewhere) { CheckRandomly<BusyElsewhere<4>>(50'000); }
TEST(WatchModelTest, WithoutTheWatchOfTheWokenItIsNot) {
  ExpectFound<BusyElsewhere<4, Without::kWatchOfTheWoken>>(Randomly(500'000));
}
// A worker that does not sleep is the driver for a moment, and goes on with something long.
struct BusyDriver : Workers<3, 2> {
  static constexpr int kThreads = 4;
  void Thread(int index) {
    if (index == 0) {
      Maintain();
      return Run(0);
    }
    if (index < 3) return Work(index);
    Happen();
    Happen();
  }
};

TEST(WatchModelTest, ABusyWorkerDrivesMeanwhile) { CheckRandomly<BusyDriver>(50'000); }

// W2.
TEST(WatchModelTest, LyingDownAndLookingIsSeqCst) {
  ExpectFound<Driving>(
      Randomly(500'000),
      {.function = "LieDormant", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(WatchModelTest, LeavingAndLookingIsSeqCst) {
  ExpectFound<Driving>(
      Randomly(500'000),
      {.function = "Keep", .access = Access::kLoad, .type = "bool", .from = memory_order_seq_cst});
}

}  // namespace
}  // namespace home::scheduler_internal
