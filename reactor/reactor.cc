#include "home/reactor/reactor.h"

#include <utility>

#include "absl/types/span.h"
#include "home/future/fatal.h"

namespace home {
namespace {

// How long to sleep if an operation could not be handed to the system, in nanoseconds.
constexpr std::int64_t kShortWait = 1'000'000;
// So many times in a row the poller is left alone because operations have ended already.
constexpr int kMostSkips = 3;

constinit thread_local Reactor* current_reactor = nullptr;

// A coroutine may go on on another thread, and a compiler may keep the address
// of a thread_local across its suspension. Inlined, this accessor would invite
// it to. (The empty statement keeps the call from being seen as pure.)
[[gnu::noinline]] Reactor* ExchangeCurrent(Reactor* reactor) {
  asm volatile("");
  return std::exchange(current_reactor, reactor);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reactor>> Reactor::Create(IoOptions io) {
  absl::StatusOr<std::unique_ptr<reactor_internal::Poller>> poller =
      reactor_internal::CreatePoller();
  if (!poller.ok()) return poller.status();
  return CreateOn(*std::move(poller), std::move(io));
}

std::unique_ptr<Reactor> Reactor::CreateOn(std::unique_ptr<reactor_internal::Poller> poller,
                                           IoOptions io) {
  return std::unique_ptr<Reactor>(new Reactor(std::move(poller), std::move(io)));
}

Reactor::Reactor(std::unique_ptr<reactor_internal::Poller> poller, IoOptions io)
    : registry_(std::make_shared<reactor_internal::Registry>(std::move(poller))),
      io_options_(std::move(io)) {}

Reactor::~Reactor() {
  WakeList wakes;
  // acquire: as in Poll().
  if (reactor_internal::IoEngine* io = io_.load(std::memory_order_acquire)) io->Shutdown(wakes);
  registry_->Shutdown(wakes);
  wakes.WakeAll();
}

std::size_t Reactor::Poll(std::int64_t timeout_ns, WakeList& wakes) {
  // acquire: pairs with the release below; the pollers' unsynchronised state
  // goes from thread to thread here, and readiness.h (I4) relies on it.
  if (polling_.exchange(true, std::memory_order_acquire)) {
    Fatal("Reactor::Poll() was called while another thread is in it");
  }
  const bool blocking = timeout_ns != 0;
  if (blocking) {
    WakeState idle = WakeState::kIdle;
    // acq_rel, both ways: pairs with the exchange in Wake(). If it failed there
    // was a Wake() and we don't block.
    if (!wake_state_.compare_exchange_strong(idle, WakeState::kBlocked, std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
      timeout_ns = 0;
    }
  }
  // acquire: pairs with io(), for the engine behind it.
  reactor_internal::IoEngine* io = io_.load(std::memory_order_acquire);
  if (io != nullptr && !io->BeforeWait(timeout_ns != 0) &&
      (timeout_ns < 0 || timeout_ns > kShortWait)) {
    timeout_ns = kShortWait;
  }
  std::size_t count = 0;
  if (io != nullptr && skips_ < kMostSkips && io->HasCompletions()) {
    // Operations that end at once, as those of files in memory do, need no second system call.
    ++skips_;
  } else {
    skips_ = 0;
    count = registry_->poller().Wait(timeout_ns, absl::MakeSpan(events_));
  }
  if (blocking) {
    // Uses up the notification, before anything is done about events: a Wake()
    // from here on is for the next Poll, and one before has been heeded, as
    // this one is on its way out.
    // acquire: pairs with the release in Wake(), also when Wake() found another
    // notification and did nothing else.
    wake_state_.exchange(WakeState::kIdle, std::memory_order_acq_rel);
  }
  std::size_t handled = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (registry_->Dispatch(events_[i], wakes)) ++handled;
  }
  // Once more: it may have come into being while we slept.
  // acquire: as above.
  io = io_.load(std::memory_order_acquire);
  if (io != nullptr) handled += io->AfterWait(wakes);
  // release: pairs with the acquire above.
  polling_.store(false, std::memory_order_release);
  return handled;
}

void Reactor::Wake() {
  // release: what the caller did before is seen by the Poll that returns.
  // acquire: orders the system call after the Poll's decision to block.
  const WakeState before = wake_state_.exchange(WakeState::kNotified, std::memory_order_acq_rel);
  // relaxed: it is a flag for this very decision and carries no data.
  const bool retry = notify_failed_.load(std::memory_order_relaxed);
  if (before != WakeState::kBlocked && !retry) return;
  // If the system refuses, whoever is blocked stays so, and the state now says
  // "notified", which would silence everybody after us. So they are told.
  const bool failed = !registry_->poller().Notify();
  // relaxed: as above.
  if (failed || retry) notify_failed_.store(failed, std::memory_order_relaxed);
}

absl::StatusOr<Registration> Reactor::Register(int fd, Interest interest, ReadySet initial) {
  return Registration::Create(registry_, fd, interest, initial);
}

std::shared_ptr<reactor_internal::IoEngine> Reactor::io() {
  const std::lock_guard<std::mutex> lock(io_mutex_);
  if (io_owner_ == nullptr) {
    io_owner_ = reactor_internal::CreateIoEngine(registry_, io_options_);
    // release: pairs with the acquires in Poll().
    io_.store(io_owner_.get(), std::memory_order_release);
  }
  return io_owner_;
}

[[gnu::noinline]] Reactor* Reactor::Current() {
  asm volatile("");
  return current_reactor;
}

ReactorScope::ReactorScope(Reactor* reactor) : previous_(ExchangeCurrent(reactor)) {}

ReactorScope::~ReactorScope() { ExchangeCurrent(previous_); }

}  // namespace home
