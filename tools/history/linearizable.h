// IsLinearizable: whether a history (history.h) can be explained by a sequential specification.
//
//   EXPECT_TRUE(IsLinearizable(history, QueueSpec(/*capacity=*/2)));
//
// It can if the operations could have acted one after the other, each between its beginning
// and its end, with the results that they had: Herlihy and Wing, Linearizability, TOPLAS 1990.
//
// A specification is a value, the state of the object, that knows what each operation does:
//
//   struct QueueSpec {
//     using Call = ...;       // what can be asked
//     using Result = ...;     // what can be answered
//     using Op = Operation<Call, Result>;
//
//     // How often it acts: once; twice if it asks at one moment, and is answered or gives up at
//     // another; not at all if it has no effect.
//     static int Acts(const Op& op);
//     // Acts for the `n`-th time, from 0 on. False if that can't be in this state, with this
//     // result. `id` tells operations apart.
//     bool Act(std::size_t id, const Op& op, int n);
//     // Optional, of one that was cancelled or is pending: whether it may have acted `n` times
//     // and no more. Without it one that is cancelled acts never or to the end.
//     static bool MayStop(const Op& op, int n);
//     // Optional: whether its first act is to ask, which it did by op.asked at the latest, as it
//     // takes its place in a line when its future is polled for the first time.
//     static bool AsksFirst(const Op& op);
//     // Of one that is pending when nothing moves any more: whether it has to wait in this
//     // state. If not, a wake-up was lost.
//     bool MayWait(std::size_t id, const Op& op) const;
//
//     static std::string Describe(const Op& op);      // "push(3) = true"
//     friend bool operator==(const QueueSpec&, const QueueSpec&) = default;
//     template <typename H> friend H AbslHashValue(H state, const QueueSpec& spec);
//   };
//
// An operation that waits is thus one act that is not possible before its time, as the receipt
// of a value from an empty queue; or two, where the place in the line matters. The latter are
// the dual data structures of Scherer and Scott, Nonblocking Concurrent Data Structures with
// Condition Synchronization, DISC 2004. One that was cancelled acts as often as the
// specification says or, as if it had not been begun, never.
//
// The search is that of Wing and Gong (Testing and Verifying Concurrent Objects, 1993): depth
// first over the acts that may be next, with the states remembered that led nowhere, as by Lowe
// (Testing for Linearizability, 2017). Histories from a random scheduler, with operations that
// are cancelled, are the idea of Lincheck (Koval, Fedorov, Sokolova, Tsitelov, Alistarh:
// Lincheck, CAV 2023).
//
// Cost: exponential in the number of operations that overlap, at worst; about 10 us for 20
// operations of four tasks.

#ifndef HOME_TOOLS_HISTORY_LINEARIZABLE_H_
#define HOME_TOOLS_HISTORY_LINEARIZABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "home/tools/history/history.h"

namespace home::history {

template <typename Spec>
class LinearizabilitySearch {
 public:
  using Operations = typename History<Spec>::Operations;

  explicit LinearizabilitySearch(const Operations& operations)
      : operations_(operations), done_(operations.size()) {
    for (const auto& op : operations) acts_.push_back(Spec::Acts(op));
  }

  // Whether there is an order that begins in `state`.
  [[nodiscard]] bool Find(const Spec& state) {
    if (order_.size() >= longest_.size()) {
      longest_ = order_;
      woken_ = IsComplete();
    }
    if (IsComplete() && AllMayWait(state)) return true;
    if (!seen_.insert({done_, state}).second) return false;
    const std::uint64_t first_end = FirstEnd();
    const std::uint64_t last_begin = LastBegin();
    for (std::size_t id = 0; id < operations_.size(); ++id) {
      const auto& op = operations_[id];
      if (op.from > first_end) break;
      // Over before one began that has acted.
      if (done_[id] == acts_[id] || Latest(id) < last_begin) continue;
      Spec next = state;
      if (!next.Act(id, op, done_[id])) continue;
      ++done_[id];
      order_.push_back(id);
      if (Find(next)) return true;
      order_.pop_back();
      --done_[id];
    }
    return false;
  }

  // After a Find() that found none.
  [[nodiscard]] std::string Explain() const {
    std::string text = "no order explains this history (operation, from when to when):";
    for (std::size_t id = 0; id < operations_.size(); ++id) {
      const auto& op = operations_[id];
      absl::StrAppend(&text, "\n  #", id, " ", Spec::Describe(op), " [", op.from, ", ",
                      op.asked == kNever ? "" : absl::StrCat("asked by ", op.asked, ", "),
                      op.end == End::kPending ? "waits" : absl::StrCat(op.to),
                      op.end == End::kCancelled ? " cancelled]" : "]");
    }
    absl::StrAppend(&text, "\nThe longest that is possible:");
    for (const std::size_t id : longest_) absl::StrAppend(&text, " #", id);
    if (woken_) absl::StrAppend(&text, ", but then one that waits need not");
    return text;
  }

 private:
  struct Seen {
    std::vector<int> done;
    Spec state;

    friend bool operator==(const Seen&, const Seen&) = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Seen& seen) {
      return H::combine(std::move(hash), seen.done, seen.state);
    }
  };

  // One whose next act is to ask, which is known to have happened.
  [[nodiscard]] bool HasToAsk(std::size_t id) const {
    if constexpr (requires(const typename Spec::Op& op) { Spec::AsksFirst(op); }) {
      const auto& op = operations_[id];
      return done_[id] == 0 && op.asked != kNever && Spec::AsksFirst(op);
    }
    return false;
  }
  // When the next act has happened at the latest.
  [[nodiscard]] std::uint64_t Latest(std::size_t id) const {
    const auto& op = operations_[id];
    return HasToAsk(id) ? std::min(op.asked, op.to) : op.to;
  }
  // One that must act still.
  [[nodiscard]] bool IsOwed(std::size_t id) const {
    const auto& op = operations_[id];
    if (done_[id] == acts_[id]) return false;
    if (HasToAsk(id)) return true;
    if constexpr (requires { Spec::MayStop(op, 0); }) {
      if (op.end != End::kReturned && Spec::MayStop(op, done_[id])) return false;
    }
    return op.end != End::kCancelled || done_[id] != 0;
  }
  [[nodiscard]] bool IsComplete() const {
    for (std::size_t id = 0; id < operations_.size(); ++id) {
      if (IsOwed(id)) return false;
    }
    return true;
  }
  [[nodiscard]] bool AllMayWait(const Spec& state) const {
    for (std::size_t id = 0; id < operations_.size(); ++id) {
      const auto& op = operations_[id];
      if (op.end == End::kPending && !state.MayWait(id, op)) return false;
    }
    return true;
  }
  [[nodiscard]] std::uint64_t FirstEnd() const {
    std::uint64_t first = UINT64_MAX;
    for (std::size_t id = 0; id < operations_.size(); ++id) {
      if (IsOwed(id)) first = std::min(first, Latest(id));
    }
    return first;
  }
  [[nodiscard]] std::uint64_t LastBegin() const {
    std::uint64_t last = 0;
    for (std::size_t id = 0; id < operations_.size(); ++id) {
      if (done_[id] != 0) last = operations_[id].from;
    }
    return last;
  }

  const Operations& operations_;
  std::vector<int> acts_;
  // How often each has acted, and in which order.
  std::vector<int> done_;
  std::vector<std::size_t> order_;
  absl::flat_hash_set<Seen> seen_;

  std::vector<std::size_t> longest_;
  bool woken_ = false;  // longest_ fails in the end only
};

template <typename Spec>
[[nodiscard]] ::testing::AssertionResult IsLinearizable(const History<Spec>& history,
                                                        const Spec& spec) {
  LinearizabilitySearch<Spec> search(history.operations());
  if (search.Find(spec)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << search.Explain();
}

}  // namespace home::history

#endif  // HOME_TOOLS_HISTORY_LINEARIZABLE_H_
