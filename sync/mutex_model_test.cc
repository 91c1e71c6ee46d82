// The lock of Mutex, and WaitQueue below it, under the model checker. (channel_model_test checks
// WaitQueue where there is more than one thing to compete for.)

#include <atomic>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/sync/model_testing.h"
#include "home/sync/mutex.h"
#include "home/tools/model/checker.h"

namespace home::sync_internal {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::Exhaustively;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;
using sync_testing::LockScenario;
using sync_testing::ModelSyncPolicy;

template <int kThreadCount>
struct Scenario : LockScenario<kThreadCount> {
  void LockAndCount(int thread) {
    LockWait<ModelSyncPolicy> wait(lock);
    this->tasks[thread].Run(wait);
    CountAndUnlock();
  }
  void CountAndUnlock() {
    this->Count();
    lock.Unlock();
  }
  void After() {
    model::Expect(lock.TryLock(), "nobody has the lock");
    LockScenario<kThreadCount>::After();
  }

  Lock<ModelSyncPolicy> lock;
};

template <int kThreads>
struct Exclusion : Scenario<kThreads> {
  void Thread(int index) { this->LockAndCount(index); }
  void After() {
    this->ExpectCounted(kThreads);
    Scenario<kThreads>::After();
  }
};
// The same by several rounds each, through a bias that comes and is revoked (bias.h).
template <int kThreads, int kRounds, bool kBiased>
struct Rounds : Scenario<kThreads> {
  void Before() {
    if (!kBiased) return;
    model::Expect(this->lock.TryLock(), "it is free");
    this->lock.Unlock();
  }
  void Thread(int index) {
    for (int i = 0; i < kRounds; ++i) this->LockAndCount(index);
  }
  void After() {
    this->ExpectCounted(kThreads * kRounds);
    Scenario<kThreads>::After();
  }
};
// One comes again and again, so that another is overtaken and handed the lock.
struct Overtaken : Scenario<3> {
  void Thread(int index) {
    for (int i = 0; i < (index == 0 ? 3 : 1); ++i) LockAndCount(index);
  }
  void After() {
    ExpectCounted(5);
    Scenario::After();
  }
};
// One gives up, who may have been woken or handed the lock.
struct Cancelled : Scenario<3> {
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 2; ++i) LockAndCount(0);
    } else if (index == 1) {
      LockWait<ModelSyncPolicy> wait(lock);
      for (int i = 0; i < 2; ++i) {
        if (tasks[1].PollOnce(wait).ready()) return CountAndUnlock();
      }
    } else {
      LockAndCount(2);
    }
  }
};

// One was overtaken, and is handed the lock. It polls whether it was woken or not, so that nothing
// but its waiter's state tells it.
struct HandedOver : Scenario<2> {
  void Before() {
    for (int i = 0; i < 2; ++i) {
      model::Expect(lock.TryLock(), "it is free");
      model::Expect(tasks[1].PollOnce(*wait).pending(), "it is not");
      if (i == 0) lock.Unlock();
    }
  }
  void Thread(int index) {
    if (index == 0 || tasks[1].PollOnce(*wait).ready()) CountAndUnlock();
  }
  void After() {
    wait.reset();
    Scenario::After();
  }

  std::optional<LockWait<ModelSyncPolicy>> wait{std::in_place, lock};
};

TEST(MutexModelTest, Exclusion) { CheckWithPreemptions<Exclusion<2>>(2); }
TEST(MutexModelTest, ExclusionOfThree) { CheckRandomly<Exclusion<3>>(20'000); }
TEST(MutexModelTest, Biased) { CheckWithPreemptions<Rounds<2, 1, true>>(2); }
TEST(MutexModelTest, RoundsOfTwo) { CheckRandomly<Rounds<2, 3, false>>(40'000); }
TEST(MutexModelTest, RoundsOfThree) { CheckRandomly<Rounds<3, 2, true>>(40'000); }
TEST(MutexModelTest, Overtaken) { CheckRandomly<Overtaken>(40'000); }
TEST(MutexModelTest, Cancelled) { CheckRandomly<Cancelled>(40'000); }
TEST(MutexModelTest, HandedOver) { CheckExhaustively<HandedOver>(); }

// -- Mutations ------------------------------------------------------------------------------

TEST(MutexMutationTest, LockingNeedsAcquire) {
  ExpectFound<Exclusion<2>>(
      WithPreemptions(2),
      {.function = "TryLock", .access = Access::kRmw, .from = memory_order_acquire});
}
TEST(MutexMutationTest, UnlockingNeedsItsOrder) {
  ExpectFound<Exclusion<2>>(
      WithPreemptions(2),
      {.function = "Unlock", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(MutexMutationTest, LookingNeedsItsOrder) {
  ExpectFound<Exclusion<2>>(
      Randomly(50'000),
      {.function = "Look", .access = Access::kLoad, .from = memory_order_seq_cst});
}
// bias.h
TEST(MutexMutationTest, UnlockingByAStoreNeedsRelease) {
  ExpectFound<Rounds<2, 1, true>>(
      Randomly(50'000),
      {.function = "Unlock", .access = Access::kStore, .from = memory_order_release});
}
TEST(MutexMutationTest, TheFencesAreNeeded) {
  for (const char* function : {"LightFence", "HeavyFence"}) {
    ExpectFound<Rounds<2, 1, true>>(
        Randomly(50'000),
        {.function = function, .access = Access::kFence, .from = memory_order_seq_cst});
  }
}
TEST(MutexMutationTest, ABiasNeedsItsOrder) {
  ExpectFound<Rounds<2, 3, false>>(
      Randomly(100'000),
      {.function = "PublishesByStore", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(MutexMutationTest, LookingForABiasNeedsItsOrder) {
  ExpectFound<Rounds<2, 3, false>>(
      Randomly(100'000),
      {.function = "BeforeLook", .access = Access::kLoad, .from = memory_order_seq_cst});
}
// waiter_list.h
TEST(MutexMutationTest, HandingOverNeedsRelease) {
  ExpectFound<HandedOver>(
      Exhaustively(),
      {.function = "Release", .access = Access::kStore, .from = memory_order_release});
}
TEST(MutexMutationTest, SeeingThatItWasHandedOverNeedsAcquire) {
  ExpectFound<HandedOver>(
      Exhaustively(), {.function = "state", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::sync_internal
