// The futex contract, for each primitive that this platform has: its own, and the portable one.

#include "home/parker/futex.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/parker/portable_futex.h"

namespace home::parker_internal {
namespace {

struct NativeFutex {
  static std::int64_t ClockNanos() { return FutexClockNanos(); }
  static bool Wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::int64_t deadline) {
    return FutexWait(word, expected, deadline);
  }
  static void Wake(const std::atomic<std::uint32_t>* word) { FutexWake(word); }
};

template <typename Futex>
class FutexTest : public testing::Test {};
using Futexes = testing::Types<NativeFutex, PortableFutex>;
TYPED_TEST_SUITE(FutexTest, Futexes);

TYPED_TEST(FutexTest, WaitOnAnotherValueReturnsAtOnce) {
  const std::atomic<std::uint32_t> word = 1;
  EXPECT_TRUE(TypeParam::Wait(word, 2, kNoDeadline));
}

TYPED_TEST(FutexTest, DeadlineInThePast) {
  const std::atomic<std::uint32_t> word = 1;
  EXPECT_FALSE(TypeParam::Wait(word, 1, TypeParam::ClockNanos() - 1));
  EXPECT_FALSE(TypeParam::Wait(word, 1, 0));
  EXPECT_FALSE(TypeParam::Wait(word, 1, -5));
}

TYPED_TEST(FutexTest, DeadlineIsReachedAndNeverEarly) {
  const std::atomic<std::uint32_t> word = 1;
  for (const std::int64_t nanos : {1, 1'000, 50'000, 1'999'999, 17'000'000}) {
    const std::int64_t deadline = TypeParam::ClockNanos() + nanos;
    while (TypeParam::Wait(word, 1, deadline)) {
    }
    EXPECT_GE(TypeParam::ClockNanos(), deadline);
  }
}

TYPED_TEST(FutexTest, ClockDoesNotGoBack) {
  std::int64_t last = TypeParam::ClockNanos();
  EXPECT_GE(last, 0);
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t now = TypeParam::ClockNanos();
    EXPECT_GE(now, last);
    last = now;
  }
}

TYPED_TEST(FutexTest, WakeEndsAWait) {
  std::atomic<std::uint32_t> word = 1;
  std::thread waker([&] {
    word = 2;
    TypeParam::Wake(&word);
  });
  while (word.load() == 1) EXPECT_TRUE(TypeParam::Wait(word, 1, kNoDeadline));
  waker.join();
}

TYPED_TEST(FutexTest, WakeEndsATimedWait) {
  constexpr std::int64_t kHour = 3'600'000'000'000;
  std::atomic<std::uint32_t> word = 1;
  std::thread waker([&] {
    word = 2;
    TypeParam::Wake(&word);
  });
  const std::int64_t deadline = TypeParam::ClockNanos() + kHour;
  while (word.load() == 1) EXPECT_TRUE(TypeParam::Wait(word, 1, deadline));
  waker.join();
}

// Each wake-up reaches a sleeper of its own word, though many sleep on others.
TYPED_TEST(FutexTest, WordsAreApart) {
  constexpr int kThreads = 4;
  constexpr std::uint32_t kRounds = 500;
  std::atomic<std::uint32_t> words[kThreads] = {};
  std::vector<std::thread> threads;
  for (auto& word : words) {
    threads.emplace_back([&word] {
      for (std::uint32_t round = 0; round < kRounds; ++round) {
        // Even: it is the other's turn. Odd: ours.
        while (word.load() == 2 * round) TypeParam::Wait(word, 2 * round, kNoDeadline);
        word.fetch_add(1);
        TypeParam::Wake(&word);
      }
    });
  }
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    for (auto& word : words) {
      word.fetch_add(1);
      TypeParam::Wake(&word);
    }
    for (auto& word : words) {
      while (word.load() == 2 * round + 1) {
        TypeParam::Wait(word, 2 * round + 1, kNoDeadline);
      }
    }
  }
  for (std::thread& thread : threads) thread.join();
}

TYPED_TEST(FutexTest, ErrnoIsLeftAlone) {
  const std::atomic<std::uint32_t> word = 1;
  errno = 42;
  EXPECT_TRUE(TypeParam::Wait(word, 2, kNoDeadline));
  EXPECT_FALSE(TypeParam::Wait(word, 1, 0));
  TypeParam::Wake(&word);
  EXPECT_EQ(errno, 42);
}

}  // namespace
}  // namespace home::parker_internal
