// GrantQueue under the model checker: taking, waiting, giving back, cancelling and closing
// against one another, for permits, for readers and writers, for notifications, and for counts.

#include <atomic>
#include <cstdint>
#include <optional>
#include <source_location>

#include "gtest/gtest.h"
#include "home/sync/countdown.h"
#include "home/sync/grant_queue.h"
#include "home/sync/grant_wait.h"
#include "home/sync/model_testing.h"
#include "home/sync/notify.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/tools/model/checker.h"

namespace home::sync_internal {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;
using std::memory_order_acquire;
using std::memory_order_release;
using sync_testing::LockScenario;
using sync_testing::ModelSyncPolicy;

constexpr std::source_location kPlace = std::source_location::current();

template <typename Kind, int kThreadCount, std::uint64_t kWord>
struct Scenario : LockScenario<kThreadCount> {
  using Future = GrantFuture<Kind, ModelSyncPolicy>;

  void Take(int thread, std::uint64_t request) {
    Future future(queue, request, "", kPlace);
    this->tasks[thread].Run(future);
  }
  // Waits, but gives up after one poll; what it got it gives back.
  void TakeBriefly(int thread, std::uint64_t request) {
    Future future(queue, request, "", kPlace);
    if (this->tasks[thread].PollOnce(future).ready()) Kind::GiveBack(queue, request);
  }
  void ExpectWord(std::uint64_t word) {
    model::Expect(queue.word() == word, "all is given back, and nobody waits");
  }

  GrantQueue<Kind, ModelSyncPolicy> queue{kWord};
};

constexpr std::uint64_t kOne = PermitQueue::kOne;

// One permit is a lock.
template <int kThreads>
struct Exclusion : Scenario<PermitKind, kThreads, kOne> {
  void Thread(int index) {
    this->Take(index, kOne);
    this->Count();
    this->queue.Give(kOne);
  }
  void After() {
    this->ExpectCounted(kThreads);
    this->ExpectWord(kOne);
    Scenario<PermitKind, kThreads, kOne>::After();
  }
};
// One wants all, others one each.
struct Weighted : Scenario<PermitKind, 3, 2 * kOne> {
  void Thread(int index) {
    const std::uint64_t request = index == 0 ? 2 * kOne : kOne;
    Take(index, request);
    queue.Give(request);
  }
  void After() {
    ExpectWord(2 * kOne);
    Scenario::After();
  }
};
// Two give one each to one that wants both: who serves it has given the second only.
struct GivenByTwo : Scenario<PermitKind, 3, 0> {
  void Thread(int index) {
    if (index == 2) {
      Take(2, 2 * kOne);
      model::Expect(guarded == 1, "what precedes each giving");
      return;
    }
    if (index == 0) guarded = 1;
    queue.Give(kOne);
  }
  void After() {
    ExpectWord(0);
    Scenario::After();
  }
};
// One of two that wait gives up, who may have stood in front, or have been granted it.
struct Cancelled : Scenario<PermitKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) queue.Give(kOne);
    if (index == 1) TakeBriefly(1, model::Choose(2) == 0 ? kOne : 2 * kOne);
    if (index == 2) Take(2, kOne);
  }
  void After() {
    ExpectWord(0);
    Scenario::After();
  }
};
// One that was granted is not polled for the rest of the run: the other is not held up.
struct Lazy : Scenario<PermitKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) {
      for (int i = 0; i < 2; ++i) queue.Give(kOne);
    }
    if (index == 1) {
      lazy.emplace(queue, kOne, "", kPlace);
      if (tasks[1].PollOnce(*lazy).ready()) queue.Give(kOne);
    }
    if (index == 2) Take(2, kOne);
  }
  void After() {
    lazy.reset();
    ExpectWord(kOne);
    Scenario::After();
  }
  std::optional<Future> lazy;
};
struct Closed : Scenario<PermitKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) queue.Close();
    if (index == 1) queue.Give(kOne);
    if (index == 2) Take(2, kOne);
  }
  void After() {
    model::Expect(queue.IsClosed() && !queue.HasWaiters(), "closed, and nobody waits");
    Scenario::After();
  }
};
// Notify: one is told twice, and another gives up: what it was told goes on, or is kept.
struct Notified : Scenario<NotificationKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) {
      guarded = 1;
      for (int i = 0; i < 2; ++i) queue.Set(NotificationKind::kKept);
    } else if (index == 1) {
      TakeBriefly(1, 0);
    } else {
      Take(2, 0);
      model::Expect(guarded == 1, "what precedes a notification");
    }
  }
  void After() {
    queue.Set(NotificationKind::kKept);
    ExpectWord(NotificationKind::kKept);
    Scenario::After();
  }
};
// Of two that wait the younger is told. It looks, or gives up, and then it is the older that has
// been told.
struct LastNotified : Scenario<NotificationKind, 2, 0> {
  using Queue = GrantQueue<NotificationKind, ModelSyncPolicy>;

  void Before() {
    older.emplace(queue, 0, "", kPlace);
    younger.emplace(queue, 0, "", kPlace);
    const bool ready = IsReady(0, *older) || IsReady(1, *younger);
    model::Expect(!ready, "nobody has been told");
  }
  void Thread(int index) {
    if (index == 0) {
      guarded = 1;
      queue.Set(NotificationKind::kKept, Queue::Whom::kLast);
    } else if (model::Choose(2) == 0) {
      younger.reset();
    } else {
      tasks[1].Run(*younger);
      model::Expect(guarded == 1, "what precedes a notification");
    }
  }
  void After() {
    model::Expect(IsReady(0, *older) == !younger.has_value(), "only one has been told");
    older.reset();
    // The flag may be left.
    queue.Set(NotificationKind::kKept);
    ExpectWord(NotificationKind::kKept);
    Scenario::After();
  }
  bool IsReady(int task, Future& future) { return tasks[task].PollOnce(future).ready(); }
  std::optional<Future> older;
  std::optional<Future> younger;
};
// One is told as the other gives up: of that one only the flag may be left.
struct NotifiedAsItGivesUp : Scenario<NotificationKind, 2, 0> {
  void Thread(int index) {
    if (index == 0) {
      guarded = 1;
      queue.Set(NotificationKind::kKept);
    } else {
      TakeBriefly(1, 0);
      if (queue.TryTake(0)) model::Expect(guarded == 1, "what precedes a notification");
    }
  }
};
// All who wait are let go, or told one by one: nobody sleeps through both.
struct AllNotified : Scenario<NotificationKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) {
      queue.ReleaseAll();
      for (int i = 0; i < 2; ++i) {
        queue.Set(NotificationKind::kKept);
        // A second one before the first is used counts once: so it waits for that.
        while ((queue.word() & NotificationKind::kKept) != 0 && took < 2) model::Yield();
      }
    } else {
      Take(index, 0);
      ++took;
    }
  }
  void After() {
    model::Expect(took == 2, "both");
    Scenario::After();
  }
  int took = 0;  // plain: all threads of the checker are one
};
// Latch: whoever waits sees what precedes each step down to zero.
struct CountedDown : Scenario<ZeroKind, 3, 2 * kOne> {
  void Thread(int index) {
    if (index == 0) {
      Take(0, 0);
      model::Expect(guarded == 1 && other == 1, "what precedes the steps");
      return;
    }
    (index == 1 ? guarded : other) = 1;
    queue.Give(-kOne);
  }
  void After() {
    ExpectWord(0);
    Scenario::After();
  }
  model::Data<int> other{0};
};
// A writer and two readers.
template <std::uint64_t kWrite>
struct ReadersAndWriter : Scenario<RwKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) {
      Take(0, kWrite);
      Count();
      queue.Give(-RwKind::kWriter);
    } else {
      Take(index, RwKind::kReader);
      model::Expect(guarded <= 1, "a value");
      queue.Give(-RwKind::kReader);
    }
  }
  void After() {
    ExpectWord(0);
    Scenario::After();
  }
};
// One becomes a writer while others read, and write.
struct Upgrade : Scenario<RwKind, 3, 0> {
  void Thread(int index) {
    if (index == 0) {
      Take(0, RwKind::kUpgradable);
      const int seen = guarded;
      Take(0, RwKind::kUpgrade);
      model::Expect(guarded == seen, "nobody wrote in between");
      guarded = seen + 1;
      queue.Give(-RwKind::kWriter);
    } else if (index == 1) {
      Take(1, RwKind::kReader);
      model::Expect(guarded <= 2, "a value");
      queue.Give(-RwKind::kReader);
    } else {
      Take(2, RwKind::kWriter);
      Count();
      queue.Give(-RwKind::kWriter);
    }
  }
  void After() {
    model::Expect(guarded == 2, "both have written");
    ExpectWord(0);
    Scenario::After();
  }
};
// An upgrade that is dropped gives up what it got, and what it had.
struct UpgradeIsCancelled : Scenario<RwKind, 2, 0> {
  void Thread(int index) {
    if (index == 0) {
      Take(0, RwKind::kUpgradable);
      TakeBriefly(0, RwKind::kUpgrade);
      queue.Give(-RwKind::kUpgradable);
    } else {
      Take(1, RwKind::kReader);
      queue.Give(-RwKind::kReader);
    }
  }
  void After() {
    ExpectWord(0);
    Scenario::After();
  }
};

TEST(GrantQueueModelTest, Exclusion) { CheckWithPreemptions<Exclusion<2>>(2); }
TEST(GrantQueueModelTest, ExclusionOfThree) { CheckRandomly<Exclusion<3>>(20'000); }
TEST(GrantQueueModelTest, Weighted) { CheckRandomly<Weighted>(20'000); }
TEST(GrantQueueModelTest, GivenByTwo) { CheckRandomly<GivenByTwo>(20'000); }
TEST(GrantQueueModelTest, Cancelled) { CheckRandomly<Cancelled>(20'000); }
TEST(GrantQueueModelTest, Lazy) { CheckRandomly<Lazy>(20'000); }
TEST(GrantQueueModelTest, Closed) { CheckRandomly<Closed>(20'000); }
TEST(GrantQueueModelTest, Notified) { CheckRandomly<Notified>(20'000); }
TEST(GrantQueueModelTest, NotifiedAsItGivesUp) { CheckWithPreemptions<NotifiedAsItGivesUp>(3); }
TEST(GrantQueueModelTest, LastNotified) { CheckWithPreemptions<LastNotified>(3); }
TEST(GrantQueueModelTest, AllNotified) { CheckRandomly<AllNotified>(20'000); }
TEST(GrantQueueModelTest, CountedDown) { CheckRandomly<CountedDown>(20'000); }
TEST(GrantQueueModelTest, ReadersAndWriter) {
  CheckRandomly<ReadersAndWriter<RwKind::kWriter>>(20'000);
}
TEST(GrantQueueModelTest, ReadersAndPreferredWriter) {
  CheckRandomly<ReadersAndWriter<RwKind::kPreferredWriter>>(20'000);
}
TEST(GrantQueueModelTest, Upgrade) { CheckRandomly<Upgrade>(20'000); }
TEST(GrantQueueModelTest, UpgradeIsCancelled) { CheckRandomly<UpgradeIsCancelled>(20'000); }

// -- Mutations ------------------------------------------------------------------------------

TEST(GrantQueueMutationTest, TakingNeedsAcquire) {
  ExpectFound<Exclusion<2>>(
      WithPreemptions(2),
      {.function = "TryTake", .access = Access::kRmw, .from = memory_order_acquire});
}
TEST(GrantQueueMutationTest, GivingNeedsRelease) {
  ExpectFound<Exclusion<2>>(
      WithPreemptions(2),
      {.function = "Give", .access = Access::kRmw, .from = memory_order_release});
}
TEST(GrantQueueMutationTest, SettingNeedsRelease) {
  ExpectFound<Notified>(Randomly(50'000),
                        {.function = "Set", .access = Access::kRmw, .from = memory_order_release});
}
TEST(GrantQueueMutationTest, SettingUnderTheMutexNeedsRelease) {
  ExpectFound<NotifiedAsItGivesUp>(
      WithPreemptions(3),
      {.function = "SetAndWake", .access = Access::kRmw, .from = memory_order_release});
}
TEST(GrantQueueMutationTest, CountingDownNeedsRelease) {
  ExpectFound<CountedDown>(
      Randomly(50'000), {.function = "Give", .access = Access::kRmw, .from = memory_order_release});
}
TEST(GrantQueueMutationTest, TakingUnderTheMutexNeedsAcquire) {
  ExpectFound<Exclusion<2>>(
      WithPreemptions(3),
      {.function = "TakeOrWait", .access = Access::kRmw, .from = memory_order_acquire});
}
// Another than the one who serves has given a part of it.
TEST(GrantQueueMutationTest, ServingNeedsAcquire) {
  ExpectFound<GivenByTwo>(
      WithPreemptions(2),
      {.function = "Serve", .access = Access::kRmw, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::sync_internal
