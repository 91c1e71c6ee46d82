// BiasedWord: a word that many threads may change, and that costs no RMW while one of them is the
// only one that does.
//
// An end of a channel's queue is claimed by a CAS on one word, half of what a value costs. Mostly
// one thread makes all claims, be it as there is one producer, or as all run on one worker. At the
// end of a block, each so many values, whoever finishes it has a turn; after some turns in a row of
// one thread the word is biased to it: it changes it by stores. Who else wants to, or has to wait
// for a change, revokes the bias first, by a barrier on all threads (asymmetric_fence.h). That
// takes some microseconds, and each time the next bias takes twice as many turns, of 32,768
// positions at the most. So what revoking costs is a small part of what came before it, however
// threads alternate.
//
//   owner     busy_ = true; light fence; bias_ valid? word_ = next; busy_ = false
//   revoker   under the mutex: bias_ = ended; heavy fence; wait until !busy_; clear the flag
//
// Invariants
//  I1  While word_ has kBiased only the owner changes the rest of it, by stores, between setting
//      and clearing busy_. Without kBiased everybody changes it by RMWs.
//  I2  kBiased is set by the next change of one who alone may change the word otherwise than by
//      flags: who has it at a gap (block.h), or a single consumer. It is cleared under the mutex.
//  I3  owner_, turns_ and bias_ belong to that one while kBiased is not set, and to the mutex while
//      it is.
//  I4  The owner of the first bias is the owner of all. For only the owner writes to busy_: one
//      that stood still since it was the owner, and came back to write to it under another, would
//      unmark that one's change.
//  I5  Once a revoker has passed the fence and seen !busy_ the owner changes nothing more, and the
//      revoker sees what it changed: of the owner's store to busy_ and its look at bias_, and the
//      revoker's store to bias_ and its look at busy_, one sees the other.
//
// Why nobody sleeps past a change (wait_queue.h, I3). Who waits announces itself, by a seq_cst RMW,
// then calls BeforeLook(), then looks. If it finds a bias of another thread, it revokes it, and
// sees all changes by stores (I5). If the bias is its own, the other side runs on its own thread.
// If it finds none, it sees all changes that came before the last bias ended. In each case the next
// change by another thread is an RMW, seq_cst: that which its look does not see looks for who waits
// after the announcement. A bias that begins later does so by such an RMW, too.
//
// It is Kawachiya, Koseki and Onodera's lock reservation ("Lock Reservation: Java Locks Can Mostly
// Do Without Atomic Operations", OOPSLA 2002), on a word instead of a lock, with the asymmetric
// fence of Dice, Huang and Yang ("Asymmetric Dekker Synchronization", 2001).

#ifndef HOME_CHANNEL_BIASED_WORD_H_
#define HOME_CHANNEL_BIASED_WORD_H_

#include <atomic>
#include <cstdint>
#include <mutex>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"

namespace home::channel_internal {

template <typename Policy>
class BiasedWord {
 public:
  // The flag of a bias; the other bits are the caller's.
  static constexpr std::uint64_t kBiased = std::uint64_t{1} << 17;

  BiasedWord() = default;
  BiasedWord(const BiasedWord&) = delete;
  BiasedWord& operator=(const BiasedWord&) = delete;

  // With kBiased, which goes into what the caller makes of it.
  [[nodiscard]] std::uint64_t Load(std::memory_order order) const { return word_.load(order); }

  // As std::atomic's, with release and acquire, and a publication (wait_queue.h). `expected` was
  // loaded by this thread, by an acquire, which also tells who the owner is. It may also fail
  // because a bias ends.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool CompareExchange(std::uint64_t& expected,
                                                    std::uint64_t desired) {
    if (TryCompareExchange(expected, desired)) return true;
    if ((expected & kBiased) != 0) expected = Revoke();
    return false;
  }
  // The same, but it fails as long as another thread has the bias.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TryCompareExchange(std::uint64_t& expected,
                                                       std::uint64_t desired) {
    if ((expected & kBiased) != 0) return ChangeByStore(desired);
    // seq_cst: a publication. acquire on failure: what the caller's load is.
    return word_.compare_exchange_strong(expected, desired, std::memory_order_seq_cst,
                                         std::memory_order_acquire);
  }

  // By one who may set kBiased (I2), at its turn: kBiased if the `word` has none, and this thread
  // has had enough turns in a row; else 0.
  [[nodiscard]] std::uint64_t EarnedBias(std::uint64_t word) {
    if ((word & kBiased) != 0 || !Policy::BiasPays()) return 0;
    const void* const thread = Policy::ThisThread();
    // relaxed, all: they are ours (I3), ordered by the word.
    if (owner_.load(std::memory_order_relaxed) != thread) {
      turns_.store(0, std::memory_order_relaxed);
      if (bias_.load(std::memory_order_relaxed) != kNone) return 0;  // I4
      owner_.store(thread, std::memory_order_relaxed);
    }
    const std::uint8_t turns = turns_.load(std::memory_order_relaxed) + 1;
    if (turns < needed_.load(std::memory_order_relaxed)) {
      turns_.store(turns, std::memory_order_relaxed);
      return 0;
    }
    bias_.store(kValid, std::memory_order_relaxed);
    return kBiased;
  }

  // By who has the word at a gap: adds `step` to it, by such a change, and with a bias that it has
  // earned if it `is_turn`.
  ABSL_ATTRIBUTE_NOINLINE void PassGap(std::uint64_t step, bool is_turn) {
    // acquire: as CompareExchange() asks for.
    std::uint64_t word = word_.load(std::memory_order_acquire);
    if (is_turn) step += EarnedBias(word);
    while (!CompareExchange(word, word + step)) {
    }
  }

  // One who waits for changes has announced itself, by a seq_cst RMW, and looks next.
  void BeforeLook() {
    // seq_cst: after the announcement. pairs with: the CAS that sets kBiased. acquire: who the
    // owner is.
    if (ABSL_PREDICT_FALSE((word_.load(std::memory_order_seq_cst) & kBiased) != 0)) {
      if (!IsOwner()) Revoke();
    }
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  enum BiasState : std::uint8_t { kNone, kValid, kEnded };

  // Of a word with kBiased.
  [[nodiscard]] bool IsOwner() const {
    // relaxed: it does not change any more (I4), and came before the flag.
    return owner_.load(std::memory_order_relaxed) == Policy::ThisThread();
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool ChangeByStore(std::uint64_t desired) {
    if (!IsOwner()) return false;
    // relaxed: before the look, by the fence. pairs with: Revoke() (I5).
    busy_.store(true, std::memory_order_relaxed);
    Policy::LightFence();
    // relaxed: after the fence. pairs with: Revoke() (I5).
    const bool changes = ABSL_PREDICT_TRUE(bias_.load(std::memory_order_relaxed) == kValid);
    // release: what the caller hands over with it; as the CAS.
    if (changes) word_.store(desired, std::memory_order_release);
    // release: comes after the store. pairs with: Revoke().
    busy_.store(false, std::memory_order_release);
    return changes;
  }

  // Ends the bias, if there is one, whoever's it is. What the word is then.
  ABSL_ATTRIBUTE_NOINLINE std::uint64_t Revoke() {
    const std::lock_guard lock(mutex_);
    // acquire: as on failure of a CAS.
    const std::uint64_t word = word_.load(std::memory_order_acquire);
    if ((word & kBiased) == 0) return word;
    // relaxed: before the look, by the fence. pairs with: ChangeByStore() (I5).
    bias_.store(kEnded, std::memory_order_relaxed);
    Policy::HeavyFence();
    // acquire: the owner's last change. pairs with: ChangeByStore().
    for (int attempt = 0; busy_.load(std::memory_order_acquire); ++attempt) Policy::Relax(attempt);
    // relaxed, both: under the mutex, and a guess to who reads it.
    const std::uint8_t needed = needed_.load(std::memory_order_relaxed);
    if (needed < Policy::kMostTurnsToBias) needed_.store(needed * 2, std::memory_order_relaxed);
    turns_.store(0, std::memory_order_relaxed);
    // acquire: as on failure of a CAS. release: what is the mutex's up to here (I3). An RMW: it
    // hands on what the owner's store released, too.
    return word_.fetch_and(~kBiased, std::memory_order_acq_rel) & ~kBiased;
  }

  Atomic<std::uint64_t> word_{0};
  Atomic<const void*> owner_{nullptr};  // Or who had the last turn, before the first bias.
  typename Policy::Mutex mutex_;
  Atomic<std::uint8_t> turns_{0};  // In a row.
  Atomic<std::uint8_t> needed_{Policy::kTurnsToBias};
  Atomic<BiasState> bias_{kNone};
  Atomic<bool> busy_{false};  // The owner is about to change the word.
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_BIASED_WORD_H_
