// The futex contract by FreeBSD's _umtx_op(2): private words, and an absolute deadline on
// CLOCK_MONOTONIC.

#include <sys/types.h>
//
#include <errno.h>
#include <sys/umtx.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "home/parker/fatal.h"
#include "home/parker/futex.h"

namespace home::parker_internal {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

void* AddressOf(const std::atomic<std::uint32_t>* word) {
  return const_cast<std::atomic<std::uint32_t>*>(word);  // It is only compared.
}

}  // namespace

std::int64_t FutexClockNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline) {
  _umtx_time until = {};
  void* size = nullptr;
  void* timeout = nullptr;
  if (deadline != kNoDeadline) {
    if (deadline < 0) deadline = 0;
    until._timeout.tv_sec = static_cast<time_t>(deadline / kNanosPerSecond);
    until._timeout.tv_nsec = static_cast<long>(deadline % kNanosPerSecond);  // NOLINT: its type
    until._flags = UMTX_ABSTIME;
    until._clockid = CLOCK_MONOTONIC;
    // The size travels in place of a pointer: that is how the call knows which struct it is.
    size = reinterpret_cast<void*>(sizeof until);
    timeout = &until;
  }
  const int saved_errno = errno;  // The caller may be in the middle of reporting one.
  bool reached = false;
  if (_umtx_op(AddressOf(&word), UMTX_OP_WAIT_UINT_PRIVATE, expected, size, timeout) != 0) {
    if (errno != ETIMEDOUT && errno != EINTR) Die("umtx wait failed", errno);
    reached = errno == ETIMEDOUT;
  }
  errno = saved_errno;
  return !reached;
}

void FutexWake(const std::atomic<std::uint32_t>* word) {
  const int saved_errno = errno;
  // The result is of no interest: the word's memory may be gone already.
  _umtx_op(AddressOf(word), UMTX_OP_WAKE_PRIVATE, 1, nullptr, nullptr);
  errno = saved_errno;
}

}  // namespace home::parker_internal
