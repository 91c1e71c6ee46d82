// What others see of a worker's poll, and for how long they see it.

#include "home/scheduler/poll_mark.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <source_location>
#include <thread>

#include "gtest/gtest.h"
#include "home/task/task_id.h"
#include "home/task/task_info.h"

namespace home::scheduler_internal {
namespace {

TEST(PollMarkTest, ShowsThePollThatGoesOn) {
  PollMark mark;
  EXPECT_FALSE(mark.polling());
  EXPECT_FALSE(mark.Current().has_value());
  const TaskInfo task(TaskId(7), "seven", std::source_location::current());
  mark.Begin(task);
  EXPECT_TRUE(mark.polling());
  const std::optional<PollMark::View> first = mark.Current();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->task.id, TaskId(7));
  EXPECT_STREQ(first->task.name, "seven");
  EXPECT_EQ(first->task.location.line(), task.location.line());
  EXPECT_EQ(mark.Current()->number, first->number);
  mark.End();
  EXPECT_FALSE(mark.polling());
  EXPECT_FALSE(mark.Current().has_value());
  mark.Begin(task);
  EXPECT_NE(mark.Current()->number, first->number);
}

// A reader sees the parts of one task, never of two.
TEST(PollMarkTest, NoReaderSeesHalfOfAChange) {
  static constexpr const char* kNames[] = {"zero", "one", "two"};
  PollMark mark;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    // relaxed, here and below: a flag.
    for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      mark.Begin(TaskInfo(TaskId(i % 3), kNames[i % 3], std::source_location::current()));
      if (i % 2 == 0) std::this_thread::yield();
      mark.End();
    }
  });
  std::size_t seen = 0;
  while (seen < 1000) {
    const std::optional<PollMark::View> view = mark.Current();
    if (!view) {
      std::this_thread::yield();
      continue;
    }
    ++seen;
    EXPECT_STREQ(view->task.name, kNames[view->task.id.value()]);
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();
}

}  // namespace
}  // namespace home::scheduler_internal
