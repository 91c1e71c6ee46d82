// BiasedWord: a word that many threads may change, and that costs no RMW while one of them is the
// only one that does.
//
// An end of a channel's queue is claimed by a CAS on one word, half of what a value costs. Mostly
// one thread makes all claims, be it as there is one producer, or as all run on one worker. At the
// end of every eighth block whoever finishes it has a turn; after some turns in a row of one thread
// the word is biased to it: it changes it by stores. Who else wants to, or has to wait for a
// change, revokes the bias first, by a barrier on all threads (asymmetric_fence.h). That takes some
// microseconds, and each time the next bias takes twice as many turns, up to 30,000 values and
// more. So what revoking costs is a small part of what came before it, however the threads
// alternate.
//
//   owner     busy_ = true; light fence; owner_ still this thread? word_ = next; busy_ = false
//   revoker   under the mutex: owner_ = nobody; heavy fence; wait until !busy_; clear the flag
//
// Invariants
//  I1  While word_ has kBiased only the owner changes the rest of it, by stores, between setting
//      and clearing busy_. Without kBiased everybody changes it by RMWs.
//  I2  kBiased is set by whoever has the word at a gap (block.h), which is one thread, and by its
//      own next change of the word; it is cleared under the mutex.
//  I3  owner_ and turns_ belong to whoever has the word at a gap while kBiased is not set, and to
//      the mutex while it is. With kBiased owner_ is the owner, or nobody while somebody revokes.
//  I4  Once a revoker has passed the fence and seen !busy_ the owner changes nothing more, and the
//      revoker sees what it changed: of the owner's store to busy_ and its look at owner_, and the
//      revoker's store to owner_ and its look at busy_, one sees the other.
//
// Why nobody sleeps past a change (wait_queue.h, I3). Who waits announces itself, by a seq_cst RMW,
// then calls BeforeLook(), then looks. If it finds a bias of another thread, it revokes it, and
// sees all changes by stores (I4). If the bias is its own, the other side runs on its own thread.
// If it finds none, it sees all changes that came before the last bias ended. In each case the next
// change by another thread is an RMW, seq_cst: that which its look does not see looks for who waits
// after the announcement. A bias that begins later does so by such an RMW, too.
//
// It is Kawachiya, Koseki and Onodera's lock reservation ("Lock Reservation: Java Locks Can Mostly
// Do Without Atomic Operations", OOPSLA 2002), on a word instead of a lock, with the asymmetric
// fence of Dice, Huang and Yang ("Asymmetric Dekker Synchronization", 2001).

#ifndef HOME_CHANNEL_BIASED_WORD_H_
#define HOME_CHANNEL_BIASED_WORD_H_

#include <algorithm>
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
  // loaded by this thread. It may also fail because a bias ends.
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

  // By whoever has the word at a gap, and a turn: kBiased if the `word` has none, and this thread
  // has had enough turns in a row; else 0.
  [[nodiscard]] std::uint64_t EarnedBias(std::uint64_t word) {
    if ((word & kBiased) != 0 || !Policy::BiasPays()) return 0;
    const void* const thread = Policy::ThisThread();
    // relaxed, all: at a gap both are ours (I3), ordered by the word; how many turns it takes is a
    // guess.
    std::uint8_t turns = turns_.load(std::memory_order_relaxed) + 1;
    if (owner_.load(std::memory_order_relaxed) != thread) {
      owner_.store(thread, std::memory_order_relaxed);
      turns = 1;
    }
    if (turns >= needed_.load(std::memory_order_relaxed)) return kBiased;
    turns_.store(turns, std::memory_order_relaxed);
    return 0;
  }

  // By whoever has the word at a gap: adds `step` to it, by such a change, and if it `is_turn` may
  // make the thread the owner.
  ABSL_ATTRIBUTE_NOINLINE void PassGap(std::uint64_t step, bool is_turn) {
    // relaxed: verified.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    if (is_turn) step += EarnedBias(word);
    while (!CompareExchange(word, word + step)) {
    }
  }

  // One who waits for changes has announced itself, by a seq_cst RMW, and looks next.
  void BeforeLook() {
    // seq_cst: after the announcement. pairs with: the CAS that sets kBiased, in PassGap().
    if (ABSL_PREDICT_FALSE((word_.load(std::memory_order_seq_cst) & kBiased) != 0)) {
      if (!IsOwner()) Revoke();
    }
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  [[nodiscard]] bool IsOwner() const {
    // relaxed: only this thread makes itself the owner, and who unmakes it fences (I4).
    return owner_.load(std::memory_order_relaxed) == Policy::ThisThread();
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool ChangeByStore(std::uint64_t desired) {
    if (!IsOwner()) return false;
    // relaxed: before the look, by the fence. pairs with: Revoke() (I4).
    busy_.store(true, std::memory_order_relaxed);
    Policy::LightFence();
    const bool changes = ABSL_PREDICT_TRUE(IsOwner());
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
    // relaxed: before the look, by the fence. pairs with: ChangeByStore() (I4).
    owner_.store(nullptr, std::memory_order_relaxed);
    Policy::HeavyFence();
    // acquire: the owner's last change. pairs with: ChangeByStore().
    for (int attempt = 0; busy_.load(std::memory_order_acquire); ++attempt) Policy::Relax(attempt);
    // relaxed: as in EarnedBias().
    const std::uint8_t needed = needed_.load(std::memory_order_relaxed);
    if (needed < Policy::kMostTurnsToBias) needed_.store(needed * 2, std::memory_order_relaxed);
    // acquire: as on failure of a CAS. It hands on what the owner's store released, as an RMW. It
    // is one for the bits of others, too.
    return word_.fetch_and(~kBiased, std::memory_order_acquire) & ~kBiased;
  }

  Atomic<std::uint64_t> word_{0};
  Atomic<const void*> owner_{nullptr};  // Or who had the last turn (I3).
  typename Policy::Mutex mutex_;
  Atomic<std::uint8_t> turns_{0};  // That it has had in a row.
  Atomic<std::uint8_t> needed_{Policy::kTurnsToBias};
  Atomic<bool> busy_{false};  // The owner is about to change the word.
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_BIASED_WORD_H_
