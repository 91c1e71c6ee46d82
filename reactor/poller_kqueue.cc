// The poller of macOS and FreeBSD: kqueue, edge-triggered (EV_CLEAR), and a user event to be
// woken by.
//
// kqueue_events.h says which filters a registration has and what their events mean. The kernel
// keeps a registration's key with each filter, as its `udata`. What it has not got is kept here,
// by descriptor: the interest, which an event does not say; and that the descriptor is taken,
// for adding it once more would silently replace the key.
//
//   I1  An event is passed on only if its descriptor is registered under its key. So none comes
//       out of a Wait() that looks after a Remove(), whatever had been on its way.
//   I2  The table is ahead of the kernel: an entry is made before the filters are added, under
//       the lock, so that no event of theirs finds none.
//
// Facts: kqueue(2) of Apple and of FreeBSD, and the source of both kernels (xnu:
// bsd/kern/kern_event.c, uipc_socket.c, sys_pipe.c).

#include <fcntl.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "home/reactor/kqueue_events.h"
#include "home/reactor/kqueue_priority.h"
#include "home/reactor/poller.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {
namespace {

using KernelEvent = struct ::kevent;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
// More than a day in one call gains nothing, and the kernel refuses some large values.
constexpr std::int64_t kLongestWait = 86'400 * kNanosPerSecond;
// The kernel lowers it to what the buffer can hold.
constexpr int kOutOfReach = std::numeric_limits<int>::max();
constexpr timespec kNoWait = {};

static_assert(sizeof(KernelEvent::udata) == sizeof(std::uint64_t), "a key fits into udata");

constexpr KqueueFilter kFilters[] = {KqueueFilter::kRead, KqueueFilter::kWrite,
                                     KqueueFilter::kExcept};

std::int64_t MonotonicNanos() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// 0: this system has none such.
std::int16_t ToKernel(KqueueFilter filter) {
  switch (filter) {
    case KqueueFilter::kRead:
      return EVFILT_READ;
    case KqueueFilter::kWrite:
      return EVFILT_WRITE;
    case KqueueFilter::kExcept:
      return kKqueuePriorityFilter;
  }
  return 0;
}

std::uint64_t KeyOf(const KernelEvent& event) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(event.udata));
}

// A change of one filter of a descriptor's. Its outcome comes back as an event (EV_RECEIPT).
KernelEvent Change(int fd, KqueueFilter filter, unsigned flags, KqueueWatch watch,
                   std::uint64_t key) {
  unsigned notes = 0;
  // Beside out-of-band data the filter EXCEPT of macOS reports what READ does.
  if (filter == KqueueFilter::kExcept) notes = kKqueuePriorityNote | NOTE_LOWAT;
  if (watch == KqueueWatch::kHangUp) notes = NOTE_LOWAT;
  KernelEvent change = {};
  EV_SET(&change, static_cast<std::uintptr_t>(fd), ToKernel(filter),
         static_cast<std::uint16_t>(flags | EV_RECEIPT), notes,
         (notes & NOTE_LOWAT) != 0 ? kOutOfReach : 0,
         reinterpret_cast<void*>(static_cast<std::uintptr_t>(key)));
  return change;
}

// What the kernel has to say to a descriptor that has no such side: the end of a pipe that is
// not for writing, a kqueue, a terminal. (FreeBSD says EPIPE of a pipe without a reader. Whoever
// writes to it learns that at once, and nobody waits on one that is new.)
bool LacksFilter(int error) { return error == EINVAL || error == ENOTSUP || error == EPIPE; }

// The changes of a descriptor's filters, made in one call.
class Changes {
 public:
  void Add(const KernelEvent& change) { changes_[static_cast<std::size_t>(count_++)] = change; }

  void Make(int kqueue) {
    while (::kevent(kqueue, changes_.data(), count_, receipts_.data(), count_, &kNoWait) < 0) {
      if (errno == EINTR) continue;  // Repeated, a change makes no difference.
      for (KernelEvent& receipt : receipts_) receipt.data = errno;
      return;
    }
  }
  [[nodiscard]] int count() const { return count_; }
  // What became of one, in the order in which they were added: 0 or an errno.
  [[nodiscard]] int error(int index) const {
    return static_cast<int>(receipts_[static_cast<std::size_t>(index)].data);
  }

 private:
  std::array<KernelEvent, std::size(kFilters)> changes_;
  std::array<KernelEvent, std::size(kFilters)> receipts_;
  int count_ = 0;
};

class KqueuePoller final : public Poller {
 public:
  explicit KqueuePoller(UniqueFd kqueue) : kqueue_(std::move(kqueue)) {}

  absl::Status Add(int fd, Interest interest, std::uint64_t key) override {
    struct stat status;
    if (::fstat(fd, &status) != 0) return Failed(errno, fd);
    // kqueue would have them; but they block all the same, and poller.h rules them out.
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return Failed(EPERM, fd);
    const std::lock_guard<std::mutex> lock(mutex_);
    std::optional<Entry>& entry = EntryOf(fd);
    if (entry && KernelKnows(fd, *entry)) return Failed(EEXIST, fd);
    entry = Entry{interest, key};  // I2
    Changes changes;
    for (const KqueueFilter filter : kFilters) {
      const KqueueWatch watch = KqueueWatchOf(interest, filter);
      if (watch == KqueueWatch::kNone || ToKernel(filter) == 0) continue;
      changes.Add(Change(fd, filter, EV_ADD | EV_CLEAR, watch, key));
    }
    changes.Make(kqueue_.get());
    const int error = Outcome(changes);
    if (error == 0) return absl::OkStatus();
    RemoveLocked(fd);
    return Failed(error, fd);
  }

  void Remove(int fd) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    RemoveLocked(fd);
  }

  std::size_t Wait(std::int64_t timeout_ns, absl::Span<Event> events) override {
    const int capacity = static_cast<int>(std::min(events.size(), buffer_.size()));
    timeout_ns = std::min(timeout_ns, kLongestWait);
    const std::int64_t deadline = timeout_ns > 0 ? MonotonicNanos() + timeout_ns : 0;
    for (;;) {
      const int count = WaitOnce(timeout_ns, capacity);
      if (count == 0) return 0;
      std::size_t reported = 0;
      if (count > 0 && PassOn(count, events, reported)) return reported;
      // A signal, or nothing that was asked for: what is left of the time.
      if (timeout_ns > 0) timeout_ns = std::max<std::int64_t>(deadline - MonotonicNanos(), 0);
    }
  }

  bool Notify() override {
    KernelEvent trigger = {};
    EV_SET(&trigger, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
    for (;;) {
      if (::kevent(kqueue_.get(), &trigger, 1, nullptr, 0, nullptr) == 0) return true;
      if (errno != EINTR) return false;
    }
  }

 private:
  struct Entry {
    Interest interest;
    std::uint64_t key;
  };

  std::optional<Entry>& EntryOf(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= entries_.size()) entries_.resize(index + 1);
    return entries_[index];
  }

  static absl::Status Failed(int error, int fd) {
    return absl::ErrnoToStatus(error, absl::StrCat("register descriptor ", fd, " with kqueue"));
  }

  static KqueueEvent FromKernel(const KernelEvent& event) {
    KqueueEvent result{.filter = KqueueFilter::kExcept};
    if (event.filter == EVFILT_READ) result.filter = KqueueFilter::kRead;
    if (event.filter == EVFILT_WRITE) result.filter = KqueueFilter::kWrite;
    result.eof = (event.flags & EV_EOF) != 0;
    result.error = result.eof && event.fflags != 0;
    result.has_data = event.data > 0;
    result.out_of_band = (event.fflags & kKqueuePriorityNote) != 0;
    return result;
  }

  // 0 if some filter was accepted and none refused but for its kind.
  static int Outcome(const Changes& changes) {
    int lacking = 0;
    int accepted = 0;
    for (int i = 0; i < changes.count(); ++i) {
      const int error = changes.error(i);
      if (error == 0) {
        ++accepted;
      } else if (LacksFilter(error)) {
        lacking = error;
      } else {
        return error;
      }
    }
    return accepted > 0 ? 0 : lacking;
  }

  // Whether an entry is still true: a descriptor that was closed without Remove() took its
  // filters along, and its number may be another's now. The question, to enable what never was
  // disabled, repeats all that the kernel knows already, for it would take over what is new.
  bool KernelKnows(int fd, const Entry& entry) {
    Changes question;
    for (const KqueueFilter filter : {KqueueFilter::kRead, KqueueFilter::kWrite}) {
      question.Add(Change(fd, filter, EV_ENABLE, KqueueWatchOf(entry.interest, filter), entry.key));
    }
    question.Make(kqueue_.get());
    return question.error(0) == 0 || question.error(1) == 0;
  }

  void RemoveLocked(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= entries_.size() || !entries_[index]) return;
    entries_[index].reset();
    // Those that are not there, or no longer, are refused, which is as well.
    Changes changes;
    for (const KqueueFilter filter : kFilters) {
      if (ToKernel(filter) != 0) {
        changes.Add(Change(fd, filter, EV_DELETE, KqueueWatch::kAll, kReservedKey));
      }
    }
    changes.Make(kqueue_.get());
  }

  // -1: a signal came.
  int WaitOnce(std::int64_t timeout_ns, int capacity) {
    timespec timeout = {};
    if (timeout_ns > 0) {
      timeout.tv_sec = static_cast<time_t>(timeout_ns / kNanosPerSecond);
      timeout.tv_nsec = static_cast<long>(timeout_ns % kNanosPerSecond);
    }
    const int count = ::kevent(kqueue_.get(), nullptr, 0, buffer_.data(), capacity,
                               timeout_ns < 0 ? nullptr : &timeout);
    if (count < 0 && errno != EINTR) DieOfKevent();
    return count;
  }

  // Fills `events` from the buffer. False: there was nothing for anybody.
  bool PassOn(int count, absl::Span<Event> events, std::size_t& reported) {
    bool notified = false;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int i = 0; i < count; ++i) {
      const KernelEvent& event = buffer_[static_cast<std::size_t>(i)];
      const std::uint64_t key = KeyOf(event);
      if (event.filter == EVFILT_USER || key == kReservedKey) {
        notified = true;
        continue;
      }
      const std::optional<Entry>& entry = EntryOf(static_cast<int>(event.ident));
      if (!entry || entry->key != key) continue;  // I1
      const ReadySet ready = ReadySetOfKqueue(FromKernel(event), entry->interest);
      if (!ready.empty()) events[reported++] = Event{key, ready};
    }
    return notified || reported > 0;
  }

  // It means that the kqueue is not ours any more.
  [[noreturn]] static void DieOfKevent() {
    std::fprintf(stderr, "home reactor: kevent: %s (was its descriptor closed?)\n",
                 std::strerror(errno));
    std::abort();
  }

  const UniqueFd kqueue_;
  // Guards the table, and the making of changes that go with it.
  std::mutex mutex_;
  std::vector<std::optional<Entry>> entries_;  // by descriptor
  // Used by the thread that waits.
  std::array<KernelEvent, 512> buffer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> CreatePoller() {
  UniqueFd kqueue(::kqueue());
  // A child that fork() makes does not inherit it, but a program that takes over would.
  if (!kqueue || ::fcntl(kqueue.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "create a reactor: kqueue");
  }
  KernelEvent user = {};
  EV_SET(&user, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, nullptr);
  if (::kevent(kqueue.get(), &user, 1, nullptr, 0, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "create a reactor: kevent of its user event");
  }
  return std::make_unique<KqueuePoller>(std::move(kqueue));
}

}  // namespace home::reactor_internal
