// The futex contract, for whichever platform the build has chosen.

#include "home/parker/futex.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>
#include <thread>

#include "gtest/gtest.h"

namespace home::parker_internal {
namespace {

TEST(FutexTest, WaitOnAnotherValueReturnsAtOnce) {
  const std::atomic<std::uint32_t> word = 1;
  EXPECT_TRUE(FutexWait(word, 2, kNoDeadline));
}

TEST(FutexTest, DeadlineInThePast) {
  const std::atomic<std::uint32_t> word = 1;
  EXPECT_FALSE(FutexWait(word, 1, FutexClockNanos() - 1));
  EXPECT_FALSE(FutexWait(word, 1, 0));
  EXPECT_FALSE(FutexWait(word, 1, -5));
}

TEST(FutexTest, DeadlineIsReached) {
  const std::atomic<std::uint32_t> word = 1;
  const std::int64_t deadline = FutexClockNanos() + 2'000'000;
  while (FutexWait(word, 1, deadline)) {
  }
  EXPECT_GE(FutexClockNanos(), deadline);
}

TEST(FutexTest, WakeEndsAWait) {
  std::atomic<std::uint32_t> word = 1;
  std::thread waker([&] {
    word = 2;
    FutexWake(&word);
  });
  while (word.load() == 1) EXPECT_TRUE(FutexWait(word, 1, kNoDeadline));
  waker.join();
}

TEST(FutexTest, ErrnoIsLeftAlone) {
  const std::atomic<std::uint32_t> word = 1;
  errno = 42;
  EXPECT_TRUE(FutexWait(word, 2, kNoDeadline));
  EXPECT_FALSE(FutexWait(word, 1, 0));
  FutexWake(&word);
  EXPECT_EQ(errno, 42);
}

// What Parker::Unpark() relies on when the parker has gone.
TEST(FutexTest, WakeOfUnmappedMemoryIsHarmless) {
  void* const page =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  const auto* const word = ::new (page) std::atomic<std::uint32_t>(0);
  ASSERT_EQ(munmap(page, 4096), 0);
  FutexWake(word);
}

}  // namespace
}  // namespace home::parker_internal
