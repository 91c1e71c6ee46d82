#include "home/future/poll.h"

#include <memory>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"
#include "home/future/future.h"

namespace home {
namespace {

TEST(PollTest, ReadyHoldsTheValue) {
  Poll<std::string> poll(std::string("value"));
  ASSERT_TRUE(poll.ready());
  EXPECT_EQ(*poll, "value");
  EXPECT_EQ(std::move(poll).value(), "value");
}

TEST(PollTest, PendingHoldsNothing) {
  Poll<std::string> poll = kPending;
  EXPECT_FALSE(poll.ready());
  EXPECT_TRUE(poll.pending());
}

TEST(PollTest, MoveOnlyValuesPassThrough) {
  Poll<std::unique_ptr<int>> poll(std::make_unique<int>(7));
  Poll<std::unique_ptr<int>> moved(std::move(poll));
  EXPECT_EQ(**moved, 7);
}

TEST(PollTest, VoidIsReadyOrPending) {
  Poll<void> ready = kReady;
  Poll<void> pending = kPending;
  EXPECT_TRUE(ready.ready());
  EXPECT_TRUE(pending.pending());
}

// Two registers: the flag must stay a word of its own, and the whole must stay
// trivially copyable, or every poll of a small future goes through memory.
static_assert(sizeof(Poll<int>) == 16 && std::is_trivially_copyable_v<Poll<int>>);
static_assert(std::is_trivially_destructible_v<Poll<void*>>);

}  // namespace
}  // namespace home
