// What the channels of values do, of both kinds, from many to many and from many to one:
// values go in and come out in order. Polled by hand.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/block.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/mpmc.h"
#include "home/channel/mpsc.h"
#include "home/future/future.h"
#include "home/future/select.h"
#include "home/future/stream.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/sync/blocking.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Unaddressable;

static_assert(sizeof(MpmcState<int>) < 300, "an idle channel costs less than 300 bytes");
static_assert(sizeof(MpscState<int>) < 300);
static_assert(Future<Sender<int>::SendFuture> && Future<Receiver<int>::RecvFuture>);
static_assert(Future<Sender<int>::ReserveFuture> && Future<Sender<int>::SendManyFuture>);
static_assert(Stream<Receiver<int>::Stream> && Stream<MpscReceiver<int>::Stream>);
static_assert(std::is_copy_constructible_v<Receiver<int>>);
static_assert(!std::is_copy_constructible_v<MpscReceiver<int>>);

template <typename Kind>
class ChannelTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelTest, channel_testing::Kinds);

TYPED_TEST(ChannelTest, TrySendAndRecv) {
  auto [sender, receiver] = TypeParam::template Make<std::unique_ptr<int>>(2);
  EXPECT_EQ(sender.capacity(), 2u);
  EXPECT_FALSE(receiver.TryRecv().has_value());
  EXPECT_EQ(sender.TrySend(std::make_unique<int>(1)), TrySendResult::kSent);
  EXPECT_EQ(sender.TrySend(std::make_unique<int>(2)), TrySendResult::kSent);
  auto third = std::make_unique<int>(3);
  EXPECT_EQ(sender.TrySend(std::move(third)), TrySendResult::kFull);
  ASSERT_NE(third, nullptr);  // NOLINT: untouched, as promised
  EXPECT_EQ(**receiver.TryRecv(), 1);
  EXPECT_EQ(sender.TrySend(std::move(third)), TrySendResult::kSent);
  EXPECT_EQ(**receiver.TryRecv(), 2);
  EXPECT_EQ(**receiver.TryRecv(), 3);
  EXPECT_FALSE(receiver.TryRecv().has_value());
}

TYPED_TEST(ChannelTest, FifoOrder) {
  for (const std::size_t capacity : {1u, 2u, 30u, 31u, 32u, 62u, 63u, 1000u}) {
    auto [sender, receiver] = TypeParam::template Make<int>(capacity);
    int sent = 0;
    int received = 0;
    for (int round = 0; round < 5; ++round) {
      while (sender.TrySend(int{sent}) == TrySendResult::kSent) ++sent;
      EXPECT_EQ(sent - received, static_cast<int>(capacity));
      while (const auto value = receiver.TryRecv()) {
        ASSERT_EQ(*value, received);
        ++received;
      }
      EXPECT_EQ(received, sent);
    }
  }
}

TYPED_TEST(ChannelTest, FifoOrderUnbounded) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  EXPECT_EQ(sender.capacity(), std::nullopt);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(receiver.TryRecv(), i);
  EXPECT_FALSE(receiver.TryRecv().has_value());
}

TYPED_TEST(ChannelTest, SenderAndReceiver) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  CountingWaker receiving;
  CountingWaker sending;
  auto receive = receiver.Recv();
  EXPECT_TRUE(PollOnce(receive, receiving).pending());
  auto first = sender.Send(1);
  EXPECT_TRUE(PollOnce(first, sending).value().ok());
  EXPECT_EQ(receiving.wakes(), 1);
  auto second = sender.Send(2);
  EXPECT_TRUE(PollOnce(second, sending).pending());
  EXPECT_EQ(**PollOnce(receive, receiving), 1);
  EXPECT_EQ(receiving.alive(), 0);
  EXPECT_EQ(sending.wakes(), 1);
  EXPECT_TRUE(PollOnce(second, sending).value().ok());
  EXPECT_EQ(sending.alive(), 0);
  EXPECT_EQ(receiver.TryRecv(), 2);
}

TYPED_TEST(ChannelTest, Rendezvous) {
  auto [sender, receiver] = TypeParam::template Make<int>(0);
  EXPECT_EQ(sender.capacity(), 0u);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kFull);
  CountingWaker receiving;
  CountingWaker sending;
  {
    // The receiver is there first.
    auto receive = receiver.Recv();
    EXPECT_TRUE(PollOnce(receive, receiving).pending());
    EXPECT_EQ(sender.TrySend(2), TrySendResult::kSent);
    EXPECT_EQ(sender.TrySend(3), TrySendResult::kFull);
    EXPECT_EQ(receiving.wakes(), 1);
    EXPECT_EQ(**PollOnce(receive, receiving), 2);
    EXPECT_EQ(sender.TrySend(4), TrySendResult::kFull);
  }
  {
    // The sender is.
    auto send = sender.Send(5);
    EXPECT_TRUE(PollOnce(send, sending).pending());
    auto receive = receiver.Recv();
    EXPECT_TRUE(PollOnce(receive, receiving).pending());
    EXPECT_EQ(sending.wakes(), 1);
    EXPECT_TRUE(PollOnce(send, sending).value().ok());
    EXPECT_EQ(**PollOnce(receive, receiving), 5);
  }
  {
    // The receiver goes after a value came for it: the next one gets it.
    {
      auto dropped = receiver.Recv();
      EXPECT_TRUE(PollOnce(dropped, receiving).pending());
      EXPECT_EQ(sender.TrySend(6), TrySendResult::kSent);
    }
    EXPECT_EQ(sender.TrySend(7), TrySendResult::kFull);
    EXPECT_EQ(receiver.TryRecv(), 6);
  }
  {
    // The receiver goes before.
    {
      auto dropped = receiver.Recv();
      EXPECT_TRUE(PollOnce(dropped, receiving).pending());
    }
    EXPECT_EQ(sender.TrySend(8), TrySendResult::kFull);
  }
  EXPECT_EQ(receiving.alive(), 0);
  EXPECT_EQ(sending.alive(), 0);
}

TYPED_TEST(ChannelTest, AsStream) {
  auto ends = TypeParam::template Make<int>(2);
  auto stream = std::move(ends.second).AsStream();
  CountingWaker counter;
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(ends.first.TrySend(1), TrySendResult::kSent);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(*PollNextOnce(stream, counter), 1);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  ends.first.Close();
  EXPECT_EQ(*PollNextOnce(stream, counter), std::nullopt);
}

TYPED_TEST(ChannelTest, SelectLosesNothing) {
  auto [one, ones] = TypeParam::template Make<int>(4);
  auto [two, twos] = TypeParam::template Make<int>(4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(one.TrySend(int{i}), TrySendResult::kSent);
    EXPECT_EQ(two.TrySend(int{i}), TrySendResult::kSent);
  }
  int received = 0;
  for (; received < 8; ++received) {
    auto select = Select(ones.Recv(), twos.Recv());
    if (PollOnce(select).pending()) break;
  }
  EXPECT_EQ(received, 8);
  CountingWaker counter;
  {
    auto select = Select(ones.Recv(), twos.Recv());
    EXPECT_TRUE(PollOnce(select, counter).pending());
    EXPECT_EQ(two.TrySend(5), TrySendResult::kSent);
    EXPECT_EQ(counter.wakes(), 1);
  }
  EXPECT_EQ(twos.TryRecv(), 5);
  EXPECT_EQ(counter.alive(), 0);
}

TYPED_TEST(ChannelTest, SelectOfSendsAndReceipts) {
  auto [one, ones] = TypeParam::template Make<int>(4);
  auto [two, twos] = TypeParam::template Make<int>(4);
  auto [out, outs] = TypeParam::template Make<int>(4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(one.TrySend(int{i}), TrySendResult::kSent);
    EXPECT_EQ(two.TrySend(int{i}), TrySendResult::kSent);
  }
  int done[3] = {};
  for (int i = 0; i < 12; ++i) {
    auto select = Select(ones.Recv(), twos.Recv(), out.Send(done[2]));
    auto polled = PollOnce(select);
    ASSERT_TRUE(polled.ready());
    const auto& winner = polled.value();
    int& number = done[winner.index()];
    if (winner.index() == 0) {
      EXPECT_EQ(std::get<0>(winner), number);
    } else if (winner.index() == 1) {
      EXPECT_EQ(std::get<1>(winner), number);
    } else {
      EXPECT_TRUE(std::get<2>(winner).ok());
    }
    ++number;
  }
  for (int i = 0; i < 4; ++i) EXPECT_EQ(outs.TryRecv(), i);
  for (const int each : done) EXPECT_EQ(each, 4);
}

// All have waited and all are ready: the losers leave their values, and the room, to others.
TYPED_TEST(ChannelTest, SelectLeavesTheLosersAsTheyWere) {
  for (const std::size_t capacity : {0u, 1u}) {
    for (int round = 0; round < 20; ++round) {  // another wins in each, by chance
      auto [one, ones] = TypeParam::template Make<int>(1);
      auto [two, twos] = TypeParam::template Make<int>(1);
      auto [out, outs] = TypeParam::template Make<int>(capacity);
      while (out.TrySend(0) == TrySendResult::kSent) {
      }
      CountingWaker counter;
      auto select = Select(ones.Recv(), twos.Recv(), out.Send(3));
      EXPECT_TRUE(PollOnce(select, counter).pending());
      EXPECT_EQ(one.TrySend(1), TrySendResult::kSent);
      EXPECT_EQ(two.TrySend(2), TrySendResult::kSent);
      while (outs.TryRecv()) {
      }
      auto receive = outs.Recv();
      EXPECT_TRUE(PollOnce(receive).pending());
      EXPECT_EQ(counter.wakes(), 3);
      auto polled = PollOnce(select, counter);
      ASSERT_TRUE(polled.ready());
      EXPECT_EQ(counter.alive(), 0);
      const std::size_t winner = polled.value().index();
      EXPECT_EQ(ones.TryRecv().value_or(0), winner == 0 ? 0 : 1);
      EXPECT_EQ(twos.TryRecv().value_or(0), winner == 1 ? 0 : 2);
      EXPECT_EQ(out.TrySend(4), winner == 2 ? TrySendResult::kFull : TrySendResult::kSent);
      EXPECT_EQ(**PollOnce(receive), winner == 2 ? 3 : 4);
      EXPECT_FALSE(outs.TryRecv().has_value());
    }
  }
}

TYPED_TEST(ChannelTest, BlockingForms) {
  auto ends = TypeParam::template Make<int>(1);
  auto& receiver = ends.second;
  EXPECT_EQ(receiver.RecvBlockingFor(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(ends.first.SendBlocking(1).ok());
  int value = 2;
  EXPECT_EQ(ends.first.SendBlockingFor(std::move(value), absl::Milliseconds(1)).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(value, 2);
  std::thread peer([sender = std::move(ends.first)]() mutable {
    for (int i = 2; i < 200; ++i) EXPECT_TRUE(sender.SendBlocking(i).ok());
  });
  for (int i = 1; i < 200; ++i) EXPECT_EQ(receiver.RecvBlocking(), i);
  EXPECT_EQ(receiver.RecvBlocking(), std::nullopt);
  EXPECT_EQ(receiver.RecvBlockingFor(absl::InfiniteDuration()).status().code(),
            absl::StatusCode::kOutOfRange);
  peer.join();
}

TYPED_TEST(ChannelTest, BlockingBatches) {
  auto [sender, receiver] = TypeParam::template Make<std::unique_ptr<int>>(2);
  std::vector<std::unique_ptr<int>> values;
  for (int i = 0; i < 3; ++i) values.push_back(std::make_unique<int>(i));
  // What there was no room for in time stays with the caller.
  EXPECT_EQ(sender.SendManyBlockingFor(absl::MakeSpan(values), absl::Milliseconds(1)), 2u);
  EXPECT_EQ(values[1], nullptr);
  ASSERT_NE(values[2], nullptr);
  std::vector<std::unique_ptr<int>> received;
  EXPECT_EQ(BlockingWait(receiver.RecvMany(received, 3)), 2u);
  EXPECT_EQ(sender.SendManyBlockingFor(absl::MakeSpan(values).subspan(2), absl::ZeroDuration()),
            1u);
  EXPECT_EQ(BlockingWaitFor(receiver.RecvMany(received, 3), absl::ZeroDuration()), 1u);
  EXPECT_EQ(*received[2], 2);
  receiver.Close();
  values.resize(1);
  EXPECT_EQ(sender.SendManyBlockingFor(absl::MakeSpan(values), absl::InfiniteDuration()), 0u);
}

TYPED_TEST(ChannelTest, LargeAndAlignedValues) {
  struct alignas(64) Large {
    char bytes[300] = {};
  };
  auto [sender, receiver] = TypeParam::template MakeUnbounded<Large>();
  for (char i = 0; i < 100; ++i) {
    Large large;
    large.bytes[299] = i;
    EXPECT_EQ(sender.TrySend(std::move(large)), TrySendResult::kSent);
  }
  for (char i = 0; i < 100; ++i) {
    const auto large = receiver.TryRecv();
    ASSERT_TRUE(large.has_value());
    EXPECT_EQ(large->bytes[299], i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*large) % 64, 0u);
  }
}

TYPED_TEST(ChannelTest, ValuesThatHaveAnAddressOperator) {
  auto [sender, receiver] = TypeParam::template Make<Unaddressable>(1);
  EXPECT_EQ(sender.TrySend(Unaddressable{.number = 1}), TrySendResult::kSent);
  Unaddressable second{.number = 2};
  EXPECT_FALSE(sender.SendBlockingFor(std::move(second), absl::ZeroDuration()).ok());
  EXPECT_EQ(receiver.TryRecv()->number, 1);
  EXPECT_TRUE(sender.SendBlockingFor(std::move(second), absl::ZeroDuration()).ok());
  EXPECT_EQ(receiver.RecvBlocking()->number, 2);
}

TEST(MpmcTest, CopiesOfAReceiverShareTheValues) {
  auto [sender, receiver] = MakeUnboundedChannel<int>();
  auto other = receiver;
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  EXPECT_EQ(sender.TrySend(2), TrySendResult::kSent);
  EXPECT_EQ(receiver.TryRecv(), 1);
  EXPECT_EQ(other.TryRecv(), 2);
  {
    const auto gone = std::move(receiver);
  }
  EXPECT_FALSE(sender.IsClosed());
  {
    const auto gone = std::move(other);
  }
  EXPECT_TRUE(sender.IsClosed());
}

}  // namespace
}  // namespace home
