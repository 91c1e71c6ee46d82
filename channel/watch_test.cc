#include "home/channel/watch.h"

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/testing.h"
#include "home/future/future.h"
#include "home/future/stream.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using channel_testing::NumberOf;
using channel_testing::ValueOf;
using sync_testing::ExpectToStandAHostileWaker;
using sync_testing::HostileWaker;
using testing::CountingWaker;
using testing::OwningNext;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Unaddressable;

static_assert(Future<WatchReceiver<int>::ChangedFuture>);
static_assert(Stream<WatchReceiver<int>::Stream>);

TEST(WatchTest, HoldsTheLatestValue) {
  auto [sender, receiver] = MakeWatch<int>(1);
  EXPECT_EQ(*receiver.Borrow(), 1);
  EXPECT_FALSE(receiver.HasChanged());
  sender.Send(2);
  sender.Send(3);
  EXPECT_TRUE(receiver.HasChanged());
  EXPECT_EQ(*receiver.Borrow(), 3);
  EXPECT_TRUE(receiver.HasChanged());
  EXPECT_EQ(*receiver.BorrowAndUpdate(), 3);
  EXPECT_FALSE(receiver.HasChanged());
  EXPECT_EQ(*sender.Borrow(), 3);
}

TEST(WatchTest, ASnapshotStaysAsItIs) {
  struct Limits {
    int connections;
    double load;
  };
  auto [limits, limited] = MakeWatch<Limits>({10, 0.5});
  static_assert(std::same_as<WatchReceiver<Limits>::Snapshot, std::optional<Limits>>);
  const auto first = limited.Borrow();
  limits.Send({20, 0.25});
  EXPECT_EQ(first->connections, 10);
  EXPECT_EQ(limited.Borrow()->connections, 20);
  EXPECT_EQ(limited.Borrow()->load, 0.25);

  // Nothing is copied that says it must not be.
  struct Handle {
    explicit Handle(int number_in) : number(number_in) {}
    Handle(Handle&&) = default;
    Handle& operator=(Handle&&) = default;
    int number;
  };
  auto [handles, handle] = MakeWatch<Handle>(Handle(1));
  static_assert(std::same_as<decltype(handle.Borrow()), std::shared_ptr<const Handle>>);
  EXPECT_EQ(handle.Borrow()->number, 1);

  auto [sender, receiver] = MakeWatch<std::unique_ptr<int>>(std::make_unique<int>(1));
  const auto before = receiver.Borrow();
  sender.Send(std::make_unique<int>(2));
  EXPECT_EQ(**before, 1);
  EXPECT_EQ(**receiver.Borrow(), 2);
}

TEST(WatchTest, ValuesThatHaveAnAddressOperator) {
  auto [sender, receiver] = MakeWatch<Unaddressable>({.number = 1});
  EXPECT_EQ(receiver.BorrowAndUpdate()->number, 1);
  sender.Send({.number = 2});
  EXPECT_EQ(receiver.BorrowAndUpdate()->number, 2);
}

TEST(WatchTest, Changed) {
  auto [sender, receiver] = MakeWatch<int>(1);
  CountingWaker counter;
  auto changed = receiver.Changed();
  EXPECT_TRUE(PollOnce(changed, counter).pending());
  EXPECT_TRUE(PollOnce(changed, counter).pending());
  EXPECT_EQ(counter.alive(), 1);
  sender.Send(2);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(*PollOnce(changed, counter));
  EXPECT_FALSE(receiver.HasChanged());
  // Several changes are one.
  sender.Send(3);
  sender.Send(4);
  auto once = receiver.Changed();
  EXPECT_TRUE(*PollOnce(once, counter));
  auto again = receiver.Changed();
  EXPECT_TRUE(PollOnce(again, counter).pending());
}

TEST(WatchTest, CopiesSeeForThemselves) {
  auto [sender, first] = MakeWatch<int>(1);
  sender.Send(2);
  auto second = first;
  auto fresh = sender.Subscribe();
  EXPECT_EQ(sender.receivers(), 3u);
  EXPECT_EQ(*first.BorrowAndUpdate(), 2);
  EXPECT_TRUE(second.HasChanged());
  EXPECT_FALSE(fresh.HasChanged());
}

TEST(WatchTest, TheLastSenderEndsIt) {
  auto ends = MakeWatch<int>(1);
  auto& receiver = ends.second;
  CountingWaker counter;
  auto changed = receiver.Changed();
  EXPECT_TRUE(PollOnce(changed, counter).pending());
  {
    auto sender = std::move(ends.first);
    auto other = sender;
    other.Send(2);
  }
  // The last value first, then the end.
  EXPECT_TRUE(*PollOnce(changed, counter));
  auto end = receiver.Changed();
  EXPECT_FALSE(*PollOnce(end, counter));
  EXPECT_EQ(*receiver.Borrow(), 2);
  EXPECT_EQ(counter.alive(), 0);
}

TEST(WatchTest, WaitFor) {
  auto ends = MakeWatch<int>(1);
  auto& [sender, receiver] = ends;
  CountingWaker counter;
  auto now = receiver.WaitFor([](int value) { return value == 1; });
  EXPECT_EQ(**PollOnce(now, counter), 1);
  auto later = receiver.WaitFor([](int value) { return value >= 3; });
  EXPECT_TRUE(PollOnce(later, counter).pending());
  sender.Send(2);
  EXPECT_TRUE(PollOnce(later, counter).pending());
  sender.Send(3);
  EXPECT_EQ(**PollOnce(later, counter), 3);
  auto never = receiver.WaitFor([](int value) { return value > 9; });
  EXPECT_TRUE(PollOnce(never, counter).pending());
  {
    const auto gone = std::move(ends.first);
  }
  EXPECT_FALSE(*PollOnce(never, counter));
}

TEST(WatchTest, ADroppedChangedLosesNothing) {
  auto [sender, receiver] = MakeWatch<int>(1);
  CountingWaker counter;
  {
    auto changed = receiver.Changed();
    EXPECT_TRUE(PollOnce(changed, counter).pending());
    sender.Send(2);
  }
  EXPECT_TRUE(receiver.HasChanged());
  {
    auto changed = receiver.Changed();
    EXPECT_TRUE(*PollOnce(changed, counter));
    auto waiting = receiver.Changed();
    EXPECT_TRUE(PollOnce(waiting, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
}

TEST(WatchTest, AsStream) {
  auto ends = MakeWatch<int>(1);
  CountingWaker counter;
  auto stream = std::move(ends.second).AsStream();
  // What was seen is no item.
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  // The future of the next item is gone, and has lost nothing: the stream stays registered.
  ends.first.Send(2);
  EXPECT_EQ(counter.wakes(), 1);
  ends.first.Send(3);
  EXPECT_EQ(***PollNextOnce(stream, counter), 3);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  ends.first.Send(4);
  {
    const auto gone = std::move(ends.first);
  }
  // The last value first, then the end.
  EXPECT_EQ(***PollNextOnce(stream, counter), 4);
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
  EXPECT_EQ(counter.alive(), 0);
}

TEST(WatchTest, ADroppedStreamTakesNothingFromOthers) {
  auto [sender, receiver] = MakeWatch<int>(1);
  CountingWaker counter;
  {
    auto stream = WatchReceiver<int>(receiver).AsStream();
    EXPECT_TRUE(PollNextOnce(stream, counter).pending());
    sender.Send(2);
    EXPECT_TRUE(PollNextOnce(stream, counter).ready());
    EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_EQ(sender.receivers(), 1u);
  EXPECT_TRUE(receiver.HasChanged());
  EXPECT_EQ(*receiver.BorrowAndUpdate(), 2);
}

// Pitfall 12: user code that calls back into the channel: wakers, and a value's destructor. Of a
// value of each way to store it.
template <typename T>
class HostileWatchTest : public ::testing::Test {};
using Values = ::testing::Types<int, std::string>;
TYPED_TEST_SUITE(HostileWatchTest, Values);

TYPED_TEST(HostileWatchTest, WakerOfAChange) {
  auto ends = MakeWatch<TypeParam>(ValueOf<TypeParam>(1));
  bool sending = false;
  int sent_by_waker = 0;
  const auto wait = [&ends] {
    static_cast<void>(ends.second.BorrowAndUpdate());
    return ends.second.Changed();
  };
  const auto release = [&] {
    sending = true;
    ends.first.Send(ValueOf<TypeParam>(2));
    sending = false;
  };
  const auto intrude = [&] {
    auto copy = ends.second;
    auto changed = copy.Changed();
    static_cast<void>(PollOnce(changed).ready());
    EXPECT_GE(NumberOf(*ends.first.Subscribe().Borrow()), 1u);
    // Not while somebody is to wait: every value ends that.
    if (!sending) return;
    ends.first.Send(ValueOf<TypeParam>(9));
    ++sent_by_waker;
  };
  ExpectToStandAHostileWaker(wait, release, intrude);
  EXPECT_EQ(sent_by_waker, 1);
  const auto wait_by_stream = [&] {
    static_cast<void>(wait());
    return OwningNext(WatchReceiver<TypeParam>(ends.second).AsStream());
  };
  ExpectToStandAHostileWaker(wait_by_stream, release, intrude);
  EXPECT_EQ(sent_by_waker, 2);
  EXPECT_EQ(ends.first.receivers(), 1u);
}

TYPED_TEST(HostileWatchTest, CloneThatSends) {
  auto ends = MakeWatch<TypeParam>(ValueOf<TypeParam>(1));
  HostileWaker hostile([&ends] { ends.first.Send(ValueOf<TypeParam>(9)); });
  {
    const Waker waker = hostile.Make();
    Context cx(waker);
    auto changed = ends.second.Changed();
    EXPECT_TRUE(changed.Poll(cx).ready());
  }
  EXPECT_GE(hostile.intrusions(), 2);
}

TYPED_TEST(HostileWatchTest, WakerOfWaitFor) {
  auto ends = MakeWatch<TypeParam>(ValueOf<TypeParam>(0));
  std::uint64_t wanted = 3;
  const auto wait = [&] {
    ++wanted;
    return ends.second.WaitFor(
        [least = wanted](const TypeParam& value) { return NumberOf(value) >= least; });
  };
  const auto intrude = [&ends] {
    // Changes that do not suffice, and an end to them.
    const std::uint64_t latest = NumberOf(*ends.first.Borrow());
    if (latest < 3) ends.first.Send(ValueOf<TypeParam>(latest + 1));
    auto copy = ends.second;
    auto wait_for = copy.WaitFor([](const TypeParam& value) { return NumberOf(value) == 0; });
    static_cast<void>(PollOnce(wait_for).ready());
  };
  const auto release = [&] { ends.first.Send(ValueOf<TypeParam>(wanted)); };
  ExpectToStandAHostileWaker(wait, release, intrude);
  EXPECT_EQ(NumberOf(*ends.first.Borrow()), 4u);
}

TEST(WatchTest, HostileValue) {
  struct Peeker {
    explicit Peeker(std::shared_ptr<WatchReceiver<int>> other) : other(std::move(other)) {}
    Peeker(Peeker&&) noexcept = default;
    Peeker& operator=(Peeker&&) = delete;
    ~Peeker() {
      if (other == nullptr) return;
      EXPECT_EQ(*other->Borrow(), 1);
    }
    std::shared_ptr<WatchReceiver<int>> other;
  };
  auto numbers = MakeWatch<int>(1);
  auto shared = std::make_shared<WatchReceiver<int>>(numbers.second);
  auto [sender, receiver] = MakeWatch<Peeker>(Peeker(shared));
  sender.Send(Peeker(shared));
  EXPECT_EQ(receiver.Borrow()->other, shared);
}

}  // namespace
}  // namespace home
