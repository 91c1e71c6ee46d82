// Pitfall 12: user code under a lock. Whoever awaits the end of tasks has a waker that uses them,
// and their executor, from clone, wake and drop.

#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
#include "home/sync/testing.h"
#include "home/task/join_handle.h"
#include "home/task/join_set.h"
#include "home/task/spawn.h"
#include "home/task/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::ManualScheduler;

// A task's future that is ready when it is told.
class Slot {
 public:
  auto Get() {
    return PollFn([this](Context& cx) -> Poll<int> {
      if (value_) return *value_;
      UpdateWaker(waker_, cx.waker());
      return kPending;
    });
  }
  void Set(int value) {
    value_ = value;
    std::move(waker_).Wake();
  }

 private:
  Waker waker_;
  std::optional<int> value_;
};

class TaskHostileWakerTest : public ::testing::Test {
 protected:
  void Run() { scheduler_.RunUntilIdle(); }

  ManualScheduler scheduler_;
  const TaskSchedulerScope scope_{&scheduler_};
};

TEST_F(TaskHostileWakerTest, JoinHandle) {
  Slot slot;
  Slot never;
  JoinHandle<int> other = scheduler_.Spawn(never.Get());
  std::optional<AbortHandle> abort;
  const auto wait = [&] {
    JoinHandle<int> handle = scheduler_.Spawn(slot.Get());
    abort = handle.abort_handle();
    Run();
    return handle;
  };
  ExpectToStandAHostileWaker(
      wait,
      [&] {
        slot.Set(1);
        Run();
      },
      [&] {
        EXPECT_FALSE(other.finished());
        scheduler_.Spawn(Ready(1)).Detach();
        abort->Abort();
      });
  other.Abort();
  Run();
  EXPECT_TRUE(other.finished());
}

TEST_F(TaskHostileWakerTest, JoinSet) {
  Slot slot;
  Slot never;
  JoinSet<int> set;
  set.Spawn(never.Get());
  set.Spawn(slot.Get());
  Run();
  ExpectToStandAHostileWaker([&] { return set.JoinNext(); },
                             [&] {
                               slot.Set(1);
                               Run();
                             },
                             [&] {
                               EXPECT_GE(set.size(), 1u);
                               set.AbortAll();
                             });
  Run();
}

// The last thing that a set does with a waker is to drop it.
TEST_F(TaskHostileWakerTest, JoinSetThatIsDropped) {
  Slot never;
  bool dropped = false;
  sync_testing::HostileWaker hostile([&] {
    scheduler_.Spawn(Ready(1)).Detach();
    dropped = true;
  });
  {
    JoinSet<int> set;
    set.Spawn(never.Get());
    Run();
    const Waker waker = hostile.Make();
    Context cx(waker);
    auto next = set.JoinNext();
    EXPECT_TRUE(next.Poll(cx).pending());
    dropped = false;
  }
  EXPECT_TRUE(dropped);
  Run();
}

}  // namespace
}  // namespace home
