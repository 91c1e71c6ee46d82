// Permits and batches: room that is promised for one value, and values that go in and come out
// together.

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/mpmc.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::PollOnce;

template <typename Kind>
class ChannelPermitsTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelPermitsTest, channel_testing::Kinds);

TYPED_TEST(ChannelPermitsTest, PermitsHoldRoom) {
  auto [sender, receiver] = TypeParam::template Make<int>(2);
  auto permit = sender.TryReserve();
  ASSERT_TRUE(permit.has_value());
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  EXPECT_EQ(sender.TrySend(2), TrySendResult::kFull);
  EXPECT_FALSE(sender.TryReserve().has_value());
  CountingWaker counter;
  auto reserve = sender.Reserve();
  EXPECT_TRUE(PollOnce(reserve, counter).pending());
  // A permit that is not used gives its room to the next.
  permit.reset();
  EXPECT_EQ(counter.wakes(), 1);
  auto reserved = PollOnce(reserve, counter);
  ASSERT_TRUE(reserved.ready());
  reserved.value()->Send(3);
  EXPECT_EQ(receiver.TryRecv(), 1);
  EXPECT_EQ(receiver.TryRecv(), 3);
}

// As many as the tail can count.
constexpr std::size_t kMostPermits = 65535;

TYPED_TEST(ChannelPermitsTest, PermitsAreCountedUpToALimit) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  auto first = sender.TryReserve();
  std::vector<decltype(first)> others;
  while (others.size() + 1 < kMostPermits) others.push_back(sender.TryReserve());
  EXPECT_TRUE(others.back().has_value());
  EXPECT_FALSE(sender.TryReserve().has_value());
  auto reserve = sender.Reserve();
  EXPECT_EQ(PollOnce(reserve).value().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  first.reset();
  auto again = sender.Reserve();
  EXPECT_TRUE(PollOnce(again).value().ok());
}

// Whoever cannot have a permit leaves the room that it was woken for to the next.
TYPED_TEST(ChannelPermitsTest, WhoIsRefusedAPermitLeavesTheRoom) {
  auto [sender, receiver] = TypeParam::template Make<int>(kMostPermits + 1);
  std::vector<std::optional<typename TypeParam::template Sender<int>::Permit>> permits;
  while (permits.size() < kMostPermits) permits.push_back(sender.TryReserve());
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  CountingWaker reserving;
  CountingWaker sending;
  auto reserve = sender.Reserve();
  auto send = sender.Send(2);
  EXPECT_TRUE(PollOnce(reserve, reserving).pending());
  EXPECT_TRUE(PollOnce(send, sending).pending());
  EXPECT_EQ(receiver.TryRecv(), 1);
  EXPECT_EQ(reserving.wakes(), 1);
  EXPECT_EQ(PollOnce(reserve, reserving).value().status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(sending.wakes(), 1);
  EXPECT_TRUE(PollOnce(send, sending).value().ok());
}

TYPED_TEST(ChannelPermitsTest, PermitsOutliveAClose) {
  auto ends = TypeParam::template Make<int>(3);
  auto& receiver = ends.second;
  auto used = ends.first.TryReserve();
  auto unused = ends.first.TryReserve();
  ends.first.Close();
  {
    const auto gone = std::move(ends.first);
  }
  CountingWaker counter;
  auto receive = receiver.Recv();
  EXPECT_TRUE(PollOnce(receive, counter).pending());
  EXPECT_FALSE(receiver.IsDrained());
  used->Send(1);
  EXPECT_EQ(**PollOnce(receive, counter), 1);
  auto end = receiver.Recv();
  EXPECT_TRUE(PollOnce(end, counter).pending());
  const int before = counter.wakes();
  unused.reset();
  EXPECT_EQ(counter.wakes(), before + 1);
  EXPECT_EQ(*PollOnce(end, counter), std::nullopt);
}

TYPED_TEST(ChannelPermitsTest, APermitAfterTheReceiversEnd) {
  int undelivered = 0;
  {
    auto ends =
        TypeParam::template Make<int>(1, [&undelivered](int value) { undelivered += value; });
    auto permit = ends.first.TryReserve();
    {
      const auto gone = std::move(ends.second);
    }
    permit->Send(7);
  }
  EXPECT_EQ(undelivered, 7);
}

TYPED_TEST(ChannelPermitsTest, SendManyGoesOnAsRoomComes) {
  auto [sender, receiver] = TypeParam::template Make<int>(40);
  std::vector<int> values(100);
  for (int i = 0; i < 100; ++i) values[static_cast<std::size_t>(i)] = i;
  CountingWaker counter;
  auto send = sender.SendMany(absl::MakeSpan(values));
  EXPECT_TRUE(PollOnce(send, counter).pending());
  EXPECT_EQ(send.sent(), 40u);
  for (int i = 0; i < 100; ++i) {
    if (i % 7 == 6) static_cast<void>(send.sent() < 100 && PollOnce(send, counter).ready());
    EXPECT_EQ(receiver.TryRecv(), i);
  }
}

TYPED_TEST(ChannelPermitsTest, SendManyTellsHowManyBeforeAClose) {
  auto [sender, receiver] = TypeParam::template Make<int>(2);
  std::vector<int> values = {1, 2, 3};
  CountingWaker counter;
  auto send = sender.SendMany(absl::MakeSpan(values));
  EXPECT_TRUE(PollOnce(send, counter).pending());
  receiver.Close();
  EXPECT_EQ(*PollOnce(send, counter), 2u);
}

TYPED_TEST(ChannelPermitsTest, RecvMany) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  std::vector<int> values = {-1};
  CountingWaker counter;
  auto receive = receiver.RecvMany(values, 5);
  EXPECT_TRUE(PollOnce(receive, counter).pending());
  for (int i = 0; i < 7; ++i) EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
  EXPECT_EQ(*PollOnce(receive, counter), 5u);
  EXPECT_EQ(values, (std::vector<int>{-1, 0, 1, 2, 3, 4}));
  EXPECT_EQ(receiver.TryRecvMany(values, 5), 2u);
  EXPECT_EQ(receiver.TryRecvMany(values, 5), 0u);
  sender.Close();
  auto end = receiver.RecvMany(values, 5);
  EXPECT_EQ(*PollOnce(end, counter), 0u);
}

}  // namespace
}  // namespace home
