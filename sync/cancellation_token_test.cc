#include "home/sync/cancellation_token.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/future/waker.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::Countdown;
using testing::CountingWaker;
using testing::Manual;
using testing::ManualState;
using testing::PollOnce;

static_assert(Future<CancelledFuture>);
static_assert(Future<UntilCancelledFuture<Countdown<int>>>);

TEST(CancellationTokenTest, ACopyIsTheSameToken) {
  const CancellationToken token;
  const CancellationToken copy = token;
  EXPECT_TRUE(token == copy);
  EXPECT_FALSE(token == CancellationToken());
  EXPECT_FALSE(copy.IsCancelled());
  token.Cancel();
  EXPECT_TRUE(copy.IsCancelled());
  token.Cancel();
  EXPECT_TRUE(token.IsCancelled());
}

TEST(CancellationTokenTest, WaitsAreReadyOnceItIsCancelled) {
  const CancellationToken token;
  CountingWaker counter;
  CancelledFuture waits[] = {token.Cancelled(), token.Cancelled()};
  for (CancelledFuture& wait : waits) EXPECT_TRUE(PollOnce(wait, counter).pending());
  token.Cancel();
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_EQ(counter.alive(), 0);
  for (CancelledFuture& wait : waits) EXPECT_TRUE(PollOnce(wait, counter).ready());
  CancelledFuture late = token.Cancelled();
  EXPECT_TRUE(PollOnce(late).ready());
}

TEST(CancellationTokenTest, AGuardCancelsInTheEndOfItsScope) {
  const CancellationToken token;
  {
    CancellationGuard first(token);
    const CancellationGuard guard = std::move(first);
    EXPECT_FALSE(token.IsCancelled());
  }
  EXPECT_TRUE(token.IsCancelled());
}

TEST(CancellationTokenTest, AGuardThatIsDisarmedCancelsNothing) {
  const CancellationToken token;
  {
    CancellationGuard guard(token);
    EXPECT_TRUE(std::move(guard).Disarm() == token);
  }
  EXPECT_FALSE(token.IsCancelled());
}

TEST(CancellationTokenTest, AWaitOutlivesItsToken) {
  std::optional<CancelledFuture> wait;
  {
    const CancellationToken token;
    wait.emplace(token.Cancelled());
    EXPECT_TRUE(PollOnce(*wait).pending());
  }
  EXPECT_TRUE(PollOnce(*wait).pending());
}

TEST(CancellationTokenTest, DroppingAWaitLosesNothing) {
  const CancellationToken token;
  CountingWaker counter;
  {
    CancelledFuture dropped = token.Cancelled();
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  token.Cancel();
  EXPECT_EQ(counter.wakes(), 0);
}

TEST(CancellationTokenTest, CancellationGoesDownTheTreeAndNotUp) {
  const CancellationToken root;
  const CancellationToken left = root.Child();
  const CancellationToken right = root.Child();
  const CancellationToken leaf = left.Child();
  left.Cancel();
  EXPECT_TRUE(left.IsCancelled());
  EXPECT_TRUE(leaf.IsCancelled());
  EXPECT_FALSE(root.IsCancelled());
  EXPECT_FALSE(right.IsCancelled());
  root.Cancel();
  EXPECT_TRUE(right.IsCancelled());
}

TEST(CancellationTokenTest, AChildOfACancelledTokenIsBornCancelled) {
  const CancellationToken root;
  const CancellationToken before = root.Child();
  root.Cancel();
  EXPECT_TRUE(root.Child().IsCancelled());
  EXPECT_TRUE(before.Child().IsCancelled());
}

TEST(CancellationTokenTest, AChildKeepsThePathToItsRoot) {
  const CancellationToken root;
  const CancellationToken leaf = root.Child().Child().Child();
  root.Cancel();
  EXPECT_TRUE(leaf.IsCancelled());
}

TEST(CancellationTokenTest, ChildrenComeAndGoInAnyOrder) {
  const CancellationToken root;
  std::vector<std::unique_ptr<CancellationToken>> children;
  for (int i = 0; i < 5; ++i) {
    children.push_back(std::make_unique<CancellationToken>(root.Child()));
  }
  for (const std::size_t dropped : {2, 0, 4}) children[dropped].reset();
  root.Cancel();
  EXPECT_TRUE(children[1]->IsCancelled());
  EXPECT_TRUE(children[3]->IsCancelled());
}

// Neither cancelling nor dropping a deep tree recurses.
TEST(CancellationTokenTest, ADeepTreeUsesNoStack) {
  const CancellationToken root;
  CancellationToken leaf = root;
  for (int i = 0; i < 200000; ++i) leaf = leaf.Child();
  root.Cancel();
  EXPECT_TRUE(leaf.IsCancelled());
  leaf = CancellationToken();
  EXPECT_FALSE(leaf.IsCancelled());
}

TEST(CancellationTokenTest, ANodeHasTheSizeThatIsStated) {
  EXPECT_LE(sizeof(sync_internal::CancellationNode), 128u);
}

TEST(CancellationCallbackTest, IsCalledOnceOnCancellation) {
  const CancellationToken root;
  int calls = 0;
  const CancellationCallback callback(root.Child(), [&calls] { ++calls; });
  EXPECT_EQ(calls, 0);
  root.Cancel();
  EXPECT_EQ(calls, 1);
  root.Cancel();
  EXPECT_EQ(calls, 1);
}

TEST(CancellationCallbackTest, IsCalledAtOnceIfTheTokenIsCancelled) {
  const CancellationToken token;
  token.Cancel();
  int calls = 0;
  const CancellationCallback callback(token, [&calls] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(CancellationCallbackTest, IsNotCalledAfterItsEnd) {
  const CancellationToken token;
  int calls = 0;
  const auto count = [&calls] { ++calls; };
  {
    const CancellationCallback first(token, count);
    std::optional<CancellationCallback<decltype(count)>> second(std::in_place, token, count);
    const CancellationCallback third(token, count);
    second.reset();
  }
  token.Cancel();
  EXPECT_EQ(calls, 0);
}

TEST(CancellationCallbackTest, MayDestroyItselfAndTheToken) {
  auto token = std::make_unique<CancellationToken>();
  struct Holder {
    std::unique_ptr<CancellationToken>* token;
    std::unique_ptr<CancellationCallback<std::function<void()>>> callback;
  };
  Holder holder{&token, nullptr};
  holder.callback =
      std::make_unique<CancellationCallback<std::function<void()>>>(*token, [&holder] {
        Holder* const kept = &holder;  // the closure dies in the next line
        kept->callback.reset();
        kept->token->reset();
      });
  token->Cancel();
  EXPECT_EQ(token, nullptr);
}

TEST(CancellationCallbackTest, MayUseItsToken) {
  const CancellationToken token;
  bool seen = false;
  std::optional<CancellationToken> child;
  const CancellationCallback callback(token, [&] {
    seen = token.IsCancelled();
    token.Cancel();
    child = token.Child();
    CancellationCallback nested(token, [] {});
  });
  token.Cancel();
  EXPECT_TRUE(seen);
  EXPECT_TRUE(child->IsCancelled());
}

TEST(CancellationCallbackTest, ItsEndWaitsForACallOnAnotherThread) {
  const CancellationToken token;
  std::atomic<bool> entered{false};
  std::atomic<bool> leave{false};
  std::atomic<bool> left{false};
  std::thread canceller;
  {
    const CancellationCallback callback(token, [&] {
      entered.store(true);
      while (!leave.load()) std::this_thread::yield();
      left.store(true);
    });
    canceller = std::thread([&token] { token.Cancel(); });
    while (!entered.load()) std::this_thread::yield();
    leave.store(true);
  }
  EXPECT_TRUE(left.load());
  canceller.join();
}

// Pitfall: user code under a lock. This waker uses the token in clone, wake and drop.
class HostileWaker : public WakerTarget {
 public:
  explicit HostileWaker(const CancellationToken& token) : WakerTarget(&kVTable), token_(token) {}
  Waker Make() { return Waker(this); }

 private:
  void Intrude() {
    CancelledFuture wait = token_.Cancelled();
    (void)PollOnce(wait);
    const CancellationToken child = token_.Child();
    const CancellationCallback callback(child, [] {});
    token_.Cancel();
  }
  static HostileWaker* Self(WakerTarget* target) { return static_cast<HostileWaker*>(target); }
  static const WakerVTable kVTable;
  const CancellationToken token_;
};

const WakerVTable HostileWaker::kVTable = {
    .clone = [](WakerTarget* target) { return Self(target)->Intrude(), target; },
    .wake = [](WakerTarget* target) { Self(target)->Intrude(); },
    .wake_by_ref = [](WakerTarget* target) { Self(target)->Intrude(); },
    .drop = [](WakerTarget* target) { Self(target)->Intrude(); },
};

TEST(CancellationTokenTest, HostileWakerReentersFromCloneWakeAndDrop) {
  const CancellationToken root;
  HostileWaker hostile(root.Child());
  const Waker waker = hostile.Make();
  Context cx(waker);
  CancelledFuture wait = root.Child().Cancelled();
  (void)wait.Poll(cx);
  root.Cancel();
  EXPECT_TRUE(PollOnce(wait).ready());
}

TEST(RunUntilCancelledTest, YieldsWhatTheFutureYields) {
  const CancellationToken token;
  auto value = RunUntilCancelled(token, Countdown<int>(2, 7));
  EXPECT_TRUE(PollOnce(value).pending());
  absl::StatusOr<int> seven = *PollOnce(value);
  EXPECT_EQ(*seven, 7);
  auto nothing = Ready() | RunUntilCancelled(token);
  absl::Status ok = *PollOnce(nothing);
  EXPECT_TRUE(ok.ok());
  auto failure = RunUntilCancelled(token, Ready(absl::InternalError("own")));
  absl::Status own = *PollOnce(failure);
  EXPECT_TRUE(absl::IsInternal(own));
}

// The task waits for what its work waits for; that a token could end it explains nothing.
TEST(RunUntilCancelledTest, TheWaitReasonIsTheWorks) {
  const Waker waker;
  Turn turn;
  Context cx(waker, &turn);
  const CancellationToken token;
  auto work = RunUntilCancelled(
      token, PollFn([](Context& inner) -> Poll<void> { return inner.PendingFor("tea"); }));
  EXPECT_TRUE(work.Poll(cx).pending());
  EXPECT_STREQ(turn.wait_reason, "tea");

  auto cancelled = token.Cancelled();
  EXPECT_TRUE(cancelled.Poll(cx).pending());
  EXPECT_STREQ(turn.wait_reason, "cancellation token");
}

TEST(RunUntilCancelledTest, CancellationDestroysTheFutureFirst) {
  const CancellationToken token;
  ManualState state;
  CountingWaker counter;
  auto future = RunUntilCancelled(token, Manual<int>(&state, 1));
  EXPECT_TRUE(PollOnce(future, counter).pending());
  token.Cancel();
  EXPECT_EQ(counter.wakes(), 1);
  absl::StatusOr<int> result = *PollOnce(future);
  EXPECT_TRUE(absl::IsCancelled(result.status()));
  EXPECT_EQ(state.alive, 0);
}

TEST(RunUntilCancelledTest, AResultThatIsThereWins) {
  const CancellationToken token;
  ManualState state;
  auto future = RunUntilCancelled(token, Manual<int>(&state, 5));
  EXPECT_TRUE(PollOnce(future).pending());
  state.Set();
  token.Cancel();
  absl::StatusOr<int> result = *PollOnce(future);
  EXPECT_EQ(*result, 5);
}

TEST(RunUntilCancelledTest, WorkThatWasCancelledBeforeIsNotBegun) {
  const CancellationToken token;
  token.Cancel();
  ManualState state;
  state.ready = true;
  auto future = RunUntilCancelled(token, Manual<int>(&state, 5));
  absl::StatusOr<int> result = *PollOnce(future);
  EXPECT_TRUE(absl::IsCancelled(result.status()));
  EXPECT_EQ(state.polls, 0);
}

TEST(RunUntilCancelledTest, HostileWaker) {
  const CancellationToken token;
  ExpectToStandAHostileWaker([&] { return RunUntilCancelled(token, PendingForever<int>()); },
                             [&] { token.Cancel(); },
                             [&] {
                               auto run = RunUntilCancelled(token.Child(), PendingForever<int>());
                               static_cast<void>(PollOnce(run).ready());
                               const CancellationCallback callback(token, [] {});
                             });
}

// Children, waits and callbacks come and go on some threads while others cancel.
TEST(CancellationTokenStressTest, TreeUnderFire) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const CancellationToken root;
    const CancellationToken shared = root.Child();
    // They outlive the threads that cancel, which may be about to wake them.
    std::array<CountingWaker, kThreads> counters;
    std::atomic<int> calls{0};
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        ready.fetch_add(1);
        while (ready.load() < kThreads) std::this_thread::yield();
        if (thread == 0) return root.Cancel();
        if (thread == 1) return shared.Cancel();
        for (int i = 0; i < 20; ++i) {
          const CancellationToken child = (i % 2 == 0 ? root : shared).Child();
          const CancellationToken grandchild = child.Child();
          CountingWaker& counter = counters[static_cast<std::size_t>(thread)];
          CancelledFuture wait = grandchild.Cancelled();
          bool pending = PollOnce(wait, counter).pending();
          const CancellationCallback callback(child, [&calls] { calls.fetch_add(1); });
          if (!pending) {
            EXPECT_TRUE(grandchild.IsCancelled());
          }
          if (i == 19) {
            // Both cancellations come, so every wait ends.
            while (pending) {
              std::this_thread::yield();
              pending = PollOnce(wait, counter).pending();
            }
            EXPECT_TRUE(grandchild.IsCancelled());
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(root.Child().IsCancelled());
    EXPECT_TRUE(shared.Child().IsCancelled());
    EXPECT_LE(calls.load(), 2 * 20);
  }
}

}  // namespace
}  // namespace home
