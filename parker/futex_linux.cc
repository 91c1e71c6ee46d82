// The futex contract by the futex(2) system call.
//
// Process-private words. FUTEX_WAIT_BITSET takes an absolute deadline on
// CLOCK_MONOTONIC, so that a wait that is interrupted and taken up again neither
// drifts nor does arithmetic.

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"
#include "home/parker/fatal.h"
#include "home/parker/futex.h"

namespace home::parker_internal {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
                  std::atomic<std::uint32_t>::is_always_lock_free,
              "the kernel must see the word that the program sees");

}  // namespace

std::int64_t FutexClockNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline) {
  timespec until;
  const timespec* timeout = nullptr;
  if (deadline != kNoDeadline) {
    if (deadline < 0) deadline = 0;
    until.tv_sec = static_cast<time_t>(deadline / kNanosPerSecond);
    until.tv_nsec = static_cast<long>(deadline % kNanosPerSecond);  // NOLINT: timespec's type
    timeout = &until;
  }
  const int saved_errno = errno;  // The caller may be in the middle of reporting one.
  bool reached = false;
  if (syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, timeout, nullptr,
              FUTEX_BITSET_MATCH_ANY) != 0) {
    // EAGAIN: the word differs. EINTR: a signal. Both are for the caller to look at.
    if (ABSL_PREDICT_FALSE(errno != ETIMEDOUT && errno != EAGAIN && errno != EINTR)) {
      Die("futex wait failed", errno);
    }
    reached = errno == ETIMEDOUT;
  }
  errno = saved_errno;
  return !reached;
}

void FutexWake(const std::atomic<std::uint32_t>* word) {
  const int saved_errno = errno;
  // The result is of no interest: the word's memory may be gone already, and the
  // kernel then answers EFAULT or finds nobody.
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
  errno = saved_errno;
}

}  // namespace home::parker_internal
