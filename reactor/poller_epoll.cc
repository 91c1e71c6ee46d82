// The poller of Linux: epoll, edge-triggered, and an eventfd to be woken by.
//
// The eventfd is edge-triggered too and is never read: each write makes a new
// edge, whatever the counter says. That saves a system call a wake-up. The
// counter would be full after 2^64 - 2 writes; Notify() empties it then.

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "home/reactor/poll_events.h"
#include "home/reactor/poller.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerMilli = 1'000'000;
// More than a day in one call gains nothing, and it keeps sums from overflowing.
constexpr std::int64_t kLongestWait = 86'400 * kNanosPerSecond;

std::int64_t MonotonicNanos() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

// Errors, and that both directions hung up, epoll reports to everybody.
std::uint32_t ToEpoll(Interest interest) {
  std::uint32_t mask = EPOLLET;
  if (interest.read()) mask |= EPOLLIN;
  if (interest.write()) mask |= EPOLLOUT;
  if (interest.priority()) mask |= EPOLLPRI;
  if (interest.read_hang_up()) mask |= EPOLLRDHUP;
  return mask;
}

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI &&
              EPOLLRDHUP == POLLRDHUP && EPOLLHUP == POLLHUP && EPOLLERR == POLLERR);

class EpollPoller final : public Poller {
 public:
  EpollPoller(UniqueFd epoll, UniqueFd notify)
      : epoll_(std::move(epoll)), notify_(std::move(notify)) {}

  absl::Status Add(int fd, Interest interest, std::uint64_t key) override {
    epoll_event event = {};
    event.events = ToEpoll(interest);
    event.data.u64 = key;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("register descriptor ", fd, " with epoll"));
  }

  void Remove(int fd) override {
    // Fails only if the descriptor was closed before, which removed it too.
    epoll_event ignored = {};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &ignored);
  }

  std::size_t Wait(std::int64_t timeout_ns, absl::Span<Event> events) override {
    const int capacity = static_cast<int>(std::min(events.size(), buffer_.size()));
    const int count = timeout_ns > 0 ? WaitFor(timeout_ns, capacity)
                                     : WaitNoneOrForever(timeout_ns == 0 ? 0 : -1, capacity);
    std::size_t reported = 0;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = buffer_[static_cast<std::size_t>(i)];
      if (event.data.u64 == kReservedKey) continue;
      events[reported++] = Event{event.data.u64, ReadySetOfPoll(event.events)};
    }
    return reported;
  }

  bool Notify() override {
    const std::uint64_t one = 1;
    for (;;) {
      if (::write(notify_.get(), &one, sizeof(one)) == sizeof(one)) return true;
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      // The counter is full: empty it, and write again for the edge.
      std::uint64_t count;
      if (::read(notify_.get(), &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR) {
        return false;
      }
    }
  }

 private:
  int WaitNoneOrForever(int timeout_ms, int capacity) {
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), buffer_.data(), capacity, timeout_ms);
      if (count >= 0) return count;
      DieUnlessInterrupted();
    }
  }

  int WaitFor(std::int64_t timeout_ns, int capacity) {
    timeout_ns = std::min(timeout_ns, kLongestWait);
    const std::int64_t deadline = MonotonicNanos() + timeout_ns;
    for (;;) {
      const int count = WaitOnce(timeout_ns, capacity);
      if (count >= 0) return count;
      timeout_ns = std::max<std::int64_t>(deadline - MonotonicNanos(), 0);
    }
  }

  int WaitOnce(std::int64_t timeout_ns, int capacity) {
    if (has_pwait2_) {
      timespec timeout;
      timeout.tv_sec = timeout_ns / kNanosPerSecond;
      timeout.tv_nsec = timeout_ns % kNanosPerSecond;
      const int count = ::epoll_pwait2(epoll_.get(), buffer_.data(), capacity, &timeout, nullptr);
      if (count >= 0) return count;
      // Kernels before 5.11 lack it, and some sandboxes refuse it.
      if (errno != ENOSYS && errno != EPERM) {
        DieUnlessInterrupted();
        return -1;
      }
      has_pwait2_ = false;
    }
    // Rounded up: a timer must not find that its time has not come.
    const int timeout_ms = static_cast<int>((timeout_ns + kNanosPerMilli - 1) / kNanosPerMilli);
    const int count = ::epoll_wait(epoll_.get(), buffer_.data(), capacity, timeout_ms);
    if (count < 0) DieUnlessInterrupted();
    return count;
  }

  // Every other error means that the epoll descriptor is not ours any more.
  static void DieUnlessInterrupted() {
    if (errno == EINTR) return;
    std::fprintf(stderr, "home reactor: epoll_wait: %s (was its descriptor closed?)\n",
                 std::strerror(errno));
    std::abort();
  }

  const UniqueFd epoll_;
  const UniqueFd notify_;
  // Used by the thread that waits.
  bool has_pwait2_ = true;
  std::array<epoll_event, 512> buffer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> CreatePoller() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return absl::ErrnoToStatus(errno, "create a reactor: epoll_create1");
  UniqueFd notify(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!notify) return absl::ErrnoToStatus(errno, "create a reactor: eventfd");
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = Poller::kReservedKey;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, notify.get(), &event) != 0) {
    return absl::ErrnoToStatus(errno, "create a reactor: epoll_ctl of its eventfd");
  }
  return std::make_unique<EpollPoller>(std::move(epoll), std::move(notify));
}

}  // namespace home::reactor_internal
