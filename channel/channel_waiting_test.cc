// Those who wait for a value or for room: who is woken, in which order, and what becomes of a
// wake-up that is not used.

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/mpmc.h"
#include "home/future/context.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/future/waker.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using sync_testing::HostileWaker;
using testing::CountingWaker;
using testing::OwningNext;
using testing::PollOnce;

template <typename Kind>
class ChannelWaitingTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelWaitingTest, channel_testing::Kinds);
// Where several receivers may wait at once.
template <typename Kind>
class ReceiversWaitingTest : public ::testing::Test {};
TYPED_TEST_SUITE(ReceiversWaitingTest, ::testing::Types<channel_testing::Mpmc<>>);

TEST(MpscWaitingDeathTest, TwoReceivesAtOnce) {
  auto [sender, receiver] = channel_testing::Mpsc<>::MakeUnbounded<int>();
  CountingWaker waker;
  auto first = receiver.Recv();
  auto second = receiver.Recv();
  EXPECT_TRUE(PollOnce(first, waker).pending());
  EXPECT_DEATH((void)PollOnce(second, waker), "two futures of one MpscReceiver");
  // One after the other they may, whichever is polled.
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  EXPECT_EQ(waker.wakes(), 1);
  EXPECT_EQ(**PollOnce(second, waker), 1);
  EXPECT_TRUE(PollOnce(first, waker).pending());
}

// Pitfall 27: a wait that was granted and is then dropped.
TYPED_TEST(ReceiversWaitingTest, ADroppedRecvHandsItsWakeUpOn) {
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

TYPED_TEST(ChannelWaitingTest, ADroppedSendHandsItsWakeUpOn) {
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

// Who was woken may be slow, or never look again: that holds up nobody else.
TYPED_TEST(ReceiversWaitingTest, ALazyRecvHoldsUpNobody) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker counters[3];
  auto lazy = receiver.Recv();
  auto other = receiver.Recv();
  auto third = receiver.Recv();
  EXPECT_TRUE(PollOnce(lazy, counters[0]).pending());
  EXPECT_TRUE(PollOnce(other, counters[1]).pending());
  EXPECT_TRUE(PollOnce(third, counters[2]).pending());
  // Not the first of a block only.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
    EXPECT_EQ(counters[i].wakes(), 1);
  }
  EXPECT_EQ(counters[2].wakes(), 0);
  EXPECT_EQ(**PollOnce(other, counters[1]), 0);
  // There is more than `other` took, so another is woken, and not for what is gone.
  EXPECT_EQ(counters[2].wakes(), 1);
  EXPECT_EQ(**PollOnce(third, counters[2]), 1);
  EXPECT_TRUE(PollOnce(lazy, counters[0]).pending());
}

TYPED_TEST(ChannelWaitingTest, ALazySendHoldsUpNobody) {
  auto [sender, receiver] = TypeParam::template Make<int>(2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
  CountingWaker counters[2];
  auto lazy = sender.Send(10);
  auto other = sender.Send(11);
  EXPECT_TRUE(PollOnce(lazy, counters[0]).pending());
  EXPECT_TRUE(PollOnce(other, counters[1]).pending());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(receiver.TryRecv(), i);
    EXPECT_EQ(counters[i].wakes(), 1);
  }
  EXPECT_TRUE(PollOnce(other, counters[1]).value().ok());
  EXPECT_EQ(receiver.TryRecv(), 11);
}

TYPED_TEST(ReceiversWaitingTest, ABatchWakesAsManyAsItHasValues) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker counters[3];
  auto a = receiver.Recv();
  auto b = receiver.Recv();
  auto c = receiver.Recv();
  EXPECT_TRUE(PollOnce(a, counters[0]).pending());
  EXPECT_TRUE(PollOnce(b, counters[1]).pending());
  EXPECT_TRUE(PollOnce(c, counters[2]).pending());
  std::vector<int> values = {1, 2};
  auto send = sender.SendMany(absl::MakeSpan(values));
  EXPECT_EQ(*PollOnce(send), 2u);
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 1);
  EXPECT_EQ(counters[2].wakes(), 0);
}

TYPED_TEST(ReceiversWaitingTest, AWakeUpForNothingKeepsThePlace) {
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
  EXPECT_EQ(sender.TrySend(2), TrySendResult::kSent);
  EXPECT_EQ(first.wakes(), 2);
  EXPECT_EQ(**PollOnce(a, first), 2);
  EXPECT_EQ(sender.TrySend(3), TrySendResult::kSent);
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_EQ(**PollOnce(b, second), 3);
}

// Two who were woken for nothing are in their old order afterwards.
TYPED_TEST(ReceiversWaitingTest, WhoWasOvertakenKeepsItsOrder) {
  auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
  CountingWaker counters[2];
  auto first = receiver.Recv();
  auto second = receiver.Recv();
  EXPECT_TRUE(PollOnce(first, counters[0]).pending());
  EXPECT_TRUE(PollOnce(second, counters[1]).pending());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(receiver.TryRecv(), i);
  EXPECT_TRUE(PollOnce(first, counters[0]).pending());
  EXPECT_TRUE(PollOnce(second, counters[1]).pending());
  EXPECT_EQ(sender.TrySend(2), TrySendResult::kSent);
  EXPECT_EQ(counters[0].wakes(), 2);
  EXPECT_EQ(counters[1].wakes(), 1);
}

TYPED_TEST(ChannelWaitingTest, WhoComesAfterAnOvertakenOneQueues) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  CountingWaker first;
  CountingWaker second;
  auto overtaken = sender.Send(10);
  EXPECT_TRUE(PollOnce(overtaken, first).pending());
  // Patient a few times.
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(receiver.TryRecv(), 1);
    auto quicker = sender.Send(1);
    EXPECT_TRUE(PollOnce(quicker, second).value().ok());
    EXPECT_EQ(first.wakes(), i);
    EXPECT_TRUE(PollOnce(overtaken, first).pending());
  }
  auto fresh = sender.Send(11);
  EXPECT_TRUE(PollOnce(fresh, second).pending());
  EXPECT_EQ(receiver.TryRecv(), 1);
  EXPECT_EQ(first.wakes(), 4);
  EXPECT_EQ(second.wakes(), 0);
  EXPECT_TRUE(PollOnce(overtaken, first).value().ok());
  EXPECT_EQ(receiver.TryRecv(), 10);
  EXPECT_TRUE(PollOnce(fresh, second).value().ok());
}

// After so many quiet receipts room may be published by a store (biased_word.h), until one
// waits.
TYPED_TEST(ChannelWaitingTest, OneWaitsForRoomAfterAQuietTime) {
  auto [sender, receiver] = TypeParam::template Make<int>(1);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2'000; ++i) {
      EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
      EXPECT_EQ(receiver.TryRecv(), i);
    }
    CountingWaker counter;
    EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
    auto send = sender.Send(2);
    EXPECT_TRUE(PollOnce(send, counter).pending());
    EXPECT_EQ(receiver.TryRecv(), 1);
    EXPECT_EQ(counter.wakes(), 1);
    EXPECT_TRUE(PollOnce(send, counter).ready());
    EXPECT_EQ(receiver.TryRecv(), 2);
  }
}

TYPED_TEST(ChannelWaitingTest, ReplacesAWakerOnlyByAnother) {
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

// Pitfall 12: user code that calls back into the channel from clone, wake and drop.
TYPED_TEST(ChannelWaitingTest, HostileWaker) {
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

// Who waits for a value has a waker that takes what there is, or sends.
TYPED_TEST(ChannelWaitingTest, HostileWakerOfReceipts) {
  for (const std::size_t capacity : {0u, 1u}) {
    auto ends = TypeParam::template Make<int>(capacity);
    const auto fill = [&ends] {
      while (ends.first.TrySend(9) == TrySendResult::kSent) {
      }
      auto send = ends.first.Send(9);
      static_cast<void>(PollOnce(send).ready());
    };
    const auto drain = [&ends] {
      while (ends.second.TryRecv()) {
      }
    };
    const auto receive = [&ends, &drain] {
      drain();
      return ends.second.Recv();
    };
    const auto send = [&ends] { EXPECT_EQ(ends.first.TrySend(1), TrySendResult::kSent); };
    ExpectToStandAHostileWaker(receive, send, drain);
    ExpectToStandAHostileWaker(receive, send, fill);
    ExpectToStandAHostileWaker(receive, [&ends] { ends.first.Close(); }, drain);
  }
}

TYPED_TEST(ChannelWaitingTest, HostileWakerOfStreams) {
  std::optional<typename TypeParam::template Sender<int>> sender;
  const auto wait = [&sender] {
    auto ends = TypeParam::template Make<int>(1);
    sender.emplace(std::move(ends.first));
    return OwningNext(std::move(ends.second).AsStream());
  };
  // Takes all room, and gives it back.
  const auto intrude = [&sender] {
    auto copy = *sender;
    auto permit = copy.TryReserve();
    auto reserve = copy.Reserve();
    static_cast<void>(PollOnce(reserve).ready());
    permit.reset();
  };
  const auto send = [&sender] { EXPECT_EQ(sender->TrySend(1), TrySendResult::kSent); };
  ExpectToStandAHostileWaker(wait, send, intrude);
  ExpectToStandAHostileWaker(wait, [&sender] { sender->Close(); }, intrude);
}

// Who waits for room has a waker that takes what room there is, or makes some.
TYPED_TEST(ChannelWaitingTest, HostileWakerOfSends) {
  for (const std::size_t capacity : {0u, 1u}) {
    auto ends = TypeParam::template Make<int>(capacity);
    const auto fill = [&ends] {
      while (ends.first.TrySend(9) == TrySendResult::kSent) {
      }
      auto send = ends.first.Send(9);
      static_cast<void>(PollOnce(send).ready());
    };
    const auto drain = [&ends] {
      while (ends.second.TryRecv()) {
      }
    };
    const auto receive = [&ends, &drain] {
      drain();
      // What makes room where there is none by itself.
      auto future = ends.second.Recv();
      static_cast<void>(PollOnce(future).ready());
    };
    const auto send = [&ends, &fill] {
      fill();
      return ends.first.Send(1);
    };
    ExpectToStandAHostileWaker(send, receive, fill);
    ExpectToStandAHostileWaker(send, receive, drain);
    ExpectToStandAHostileWaker(send, [&ends] { ends.first.Close(); }, fill);
  }
}

TYPED_TEST(ChannelWaitingTest, HostileWakerOfPermitsAndBatches) {
  auto ends = TypeParam::template Make<int>(1);
  int batch[] = {1, 2};
  std::vector<int> values;
  const auto intrude = [&ends] {
    auto reserve = ends.first.Reserve();
    static_cast<void>(PollOnce(reserve).ready());
    int some[] = {3, 4};
    auto send = ends.first.SendMany(absl::MakeSpan(some));
    static_cast<void>(PollOnce(send).ready());
    std::vector<int> received;
    auto receive = ends.second.RecvMany(received, 2);
    static_cast<void>(PollOnce(receive).ready());
  };
  const auto fill = [&ends] {
    while (ends.first.TrySend(0) == TrySendResult::kSent) {
    }
  };
  const auto drain = [&ends] {
    while (ends.second.TryRecv()) {
    }
  };
  fill();
  ExpectToStandAHostileWaker([&] { return ends.first.Reserve(); }, drain, intrude);
  fill();
  ExpectToStandAHostileWaker([&] { return ends.first.SendMany(absl::MakeSpan(batch)); }, drain,
                             intrude);
  drain();
  ExpectToStandAHostileWaker([&] { return ends.second.RecvMany(values, 2); }, fill, intrude);
}

}  // namespace
}  // namespace home
