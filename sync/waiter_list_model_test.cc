// WaiterList under the model checker, with the mutex that it has in production: whoever sees
// without the mutex that it was released may destroy what it waited for.

#include <atomic>
#include <mutex>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/parker/futex_mutex.h"
#include "home/parker/model_policy_testing.h"
#include "home/sync/model_testing.h"
#include "home/sync/waiter_list.h"
#include "home/tools/model/checker.h"

namespace home::sync_internal {
namespace {

using model::Access;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::WithPreemptions;
using std::memory_order_acquire;
using std::memory_order_release;

struct Policy : sync_testing::ModelSyncPolicy {
  using Mutex = BasicFutexMutex<ModelPolicy>;
};
// It says that it is free while the one who releases is still in it.
struct HastyPolicy : Policy {
  struct Mutex : Policy::Mutex {
    static bool IsFree() { return true; }
  };
};

// One releases the other, who waits, or comes when it is done, and then destroys both.
template <typename TestedPolicy>
struct Destroyed : ModelScenario {
  using Waiter = PlainWaiter<TestedPolicy>;
  using List = WaiterList<Waiter>;
  static constexpr int kThreads = 2;

  struct Wait {
    using Output = void;
    home::Poll<void> Poll(Context& cx) {
      if (List::SeesRelease(scenario.mutex, waiter)) return kReady;
      const bool is_done =
          scenario.list.Poll(scenario.mutex, waiter, cx.waker(), /*will_likely_wait=*/true,
                             [&](bool released) { return released || scenario.is_released; });
      return is_done ? home::Poll<void>(kReady) : kPending;
    }
    Destroyed& scenario;
    Waiter waiter;
  };

  void Thread(int index) {
    if (index == 0) return Release();
    Wait wait{.scenario = *this, .waiter = {}};
    // The second poll may come before the wake, so that the list alone orders it.
    for (int i = 0; i < 2; ++i) {
      if (task.PollOnce(wait).ready()) return Destroy();
    }
    task.Run(wait);
    Destroy();
  }
  void Destroy() {
    model::Expect(done == 1, "what precedes the release");
    exists = 0;
  }
  void Release() {
    Waker waker;
    {
      const std::lock_guard lock(mutex);
      done = 1;
      is_released = true;
      if (!list.empty()) waker = list.Release(*list.first());
      model::Expect(exists == 1, "nobody has destroyed it");
    }
    std::move(waker).Wake();
  }
  void After() { model::Expect(task.wakers() == 0, "no waker is left"); }

  typename TestedPolicy::Mutex mutex;
  List list;
  bool is_released = false;  // under the mutex
  model::Data<int> done{0};
  model::Data<int> exists{1};
  sync_testing::ModelTask task;
};

TEST(WaiterListModelTest, Destroyed) { CheckWithPreemptions<Destroyed<Policy>>(3); }

TEST(WaiterListMutationTest, SeeingAReleaseNeedsTheMutexToBeFree) {
  ExpectFound<Destroyed<HastyPolicy>>(WithPreemptions(3));
}
// Without it the mutex may look as before the release.
TEST(WaiterListMutationTest, SeeingAReleaseNeedsAcquire) {
  ExpectFound<Destroyed<Policy>>(
      WithPreemptions(3),
      {.function = "state", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(WaiterListMutationTest, ReleasingNeedsRelease) {
  ExpectFound<Destroyed<Policy>>(
      WithPreemptions(3),
      {.function = "Release", .access = Access::kStore, .from = memory_order_release});
}
TEST(WaiterListMutationTest, SeeingThatTheMutexIsFreeNeedsAcquire) {
  ExpectFound<Destroyed<Policy>>(
      WithPreemptions(3),
      {.function = "IsFree", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::sync_internal
