// The futex contract by OpenBSD's futex(2). It takes a duration, so that a wait which is
// interrupted is measured anew; the clock decides what is reported.

#include <sys/time.h>
//
#include <errno.h>
#include <sys/futex.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "home/parker/fatal.h"
#include "home/parker/futex.h"

namespace home::parker_internal {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

volatile std::uint32_t* AddressOf(const std::atomic<std::uint32_t>* word) {
  // It is only compared.
  return reinterpret_cast<volatile std::uint32_t*>(const_cast<std::atomic<std::uint32_t>*>(word));
}

}  // namespace

std::int64_t FutexClockNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline) {
  timespec duration;
  const timespec* timeout = nullptr;
  if (deadline != kNoDeadline) {
    const std::int64_t left = deadline - FutexClockNanos();
    if (left <= 0) return false;
    duration.tv_sec = static_cast<time_t>(left / kNanosPerSecond);
    duration.tv_nsec = static_cast<long>(left % kNanosPerSecond);  // NOLINT: its type
    timeout = &duration;
  }
  const int saved_errno = errno;  // The caller may be in the middle of reporting one.
  if (futex(AddressOf(&word), FUTEX_WAIT | FUTEX_PRIVATE_FLAG, static_cast<int>(expected), timeout,
            nullptr) != 0) {
    // EAGAIN: the word differs. EINTR, ECANCELED: a signal. ETIMEDOUT: the next call says so.
    if (errno != ETIMEDOUT && errno != EAGAIN && errno != EINTR && errno != ECANCELED) {
      Die("futex wait failed", errno);
    }
  }
  errno = saved_errno;
  return true;
}

void FutexWake(const std::atomic<std::uint32_t>* word) {
  const int saved_errno = errno;
  // The result is of no interest: the word's memory may be gone already.
  futex(AddressOf(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, nullptr, nullptr);
  errno = saved_errno;
}

}  // namespace home::parker_internal
