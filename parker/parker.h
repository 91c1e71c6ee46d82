// Parker: one thread sleeps until another gives it a token.
//
//   Parker parker;                              // one a thread that sleeps
//   std::thread peer([&] { publish(); parker.Unpark(); });
//   while (!published()) parker.Park();         // never misses the Unpark()
//
// A parker holds at most one token. Unpark() puts it there; Park() waits for it and
// takes it away. An Unpark() before the Park() is thus not lost, and several in a
// row count once. Park() returns for no other reason: no spurious return.
//
// Thread-safety: Park, ParkFor and so on by one thread at a time; Unpark by any.
// Memory ordering: everything before each of the Unpark() calls whose token was
// merged into the one that Park() takes happens before Park()'s return.
//
// Lifetime. The parker must outlive the *beginning* of every Unpark() call, up to
// its one atomic access; what follows in it is a system call that is given the
// address and does not look behind it. So: after Park() has taken a token, the parked
// thread may destroy the parker if it knows that the call which gave the token was
// the last one. If a second call may still come (two wakers, or an Unparker that
// somebody keeps), the parker must live on. A freed and reused address costs at worst
// one futile wake-up of whoever sleeps there, and every user of a futex copes with
// these. (One restriction follows: the memory must not be turned into a futex word of
// code that does not.)
//
// Cost: Unpark() of a thread that does not sleep is one RMW and no system call; so is
// a Park() that finds a token.
//
// Spin. Before it sleeps, Park() looks for a token a number of times. Each parker learns
// that number: it doubles when a token came while looking and halves when none did, within
// Policy::kMinSpins and kMaxSpins (0.1 and 3.4 us here). So a pair that answers at once
// stays awake, and a thread whose peer is on the same processor, or slow, pays next to
// nothing. README.md has the measurements.
//
// -- State -----------------------------------------------------------------------
//
//   value      meaning                      who makes it so
//   kEmpty     no token, nobody sleeps      the parked thread
//   kToken     a token                      Unpark(), from any state
//   kAsleep    no token, the thread sleeps  Park(), from kEmpty
//              or is about to
//
//  I1  Every transition is one RMW. The next value is the old one minus 1 when a
//      thread parks: kToken -> kEmpty takes the token, kEmpty -> kAsleep announces the
//      sleep, and one fetch_sub decides which.
//  I2  kAsleep is left by exactly one of: an Unpark(), which then owes a Wake(); the
//      sleeper, when its deadline has passed.
//  I3  Park() returns only by a transition that found kToken.
// A stray Wake() (one owed to a sleeper that has left by its deadline) meets a later
// sleep of the same thread, which looks at the word and sleeps on.
//
// The protocol with one fetch_sub is that of Rust's std::thread parker on futexes.

#ifndef HOME_PARKER_PARKER_H_
#define HOME_PARKER_PARKER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "home/parker/deadline.h"
#include "home/parker/futex.h"
#include "home/parker/parker_policy.h"

namespace home {

template <typename Policy>
class BasicUnparker;

template <typename Policy>
class BasicParker {
 public:
  BasicParker() = default;
  BasicParker(const BasicParker&) = delete;
  BasicParker& operator=(const BasicParker&) = delete;

  // Waits for a token and takes it.
  void Park() { static_cast<void>(ParkUntil(parker_internal::kNoDeadline)); }

  // Waits for a token, but only so long. True if it took one, false if the time was
  // over without. A duration that is not positive looks once and does not wait; one
  // too long for the clock (292 years) is endless. Never reports a timeout early.
  [[nodiscard]] bool ParkFor(absl::Duration timeout) {
    if (timeout <= absl::ZeroDuration()) return TryPark();
    return ParkUntil(parker_internal::DeadlineAfter<Policy>(timeout));
  }

  // The same with a deadline: nanoseconds on the clock of Policy::Now(), or kNoDeadline.
  [[nodiscard]] bool ParkUntil(std::int64_t deadline) {
    Spin();
    if (TakeOrAnnounce()) return true;
    for (;;) {
      const bool in_time = Policy::Wait(state_, kAsleep, deadline);
      if (TryPark()) return true;
      // No token: a futile wake-up, or the deadline.
      if (!in_time) return GiveUp();
    }
  }

  // Takes the token if there is one; does not wait.
  [[nodiscard]] bool TryPark() {
    std::uint32_t token = kToken;
    // acquire: see Unpark(). relaxed on failure: nothing was learnt.
    return state_.compare_exchange_strong(token, kEmpty, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }

  // Puts the token there and wakes the thread if it sleeps. Any thread.
  void Unpark() {
    // release: what the caller did before is seen by the Park() that takes the token;
    // an RMW also when the token is there already, so that this holds for every caller
    // (I1 makes them one release sequence). pairs with: the acquires of TryPark() and
    // those below. No acquire: nothing of the parked thread is read.
    const Word* const word = &state_;
    if (state_.exchange(kToken, std::memory_order_release) == kAsleep) {
      // *this may be gone here. Only the address is used (Lifetime, above).
      Policy::Wake(word);
    }
  }

  // A handle that can unpark and nothing else; it must not be used after the parker.
  [[nodiscard]] BasicUnparker<Policy> unparker() { return BasicUnparker<Policy>(this); }

 private:
  using Word = typename Policy::template Atomic<std::uint32_t>;

  static constexpr std::uint32_t kToken = 1;
  static constexpr std::uint32_t kEmpty = 0;
  static constexpr std::uint32_t kAsleep = UINT32_MAX;
  static_assert(static_cast<std::uint32_t>(kToken - 1) == kEmpty &&
                static_cast<std::uint32_t>(kEmpty - 1) == kAsleep);

  // Takes the token, or announces that the thread goes to sleep (I1).
  bool TakeOrAnnounce() {
    // acquire: pairs with Unpark()'s release, if it is a token that this takes.
    return state_.fetch_sub(1, std::memory_order_acquire) == kToken;
  }

  // Leaves kAsleep (I2), unless a token comes at the last moment: then it is taken.
  bool GiveUp() {
    // acquire: as above.
    return state_.exchange(kEmpty, std::memory_order_acquire) == kToken;
  }

  void Spin() {
    for (int i = 0; i < spins_; ++i) {
      // relaxed: only whether it pays to go on; the RMW that follows takes the token.
      if (state_.load(std::memory_order_relaxed) == kToken) {
        if (i > 0) spins_ = std::min(2 * spins_, Policy::kMaxSpins);
        return;
      }
      Policy::Relax();
    }
    spins_ = std::max(spins_ / 2, Policy::kMinSpins);
  }

  Word state_{kEmpty};
  int spins_ = Policy::kMinSpins;  // The parked thread's own.
};

// The right to unpark one thread, as a value of one pointer. Copies are equal. It does
// not keep the parker alive.
template <typename Policy>
class BasicUnparker {
 public:
  explicit BasicUnparker(BasicParker<Policy>* parker) : parker_(parker) {}

  void Unpark() const { parker_->Unpark(); }

  // True if both unpark the same thread.
  friend bool operator==(BasicUnparker, BasicUnparker) = default;

 private:
  BasicParker<Policy>* parker_;
};

using Parker = BasicParker<ParkerPolicy>;
using Unparker = BasicUnparker<ParkerPolicy>;

}  // namespace home

#endif  // HOME_PARKER_PARKER_H_
