// The completion layer under many threads, on every engine; run under ThreadSanitizer and
// AddressSanitizer.

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakeSocketPair;
using reactor_internal::Rounds;
using reactor_internal::WriteSome;

// For a wake-up after the first `wakes`. Asleep in between: the poller needs the processor.
void AwaitWake(const CountingWaker& counter, int wakes) {
  while (counter.wakes() == wakes) std::this_thread::sleep_for(std::chrono::microseconds(20));
}
void AwaitDropped(const CountingWaker& counter) {
  while (counter.alive() != 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
}

// Starts, ends and drops, all at the same time, while another thread polls the reactor.
// What is dropped may or may not have taken its byte; what is not dropped gets one.
TEST_P(IoTest, DropsDuringCompletions) {
  constexpr int kThreads = 3;
  const int kRounds = Rounds(600);
  std::atomic<int> alive{0};
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      CountingWaker counter;
      for (int i = 0; i < kRounds; ++i) {
        FdPair pair = MakeSocketPair();
        const IoFile socket = Attach(pair.a);
        auto kept = std::make_optional(IoRecv(socket, CountedBuffer(1, &alive)));
        auto dropped = std::make_optional(IoRecv(socket, CountedBuffer(1, &alive)));
        int wakes = counter.wakes();
        if ((i + t) % 2 == 0) {
          EXPECT_TRUE(PollOnce(*dropped, counter).pending());
        }
        EXPECT_TRUE(PollOnce(*kept, counter).pending());
        EXPECT_EQ(WriteSome(pair.b, "ab", 2), 2);
        if ((i + t) % 3 != 0) std::this_thread::yield();
        dropped.reset();
        // Let the poller submit, in case that nobody sleeps there.
        reactor_->Wake();
        for (;;) {
          AwaitWake(counter, wakes);
          wakes = counter.wakes();
          if (PollOnce(*kept, counter).ready()) break;
        }
        if ((i + t) % 5 == 0) {
          auto made = IoOpen(io_, "/dev/null", O_RDWR);
          if (PollOnce(made, counter).pending()) reactor_->Wake();
        }
      }
      AwaitDropped(counter);
      running.fetch_sub(1);
      reactor_->Wake();
    });
  }
  TurnUntil(*reactor_, [&] { return running.load() == 0; });
  for (std::thread& thread : threads) thread.join();
  TurnUntilFreed(alive);
}

// Reads and writes of many sockets, each a chain of operations that await one another.
TEST_P(IoTest, PingPongAcrossThreads) {
  constexpr int kThreads = 3;
  const int kRounds = Rounds(400);
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  const auto finish = [](auto operation) {
    CountingWaker counter;
    int wakes = counter.wakes();
    for (;;) {
      auto result = PollOnce(operation, counter);
      if (result.ready()) {
        AwaitDropped(counter);
        return std::move(result).value();
      }
      AwaitWake(counter, wakes);
      wakes = counter.wakes();
    }
  };
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      FdPair pair = MakeSocketPair();
      const IoFile a = Attach(pair.a);
      const IoFile b = Attach(pair.b);
      for (int i = 0; i < kRounds; ++i) {
        const std::string sent(1, static_cast<char>('a' + i % 26));
        EXPECT_EQ(finish(IoSend(a, sent)).count.value(), 1u);
        EXPECT_EQ(finish(IoRecv(b, std::string(1, '\0'))).buffer, sent);
      }
      running.fetch_sub(1);
      reactor_->Wake();
    });
  }
  TurnUntil(*reactor_, [&] { return running.load() == 0; });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace home::testing
