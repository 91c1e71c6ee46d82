// A wake costs the same however many children there are: whatever holds 100,000 children
// at once polls those that were woken and no others.

#include <cstddef>
#include <ranges>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/futures_unordered.h"
#include "home/future/join_all.h"
#include "home/future/map.h"
#include "home/future/stream.h"
#include "home/future/stream_buffered.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Manual;
using testing::ManualState;
using testing::PollNextOnce;
using testing::PollOnce;

constexpr int kChildren = 100'000;

// Child number i yields i, once it is set.
class ManyChildrenTest : public ::testing::Test {
 protected:
  template <typename T = int>
  Manual<T> Child(int i) {
    return Manual<T>(&states_[static_cast<std::size_t>(i)], i);
  }
  template <typename T = int>
  std::vector<Manual<T>> Vector() {
    std::vector<Manual<T>> children;
    children.reserve(kChildren);
    for (int i = 0; i < kChildren; ++i) children.push_back(Child<T>(i));
    return children;
  }
  auto Stream() {
    return FromRange(std::views::iota(0, kChildren)) | Map([this](int i) { return Child(i); });
  }
  template <typename Set>
  void PushAll(Set& set) {
    for (int i = 0; i < kChildren; ++i) set.Push(Child(i));
  }

  // Polls `all`, a future or a stream of all children, and shows that a poll polls those
  // children that were woken. Returns what it answers when child number `first` is ready.
  template <typename F>
  auto PollWithOneReady(F& all, int first) {
    EXPECT_TRUE(PollIt(all).pending());
    EXPECT_EQ(polls(), kChildren);
    // A wake for nothing polls that child and no other, and clones no waker.
    ManualState& woken = states_[kChildren / 2];
    woken.waker.WakeByRef();
    EXPECT_EQ(counter_.wakes(), 1);
    EXPECT_TRUE(PollIt(all).pending());
    EXPECT_EQ(polls(), kChildren + 1);
    EXPECT_EQ(woken.polls, 2);
    EXPECT_EQ(woken.wakers_cloned, 1);
    // A poll without a wake polls nobody.
    EXPECT_TRUE(PollIt(all).pending());
    EXPECT_EQ(polls(), kChildren + 1);
    states_[static_cast<std::size_t>(first)].Set();
    auto answer = PollIt(all);
    EXPECT_EQ(polls(), kChildren + 2);
    return answer;
  }

 private:
  template <typename F>
  auto PollIt(F& all) {
    if constexpr (home::Stream<F>) {
      return PollNextOnce(all, counter_);
    } else {
      return PollOnce(all, counter_);
    }
  }
  int polls() const {
    int sum = 0;
    for (const ManualState& state : states_) sum += state.polls;
    return sum;
  }

  CountingWaker counter_;
  // Outlives the children and their wakers.
  std::vector<ManualState> states_{kChildren};
};

TEST_F(ManyChildrenTest, FuturesUnordered) {
  FuturesUnordered<Manual<int>> set;
  PushAll(set);
  EXPECT_EQ(**PollWithOneReady(set, 777), 777);
}

TEST_F(ManyChildrenTest, FuturesOrdered) {
  FuturesOrdered<Manual<int>> set;
  PushAll(set);
  EXPECT_EQ(**PollWithOneReady(set, 0), 0);
}

TEST_F(ManyChildrenTest, FuturesOrderedWithAnEarlyValue) {
  FuturesOrdered<Manual<int>> set;
  PushAll(set);
  EXPECT_TRUE(PollWithOneReady(set, 777).pending());
}

TEST_F(ManyChildrenTest, JoinAll) {
  auto all = JoinAll(Vector());
  EXPECT_TRUE(PollWithOneReady(all, 777).pending());
}

TEST_F(ManyChildrenTest, TryJoinAll) {
  auto all = TryJoinAll(Vector<absl::StatusOr<int>>());
  EXPECT_TRUE(PollWithOneReady(all, 777).pending());
}

TEST_F(ManyChildrenTest, SelectAll) {
  auto all = SelectAll(Vector());
  EXPECT_EQ(*PollWithOneReady(all, 777), std::make_pair(std::size_t{777}, 777));
}

TEST_F(ManyChildrenTest, Buffered) {
  auto all = Stream() | Buffered(kChildren);
  EXPECT_EQ(**PollWithOneReady(all, 0), 0);
}

TEST_F(ManyChildrenTest, BufferedUnordered) {
  auto all = Stream() | BufferedUnordered(kChildren);
  EXPECT_EQ(**PollWithOneReady(all, 777), 777);
}

TEST_F(ManyChildrenTest, ForEachConcurrent) {
  int seen = 0;
  auto all = FromRange(std::views::iota(0, kChildren)) |
             ForEachConcurrent(kChildren, [this, &seen](int i) {
               return Map(Child(i), [&seen](int value) { seen = value; });
             });
  EXPECT_TRUE(PollWithOneReady(all, 777).pending());
  EXPECT_EQ(seen, 777);
}

}  // namespace
}  // namespace home
