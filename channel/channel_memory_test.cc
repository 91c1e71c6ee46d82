// What channels cost in memory: an idle one, one that waits, and one that a burst went through.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/channel_policy.h"
#include "home/channel/kinds_testing.h"
#include "home/channel/oneshot.h"
#include "home/channel/watch.h"
#include "home/future/allocation_testing.h"
#include "home/future/context.h"
#include "home/future/waker.h"

namespace home {
namespace {

using testing::AllocationsOf;

// Counts the bytes of what a channel allocates.
struct CountingPolicy : ChannelPolicy {
  template <typename T, typename... Args>
  [[nodiscard]] static T* New(Args&&... args) {
    bytes += sizeof(T);
    return ChannelPolicy::New<T>(std::forward<Args>(args)...);
  }
  template <typename T>
  static void Delete(T* object) noexcept {
    bytes -= sizeof(T);
    ChannelPolicy::Delete(object);
  }

  inline static std::size_t bytes = 0;
};

constexpr std::size_t kIdle = 300;
static_assert(sizeof(channel_internal::BroadcastState<int, ChannelPolicy>) < kIdle);
static_assert(sizeof(channel_internal::WatchState<int, ChannelPolicy>) < kIdle);

template <typename Kind>
class ChannelMemoryTest : public ::testing::Test {};
using CountingKinds =
    ::testing::Types<channel_testing::Mpmc<CountingPolicy>, channel_testing::Mpsc<CountingPolicy>>;
TYPED_TEST_SUITE(ChannelMemoryTest, CountingKinds);

TYPED_TEST(ChannelMemoryTest, AnIdleChannelIsSmall) {
  {
    auto bounded = TypeParam::template Make<int>(1024);
    EXPECT_LT(CountingPolicy::bytes, kIdle);
  }
  auto unbounded = TypeParam::template MakeUnbounded<int>();
  EXPECT_LT(CountingPolicy::bytes, kIdle);
}

// Pitfall 28: memory in proportion to the past.
TYPED_TEST(ChannelMemoryTest, ABurstLeavesNothingBehind) {
  constexpr int kValues = 100'000;
  {
    auto [sender, receiver] = TypeParam::template MakeUnbounded<int>();
    for (int burst = 0; burst < 2; ++burst) {
      for (int i = 0; i < kValues; ++i) EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
      EXPECT_GT(CountingPolicy::bytes, kValues * sizeof(int));
      for (int i = 0; i < kValues; ++i) EXPECT_EQ(receiver.TryRecv(), i);
      // The channel, and at most two blocks.
      EXPECT_LT(CountingPolicy::bytes, 2'000u);
    }
  }
  EXPECT_EQ(CountingPolicy::bytes, 0u);
}

template <typename F>
bool IsReady(F& future) {
  const Waker waker;
  Context cx(waker);
  return future.Poll(cx).ready();
}

TYPED_TEST(ChannelMemoryTest, WaitingAllocatesNothing) {
  auto ends = TypeParam::template Make<int>(1);
  auto& sender = ends.first;
  auto& receiver = ends.second;
  // Its block is there.
  EXPECT_EQ(sender.TrySend(1), TrySendResult::kSent);
  int more[] = {3, 4};
  std::vector<int> values;
  values.reserve(4);
  EXPECT_EQ(AllocationsOf([&] {
              auto send = sender.Send(2);
              auto reserve = sender.Reserve();
              auto batch = sender.SendMany(absl::MakeSpan(more));
              EXPECT_FALSE(IsReady(send) || IsReady(reserve) || IsReady(batch));
              EXPECT_EQ(receiver.TryRecv(), 1);
              EXPECT_TRUE(IsReady(send));
            }),
            0u);
  EXPECT_EQ(receiver.TryRecv(), 2);
  EXPECT_EQ(AllocationsOf([&] {
              auto receive = receiver.RecvMany(values, 2);
              EXPECT_FALSE(IsReady(receive));
              EXPECT_EQ(sender.TrySend(5), TrySendResult::kSent);
              EXPECT_TRUE(IsReady(receive));
            }),
            0u);
}

template <typename Make>
std::size_t BytesOf(Make make) {
  const std::size_t before = testing::AllocatedBytes();
  [[maybe_unused]] const auto ends = make();
  return testing::AllocatedBytes() - before;
}

TEST(OtherMemoryTest, IdleOnesAreSmall) {
  EXPECT_LT(BytesOf([] { return MakeOneshot<int>(); }), kIdle);
  EXPECT_LT(BytesOf([] { return MakeWatch<int>(0); }), kIdle);
  EXPECT_LT(BytesOf([] { return MakeWatch<std::string>("some value"); }), kIdle);
  // Its room for values is there from the beginning.
  EXPECT_LT(BytesOf([] { return MakeBroadcast<int>(4); }), kIdle);
  EXPECT_LT(BytesOf([] { return MakeBroadcast<int>(64); }), kIdle + 64 * 16);
}

TEST(OtherMemoryTest, WaitingAllocatesNothing) {
  auto broadcast = MakeBroadcast<int>(4);
  auto& receiver = broadcast.second;
  EXPECT_EQ(AllocationsOf([&] {
              auto receive = receiver.Recv();
              EXPECT_FALSE(IsReady(receive));
              broadcast.first.Send(1);
              EXPECT_TRUE(IsReady(receive));
            }),
            0u);
  auto watch = MakeWatch<int>(0);
  EXPECT_EQ(AllocationsOf([&] {
              auto changed = watch.second.Changed();
              EXPECT_FALSE(IsReady(changed));
              watch.first.Send(1);
              EXPECT_TRUE(IsReady(changed));
              EXPECT_EQ(watch.second.BorrowAndUpdate(), 1);
            }),
            0u);
  auto oneshot = MakeOneshot<int>();
  EXPECT_EQ(AllocationsOf([&] {
              auto receive = oneshot.second.Recv();
              EXPECT_FALSE(IsReady(receive));
            }),
            0u);
}

}  // namespace
}  // namespace home
