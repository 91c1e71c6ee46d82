// What channels of values do, polled by hand: of both kinds, from many to many and from many
// to one.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/mpmc.h"
#include "home/channel/mpsc.h"
#include "home/channel/testing.h"
#include "home/future/future.h"
#include "home/future/select.h"
#include "home/future/stream.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using channel_testing::Counted;
using channel_testing::HostileWaker;
using testing::CountingWaker;
using testing::PollNextOnce;
using testing::PollOnce;

static_assert(sizeof(MpmcState<int>) < 300, "an idle channel costs less than 300 bytes");
static_assert(sizeof(MpscState<int>) < 300);
static_assert(Future<Sender<int>::SendFuture> && Future<Receiver<int>::RecvFuture>);
static_assert(Future<Sender<int>::ReserveFuture> && Future<Sender<int>::SendManyFuture>);
static_assert(Stream<Receiver<int>::Stream> && Stream<MpscReceiver<int>::Stream>);
static_assert(std::is_copy_constructible_v<Receiver<int>>);
static_assert(!std::is_copy_constructible_v<MpscReceiver<int>>);

struct Mpmc {
  template <typename T, typename... Args>
  static auto Make(std::size_t capacity, Args... args) {
    return MakeChannel<T>(capacity, std::move(args)...);
  }
  template <typename T>
  static auto MakeUnbounded() {
    return MakeUnboundedChannel<T>();
  }
};
struct Mpsc {
  template <typename T, typename... Args>
  static auto Make(std::size_t capacity, Args... args) {
    return MakeMpscChannel<T>(capacity, std::move(args)...);
  }
  template <typename T>
  static auto MakeUnbounded() {
    return MakeUnboundedMpscChannel<T>();
  }
};

template <typename Kind>
class ChannelTest : public ::testing::Test {};
using Kinds = ::testing::Types<Mpmc, Mpsc>;
TYPED_TEST_SUITE(ChannelTest, Kinds);

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

TYPED_TEST(ChannelTest, Close) {
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

TYPED_TEST(ChannelTest, CloseWakesWhoReceives) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  CountingWaker counter;
  auto receive = receiver.Recv();
  EXPECT_TRUE(PollOnce(receive, counter).pending());
  sender.Close();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(*PollOnce(receive, counter), std::nullopt);
}

// Pitfall 29: the last end goes while the other side waits.
TYPED_TEST(ChannelTest, TheLastSenderCloses) {
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

TYPED_TEST(ChannelTest, TheLastReceiverCloses) {
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

TYPED_TEST(ChannelTest, WeakSenders) {
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

// Pitfall 27: a wait that was granted and is then dropped.
TYPED_TEST(ChannelTest, ADroppedRecvHandsItsWakeUpOn) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker first;
  CountingWaker second;
  auto kept = receiver.Recv();
  {
    auto dropped = receiver.Recv();
    EXPECT_TRUE(PollOnce(dropped, first).pending());
    EXPECT_TRUE(PollOnce(kept, second).pending());
    EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
    EXPECT_EQ(first.wakes(), 1);
    EXPECT_EQ(second.wakes(), 0);
  }
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_EQ(**PollOnce(kept, second), 1);
}

TYPED_TEST(ChannelTest, ADroppedSendHandsItsWakeUpOn) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  CountingWaker first;
  CountingWaker second;
  auto kept = sender.Send(3);
  {
    auto dropped = sender.Send(2);
    EXPECT_TRUE(PollOnce(dropped, first).pending());
    EXPECT_TRUE(PollOnce(kept, second).pending());
    EXPECT_EQ(receiver.TryRecv(), 1);
    EXPECT_EQ(first.wakes(), 1);
    EXPECT_EQ(second.wakes(), 0);
  }
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_TRUE(PollOnce(kept, second).value().ok());
  EXPECT_EQ(receiver.TryRecv(), 3);
}

TYPED_TEST(ChannelTest, ABurstWakesOneAndThatOneTheNext) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker counters[3];
  auto a = receiver.Recv();
  auto b = receiver.Recv();
  auto c = receiver.Recv();
  EXPECT_TRUE(PollOnce(a, counters[0]).pending());
  EXPECT_TRUE(PollOnce(b, counters[1]).pending());
  EXPECT_TRUE(PollOnce(c, counters[2]).pending());
  // Not the first of a block, which wakes another in any case.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
  }
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 0);
  EXPECT_EQ(**PollOnce(a, counters[0]), 0);
  EXPECT_EQ(counters[1].wakes(), 1);
  EXPECT_EQ(**PollOnce(b, counters[1]), 1);
  EXPECT_EQ(counters[2].wakes(), 0);
}

TYPED_TEST(ChannelTest, AWakeUpForNothingKeepsThePlace) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker first;
  CountingWaker second;
  auto a = receiver.Recv();
  auto b = receiver.Recv();
  EXPECT_TRUE(PollOnce(a, first).pending());
  EXPECT_TRUE(PollOnce(b, second).pending());
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  EXPECT_EQ(receiver.TryRecv(), 1);  // quicker than a
  EXPECT_TRUE(PollOnce(a, first).pending());
  // From now on nobody who comes fresh is quicker, but for the impatient.
  auto fresh = receiver.Recv();
  EXPECT_EQ(sender.TrySend(2), TrySendResult::kSent);
  EXPECT_EQ(first.wakes(), 2);
  EXPECT_EQ(**PollOnce(a, first), 2);
  EXPECT_EQ(sender.TrySend(3), TrySendResult::kSent);
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_EQ(**PollOnce(b, second), 3);
  EXPECT_TRUE(PollOnce(fresh).pending());
}

TYPED_TEST(ChannelTest, WhoComesAfterAnOvertakenOneQueues) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  CountingWaker first;
  CountingWaker second;
  auto overtaken = sender.Send(10);
  EXPECT_TRUE(PollOnce(overtaken, first).pending());
  EXPECT_EQ(receiver.TryRecv(), 1);
  EXPECT_EQ(sender.TrySend(2), TrySendResult::kSent);  // quicker
  EXPECT_TRUE(PollOnce(overtaken, first).pending());
  EXPECT_EQ(receiver.TryRecv(), 2);
  EXPECT_EQ(first.wakes(), 2);
  EXPECT_TRUE(PollOnce(overtaken, first).value().ok());
  auto fresh = sender.Send(11);
  EXPECT_TRUE(PollOnce(fresh, second).pending());
  EXPECT_EQ(receiver.TryRecv(), 10);
  EXPECT_TRUE(PollOnce(fresh, second).value().ok());
}

TYPED_TEST(ChannelTest, ReplacesAWakerOnlyByAnother) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker first;
  CountingWaker second;
  auto receive = receiver.Recv();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(PollOnce(receive, first).pending());
    EXPECT_EQ(first.alive(), 1);
  }
  EXPECT_TRUE(PollOnce(receive, second).pending());
  EXPECT_EQ(first.alive(), 0);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  EXPECT_EQ(first.wakes(), 0);
  EXPECT_EQ(second.wakes(), 1);
}

TYPED_TEST(ChannelTest, PermitsHoldRoom) {
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

TYPED_TEST(ChannelTest, PermitsOutliveAClose) {
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

TYPED_TEST(ChannelTest, APermitAfterTheReceiversEnd) {
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

TYPED_TEST(ChannelTest, SendManyGoesOnAsRoomComes) {
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

TYPED_TEST(ChannelTest, SendManyTellsHowManyBeforeAClose) {
  auto [sender, receiver] = TypeParam::template Make<int>(2);
  std::vector<int> values = {1, 2, 3};
  CountingWaker counter;
  auto send = sender.SendMany(absl::MakeSpan(values));
  EXPECT_TRUE(PollOnce(send, counter).pending());
  receiver.Close();
  EXPECT_EQ(*PollOnce(send, counter), 2u);
}

TYPED_TEST(ChannelTest, RecvMany) {
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

TYPED_TEST(ChannelTest, TheHookGetsWhatNobodyReceives) {
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

TYPED_TEST(ChannelTest, ValuesAreDestroyedWithoutAHook) {
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

// Pitfall 12: user code that calls back into the channel from clone, wake and drop.
TYPED_TEST(ChannelTest, HostileWaker) {
  auto ends = TypeParam::template Make<int>(1);
  HostileWaker hostile([&ends] {
    static_cast<void>(ends.first.TrySend(9));
    auto send = ends.first.Send(9);
    static_cast<void>(PollOnce(send).ready());
    auto receive = ends.second.Recv();
    static_cast<void>(PollOnce(receive).ready());
    while (ends.second.TryRecv()) {
    }
  });
  auto& [sender, receiver] = ends;
  {
    const Waker waker = hostile.Make();
    Context cx(waker);
    CountingWaker counter;
    {
      auto receive = receiver.Recv();
      ASSERT_TRUE(receive.Poll(cx).pending());                // clone
      static_cast<void>(PollOnce(receive, counter).ready());  // drop, on replacement
    }
    while (receiver.TryRecv()) {
    }
    {
      auto receive = receiver.Recv();
      ASSERT_TRUE(receive.Poll(cx).pending());
      EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);  // wake
    }
    while (receiver.TryRecv()) {
    }
    {
      auto receive = receiver.Recv();
      ASSERT_TRUE(receive.Poll(cx).pending());
      sender.Close();  // wake
    }
  }
  EXPECT_GE(hostile.intrusions(), 4);
}

// A value whose destructor uses the channel.
TYPED_TEST(ChannelTest, HostileValue) {
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
