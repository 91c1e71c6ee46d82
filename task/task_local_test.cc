#include "home/task/task_local.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/task/spawn.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::ManualScheduler;
using testing::PollOnce;

constinit TaskLocal<std::string> name;
constinit TaskLocal<int> number;

std::string Seen() { return name.Get() != nullptr ? *name.Get() : "none"; }

TEST(TaskLocalTest, FollowsTheTaskThroughItsPolls) {
  ManualScheduler scheduler;
  std::string seen;
  const auto watch = [&seen]() -> Async<> {
    for (int i = 0; i < 2; ++i) {
      seen += Seen() + " ";
      co_await testing::Countdown<int>(2, 0);
    }
  };
  scheduler.Spawn(name.Scope("a", watch)).Detach();
  scheduler.Spawn(watch).Detach();
  scheduler.Spawn(name.Scope("b", watch)).Detach();
  scheduler.RunUntilIdle();
  EXPECT_EQ(seen, "a none b a none b ");
  EXPECT_EQ(name.Get(), nullptr);
}

TEST(TaskLocalTest, ScopesNestAndVariablesAreApart) {
  std::string seen;
  auto future = number.Scope(1, name.Scope("outer", [&seen]() -> Async<> {
    auto inner = name.Scope("inner", [&seen]() -> Async<> {
      seen += Seen() + std::to_string(*number.Get());
      co_return;
    });
    co_await inner;
    seen += Seen();
  }));
  EXPECT_TRUE(PollOnce(future).ready());
  EXPECT_EQ(seen, "inner1outer");
}

TEST(TaskLocalTest, TheValueMayBeChangedAndIsThereInTheDestructor) {
  struct Reads {
    explicit Reads(std::string& to) : to(&to) {}
    Reads(const Reads&) = delete;
    Reads& operator=(const Reads&) = delete;
    ~Reads() { *to = Seen(); }
    std::string* to;
  };
  std::string seen;
  {
    auto future = name.Scope("before", [&seen]() -> Async<> {
      const Reads reads(seen);
      *name.Get() = "after";
      co_await PendingForever<void>();
    });
    EXPECT_TRUE(PollOnce(future).pending());
  }
  EXPECT_EQ(seen, "after");
}

TEST(TaskLocalTest, SpawnedTasksDoNotInherit) {
  ManualScheduler scheduler;
  std::string seen;
  scheduler
      .Spawn(name.Scope("parent",
                        [&seen]() -> Async<> {
                          Spawn([&seen]() -> Async<> {
                            seen = Seen();
                            co_return;
                          }).Detach();
                          co_return;
                        }))
      .Detach();
  scheduler.RunUntilIdle();
  EXPECT_EQ(seen, "none");
}

}  // namespace
}  // namespace home
