#include "home/channel/broadcast.h"

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/stream.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using sync_testing::HostileWaker;
using testing::CountingWaker;
using testing::OwningNext;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Unaddressable;

static_assert(Future<BroadcastReceiver<int>::RecvFuture>);
static_assert(Stream<BroadcastReceiver<int>::Stream>);

// A type of each way to store it: as it is, and shared.
template <typename T>
T Make(int i);
template <>
int Make<int>(int i) {
  return i;
}
template <>
std::string Make<std::string>(int i) {
  return std::string(40, 'x') + std::to_string(i);
}

template <typename T>
class BroadcastTest : public ::testing::Test {};
using Values = ::testing::Types<int, std::string>;
TYPED_TEST_SUITE(BroadcastTest, Values);

TYPED_TEST(BroadcastTest, EveryReceiverGetsEveryValue) {
  auto [sender, first] = MakeBroadcast<TypeParam>(4);
  auto second = sender.Subscribe();
  EXPECT_EQ(sender.receivers(), 2u);
  EXPECT_EQ(sender.Send(Make<TypeParam>(1)), 2u);
  EXPECT_EQ(sender.Send(Make<TypeParam>(2)), 2u);
  auto late = sender.Subscribe();
  for (int i = 1; i <= 2; ++i) {
    EXPECT_EQ(first.TryRecv()->value(), Make<TypeParam>(i));
    EXPECT_EQ(second.TryRecv()->value(), Make<TypeParam>(i));
  }
  EXPECT_FALSE(first.TryRecv().has_value());
  EXPECT_FALSE(late.TryRecv().has_value());
}

TYPED_TEST(BroadcastTest, LagTellsHowManyWereMissed) {
  for (const std::size_t capacity : {1u, 2u, 3u, 8u}) {
    auto [sender, receiver] = MakeBroadcast<TypeParam>(capacity);
    const int sent = static_cast<int>(capacity) + 3;
    for (int i = 0; i < sent; ++i) sender.Send(Make<TypeParam>(i));
    auto received = receiver.TryRecv();
    EXPECT_EQ(received->missed(), 3u);
    EXPECT_EQ(received->value(), Make<TypeParam>(3));
    for (int i = 4; i < sent; ++i) {
      received = receiver.TryRecv();
      EXPECT_EQ(received->missed(), 0u);
      EXPECT_EQ(received->value(), Make<TypeParam>(i));
    }
    EXPECT_FALSE(receiver.TryRecv().has_value());
  }
}

TYPED_TEST(BroadcastTest, SendWakesAllWhoWait) {
  auto [sender, first] = MakeBroadcast<TypeParam>(4);
  auto second = first;
  CountingWaker counter;
  auto a = first.Recv();
  auto b = second.Recv();
  EXPECT_TRUE(PollOnce(a, counter).pending());
  EXPECT_TRUE(PollOnce(a, counter).pending());
  EXPECT_TRUE(PollOnce(b, counter).pending());
  EXPECT_EQ(counter.alive(), 2);
  sender.Send(Make<TypeParam>(1));
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_EQ(PollOnce(a, counter).value()->value(), Make<TypeParam>(1));
  EXPECT_EQ(PollOnce(b, counter).value()->value(), Make<TypeParam>(1));
  EXPECT_EQ(counter.alive(), 0);
}

TYPED_TEST(BroadcastTest, ADroppedRecvLosesNothing) {
  auto [sender, receiver] = MakeBroadcast<TypeParam>(4);
  CountingWaker counter;
  {
    auto receive = receiver.Recv();
    EXPECT_TRUE(PollOnce(receive, counter).pending());
    sender.Send(Make<TypeParam>(1));
  }
  {
    auto receive = receiver.Recv();
    EXPECT_EQ(PollOnce(receive, counter).value()->value(), Make<TypeParam>(1));
    auto waiting = receiver.Recv();
    EXPECT_TRUE(PollOnce(waiting, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
}

TYPED_TEST(BroadcastTest, TheLastSenderEndsIt) {
  auto ends = MakeBroadcast<TypeParam>(4);
  auto& receiver = ends.second;
  CountingWaker counter;
  {
    auto sender = std::move(ends.first);
    auto other = sender;
    other.Send(Make<TypeParam>(1));
  }
  EXPECT_EQ(receiver.RecvBlocking()->value(), Make<TypeParam>(1));
  auto end = receiver.Recv();
  EXPECT_FALSE(PollOnce(end, counter).value().has_value());
  EXPECT_EQ(receiver.RecvBlockingFor(absl::InfiniteDuration()).status().code(),
            absl::StatusCode::kOutOfRange);
}

TYPED_TEST(BroadcastTest, WithoutReceiversNothingIsKept) {
  auto ends = MakeBroadcast<TypeParam>(4);
  EXPECT_EQ(ends.first.Send(Make<TypeParam>(1)), 1u);
  {
    const auto gone = std::move(ends.second);
  }
  EXPECT_EQ(ends.first.Send(Make<TypeParam>(2)), 0u);
  auto fresh = ends.first.Subscribe();
  EXPECT_FALSE(fresh.TryRecv().has_value());
  EXPECT_EQ(fresh.RecvBlockingFor(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ends.first.Send(Make<TypeParam>(3)), 1u);
  EXPECT_EQ(fresh.TryRecv()->value(), Make<TypeParam>(3));
}

TYPED_TEST(BroadcastTest, AsStream) {
  auto ends = MakeBroadcast<TypeParam>(2);
  ends.first.Send(Make<TypeParam>(1));
  CountingWaker counter;
  auto stream = std::move(ends.second).AsStream();
  EXPECT_EQ(ends.first.receivers(), 1u);
  EXPECT_EQ((*PollNextOnce(stream, counter))->value(), Make<TypeParam>(1));
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  // The future of that item is gone, and has lost nothing: the stream stays registered.
  for (int i = 2; i <= 5; ++i) ends.first.Send(Make<TypeParam>(i));
  EXPECT_EQ(counter.wakes(), 1);
  const auto late = *PollNextOnce(stream, counter);
  EXPECT_EQ(late->value(), Make<TypeParam>(4));
  EXPECT_EQ(late->missed(), 2u);
  {
    const auto gone = std::move(ends.first);
  }
  EXPECT_EQ((*PollNextOnce(stream, counter))->value(), Make<TypeParam>(5));
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
  EXPECT_EQ(counter.alive(), 0);
}

TYPED_TEST(BroadcastTest, ADroppedStreamTakesNothingFromOthers) {
  auto [sender, receiver] = MakeBroadcast<TypeParam>(4);
  CountingWaker counter;
  {
    auto stream = BroadcastReceiver<TypeParam>(receiver).AsStream();
    EXPECT_TRUE(PollNextOnce(stream, counter).pending());
    sender.Send(Make<TypeParam>(1));
    EXPECT_TRUE(PollNextOnce(stream, counter).ready());
    EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_EQ(sender.receivers(), 1u);
  EXPECT_EQ(receiver.TryRecv()->value(), Make<TypeParam>(1));
}

// Pitfall 12: user code that calls back into the channel.
TYPED_TEST(BroadcastTest, HostileWaker) {
  auto ends = MakeBroadcast<TypeParam>(2);
  bool sending = false;
  int sent_by_waker = 0;
  const auto wait = [&ends] {
    while (ends.second.TryRecv()) {
    }
    return ends.second.Recv();
  };
  const auto release = [&] {
    sending = true;
    ends.first.Send(Make<TypeParam>(1));
    sending = false;
  };
  const auto intrude = [&] {
    auto copy = ends.second;
    auto fresh = ends.first.Subscribe();
    EXPECT_FALSE(fresh.TryRecv().has_value());
    auto receive = copy.Recv();
    static_cast<void>(PollOnce(receive).ready());
    // Not while somebody is to wait: every value ends that.
    if (!sending) return;
    ends.first.Send(Make<TypeParam>(9));
    ++sent_by_waker;
  };
  ExpectToStandAHostileWaker(wait, release, intrude);
  EXPECT_EQ(sent_by_waker, 1);
  const auto wait_by_stream = [&] {
    static_cast<void>(wait());
    return OwningNext(BroadcastReceiver<TypeParam>(ends.second).AsStream());
  };
  ExpectToStandAHostileWaker(wait_by_stream, release, intrude);
  EXPECT_EQ(sent_by_waker, 2);
  EXPECT_EQ(ends.first.receivers(), 1u);
}

TYPED_TEST(BroadcastTest, AHostileCloneThatSends) {
  auto ends = MakeBroadcast<TypeParam>(2);
  HostileWaker hostile([&ends] { ends.first.Send(Make<TypeParam>(9)); });
  {
    const Waker waker = hostile.Make();
    Context cx(waker);
    auto receive = ends.second.Recv();
    EXPECT_TRUE(receive.Poll(cx).ready());
  }
  EXPECT_GE(hostile.intrusions(), 2);
}

// Calls a function whenever it is copied or destroyed, but not from within that.
class HostileValue {
 public:
  explicit HostileValue(std::function<void()>* intrude) : intrude_(intrude) {}
  HostileValue(const HostileValue& other) : intrude_(other.intrude_) { Intrude(); }
  HostileValue& operator=(const HostileValue&) = default;
  ~HostileValue() { Intrude(); }

 private:
  void Intrude() {
    std::function<void()> intrude = std::exchange(*intrude_, nullptr);
    if (!intrude) return;
    intrude();
    *intrude_ = std::move(intrude);
  }

  std::function<void()>* intrude_;
};

TEST(BroadcastValueTest, ThatHasAnAddressOperator) {
  auto [sender, receiver] = MakeBroadcast<Unaddressable>(2);
  EXPECT_EQ(sender.Send({.number = 7}), 1u);
  auto recv = receiver.Recv();
  EXPECT_EQ(PollOnce(recv).value()->value().number, 7);
}

TEST(BroadcastValueTest, HostileValue) {
  int intrusions = 0;
  std::function<void()> intrude;
  auto ends = MakeBroadcast<HostileValue>(1);
  const auto send = [&] { return ends.first.Send(HostileValue(&intrude)); };
  ASSERT_EQ(send(), 1u);
  intrude = [&] {
    ++intrusions;
    EXPECT_GE(send(), 1u);
    auto copy = ends.second;
    EXPECT_TRUE(copy.TryRecv().has_value());
  };
  // It overwrites a value.
  EXPECT_EQ(send(), 1u);
  EXPECT_GE(std::exchange(intrusions, 0), 1);
  // A copy comes out, of a value that is overwritten meanwhile.
  EXPECT_TRUE(ends.second.TryRecv().has_value());
  EXPECT_GE(std::exchange(intrusions, 0), 1);
  // The last receiver takes the last value with it.
  EXPECT_EQ(send(), 1u);
  intrusions = 0;
  intrude = [&] {
    ++intrusions;
    EXPECT_EQ(send(), 0u);
  };
  {
    const auto gone = std::move(ends.second);
  }
  EXPECT_EQ(intrusions, 1);
  intrude = nullptr;
}

TEST(BroadcastDeathTest, ZeroCapacity) { EXPECT_DEATH((void)MakeBroadcast<int>(0), "capacity"); }

}  // namespace
}  // namespace home
