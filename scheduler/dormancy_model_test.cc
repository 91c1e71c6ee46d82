// Dormancy and Idle under the model checker: a watchdog that lies down while workers wake up.
// One that sleeps on beside a worker that is awake is what the checker calls a deadlock.

#include <atomic>

#include "gtest/gtest.h"
#include "home/parker/model_policy_testing.h"
#include "home/parker/parker.h"
#include "home/scheduler/dormancy.h"
#include "home/scheduler/idle.h"
#include "home/tools/model/checker.h"

namespace home::scheduler_internal {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::Weakening;
using model::WithPreemptions;

// One worker, which is asleep at first, and at last awake.
struct Scenario : ModelScenario {
  void Before() { idle.Sleep(0, /*searching=*/false); }

  void Watch() {
    dormancy.SleepWhileAllSleep(idle, [] { return false; });
  }
  void WakeUp() {
    static_cast<void>(idle.WakeUp(0));
    dormancy.OnWakeUp();
  }

  BasicIdle<ModelPolicy> idle{1};
  BasicDormancy<ModelPolicy> dormancy;
};

// The worker wakes by itself, as from the reactor.
struct ByItself : Scenario {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) return Watch();
    WakeUp();
  }
};

// Another thread counts it as awake.
struct Notified : Scenario {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) return Watch();
    if (index == 1) {
      parker.Park();
      return WakeUp();
    }
    if (idle.WorkerToNotify()) parker.Unpark();
  }

  BasicParker<ModelPolicy> parker;
};

// The worker sleeps again and wakes again; the watchdog lies down twice.
struct Again : Scenario {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      Watch();
      return Watch();
    }
    WakeUp();
    idle.Sleep(0, /*searching=*/false);
    WakeUp();
  }
};

TEST(DormancyModelTest, AWorkerThatWakesByItself) { CheckWithPreemptions<ByItself>(4); }
TEST(DormancyModelTest, AWorkerThatIsNotified) { CheckRandomly<Notified>(100'000); }
TEST(DormancyModelTest, AWorkerThatSleepsAgain) { CheckWithPreemptions<Again>(3); }

// What the watchdog said before it asked would not be seen.
TEST(DormancyModelTest, TheQuestionReleases) {
  const Weakening weakening = {
      .function = "AllAsleep", .access = Access::kRmw, .from = std::memory_order_release};
  ExpectFound<ByItself>(WithPreemptions(3), weakening);
  ExpectFound<Notified>(Randomly(100'000), weakening);
}

TEST(DormancyModelTest, WakingUpAcquires) {
  ExpectFound<ByItself>(
      WithPreemptions(3),
      {.function = "WakeUp", .access = Access::kRmw, .from = std::memory_order_acquire});
}

TEST(DormancyModelTest, NotifyingAcquires) {
  ExpectFound<Notified>(
      Randomly(100'000),
      {.function = "WorkerToNotify", .access = Access::kRmw, .from = std::memory_order_acquire});
}

}  // namespace
}  // namespace home::scheduler_internal
