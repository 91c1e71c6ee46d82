// CheckedSlot: a slot of the deque under the model checker that also watches the order
// between reads and the writes after them.
//
// The checker executes each thread's accesses one after the other, so it never shows what
// hardware and compilers may do: let a load read what is stored only after the claim that
// comes next. Orders that forbid this (the release of a claim, the acquire of who reuses the
// slot or frees it) would go unseen. So each slot keeps the times of its reads, in the
// checker's own clocks: a store must come, by happens-before, after every read whose claim
// succeeded, and the end of the slot after every read.

#ifndef HOME_DEQUE_CHECKED_SLOT_TESTING_H_
#define HOME_DEQUE_CHECKED_SLOT_TESTING_H_

#include <array>
#include <atomic>
#include <cstddef>

#include "home/tools/model/atomic.h"

namespace home::deque_testing {

template <typename U>
class CheckedSlot {
 public:
  static constexpr std::size_t kMostThreads = 4;
  static constexpr std::size_t kMostReads = 64;

  // The reads of one thread, the newest last.
  struct Reads {
    struct Read {
      CheckedSlot* slot;
      rl::timestamp_t time;
    };
    std::array<Read, kMostReads> all;
    std::size_t count;
  };

  CheckedSlot() = default;
  CheckedSlot(const CheckedSlot&) = delete;
  CheckedSlot& operator=(const CheckedSlot&) = delete;
  ~CheckedSlot() { ExpectAfter(reads_, "a slot ends before somebody has read it"); }

  // To be called at the start of every run.
  static void Forget() {
    for (Reads& reads : by_thread_) reads.count = 0;
  }

  // The calling thread has claimed what it read last, from `count` slots.
  static void Confirm(std::size_t count) {
    const auto thread = static_cast<std::size_t>(rl::ctx().threadx_->index_);
    Reads& reads = by_thread_[thread];
    for (std::size_t i = reads.count - count; i < reads.count; ++i) {
      const auto& [slot, time] = reads.all[i % kMostReads];
      slot->claimed_reads_[thread] = time;
    }
  }

  U load(std::memory_order order, model::Location where = model::Location::current()) {
    const U value = value_.load(order, where);
    rl::thread_info_base& thread = *rl::ctx().threadx_;
    const rl::timestamp_t now = ++thread.own_acq_rel_order_;
    const auto index = static_cast<std::size_t>(thread.index_);
    reads_[index] = now;
    Reads& reads = by_thread_[index];
    reads.all[reads.count++ % kMostReads] = {this, now};
    return value;
  }
  void store(U value, std::memory_order order, model::Location where = model::Location::current()) {
    ExpectAfter(claimed_reads_, "a slot is written before the read of what was in it");
    value_.store(value, order, where);
  }

 private:
  using Times = std::array<rl::timestamp_t, kMostThreads>;

  static void ExpectAfter(const Times& times, const char* what) {
    const auto count = static_cast<std::size_t>(rl::ctx().get_thread_count());
    for (std::size_t i = 0; i < count; ++i) {
      model::Expect(rl::ctx().threadx_->acq_rel_order_[i] >= times[i], what);
    }
  }

  static inline std::array<Reads, kMostThreads> by_thread_ = {};

  model::Atomic<U> value_;
  Times reads_ = {};
  Times claimed_reads_ = {};
};

}  // namespace home::deque_testing

#endif  // HOME_DEQUE_CHECKED_SLOT_TESTING_H_
