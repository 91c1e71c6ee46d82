// FutexMutex under the model checker: nobody is in it beside another, and nobody sleeps for ever.

#include "gtest/gtest.h"
#include "home/parker/futex_mutex.h"
#include "home/parker/model_policy_testing.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using std::memory_order_acquire;
using std::memory_order_release;

template <int kThreadCount, int kTimes>
struct Exclusion : ModelScenario {
  static constexpr int kThreads = kThreadCount;
  void Thread(int) {
    for (int i = 0; i < kTimes; ++i) {
      mutex.lock();
      guarded = guarded + 1;
      mutex.unlock();
    }
  }
  void After() { model::Expect(guarded == kThreads * kTimes, "one at a time"); }

  BasicFutexMutex<ModelPolicy> mutex;
  model::Data<int> guarded{0};
};
// One that only tries.
struct Trying : Exclusion<2, 1> {
  void Thread(int index) {
    if (index == 0) return Exclusion::Thread(index);
    if (!mutex.try_lock()) return;
    guarded = guarded + 1;
    mutex.unlock();
  }
  void After() { model::Expect(guarded >= 1, "one at a time"); }
};
// One who sees what another did under the mutex, and that it is free, needs no lock to know that
// the other is out of it.
struct Looking : Exclusion<2, 1> {
  void Thread(int index) {
    if (index == 0) {
      mutex.lock();
      flag.store(true, std::memory_order_release);
      guarded = 1;
      mutex.unlock();
    } else if (flag.load(memory_order_acquire) && mutex.IsFree()) {
      model::Expect(guarded == 1, "out of it");
      guarded = 2;
    }
  }
  void After() { model::Expect(guarded >= 1, "out of it"); }

  model::Atomic<bool> flag{false};
};
// The flag tells of the lock: without its order the mutex may look as before.
struct LookingWithoutOrder : Looking {
  void Thread(int index) {
    if (index == 0) return Looking::Thread(index);
    if (flag.load(std::memory_order_relaxed) && mutex.IsFree()) guarded = 2;
  }
};

TEST(FutexMutexModelTest, Two) { model::CheckExhaustively<Exclusion<2, 1>>(); }
TEST(FutexMutexModelTest, TwoTwice) { model::CheckWithPreemptions<Exclusion<2, 2>>(3); }
TEST(FutexMutexModelTest, Three) { model::CheckRandomly<Exclusion<3, 1>>(20'000); }
TEST(FutexMutexModelTest, ThreeTwice) { model::CheckRandomly<Exclusion<3, 2>>(20'000); }
TEST(FutexMutexModelTest, Trying) { model::CheckExhaustively<Trying>(); }
TEST(FutexMutexModelTest, Looking) { model::CheckExhaustively<Looking>(); }

TEST(FutexMutexMutationTest, LookingNeedsAcquire) {
  model::ExpectFound<Looking>(
      model::Exhaustively(),
      {.function = "IsFree", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(FutexMutexMutationTest, LookingNeedsToKnowOfTheLock) {
  model::ExpectFound<LookingWithoutOrder>(model::Exhaustively());
}
TEST(FutexMutexMutationTest, UnlockingNeedsRelease) {
  model::ExpectFound<Exclusion<2, 1>>(
      model::Exhaustively(),
      {.function = "unlock", .access = Access::kRmw, .from = memory_order_release});
}
TEST(FutexMutexMutationTest, LockingNeedsAcquire) {
  model::ExpectFound<Trying>(
      model::Exhaustively(),
      {.function = "try_lock", .access = Access::kRmw, .from = memory_order_acquire});
}
TEST(FutexMutexMutationTest, LockingSlowlyNeedsAcquire) {
  model::ExpectFound<Exclusion<2, 1>>(
      model::Exhaustively(),
      {.function = "LockSlowly", .access = Access::kRmw, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home
