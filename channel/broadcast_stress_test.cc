// Broadcast between tasks and threads: receivers that fall behind, are aborted, copied, or come
// later. Of numbers, which lie in the channel, and of texts, which its receivers share. On threads,
// and on the simulated flavour, where channel_simulation_test runs it under many seeds.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/testing.h"
#include "home/future/async.h"
#include "home/future/random.h"
#include "home/parker/barrier_testing.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/timeout.h"

namespace home {
namespace {

using channel_testing::NumberOf;
using channel_testing::ValueOf;
using testing::Flavour;

// Of two receivers that began at one place, where a single sender's numbers are without gaps: each
// has got what it should, or has been told of what is missing.
template <typename T>
void ExpectOneBeginning(const Broadcasted<T>& a, const std::optional<Broadcasted<T>>& b) {
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(NumberOf(a.value()) - a.missed(), NumberOf(b->value()) - b->missed());
}

// -- Tasks ----------------------------------------------------------------------------------

template <typename T, Flavour kOn>
struct On {
  using Value = T;
  static constexpr Flavour kFlavour = kOn;
  // Few where a seed makes each run another one.
  static constexpr int kValues = kOn == Flavour::kSimulated ? 40 : 2'000;
};
using Cases =
    ::testing::Types<On<std::uint64_t, Flavour::kFourWorkers>,
                     On<std::string, Flavour::kFourWorkers>, On<std::uint64_t, Flavour::kSimulated>,
                     On<std::string, Flavour::kSimulated>>;
struct CaseName {
  template <typename Case>
  static std::string GetName(int) {
    return std::string(std::is_same_v<typename Case::Value, std::string> ? "Text" : "Number") +
           (Case::kFlavour == Flavour::kSimulated ? "Simulated" : "FourWorkers");
  }
};

template <typename Case>
class BroadcastStressTest : public ::testing::Test {
 protected:
  Runtime runtime_ = testing::MakeRuntime(Case::kFlavour);
};
TYPED_TEST_SUITE(BroadcastStressTest, Cases, CaseName);

// Gets, or is told of, each number from `first` to `end` - 1.
template <typename T>
Async<void> Follow(BroadcastReceiver<T> receiver, int first, int end, std::atomic<int>* followed) {
  auto next = static_cast<std::uint64_t>(first);
  while (true) {
    const auto received = co_await receiver.Recv();
    if (!received.has_value()) break;
    next += received->missed();
    EXPECT_EQ(NumberOf(received->value()), next);
    ++next;
  }
  EXPECT_EQ(next, static_cast<std::uint64_t>(end));
  followed->fetch_add(1);
}

// To some copies of a receiver, of which one is aborted after half of the values, and one receiver
// that comes then.
template <typename T>
Async<void> SendToMany(int values) {
  constexpr int kCopies = 8;
  std::atomic<int> followed{0};
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends = MakeBroadcast<T>(16);
    for (int i = 0; i < kCopies; ++i) {
      tasks.push_back(Spawn(Follow<T>(ends.second, 0, values, &followed)));
    }
    for (int i = 0; i < values; ++i) {
      if (i == values / 2) {
        tasks[0].Abort();
        tasks.push_back(Spawn(Follow<T>(ends.first.Subscribe(), i, values, &followed)));
      }
      ends.first.Send(ValueOf<T>(static_cast<std::uint64_t>(i)));
      if (i % 10 == 0) co_await YieldNow();
    }
  }
  for (auto& task : tasks) {
    const auto done = co_await task;
    static_cast<void>(done.ok());
  }
  // The aborted one, too, if it is in the middle of a poll that lasts until the end.
  EXPECT_GE(followed, kCopies);
}
TYPED_TEST(BroadcastStressTest, ReceiversFallBehindComeAndGo) {
  this->runtime_.BlockOn(SendToMany<typename TypeParam::Value>(TypeParam::kValues));
}

// Makes receivers, waits with a copy of each for a moment, and compares the two.
template <typename T>
Async<void> ReceiveInPassing(BroadcastSender<T> sender, const std::atomic<bool>* done) {
  std::uint64_t next = 0;
  while (!*done) {
    auto receiver = sender.Subscribe();
    auto copy = receiver;
    auto receive = Timeout(copy.Recv(), absl::Microseconds(RandomBelow(3)));
    const auto received = co_await receive;
    co_await YieldNow();
    if (!received.ok()) continue;
    ExpectOneBeginning(**received, receiver.TryRecv());
    EXPECT_GE(NumberOf((*received)->value()), next) << "what was sent before it was made";
    next = NumberOf((*received)->value()) + 1;
  }
}
template <typename T>
Async<void> SendInPassing(int values) {
  auto ends = MakeBroadcast<T>(4);
  std::atomic<bool> done{false};
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(Spawn(ReceiveInPassing<T>(ends.first, &done)));
  for (int i = 0; i < values; ++i) {
    ends.first.Send(ValueOf<T>(static_cast<std::uint64_t>(i)));
    co_await YieldNow();
    if (i == values / 2) tasks[0].Abort();
  }
  done = true;
  for (auto& task : tasks) {
    const auto ended = co_await task;
    static_cast<void>(ended.ok());
  }
  EXPECT_EQ(ends.first.receivers(), 1u);
}
TYPED_TEST(BroadcastStressTest, ReceiversWaitForAMoment) {
  this->runtime_.BlockOn(SendInPassing<typename TypeParam::Value>(TypeParam::kValues));
}

// -- Threads and tasks ----------------------------------------------------------------------

constexpr std::uint64_t kSenders = 3;

// What a receiver has got of several senders, each of which sends kSenders * i + its index.
class Log {
 public:
  template <typename T>
  void Note(const Broadcasted<T>& received) {
    const std::uint64_t number = NumberOf(received.value());
    std::uint64_t& next = next_[number % kSenders];
    EXPECT_GE(number / kSenders, next) << "each sender's values in order";
    next = number / kSenders + 1;
    sent_ += received.missed() + 1;
  }
  // How many values it has got, or was told that it missed.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  std::array<std::uint64_t, kSenders> next_{};
  std::uint64_t sent_ = 0;
};

template <typename T>
Async<void> SendFromATask(BroadcastSender<T> sender, std::uint64_t index, std::uint64_t values) {
  for (std::uint64_t i = 0; i < values; ++i) {
    sender.Send(ValueOf<T>(kSenders * i + index));
    if (i % 10 == 0) co_await YieldNow();
  }
}
template <typename T>
void SendFromAThread(BroadcastSender<T> sender, std::uint64_t index, std::uint64_t values) {
  for (std::uint64_t i = 0; i < values; ++i) {
    sender.Send(ValueOf<T>(kSenders * i + index));
    if (i % 10 == 0) std::this_thread::yield();
  }
}

template <typename T>
Async<Log> FollowFromATask(BroadcastReceiver<T> receiver) {
  Log log;
  while (true) {
    const auto received = co_await receiver.Recv();
    if (!received.has_value()) co_return log;
    log.Note(*received);
  }
}
// With a deadline for each wait, which may pass.
template <typename T>
Log FollowFromAThread(BroadcastReceiver<T> receiver, absl::Duration deadline) {
  Log log;
  while (true) {
    const auto received = receiver.RecvBlockingFor(deadline);
    if (received.ok()) {
      log.Note(*received);
    } else if (received.status().code() == absl::StatusCode::kOutOfRange) {
      return log;
    }
  }
}

template <typename T>
class BroadcastThreadsTest : public ::testing::Test {};
using Values = ::testing::Types<std::uint64_t, std::string>;
TYPED_TEST_SUITE(BroadcastThreadsTest, Values);

TYPED_TEST(BroadcastThreadsTest, SendersAndReceiversAreThreadsAndTasks) {
  constexpr std::uint64_t kValues = 3'000;
  constexpr absl::Duration kDeadlines[] = {absl::InfiniteDuration(), absl::Microseconds(20),
                                           absl::ZeroDuration()};
  Runtime runtime = testing::MakeRuntime(Flavour::kTwoWorkers);
  std::vector<std::thread> threads;
  Log logs[3];
  std::vector<JoinHandle<Log>> following;
  std::optional<JoinHandle<void>> sending;
  {
    auto ends = MakeBroadcast<TypeParam>(64);
    for (std::size_t i = 0; i < 3; ++i) {
      threads.emplace_back([receiver = ends.second, &log = logs[i], deadline = kDeadlines[i]] {
        log = FollowFromAThread(receiver, deadline);
      });
      following.push_back(runtime.Spawn(FollowFromATask(ends.second)));
    }
    sending = runtime.Spawn(SendFromATask(ends.first, 0, kValues));
    threads.emplace_back(SendFromAThread<TypeParam>, ends.first, 1, kValues);
    // The last of them to go ends all waits.
    threads.emplace_back(SendFromAThread<TypeParam>, std::move(ends.first), 2, kValues);
    following[0].Abort();
  }
  for (std::thread& thread : threads) thread.join();
  for (const Log& log : logs) EXPECT_EQ(log.sent(), kSenders * kValues);
  runtime.BlockOn([&]() -> Async<void> {
    const auto sent = co_await *sending;
    EXPECT_TRUE(sent.ok());
    for (std::size_t i = 0; i < following.size(); ++i) {
      const auto log = co_await following[i];
      if (i == 0 && !log.ok()) continue;  // it need not have ended before it was aborted
      EXPECT_EQ(log->sent(), kSenders * kValues);
    }
  });
}

// The last sender goes as threads wait, or are about to, or give up.
TYPED_TEST(BroadcastThreadsTest, CloseRaces) {
  constexpr int kRounds = 300;
  constexpr int kThreads = 3;
  for (int round = 0; round < kRounds; ++round) {
    auto ends = MakeBroadcast<TypeParam>(2);
    testing::Barrier start(kThreads + 1);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([t, &start, receiver = ends.second] {
        const absl::Duration deadline = t == 0 ? absl::Microseconds(1) : absl::InfiniteDuration();
        start.ArriveAndWait();
        EXPECT_EQ(FollowFromAThread(receiver, deadline).sent(), 2u) << "all comes before the end";
      });
    }
    {
      auto sender = std::move(ends.first);
      start.ArriveAndWait();
      sender.Send(ValueOf<TypeParam>(0));
      sender.Send(ValueOf<TypeParam>(kSenders));
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// Receivers are made and copied, wait for a moment, and go, while values are sent.
TYPED_TEST(BroadcastThreadsTest, ReceiversComeAndGo) {
  constexpr std::uint64_t kValues = 2'000;
  auto ends = MakeBroadcast<TypeParam>(4);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([sender = ends.first, &done]() mutable {
      std::uint64_t next = 0;
      while (!done) {
        auto receiver = sender.Subscribe();
        auto copy = receiver;
        const auto received = copy.RecvBlockingFor(absl::Microseconds(1));
        if (!received.ok()) continue;
        ExpectOneBeginning(*received, receiver.TryRecv());
        EXPECT_GE(NumberOf(received->value()), next) << "what was sent before it was made";
        next = NumberOf(received->value()) + 1;
      }
    });
  }
  for (std::uint64_t i = 0; i < kValues; ++i) {
    ends.first.Send(ValueOf<TypeParam>(i));
    if (i % 10 == 0) std::this_thread::yield();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ends.first.receivers(), 1u);
}

}  // namespace
}  // namespace home
