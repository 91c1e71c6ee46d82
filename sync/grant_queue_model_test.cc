// GrantQueue under the model checker: taking, waiting, giving back, cancelling and closing
// against one another, for permits and for readers and writers.

#include <atomic>
#include <cstdint>
#include <optional>

#include "gtest/gtest.h"
#include "home/sync/grant_queue.h"
#include "home/sync/grant_wait.h"
#include "home/sync/model_testing.h"
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

template <typename Kind, int kThreadCount, std::uint64_t kWord>
struct Scenario : LockScenario<kThreadCount> {
  using Future = GrantFuture<Kind, ModelSyncPolicy>;

  void Take(int thread, std::uint64_t request) {
    Future future(queue, request, "");
    this->tasks[thread].Run(future);
  }
  // Waits, but gives up after one poll; what it got it gives back.
  void TakeBriefly(int thread, std::uint64_t request) {
    Future future(queue, request, "");
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
      lazy.emplace(queue, kOne, "");
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
TEST(GrantQueueModelTest, Cancelled) { CheckRandomly<Cancelled>(20'000); }
TEST(GrantQueueModelTest, Lazy) { CheckRandomly<Lazy>(20'000); }
TEST(GrantQueueModelTest, Closed) { CheckRandomly<Closed>(20'000); }
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
TEST(GrantQueueMutationTest, TakingUnderTheMutexNeedsAcquire) {
  ExpectFound<Exclusion<2>>(
      WithPreemptions(3),
      {.function = "TakeOrWait", .access = Access::kRmw, .from = memory_order_acquire});
}
// Another than the one who serves has given it back.
TEST(GrantQueueMutationTest, ServingNeedsAcquire) {
  ExpectFound<Upgrade>(Randomly(200'000),
                       {.function = "Serve", .access = Access::kRmw, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::sync_internal
