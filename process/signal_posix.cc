// Signals on POSIX systems: a handler that leaves a bit in each interested mailbox and
// rings the mailbox's bell (signal_bell.h).
//
// Mailboxes are static and never freed, so a handler that runs on another
// thread while a listener dies finds valid memory and a descriptor that is
// still the same. It may then ring a mailbox that belongs to a new listener;
// that finds no bit and goes on waiting.

#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/process/signal.h"
#include "home/process/signal_bell.h"
#include "home/reactor/reactor.h"

namespace home {
namespace {

using process_internal::OpenSignalBell;
using process_internal::RingSignalBell;
using process_internal::SignalBell;
using process_internal::SilenceSignalBell;

constexpr int kMaxSignal = 64;
constexpr int kMailboxes = 64;
// What shells add to the number of the signal that has ended a program.
constexpr int kExitOfSignal = 128;

struct Mailbox {
  // Which signals its listener wants. 0: no listener.
  std::atomic<std::uint64_t> wanted{0};
  // Which have arrived and were not taken.
  std::atomic<std::uint64_t> arrived{0};
  // Of CreateForExit: whether the next signal ends the process, and whether one has come.
  std::atomic<bool> for_exit{false};
  std::atomic<bool> signalled{false};
  // The descriptors of its bell: what the handler writes to, what the reactor watches. Made
  // with the first listener, kept for ever.
  std::atomic<int> rope{-1};
  std::atomic<int> bell{-1};
};

constinit std::array<Mailbox, kMailboxes> mailboxes;

// What was set for a signal before the first of its listeners.
struct Disposition {
  int listeners = 0;
  struct sigaction previous;
};

// Guards the two below. Never taken by the handler.
constinit std::mutex mutex;
std::array<bool, kMailboxes> taken;
std::array<Disposition, kMaxSignal + 1> dispositions;

std::uint64_t BitOf(int signal) { return std::uint64_t{1} << (signal - 1); }

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "handlers may not lock");

void OnSignal(int signal) {
  const int saved = errno;
  const std::uint64_t bit = BitOf(signal);
  for (Mailbox& mailbox : mailboxes) {
    // acquire: pairs with the release in Listen(), for the bell. Whether a
    // signal that comes while a listener ends still reaches it is open anyway.
    if ((mailbox.wanted.load(std::memory_order_acquire) & bit) == 0) continue;
    // relaxed, both: for_exit was written before `wanted`, which was acquired, and of two
    // signals at once the exchange lets one be the second.
    if (mailbox.for_exit.load(std::memory_order_relaxed) &&
        mailbox.signalled.exchange(true, std::memory_order_relaxed)) {
      ::_exit(kExitOfSignal + signal);
    }
    // release: pairs with SignalNext::Poll(); what the signal's sender did on
    // this thread is seen by whoever takes it.
    mailbox.arrived.fetch_or(bit, std::memory_order_release);
    // relaxed: written once, before `wanted`, which was acquired.
    RingSignalBell(mailbox.rope.load(std::memory_order_relaxed));
  }
  errno = saved;
}

absl::Status CheckCatchable(int signal) {
  if (signal < 1 || signal > kMaxSignal) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen to signal ", signal, ": there is no such signal"));
  }
  switch (signal) {
    case SIGKILL:
    case SIGSTOP:
      return absl::InvalidArgumentError(
          absl::StrCat("listen to signal ", signal, ": the system lets nobody catch it"));
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
      // Returning from the handler would run into the same fault for ever.
      return absl::InvalidArgumentError(absl::StrCat(
          "listen to signal ", signal, ": a fault of the program can't be handled later"));
    default:
      return absl::OkStatus();
  }
}

// Our handler goes; what was there before comes back. Under the lock.
void ReleaseSignals(std::uint64_t signals) {
  for (int signal = 1; signal <= kMaxSignal; ++signal) {
    if ((signals & BitOf(signal)) == 0) continue;
    Disposition& disposition = dispositions[static_cast<std::size_t>(signal)];
    if (--disposition.listeners > 0) continue;
    struct sigaction current = {};
    if (::sigaction(signal, nullptr, &current) == 0 && current.sa_handler == OnSignal) {
      ::sigaction(signal, &disposition.previous, nullptr);
    }
  }
}

// Counts a listener, and sets our handler for the first. Under the lock.
absl::Status AcquireSignals(std::uint64_t signals) {
  std::uint64_t acquired = 0;
  for (int signal = 1; signal <= kMaxSignal; ++signal) {
    if ((signals & BitOf(signal)) == 0) continue;
    Disposition& disposition = dispositions[static_cast<std::size_t>(signal)];
    if (disposition.listeners == 0) {
      struct sigaction action = {};
      action.sa_handler = OnSignal;
      // System calls elsewhere in the program go on.
      action.sa_flags = SA_RESTART;
      sigfillset(&action.sa_mask);  // a macro here and there
      if (::sigaction(signal, &action, &disposition.previous) != 0) {
        absl::Status failed = absl::ErrnoToStatus(errno, absl::StrCat("listen to signal ", signal));
        ReleaseSignals(acquired);
        return failed;
      }
    }
    ++disposition.listeners;
    acquired |= BitOf(signal);
  }
  return absl::OkStatus();
}

// A free mailbox with a bell, or an error. Under the lock.
absl::StatusOr<int> TakeMailbox() {
  for (int i = 0; i < kMailboxes; ++i) {
    const auto index = static_cast<std::size_t>(i);
    if (taken[index]) continue;
    // relaxed: under the lock.
    if (mailboxes[index].bell.load(std::memory_order_relaxed) < 0) {
      const absl::StatusOr<SignalBell> bell = OpenSignalBell();
      if (!bell.ok()) return bell.status();
      // relaxed, both: published by Listen()'s store to `wanted`.
      mailboxes[index].rope.store(bell->rope, std::memory_order_relaxed);
      mailboxes[index].bell.store(bell->watched, std::memory_order_relaxed);
    }
    // relaxed: nobody listens here; what a late handler leaves is not wanted.
    mailboxes[index].arrived.store(0, std::memory_order_relaxed);
    taken[index] = true;
    return i;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("listen to signals: there are ", kMailboxes, " listeners already"));
}

}  // namespace

absl::StatusOr<SignalListener> SignalListener::Create(absl::Span<const int> signals) {
  return Listen(signals, /*for_exit=*/false);
}

absl::StatusOr<SignalListener> SignalListener::CreateForExit(absl::Span<const int> signals) {
  return Listen(signals, /*for_exit=*/true);
}

absl::StatusOr<SignalListener> SignalListener::Listen(absl::Span<const int> signals,
                                                      bool for_exit) {
  std::uint64_t set = 0;
  for (const int signal : signals) {
    absl::Status catchable = CheckCatchable(signal);
    if (!catchable.ok()) return catchable;
    set |= BitOf(signal);
  }
  Reactor* reactor = Reactor::Current();
  if (reactor == nullptr) {
    return absl::FailedPreconditionError(
        "listen to signals: this thread has no reactor; do it in a task of a runtime (or in its "
        "BlockOn), or within a home::ReactorScope");
  }
  const std::lock_guard<std::mutex> lock(mutex);
  absl::StatusOr<int> index = TakeMailbox();
  if (!index.ok()) return index.status();
  Mailbox& mailbox = mailboxes[static_cast<std::size_t>(*index)];
  // relaxed: under the lock.
  absl::StatusOr<Registration> registration =
      reactor->Register(mailbox.bell.load(std::memory_order_relaxed), Interest::Read());
  absl::Status status = registration.status();
  if (status.ok()) {
    // relaxed, both: published by the next store.
    mailbox.for_exit.store(for_exit, std::memory_order_relaxed);
    mailbox.signalled.store(false, std::memory_order_relaxed);
    // release: pairs with OnSignal(). Before the handler is set, so that the
    // first signal it gets is not missed.
    mailbox.wanted.store(set, std::memory_order_release);
    status = AcquireSignals(set);
  }
  if (!status.ok()) {
    // relaxed: nothing is published by wanting nothing.
    mailbox.wanted.store(0, std::memory_order_relaxed);
    taken[static_cast<std::size_t>(*index)] = false;
    return status;
  }
  return SignalListener(*index, set, *std::move(registration));
}

SignalListener& SignalListener::operator=(SignalListener&& other) noexcept {
  if (this != &other) {
    Close();
    mailbox_ = std::exchange(other.mailbox_, -1);
    signals_ = std::exchange(other.signals_, 0);
    registration_ = std::move(other.registration_);
  }
  return *this;
}

void SignalListener::Close() {
  if (mailbox_ < 0) return;
  registration_.Reset();
  const auto index = static_cast<std::size_t>(std::exchange(mailbox_, -1));
  const std::lock_guard<std::mutex> lock(mutex);
  ReleaseSignals(signals_);
  // relaxed: nothing is published by wanting nothing.
  mailboxes[index].wanted.store(0, std::memory_order_relaxed);
  taken[index] = false;
}

home::Poll<SignalNext::Output> SignalNext::Poll(Context& cx) {
  Mailbox& mailbox = mailboxes[static_cast<std::size_t>(listener_->mailbox_)];
  for (;;) {
    home::Poll<ReadyEvent> ready = wait_.Poll(cx);
    if (ready.pending()) return cx.PendingFor("a signal");
    if (!cx.ConsumeBudget()) return kPending;
    // Before the look at the bits, so that a signal that comes after the look rings anew.
    // relaxed: written before the listener was made.
    SilenceSignalBell(mailbox.bell.load(std::memory_order_relaxed));
    // acquire: pairs with OnSignal(). One task takes, so the lowest bit that is
    // seen here stays until it is cleared here.
    const std::uint64_t arrived =
        mailbox.arrived.load(std::memory_order_acquire) & listener_->signals_;
    if (arrived != 0) {
      const int signal = std::countr_zero(arrived) + 1;
      // relaxed: the load above has acquired. A signal of the same number that
      // comes between the two is the same signal.
      mailbox.arrived.fetch_and(~BitOf(signal), std::memory_order_relaxed);
      return Output(signal);
    }
    if ((*ready).ready.shutdown()) {
      return Output(absl::CancelledError("wait for a signal: the runtime was shut down"));
    }
    // The handler leaves its bit before it rings: a bit that came after we
    // looked comes with an edge, which this doesn't clear.
    wait_.Clear(*ready);
  }
}

}  // namespace home
