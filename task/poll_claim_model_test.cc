// PollClaim under the model checker: a worker polls while somebody ends the scope.

#include <atomic>
#include <cstdint>

#include "gtest/gtest.h"
#include "home/task/poll_claim.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::internal {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::Exhaustively;
using model::Expect;
using model::ExpectFound;

constexpr int kMostThreads = 3;

struct ModelPolicy {
  template <typename T>
  using Atomic = model::Atomic<T>;

  static std::uintptr_t ThisThread() {
    return 4 * (1 + static_cast<std::uintptr_t>(model::ThreadIndex()));
  }
  static void WaitWhile(const Atomic<std::uintptr_t>& word, std::uintptr_t value) {
    while (word.load(std::memory_order_acquire) == value) word.Wait(value, /*timed=*/false);
  }
  static void WakeAll(Atomic<std::uintptr_t>& word) { word.Wake(kMostThreads); }
};

// A structured child: `future` is plain data, where the claim has to order.
struct Child {
  // A turn of its task; `last` is one at whose end the future is ready.
  void Poll(bool last) {
    if (!claim.BeginPoll()) return;
    future = future + 1;
    if (last) return Destroy();
    claim.EndPoll();
  }
  // The end of the scope, as Forked and TaskGroup have it.
  void End() {
    while (true) {
      const auto holder = claim.TryTake();
      if (holder.none()) return Destroy();
      if (holder.gone()) break;
      Expect(!holder.is_this_thread(), "it is another one");
      claim.Await(holder);
    }
    Expect(future == kDestroyed, "gone is gone");
  }
  void Destroy() {
    Expect(future != kDestroyed, "destroyed once");
    future = kDestroyed;
    claim.Finish();
  }

  static constexpr int kDestroyed = -1;
  BasicPollClaim<ModelPolicy> claim;
  model::Data<int> future{0};
};

struct EndAgainstPolls {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      child.Poll(false);
      child.Poll(false);
    } else {
      child.End();
    }
  }
  void After() { Expect(child.future == Child::kDestroyed, "the scope's end ended it"); }
  Child child;
};

struct EndAgainstTheLastPoll {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      child.Poll(true);
    } else {
      child.End();
    }
  }
  Child child;
};

// The scope ends while the runtime cancels the task.
struct TwoEnds {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 0) {
      child.Poll(false);
    } else {
      child.End();
    }
  }
  Child child;
};

TEST(PollClaimModelTest, EndAgainstPolls) { CheckExhaustively<EndAgainstPolls>(); }
TEST(PollClaimModelTest, EndAgainstTheLastPoll) { CheckExhaustively<EndAgainstTheLastPoll>(); }
TEST(PollClaimModelTest, TwoEnds) { model::CheckWithPreemptions<TwoEnds>(3); }

TEST(PollClaimMutationTest, WhoLetsGoReleases) {
  ExpectFound<EndAgainstPolls>(
      Exhaustively(),
      {.function = "Store", .access = Access::kRmw, .from = std::memory_order_release});
}
TEST(PollClaimMutationTest, WhoTakesAcquires) {
  ExpectFound<EndAgainstPolls>(
      Exhaustively(),
      {.function = "TryTake", .access = Access::kRmw, .from = std::memory_order_acquire});
}

}  // namespace
}  // namespace home::internal
