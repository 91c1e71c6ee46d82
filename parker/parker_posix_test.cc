// What only POSIX systems can do to a parker: signals, and memory that is unmapped.

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/parker/futex.h"
#include "home/parker/parker.h"

namespace home {
namespace {

void IgnoreSignal(int) {}

TEST(ParkerPosixTest, SignalsDoNotEndAPark) {
  struct sigaction action = {};
  struct sigaction old_action;
  action.sa_handler = &IgnoreSignal;  // Without SA_RESTART: system calls are interrupted.
  ASSERT_EQ(sigaction(SIGUSR1, &action, &old_action), 0);
  Parker parker;
  std::atomic<bool> unparked = false;
  std::atomic<bool> returned_early = false;
  std::thread sleeper([&] {
    parker.Park();
    if (!unparked.load()) returned_early = true;
  });
  for (int i = 0; i < 50; ++i) {
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    absl::SleepFor(absl::Microseconds(200));
  }
  unparked = true;
  parker.Unpark();
  sleeper.join();
  EXPECT_FALSE(returned_early.load());
  sigaction(SIGUSR1, &old_action, nullptr);
}

// What Parker::Unpark() relies on when the parker has gone.
TEST(ParkerPosixTest, WakeOfUnmappedMemoryIsHarmless) {
  void* const page =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  const auto* const word = ::new (page) std::atomic<std::uint32_t>(0);
  ASSERT_EQ(munmap(page, 4096), 0);
  parker_internal::FutexWake(word);
}

}  // namespace
}  // namespace home
