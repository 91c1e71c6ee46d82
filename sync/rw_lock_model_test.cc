// RwLock under the model checker: guards that are exchanged for less and for more, against writers
// and readers that wait, and give up. (grant_queue_model_test checks the queue below it.)

#include <atomic>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/sync/event.h"
#include "home/sync/model_headers_testing.h"
#include "home/sync/model_testing.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckRandomly;
using model::ExpectFound;
using model::Randomly;
using std::memory_order_release;
using sync_testing::ModelSyncPolicy;
using sync_testing::ModelTask;

template <RwLockMode kMode>
struct Scenario {
  static constexpr int kThreads = 3;
  using Lock = RwLock<model::Data<int>>;

  template <typename F>
  auto Run(int thread, F future) {
    return tasks[thread].Run(future);
  }
  // By a writer.
  void Count(const Lock::WriteGuard& guard) { *guard = *guard + 1; }
  void ReadOnce(int thread) {
    const auto guard = Run(thread, lock.Read());
    model::Expect(*guard <= kThreads, "a value");
  }
  void WriteOnce(int thread) { Count(Run(thread, lock.Write())); }
  // Waits for it, but gives up after a poll or two.
  template <typename F>
  static void PollBriefly(ModelTask& task, F& future) {
    if (task.PollOnce(future).pending() && model::Choose(2) == 0) {
      static_cast<void>(task.PollOnce(future).ready());
    }
  }
  void ExpectCounted(int times) { model::Expect(lock.Unguarded() == times, "one at a time"); }
  void After() {
    model::Expect(lock.TryWrite().has_value(), "nobody has the lock, or waits");
    for (ModelTask& task : tasks) model::Expect(task.wakers() == 0, "no waker is left");
  }

  Lock lock{kMode, 0};
  ModelTask tasks[kThreads];
};

// A writer goes on as a reader, while another writer and a reader wait: what it reads is its own.
// `kLetsGo`: it gives the lock up in between, which is wrong.
template <RwLockMode kMode, bool kLetsGo = false>
struct Downgrade : Scenario<kMode> {
  void Thread(int index) {
    if (index == 1) return this->WriteOnce(1);
    if (index == 2) return this->ReadOnce(2);
    auto writing = std::optional(this->Run(0, this->lock.Write()));
    this->Count(*writing);
    const int written = **writing;
    if (kLetsGo) {
      writing.reset();
      const auto reading = this->Run(0, this->lock.Read());
      return model::Expect(*reading == written, "nobody wrote in between");
    }
    const auto reading = std::move(*writing).Downgrade();
    model::Expect(*reading == written, "nobody wrote in between");
  }
  void After() {
    this->ExpectCounted(2);
    Scenario<kMode>::After();
  }
};
// A writer waits behind one who reads on after a write, and gives up: a reader that waits behind
// it comes in. `kKept`: it only looks as if it gave up, which is wrong.
template <bool kKept = false>
struct WriterGivesUp : Scenario<RwLockMode::kFair> {
  void Thread(int index) {
    if (index == 0) {
      auto writing = Run(0, lock.Write());
      Count(writing);
      const auto reading = std::move(writing).Downgrade();
      Run(0, other_reads.Wait());
    } else if (index == 1) {
      waiting.emplace(lock.Write());
      PollBriefly(tasks[1], *waiting);
      if (!kKept) waiting.reset();
    } else {
      const auto reading = Run(2, lock.Read());
      model::Expect(*reading <= 1, "a value");
      other_reads.Set();
    }
  }
  void After() {
    waiting.reset();
    Scenario::After();
  }

  BasicEvent<ModelSyncPolicy> other_reads;
  std::optional<RwLockFuture<Lock::WriteGuard, Lock*>> waiting;
};
// One becomes a writer while another writer and a reader wait. `kLetsGo`: as above.
template <RwLockMode kMode, bool kLetsGo = false>
struct Upgrade : Scenario<kMode> {
  void Thread(int index) {
    if (index == 1) return this->WriteOnce(1);
    if (index == 2) return this->ReadOnce(2);
    auto looking = std::optional(this->Run(0, this->lock.UpgradableRead()));
    const int seen = **looking;
    if (kLetsGo) {
      looking.reset();
      const auto writing = this->Run(0, this->lock.Write());
      model::Expect(*writing == seen, "nobody wrote in between");
      return this->Count(writing);
    }
    const auto writing = this->Run(0, std::move(*looking).Upgrade());
    model::Expect(*writing == seen, "nobody wrote in between");
    this->Count(writing);
  }
  void After() {
    this->ExpectCounted(2);
    Scenario<kMode>::After();
  }
};
// A writer goes down to one who may become a writer, and up again.
template <RwLockMode kMode>
struct DownAndUp : Scenario<kMode> {
  void Thread(int index) {
    if (index == 1) return this->WriteOnce(1);
    if (index == 2) return this->ReadOnce(2);
    auto looking = this->Run(0, this->lock.Write()).DowngradeToUpgradable();
    const int seen = *looking;
    const auto writing = this->Run(0, std::move(looking).Upgrade());
    model::Expect(*writing == seen, "nobody wrote in between");
    this->Count(writing);
  }
  void After() {
    this->ExpectCounted(2);
    Scenario<kMode>::After();
  }
};
// An upgrade is dropped as a writer waits, whose turn it is then. `kKept`: as above.
template <RwLockMode kMode, bool kKept = false>
struct UpgradeIsCancelled : Scenario<kMode> {
  using Lock = typename Scenario<kMode>::Lock;

  void Thread(int index) {
    if (index == 1) return this->WriteOnce(1);
    if (index == 2) return this->ReadOnce(2);
    upgrade.emplace(this->Run(0, this->lock.UpgradableRead()).Upgrade());
    this->PollBriefly(this->tasks[0], *upgrade);
    if (!kKept) upgrade.reset();
  }
  void After() {
    upgrade.reset();
    this->ExpectCounted(1);
    Scenario<kMode>::After();
  }

  std::optional<RwLockUpgradeFuture<model::Data<int>, Lock*>> upgrade;
};

constexpr auto kFair = RwLockMode::kFair;
constexpr auto kPreferWriters = RwLockMode::kPreferWriters;

TEST(RwLockModelTest, Downgrade) { CheckRandomly<Downgrade<kFair>>(20'000); }
TEST(RwLockModelTest, DowngradeForWriters) { CheckRandomly<Downgrade<kPreferWriters>>(20'000); }
TEST(RwLockModelTest, WriterGivesUp) { CheckRandomly<WriterGivesUp<>>(20'000); }
TEST(RwLockModelTest, Upgrade) { CheckRandomly<Upgrade<kFair>>(20'000); }
TEST(RwLockModelTest, UpgradeForWriters) { CheckRandomly<Upgrade<kPreferWriters>>(20'000); }
TEST(RwLockModelTest, DownAndUp) { CheckRandomly<DownAndUp<kPreferWriters>>(20'000); }
TEST(RwLockModelTest, UpgradeIsCancelled) { CheckRandomly<UpgradeIsCancelled<kFair>>(20'000); }
TEST(RwLockModelTest, UpgradeForWritersIsCancelled) {
  CheckRandomly<UpgradeIsCancelled<kPreferWriters>>(20'000);
}

// -- Mutations ------------------------------------------------------------------------------

TEST(RwLockMutationTest, ALockThatIsLetGoInBetweenIsFound) {
  ExpectFound<Downgrade<kFair, /*kLetsGo=*/true>>(Randomly(20'000));
  ExpectFound<Upgrade<kPreferWriters, /*kLetsGo=*/true>>(Randomly(20'000));
}
TEST(RwLockMutationTest, AWaitThatIsKeptIsFound) {
  ExpectFound<WriterGivesUp</*kKept=*/true>>(Randomly(20'000));
  ExpectFound<UpgradeIsCancelled<kFair, /*kKept=*/true>>(Randomly(20'000));
}
TEST(RwLockMutationTest, GivingNeedsRelease) {
  const model::Weakening give{
      .function = "Give", .access = Access::kRmw, .from = memory_order_release};
  ExpectFound<Downgrade<kFair>>(Randomly(20'000), give);
  ExpectFound<DownAndUp<kPreferWriters>>(Randomly(20'000), give);
}

}  // namespace
}  // namespace home
