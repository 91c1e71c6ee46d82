// What the scheduler's tests share: the flavours of a runtime, a value that one task
// waits for and another sets, and a gate for threads.

#ifndef HOME_SCHEDULER_TESTING_H_
#define HOME_SCHEDULER_TESTING_H_

#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/simulation_testing.h"

namespace home::testing {

// A value that one task waits for and another sets; by hand, as the scheduler
// knows no channels.
class Oneshot {
 public:
  void Set(int value) {
    Waker waker;
    {
      const std::lock_guard lock(mutex_);
      value_ = value;
      waker = std::move(waker_);
    }
    std::move(waker).Wake();
  }
  auto Wait() {
    return PollFn([this](Context& cx) -> Poll<int> {
      Waker old;
      const std::lock_guard lock(mutex_);
      if (value_) return *value_;
      if (!waker_ || !waker_.WillWake(cx.waker())) {
        old = std::move(waker_);
        waker_ = cx.waker().Clone();
      }
      return kPending;
    });
  }

 private:
  std::mutex mutex_;
  std::optional<int> value_;
  Waker waker_;
};

// Blocks threads until somebody opens it.
class Gate {
 public:
  void Open() { opened_.set_value(); }
  void Wait() const { open_.wait(); }

 private:
  std::promise<void> opened_;
  const std::shared_future<void> open_ = opened_.get_future().share();
};

// kSimulated: with the seed of simulation_testing.h.
enum class Flavour { kCurrentThread, kOneWorker, kTwoWorkers, kFourWorkers, kSimulated };

// For INSTANTIATE_TEST_SUITE_P.
inline std::string FlavourName(const ::testing::TestParamInfo<Flavour>& param) {
  switch (param.param) {
    case Flavour::kCurrentThread:
      return "CurrentThread";
    case Flavour::kOneWorker:
      return "OneWorker";
    case Flavour::kTwoWorkers:
      return "TwoWorkers";
    case Flavour::kFourWorkers:
      return "FourWorkers";
    case Flavour::kSimulated:
      return "Simulated";
  }
  return "Unknown";
}

inline Runtime MakeRuntime(Flavour flavour) {
  RuntimeBuilder builder;
  switch (flavour) {
    case Flavour::kCurrentThread:
      builder.CurrentThread();
      break;
    case Flavour::kOneWorker:
      builder.WorkerThreads(1);
      break;
    case Flavour::kTwoWorkers:
      builder.WorkerThreads(2);
      break;
    case Flavour::kFourWorkers:
      builder.WorkerThreads(4);
      break;
    case Flavour::kSimulated:
      return SimulatedRuntime();
  }
  absl::StatusOr<Runtime> runtime = builder.Build();
  EXPECT_TRUE(runtime.ok()) << runtime.status();
  return *std::move(runtime);
}

}  // namespace home::testing

#endif  // HOME_SCHEDULER_TESTING_H_
