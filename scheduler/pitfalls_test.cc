// Bugs that other schedulers shipped, each with its schedule forced. Nobody helps out here: the
// watchdog, which takes over what a long poll holds up, is off.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/unique_fd.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/task/join_handle.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using reactor_internal::FdPair;
using reactor_internal::MakeSocketPair;
using reactor_internal::ReadSome;
using reactor_internal::WriteSome;
using testing::Flavour;
using testing::Gate;
using testing::Oneshot;

RuntimeBuilder TwoWorkers() {
  return RuntimeBuilder().WorkerThreads(2).LongPollThreshold(absl::InfiniteDuration());
}

// Keeps its thread until `counter` is there. A task that is alone in its worker's queues wakes
// nobody, so this spawns another one now and then: whoever comes for that has to take all.
void SitUntil(const std::atomic<int>& counter, int value) {
  const auto came = std::make_shared<std::atomic<int>>(0);
  for (int spawned = 0; counter.load() < value;) {
    if (came->load() == spawned) {
      // Time to look elsewhere before the next one.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++spawned;
      Spawn([came]() -> Async<> {
        came->fetch_add(1);
        co_return;
      }).Detach();
    }
    std::this_thread::yield();
  }
}

Async<> WaitAndCount(Oneshot& oneshot, std::atomic<int>& waiting, std::atomic<int>& ran) {
  auto wait = oneshot.Wait();
  auto noted = PollFn([&](Context& cx) -> Poll<int> {
    Poll<int> value = wait.Poll(cx);
    if (value.pending()) waiting.fetch_add(1);
    return value;
  });
  static_cast<void>(co_await noted);
  ran.fetch_add(1);
}

// Pitfall 13, tokio#4941: the task that was woken last is in the LIFO slot of a worker whose poll
// waits for it.
TEST(SchedulerPitfallsTest, ThievesTakeFromTheLifoSlot) {
  for (int round = 0; round < 100; ++round) {
    Runtime runtime = *TwoWorkers().Build();
    Oneshot first;
    Oneshot second;
    std::atomic<int> waiting{0};
    std::atomic<int> ran{0};
    runtime.BlockOn([&]() -> Async<> {
      JoinHandle<void> waits = Spawn(WaitAndCount(first, waiting, ran));
      JoinHandle<void> also_waits = Spawn(WaitAndCount(second, waiting, ran));
      // A task, so that the wakes come from a worker.
      JoinHandle<void> sits = Spawn([&]() -> Async<> {
        // Who is woken in the middle of its poll goes on where it is.
        while (waiting.load() < 2 || waits.status() == TaskStatus::kRunning ||
               also_waits.status() == TaskStatus::kRunning) {
          co_await YieldNow();
        }
        first.Set(1);
        second.Set(1);
        SitUntil(ran, 2);
        co_return;
      });
      EXPECT_TRUE((co_await sits).ok());
      EXPECT_TRUE((co_await waits).ok());
      EXPECT_TRUE((co_await also_waits).ok());
    });
    EXPECT_GE(runtime.Metrics().total.steals, 2u);
    EXPECT_GE(runtime.Metrics().total.stolen, 2u);
  }
}

// Pitfall 17, stdexec#1305: who spawns and goes on computing has to have told somebody.
TEST(SchedulerPitfallsTest, WhatALongPollSpawnsIsRunMeanwhile) {
  for (int round = 0; round < 100; ++round) {
    Runtime runtime = *TwoWorkers().Build();
    std::atomic<int> ran{0};
    const absl::Status status = runtime.BlockOn(runtime.Spawn([&]() -> Async<> {
      for (int i = 0; i < 10; ++i) {
        Spawn([&ran]() -> Async<> {
          ran.fetch_add(1);
          co_return;
        }).Detach();
      }
      SitUntil(ran, 10);
      co_return;
    }));
    EXPECT_TRUE(status.ok()) << status;
  }
}

// Sends back what comes, until nothing more does.
Async<> Echo(UniqueFd fd) {
  const IoFile socket = IoFile::Attach(Reactor::Current()->io(), std::move(fd)).value();
  while (true) {
    IoResult<std::string> received = co_await IoRecv(socket, std::string(1, '\0'));
    if (!received.count.ok() || *received.count != 1) co_return;
    const IoResult<std::string> sent = co_await IoSend(socket, std::move(received.buffer));
    if (!sent.count.ok()) co_return;
  }
}

// Sends a byte and looks for its return. Does not let its thread go meanwhile.
void AwaitEcho(const UniqueFd& peer) {
  char byte = 'x';
  ASSERT_EQ(WriteSome(peer, &byte, 1), 1);
  while (ReadSome(peer, &byte, 1) != 1) std::this_thread::yield();
}

class IoPitfallsTest : public ::testing::TestWithParam<IoBackend> {};

// Pitfall 14, tokio#4730: the worker that drove the reactor last sits in a poll; sockets go on.
TEST_P(IoPitfallsTest, ALongPollDoesNotStopTheSockets) {
  FdPair pair = MakeSocketPair();
  Runtime runtime = *TwoWorkers().Io(GetParam()).Build();
  JoinHandle<void> echo = runtime.Spawn(Echo(std::move(pair.b)));
  for (int round = 0; round < 5; ++round) {
    // Woken by a timer, so on the worker that drives.
    const absl::Status status = runtime.BlockOn(runtime.Spawn([&]() -> Async<> {
      co_await Sleep(absl::Milliseconds(3));
      AwaitEcho(pair.a);
    }));
    EXPECT_TRUE(status.ok()) << status;
  }
  EXPECT_GE(runtime.Metrics().total.reactor_events, 5u);
  pair.a.Reset();
  EXPECT_TRUE(runtime.BlockOn(std::move(echo)).ok());
}

// Pitfall 15: a worker that never runs out of tasks looks at the reactor all the same.
TEST_P(IoPitfallsTest, ABusyLoopStarvesNoSocket) {
  for (const Flavour flavour : {Flavour::kCurrentThread, Flavour::kOneWorker}) {
    RuntimeBuilder builder;
    builder.Io(GetParam());
    if (flavour == Flavour::kCurrentThread) {
      builder.CurrentThread();
    } else {
      builder.WorkerThreads(1).LongPollThreshold(absl::InfiniteDuration());
    }
    Runtime runtime = *builder.Build();
    FdPair pair = MakeSocketPair();
    const absl::Status status = runtime.BlockOn(
        runtime.Spawn([&peer = pair.a, fd = std::move(pair.b)]() mutable -> Async<> {
          JoinHandle<void> echo = Spawn(Echo(std::move(fd)));
          char byte = 'x';
          EXPECT_EQ(WriteSome(peer, &byte, 1), 1);
          while (ReadSome(peer, &byte, 1) != 1) co_await YieldNow();
          peer.Reset();
          EXPECT_TRUE((co_await echo).ok());
        }));
    EXPECT_TRUE(status.ok()) << status;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, IoPitfallsTest,
                         ::testing::Values(IoBackend::kBest, IoBackend::kReadiness,
                                           IoBackend::kUring),
                         [](const auto& param) {
                           return param.param == IoBackend::kBest        ? "Best"
                                  : param.param == IoBackend::kReadiness ? "Readiness"
                                                                         : "Uring";
                         });

// Opens a gate as it dies.
class AtEnd {
 public:
  explicit AtEnd(Gate& gate) : gate_(&gate) {}
  AtEnd(AtEnd&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (gate_ != nullptr) gate_->Open();
  }

 private:
  Gate* gate_;
};

// Pitfall 18, tokio#2789: the shutdown waits for a closure, which waits for a task.
TEST(SchedulerPitfallsTest, AClosureThatWaitsForATaskDoesNotHoldUpTheShutdown) {
  for (const std::size_t workers : {1, 2}) {
    Runtime runtime = *RuntimeBuilder().WorkerThreads(workers).Build();
    Gate started;
    Gate ended;
    runtime.Spawn([end = AtEnd(ended)]() -> Async<> { co_await PendingForever(); }).Detach();
    JoinHandle<void> closure = runtime.SpawnBlocking([&] {
      started.Open();
      ended.Wait();
    });
    started.Wait();
    EXPECT_TRUE(runtime.ShutdownTimeout(absl::InfiniteDuration()));
    EXPECT_EQ(closure.status(), TaskStatus::kCompleted);
  }
}

}  // namespace
}  // namespace home
