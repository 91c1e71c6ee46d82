// Event under the model checker: setting, waiting, giving up, resetting and looking at the flag.

#include <atomic>

#include "gtest/gtest.h"
#include "home/sync/event.h"
#include "home/sync/model_testing.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::Exhaustively;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_acquire;
using std::memory_order_release;
using sync_testing::LockScenario;
using sync_testing::ModelSyncPolicy;

template <int kThreadCount>
struct Scenario : LockScenario<kThreadCount> {
  // By whoever was let through.
  void ExpectSeen() { model::Expect(this->guarded == 1, "what precedes the setting"); }
  void Wait(int thread) {
    auto wait = event.Wait();
    this->tasks[thread].Run(wait);
    ExpectSeen();
  }
  void Set() {
    this->guarded = 1;
    event.Set();
  }

  BasicEvent<ModelSyncPolicy> event;
};

struct Looked : Scenario<2> {
  void Thread(int index) {
    if (index == 0) return Set();
    if (event.IsSet()) ExpectSeen();
  }
};
// All who wait are released. One gives up after a poll.
struct Released : Scenario<3> {
  void Thread(int index) {
    if (index == 0) return Set();
    if (index == 1) {
      auto dropped = event.Wait();
      if (tasks[1].PollOnce(dropped).ready()) return ExpectSeen();
    }
    Wait(index);
  }
};
// Whoever waits when it is set is let through, though it is reset at once. The other is there
// before.
struct SetAndReset : Scenario<2> {
  void Before() { model::Expect(tasks[1].PollOnce(wait).pending(), "nobody has set it"); }
  void Thread(int index) {
    if (index == 0) {
      Set();
      event.Reset();
    } else {
      tasks[1].Run(wait);
      ExpectSeen();
    }
  }
  void After() {
    model::Expect(!event.IsSet(), "it was reset");
    Scenario::After();
  }

  BasicEvent<ModelSyncPolicy>::WaitFuture wait = event.Wait();
};
// Who was let through by a wait may destroy the event.
struct Destroyed {
  static constexpr int kThreads = 2;

  void Before() { event = new BasicEvent<ModelSyncPolicy>(); }
  void Thread(int index) {
    if (index == 0) return event->Set();
    {
      auto wait = event->Wait();
      task.Run(wait);
    }
    delete event;
  }
  void After() { model::Expect(task.wakers() == 0, "no waker is left"); }

  BasicEvent<ModelSyncPolicy>* event;
  sync_testing::ModelTask task;
};

TEST(EventModelTest, Looked) { CheckExhaustively<Looked>(); }
TEST(EventModelTest, Released) { CheckRandomly<Released>(20'000); }
TEST(EventModelTest, SetAndReset) { CheckRandomly<SetAndReset>(20'000); }
TEST(EventModelTest, Destroyed) { CheckRandomly<Destroyed>(20'000); }

// -- Mutations ------------------------------------------------------------------------------

TEST(EventMutationTest, SettingNeedsRelease) {
  ExpectFound<Looked>(Exhaustively(),
                      {.function = "Set", .access = Access::kStore, .from = memory_order_release});
}
TEST(EventMutationTest, LookingNeedsAcquire) {
  ExpectFound<Looked>(Exhaustively(),
                      {.function = "IsSet", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home
