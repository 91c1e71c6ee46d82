#include "home/sync/wait_group.h"

#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

TEST(WaitGroupTest, WaitsForAllMembers) {
  WaitGroup group;
  CountingWaker counter;
  for (int round = 0; round < 2; ++round) {
    auto nobody = group.Wait();
    EXPECT_TRUE(PollOnce(nobody).ready());
    std::optional<WaitGroup::Member> first = group.Join();
    std::optional<WaitGroup::Member> second = *first;
    std::optional<WaitGroup::Member> moved = std::move(*first);
    first.reset();
    EXPECT_EQ(group.size(), 2u);
    auto wait = group.Wait();
    EXPECT_TRUE(PollOnce(wait, counter).pending());
    second.reset();
    EXPECT_EQ(counter.wakes(), round);
    moved.reset();
    EXPECT_EQ(counter.wakes(), round + 1);
    EXPECT_TRUE(PollOnce(wait, counter).ready());
  }
  EXPECT_EQ(counter.alive(), 0);
}

TEST(WaitGroupTest, AssignmentCountsOnce) {
  WaitGroup a;
  WaitGroup b;
  auto member = a.Join();
  auto other = b.Join();
  member = other;
  EXPECT_EQ(a.size(), 0u);
  EXPECT_EQ(b.size(), 2u);
}

TEST(WaitGroupTest, HostileWaker) {
  WaitGroup group;
  std::optional<WaitGroup::Member> member = group.Join();
  ExpectToStandAHostileWaker([&] { return group.Wait(); }, [&] { member.reset(); },
                             [&] {
                               const auto joined = group.Join();
                               auto wait = group.Wait();
                               static_cast<void>(PollOnce(wait).ready());
                             });
}

}  // namespace
}  // namespace home
