// The futex contract on macOS.
//
// os_sync_wait_on_address is Apple's public futex, from 14.4 on; it is looked up at run time, so
// that a program built with any SDK runs on any release. Before 14.4 the portable table does it.
// The alternative would be __ulock_wait2, which os_sync_wait_on_address rests on and the C++
// library uses: it is private, its contract is nobody's promise, and programs that name it are
// turned away from the App Store.

#include <dlfcn.h>
#include <errno.h>
#include <time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "home/parker/fatal.h"
#include "home/parker/futex.h"
#include "home/parker/portable_futex.h"

namespace home::parker_internal {
namespace {

// As <os/os_sync_wait_on_address.h> and <os/clock.h> of macOS 14.4 declare them. A timeout is in
// nanoseconds of the clock of mach_absolute_time(), and not 0.
using WaitFunction = int (*)(void* address, std::uint64_t value, std::size_t size,
                             std::uint32_t flags);
using TimedWaitFunction = int (*)(void* address, std::uint64_t value, std::size_t size,
                                  std::uint32_t flags, std::uint32_t clock, std::uint64_t timeout);
using WakeFunction = int (*)(void* address, std::size_t size, std::uint32_t flags);
constexpr std::uint32_t kPrivate = 0;
constexpr std::uint32_t kMachAbsoluteTime = 32;

template <typename Function>
Function Find(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

struct System {
  WaitFunction wait = Find<WaitFunction>("os_sync_wait_on_address");
  TimedWaitFunction timed_wait = Find<TimedWaitFunction>("os_sync_wait_on_address_with_timeout");
  WakeFunction wake = Find<WakeFunction>("os_sync_wake_by_address_any");
  // All or none: a sleeper of one kind is not found by a wake-up of the other.
  bool complete = wait != nullptr && timed_wait != nullptr && wake != nullptr;
};

const System& GetSystem() {
  static const System system;
  return system;
}

void* AddressOf(const std::atomic<std::uint32_t>* word) {
  return const_cast<std::atomic<std::uint32_t>*>(word);  // It is only compared.
}

}  // namespace

// The clock of mach_absolute_time().
std::int64_t FutexClockNanos() {
  return static_cast<std::int64_t>(clock_gettime_nsec_np(CLOCK_UPTIME_RAW));
}

bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline) {
  const System& system = GetSystem();
  const std::int64_t left = deadline == kNoDeadline ? 0 : deadline - FutexClockNanos();
  if (deadline != kNoDeadline && left <= 0) return false;
  if (!system.complete) {
    // Its clock may be another one; what counts is how long.
    if (deadline != kNoDeadline) deadline = PortableFutex::ClockNanos() + left;
    PortableFutex::Wait(word, expected, deadline);
    return true;  // The caller comes back if it has time left: see above.
  }
  const int saved_errno = errno;  // The caller may be in the middle of reporting one.
  const int result = deadline == kNoDeadline
                         ? system.wait(AddressOf(&word), expected, sizeof expected, kPrivate)
                         : system.timed_wait(AddressOf(&word), expected, sizeof expected, kPrivate,
                                             kMachAbsoluteTime, static_cast<std::uint64_t>(left));
  // EINTR: a signal. EFAULT: the page was being paged in. ETIMEDOUT: the next call says so.
  if (result < 0 && errno != ETIMEDOUT && errno != EINTR && errno != EFAULT) {
    Die("os_sync_wait_on_address failed", errno);
  }
  errno = saved_errno;
  return true;
}

void FutexWake(const std::atomic<std::uint32_t>* word) {
  const System& system = GetSystem();
  if (!system.complete) {
    PortableFutex::Wake(word);
    return;
  }
  const int saved_errno = errno;
  // The result is of no interest: ENOENT says that nobody sleeps there.
  system.wake(AddressOf(word), sizeof(std::uint32_t), kPrivate);
  errno = saved_errno;
}

}  // namespace home::parker_internal
