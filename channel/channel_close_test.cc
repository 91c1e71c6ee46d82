// How channels of values end: who closes them, what can still be received, and what becomes of
// the values that nobody receives.

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/mpmc.h"
#include "home/channel/testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using channel_testing::Counted;
using testing::CountingWaker;
using testing::PollOnce;

template <typename Kind>
class ChannelCloseTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelCloseTest, channel_testing::Kinds);

TYPED_TEST(ChannelCloseTest, Close) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  CountingWaker counter;
  auto waiting = sender.Send(2);
  EXPECT_TRUE(PollOnce(waiting, counter).pending());
  receiver.Close();
  receiver.Close();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(PollOnce(waiting, counter).value().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(sender.IsClosed());
  EXPECT_EQ(sender.TrySend(3), TrySendResult::kClosed);
  auto late = sender.Send(4);
  EXPECT_EQ(PollOnce(late, counter).value().code(), absl::StatusCode::kFailedPrecondition);
  // What was sent before is received.
  EXPECT_FALSE(receiver.IsDrained());
  EXPECT_EQ(receiver.TryRecv(), 1);
  EXPECT_TRUE(receiver.IsDrained());
  auto receive = receiver.Recv();
  EXPECT_EQ(*PollOnce(receive, counter), std::nullopt);
  EXPECT_EQ(counter.alive(), 0);
}

TYPED_TEST(ChannelCloseTest, CloseWakesWhoReceives) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  CountingWaker counter;
  auto receive = receiver.Recv();
  EXPECT_TRUE(PollOnce(receive, counter).pending());
  sender.Close();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(*PollOnce(receive, counter), std::nullopt);
}

// Pitfall 29: the last end goes while the other side waits.
TYPED_TEST(ChannelCloseTest, TheLastSenderCloses) {
  auto ends = TypeParam::template MakeUnbounded<int>();
  auto& receiver = ends.second;
  CountingWaker counter;
  auto receive = receiver.Recv();
  {
    auto sender = std::move(ends.first);
    auto other = sender;
    EXPECT_TRUE(PollOnce(receive, counter).pending());
    EXPECT_EQ(other.TrySend(1), TrySendResult::kSent);
    EXPECT_EQ(**PollOnce(receive, counter), 1);
  }
  auto end = receiver.Recv();
  EXPECT_EQ(*PollOnce(end, counter), std::nullopt);
}

TYPED_TEST(ChannelCloseTest, TheLastReceiverCloses) {
  auto ends = TypeParam::template Make<int>(1);
  auto& sender = ends.first;
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  CountingWaker counter;
  auto waiting = sender.Send(2);
  EXPECT_TRUE(PollOnce(waiting, counter).pending());
  {
    const auto gone = std::move(ends.second);
  }
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(PollOnce(waiting, counter).value().code(), absl::StatusCode::kFailedPrecondition);
}

TYPED_TEST(ChannelCloseTest, WeakSenders) {
  auto ends = TypeParam::template Make<int>(1);
  auto weak = ends.first.Downgrade();
  {
    auto strong = weak.Upgrade();
    ASSERT_TRUE(strong.has_value());
    EXPECT_EQ(strong->TrySend(1), TrySendResult::kSent);
  }
  EXPECT_FALSE(ends.second.IsClosed());
  {
    const auto gone = std::move(ends.first);
  }
  EXPECT_TRUE(ends.second.IsClosed());
  EXPECT_FALSE(weak.Upgrade().has_value());
  EXPECT_EQ(ends.second.TryRecv(), 1);
  EXPECT_TRUE(ends.second.IsDrained());
}

TYPED_TEST(ChannelCloseTest, TheHookGetsWhatNobodyReceives) {
  int alive = 0;
  std::vector<int> undelivered;
  {
    auto ends = TypeParam::template Make<Counted>(
        10, [&undelivered](const Counted& value) { undelivered.push_back(value.value()); });
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(ends.first.TrySend(Counted(i, &alive)), TrySendResult::kSent);
    }
    EXPECT_EQ(ends.second.TryRecv()->value(), 0);
    {
      const auto gone = std::move(ends.second);
    }
    EXPECT_EQ(undelivered, (std::vector<int>{1, 2, 3, 4}));
    EXPECT_EQ(alive, 0);
  }
}

TYPED_TEST(ChannelCloseTest, ValuesAreDestroyedWithoutAHook) {
  int alive = 0;
  {
    auto ends = TypeParam::template MakeUnbounded<Counted>();
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(ends.first.TrySend(Counted(i, &alive)), TrySendResult::kSent);
    }
    {
      const auto gone = std::move(ends.second);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(ends.first.TrySend(Counted(1, &alive)), TrySendResult::kClosed);
  }
  EXPECT_EQ(alive, 0);
}

// A value whose destructor uses the channel.
TYPED_TEST(ChannelCloseTest, HostileValue) {
  using Sender = decltype(TypeParam::template MakeUnbounded<std::unique_ptr<int>>().first);
  struct Intruder {
    explicit Intruder(Sender* sender) : sender(sender) {}
    Intruder(Intruder&& other) noexcept : sender(std::exchange(other.sender, nullptr)) {}
    Intruder& operator=(Intruder&&) = delete;
    ~Intruder() {
      if (sender != nullptr) sender->Close();
    }
    Sender* sender;
  };
  auto side = TypeParam::template MakeUnbounded<std::unique_ptr<int>>();
  auto ends = TypeParam::template MakeUnbounded<Intruder>();
  EXPECT_EQ(ends.first.TrySend(Intruder(&side.first)), TrySendResult::kSent);
  {
    const auto gone = std::move(ends.second);
  }
  EXPECT_TRUE(side.second.IsClosed());
}

}  // namespace
}  // namespace home
