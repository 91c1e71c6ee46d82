#include "home/channel/oneshot.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/channel/testing.h"
#include "home/future/async.h"
#include "home/future/future.h"
#include "home/future/select.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using channel_testing::Counted;
using sync_testing::ExpectToStandAHostileWaker;
using sync_testing::HostileWaker;
using testing::CountingWaker;
using testing::PollOnce;
using testing::Unaddressable;

static_assert(Future<OneshotReceiver<int>>);
static_assert(Future<OneshotReceiver<int>::RecvFuture>);
static_assert(Future<OneshotSender<int>::ClosedFuture>);

TEST(OneshotTest, TrySendAndRecv) {
  auto [sender, receiver] = MakeOneshot<std::unique_ptr<int>>();
  EXPECT_EQ(receiver.TryRecv().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(sender.Send(std::make_unique<int>(7)));
  EXPECT_EQ(**receiver.TryRecv(), 7);
}

TEST(OneshotTest, SenderAndReceiver) {
  auto [sender, receiver] = MakeOneshot<int>();
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(receiver, counter).pending());
  EXPECT_TRUE(PollOnce(receiver, counter).pending());
  EXPECT_EQ(counter.alive(), 1);
  EXPECT_TRUE(sender.Send(7));
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(counter.alive(), 0);
  auto received = PollOnce(receiver, counter);
  ASSERT_TRUE(received.ready());
  EXPECT_EQ(**received, 7);
}

TEST(OneshotTest, AValueThatIsThereNeedsNoWaker) {
  auto [sender, receiver] = MakeOneshot<int>();
  EXPECT_TRUE(sender.Send(7));
  CountingWaker counter;
  auto received = PollOnce(receiver, counter);
  ASSERT_TRUE(received.ready());
  EXPECT_EQ(**received, 7);
  EXPECT_EQ(counter.alive(), 0);
}

TEST(OneshotTest, ASenderThatGoesEndsTheWait) {
  std::optional<OneshotReceiver<int>> kept;
  CountingWaker counter;
  {
    auto [sender, receiver] = MakeOneshot<int>();
    EXPECT_TRUE(PollOnce(receiver, counter).pending());
    kept.emplace(std::move(receiver));
  }
  EXPECT_EQ(counter.wakes(), 1);
  auto received = PollOnce(*kept, counter);
  ASSERT_TRUE(received.ready());
  EXPECT_EQ(received.value().status().code(), absl::StatusCode::kCancelled);
}

TEST(OneshotTest, SendToNobodyLeavesTheValue) {
  auto [sender, receiver] = MakeOneshot<std::unique_ptr<int>>();
  {
    const OneshotReceiver<std::unique_ptr<int>> gone = std::move(receiver);
  }
  EXPECT_TRUE(sender.IsClosed());
  auto value = std::make_unique<int>(7);
  EXPECT_FALSE(sender.Send(std::move(value)));
  ASSERT_NE(value, nullptr);  // NOLINT: untouched, as promised
  EXPECT_EQ(*value, 7);
}

TEST(OneshotTest, Close) {
  {
    auto [sender, receiver] = MakeOneshot<int>();
    receiver.Close();
    EXPECT_TRUE(sender.IsClosed());
    EXPECT_FALSE(sender.Send(7));
    EXPECT_EQ(receiver.TryRecv().status().code(), absl::StatusCode::kCancelled);
  }
  {
    // What was sent before is still received.
    auto [sender, receiver] = MakeOneshot<int>();
    EXPECT_TRUE(sender.Send(7));
    receiver.Close();
    EXPECT_EQ(*receiver.TryRecv(), 7);
  }
  {
    // With the sender still there, a closed channel gives nothing at once.
    auto [sender, receiver] = MakeOneshot<int>();
    CountingWaker counter;
    EXPECT_TRUE(PollOnce(receiver, counter).pending());
    receiver.Close();
    EXPECT_TRUE(PollOnce(receiver, counter).ready());
    EXPECT_EQ(counter.alive(), 0);
  }
}

TEST(OneshotTest, ClosedTellsThatNobodyWaits) {
  auto [sender, receiver] = MakeOneshot<int>();
  CountingWaker counter;
  auto closed = sender.Closed();
  EXPECT_TRUE(PollOnce(closed, counter).pending());
  {
    const OneshotReceiver<int> gone = std::move(receiver);
  }
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(closed, counter).ready());
}

TEST(OneshotTest, ClosedMayBeDroppedBeforeSending) {
  auto [sender, receiver] = MakeOneshot<int>();
  CountingWaker counter;
  {
    auto closed = sender.Closed();
    EXPECT_TRUE(PollOnce(closed, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_TRUE(sender.Send(7));
  EXPECT_EQ(*receiver.TryRecv(), 7);
}

TEST(OneshotTest, KeepsTheWakerOfTheLastPoll) {
  auto [sender, receiver] = MakeOneshot<int>();
  CountingWaker first;
  CountingWaker second;
  EXPECT_TRUE(PollOnce(receiver, first).pending());
  EXPECT_TRUE(PollOnce(receiver, second).pending());
  EXPECT_EQ(first.alive(), 0);
  EXPECT_EQ(second.alive(), 1);
  EXPECT_TRUE(sender.Send(7));
  EXPECT_EQ(first.wakes(), 0);
  EXPECT_EQ(second.wakes(), 1);
}

TEST(OneshotTest, ADroppedRecvLeavesTheValue) {
  auto [sender, receiver] = MakeOneshot<int>();
  CountingWaker counter;
  {
    auto receive = receiver.Recv();
    EXPECT_TRUE(PollOnce(receive, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  {
    auto receive = receiver.Recv();
    EXPECT_TRUE(PollOnce(receive, counter).pending());
    EXPECT_TRUE(sender.Send(7));
  }
  EXPECT_EQ(*receiver.TryRecv(), 7);
}

TEST(OneshotTest, AReceiverMayMoveWhileItWaits) {
  auto [sender, receiver] = MakeOneshot<int>();
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(receiver, counter).pending());
  auto moved = std::move(receiver);
  EXPECT_TRUE(sender.Send(7));
  EXPECT_EQ(**PollOnce(moved, counter), 7);
}

TEST(OneshotTest, TheHookGetsWhatWasSentAndNotReceived) {
  int undelivered = 0;
  int alive = 0;
  {
    auto [sender, receiver] =
        MakeOneshot<Counted>([&](const Counted& value) { undelivered += value.value(); });
    EXPECT_TRUE(sender.Send(Counted(7, &alive)));
  }
  EXPECT_EQ(undelivered, 7);
  EXPECT_EQ(alive, 0);
  {
    auto [sender, receiver] =
        MakeOneshot<Counted>([&](const Counted& value) { undelivered += value.value(); });
    EXPECT_TRUE(sender.Send(Counted(7, &alive)));
    EXPECT_EQ(receiver.TryRecv()->value(), 7);
  }
  EXPECT_EQ(undelivered, 7);
  EXPECT_EQ(alive, 0);
}

TEST(OneshotTest, NothingIsLostWithoutAHook) {
  int alive = 0;
  {
    auto [sender, receiver] = MakeOneshot<Counted>();
    EXPECT_TRUE(sender.Send(Counted(7, &alive)));
  }
  EXPECT_EQ(alive, 0);
}

TEST(OneshotTest, BlockingForms) {
  auto [sender, receiver] = MakeOneshot<int>();
  EXPECT_EQ(receiver.RecvBlockingFor(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(receiver.RecvBlockingFor(absl::Milliseconds(1)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  std::thread peer([&sender] { EXPECT_TRUE(sender.Send(7)); });
  EXPECT_EQ(*receiver.RecvBlocking(), 7);
  peer.join();
}

TEST(OneshotTest, BlockingInsideOfABlockingWait) {
  // A waker's code that blocks must not take the token of the wait around it.
  auto [inner_sender, inner] = MakeOneshot<int>();
  auto [outer_sender, outer] = MakeOneshot<int>();
  std::thread peer([&inner_sender, &outer_sender] {
    EXPECT_TRUE(inner_sender.Send(1));
    EXPECT_TRUE(outer_sender.Send(2));
  });
  auto nested = [&inner, &outer]() -> Async<int> {
    const auto first = inner.RecvBlocking();
    const auto second = co_await outer;
    co_return *first + *second;
  };
  auto future = nested();
  EXPECT_EQ(sync_internal::BlockUntilReady(future, sync_internal::kForever), 3);
  peer.join();
}

TEST(OneshotTest, SelectBetweenWorkAndClosed) {
  auto [sender, receiver] = MakeOneshot<int>();
  auto select = Select(sender.Closed(), receiver.Recv());
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(select, counter).pending());
  receiver.Close();
  auto winner = PollOnce(select, counter);
  ASSERT_TRUE(winner.ready());
}

// Pitfall 12: user code that calls back into the channel.
TEST(OneshotTest, HostileWaker) {
  auto [sender, receiver] = MakeOneshot<int>();
  bool done = false;
  HostileWaker hostile([&receiver, &sender, &done] {
    if (done) return;
    (void)receiver.TryRecv();
    (void)sender.IsClosed();
    auto receive = receiver.Recv();
    (void)PollOnce(receive);
  });
  const Waker waker = hostile.Make();
  Context cx(waker);
  CountingWaker counter;
  ASSERT_TRUE(receiver.Poll(cx).pending());            // clone
  ASSERT_TRUE(PollOnce(receiver, counter).pending());  // drop, on replacement
  EXPECT_GE(hostile.intrusions(), 1);
  done = true;
  EXPECT_TRUE(sender.Send(7));
  EXPECT_EQ(*receiver.TryRecv(), 7);
}

// Pitfall 11: who waits takes the value within its own wake-up, and goes.
TEST(OneshotTest, HostileWakerOfAWaitingReceiver) {
  auto [sender, receiver] = MakeOneshot<int>();
  std::optional<OneshotReceiver<int>> kept(std::move(receiver));
  int received = 0;
  HostileWaker hostile([&kept, &received] {
    if (!kept) return;
    const auto value = kept->TryRecv();
    if (!value.ok()) return;
    received = *value;
    kept.reset();
  });
  const Waker waker = hostile.Make();
  Context cx(waker);
  ASSERT_TRUE(kept->Poll(cx).pending());
  EXPECT_TRUE(sender.Send(7));
  EXPECT_EQ(received, 7);
}

TEST(OneshotTest, HostileWakerOfClosed) {
  std::optional<std::pair<OneshotSender<int>, OneshotReceiver<int>>> ends;
  const auto closed = [&ends] {
    ends.emplace(MakeOneshot<int>());
    return ends->first.Closed();
  };
  const auto look = [&ends] { static_cast<void>(ends->first.IsClosed()); };
  const auto close = [&ends] { ends->second.Close(); };
  ExpectToStandAHostileWaker(closed, close, look);
  ExpectToStandAHostileWaker(closed, close, close);
}

TEST(OneshotTest, ValuesThatHaveAnAddressOperator) {
  auto [sender, receiver] = MakeOneshot<Unaddressable>();
  EXPECT_TRUE(sender.Send({.number = 7}));
  EXPECT_EQ((*receiver.TryRecv()).number, 7);
  auto [late, closed] = MakeOneshot<Unaddressable>();
  closed.Close();
  EXPECT_FALSE(late.Send({.number = 8}));
}

TEST(OneshotDeathTest, Misuse) {
  auto [sender, receiver] = MakeOneshot<int>();
  EXPECT_TRUE(sender.Send(7));
  EXPECT_DEATH((void)sender.Send(8), "empty");
  EXPECT_EQ(*receiver.TryRecv(), 7);
  EXPECT_DEATH((void)receiver.TryRecv(), "after it had received");
}

}  // namespace
}  // namespace home
