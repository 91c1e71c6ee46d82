// Bias: lets a publisher for whom nobody waits publish by a store instead of an RMW.
//
// Whoever changes what others may wait for, and then looks whether somebody waits, needs a
// store-load barrier in between (wait_queue.h, I3). On x86-64 that is an RMW, of the two that
// locking and unlocking a mutex are made of one. After Policy::kQuiet publications in a row for
// which nobody waited the publisher is biased: it publishes by a store, and who has to wait
// pays for both, by a fence on all threads (asymmetric_fence.h), which also revokes the bias. So
// a publisher that has waiters pays nothing for it, and such a fence, some microseconds, comes
// after kQuiet RMWs that were saved, at the most.
//
//   publisher    if (bias.PublishesByStore()) { store, release; Policy::LightFence(); }
//                else { RMW, seq_cst }
//                look whether somebody waits, seq_cst
//   waiter       announce itself, by a seq_cst RMW; bias.BeforeLook(); look, seq_cst
//
// Publishers are ordered: there is one, or only who holds a lock is one, so that each has seen all
// that those before it did.
//
// Why nobody sleeps past a publication
//  - The waiter finds the bias, or that it is being revoked: its fence and the publisher's light
//    one order the two as two seq_cst fences do.
//  - It finds none. Whoever left it so published by an RMW next. That comes before the waiter's
//  look
//    in the single order of seq_cst operations, and is seen; or after its announcement, which the
//    publisher's look sees. The next bias comes by an exchange, so that the same holds for what is
//    published by stores after it.
//
// It is Kawachiya, Koseki and Onodera's lock reservation ("Lock Reservation: Java Locks Can Mostly
// Do Without Atomic Operations", OOPSLA 2002) turned around: not the lock is free of RMWs for one
// thread, but the unlock for all.

#ifndef HOME_SYNC_BIAS_H_
#define HOME_SYNC_BIAS_H_

#include <atomic>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"

namespace home::sync_internal {

template <typename Policy>
class Bias {
 public:
  Bias() = default;
  Bias(const Bias&) = delete;
  Bias& operator=(const Bias&) = delete;

  // The publisher's, before it publishes: whether it may do so by a store.
  [[nodiscard]] bool PublishesByStore() {
    // relaxed: the publishers are ordered, and what a waiter changes may be seen late.
    const std::uint16_t state = state_.load(std::memory_order_relaxed);
    if (ABSL_PREDICT_TRUE(state == kBiased)) return true;
    if (state + 1 == Policy::kQuiet) {
      // seq_cst: comes before the publisher's look. pairs with: BeforeLook().
      state_.exchange(kBiased, std::memory_order_seq_cst);
    } else {
      // relaxed: an RMW comes next.
      state_.store(state == kRevoked ? 0 : state + 1, std::memory_order_relaxed);
    }
    return false;
  }

  // A waiter's, between its announcement and its look.
  void BeforeLook() {
    // seq_cst: comes after the announcement. pairs with: PublishesByStore().
    const std::uint16_t state = state_.load(std::memory_order_seq_cst);
    if (ABSL_PREDICT_FALSE(state != 0)) Revoke(state);
  }

 private:
  // Else the publications in a row for which nobody waited, or somewhat more: a waiter's change
  // may be lost to a publisher that counts.
  static constexpr std::uint16_t kRevoked = 0xfffe;
  static constexpr std::uint16_t kBiased = 0xffff;
  static_assert(Policy::kQuiet < kRevoked);

  ABSL_ATTRIBUTE_NOINLINE void Revoke(std::uint16_t state) {
    const bool counts = state < kRevoked;
    // relaxed: only the publisher acts on it, whenever it comes by. It fails if the publisher has
    // gone on meanwhile: a bias that came after the load above is no harm.
    state_.compare_exchange_strong(state, counts ? 0 : kRevoked, std::memory_order_relaxed,
                                   std::memory_order_relaxed);
    if (!counts) Policy::HeavyFence();
  }

  typename Policy::template Atomic<std::uint16_t> state_{0};
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_BIAS_H_
