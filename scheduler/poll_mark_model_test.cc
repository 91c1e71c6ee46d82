// PollMark under the model checker: a worker that polls one task after another, and somebody
// who looks meanwhile.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <source_location>

#include "gtest/gtest.h"
#include "home/scheduler/poll_mark.h"
#include "home/task/task_id.h"
#include "home/task/task_info.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::scheduler_internal {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::Exhaustively;
using model::Expect;
using model::ExpectFound;
using model::Weakening;
using std::memory_order_acquire;
using std::memory_order_release;

using Mark = BasicPollMark<model::Atomic>;

// The tasks that are polled, each once. Task i has the id i; nothing has the id 0.
const std::array<TaskInfo, 3> kTasks = {
    TaskInfo(),
    TaskInfo(TaskId(1), "one", std::source_location::current()),
    TaskInfo(TaskId(2), "two", std::source_location::current()),
};

struct WorkerAndReader {
  static constexpr int kThreads = 2;

  void Thread(int index) {
    if (index == 0) return Work();
    Look();
  }
  void Work() {
    Poll(1);
    Poll(2);
  }
  void Poll(std::size_t task) {
    mark.Begin(kTasks[task]);
    mark.End();
  }
  void Look() const {
    const std::optional<Mark::View> view = mark.Current();
    if (!view) return;
    // Poll i has the i-th odd number.
    const std::uint64_t task = view->number / 2 + 1;
    Expect(view->number % 2 == 1 && task < kTasks.size(), "a poll");
    const TaskInfo& expected = kTasks[task];
    Expect(view->task.id == expected.id, "the id of the task of this poll");
    Expect(view->task.name == expected.name, "its name");
    Expect(view->task.location.line() == expected.location.line(), "its location");
  }

  Mark mark;
};

// The worker is given to another thread between its polls.
struct Handover : WorkerAndReader {
  static constexpr int kThreads = 3;
  void Thread(int index) {
    if (index == 2) return Look();
    if (index == 0) {
      Poll(1);
      offered.store(true, memory_order_release);
    } else if (offered.load(memory_order_acquire)) {
      Poll(2);
    }
  }

  model::Atomic<bool> offered{false};
};

TEST(PollMarkModelTest, AReaderSeesOneTaskWhole) { CheckExhaustively<WorkerAndReader>(); }
TEST(PollMarkModelTest, TheWorkerChangesItsThread) { CheckRandomly<Handover>(100'000); }

// Without an order a part of the info would be seen before the end of the poll before, or
// the poll before its info.
TEST(PollMarkModelTest, EachPartIsReleased) {
  for (const char* type : {"TaskId", "char", "source_location", "long"}) {
    ExpectFound<WorkerAndReader>(Exhaustively(), {.function = "Begin",
                                                  .access = Access::kStore,
                                                  .type = type,
                                                  .from = memory_order_release});
  }
}
TEST(PollMarkModelTest, EachPartIsAcquired) {
  for (const char* type : {"TaskId", "char", "source_location", "long"}) {
    ExpectFound<WorkerAndReader>(Exhaustively(), {.function = "Current",
                                                  .access = Access::kLoad,
                                                  .type = type,
                                                  .from = memory_order_acquire});
  }
}

}  // namespace
}  // namespace home::scheduler_internal
