// History: what was asked of an object by operations that overlap, and what it answered, in
// the order of time. linearizable.h says whether an order of single steps explains it.
//
//   History<QueueSpec> history;
//   {
//     Running running(history, {.kind = kPop});     // begun
//     running.Return(co_await queue.Pop());         // answered
//   }                                               // or given up, if it is dropped before
//   history.Stop();                                 // what still runs then was never answered
//
// Thread-safety: none; for the simulated runtime, and for tests that poll by hand.

#ifndef HOME_TOOLS_HISTORY_HISTORY_H_
#define HOME_TOOLS_HISTORY_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace home::history {

// How an operation ended.
enum class End : std::uint8_t {
  kReturned,
  kCancelled,  // its future was dropped before it was ready
  kPending,    // it has not
};

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

template <typename Call, typename Result>
struct Operation {
  Call call;
  std::optional<Result> result;  // if it has returned
  End end = End::kPending;
  // Between these moments it acted. No two operations share one.
  std::uint64_t from = 0;
  std::uint64_t to = kNever;
  // Of one that asks first and is answered later: by when it had asked, if that is known.
  std::uint64_t asked = kNever;
};

// `Spec`: see linearizable.h.
template <typename Spec>
class History {
 public:
  using Call = typename Spec::Call;
  using Result = typename Spec::Result;
  using Operations = std::vector<Operation<Call, Result>>;

  History() = default;
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // The number of an operation that begins now.
  std::size_t Begin(Call call) {
    if (stopped_) return kNone;
    operations_.push_back({.call = std::move(call), .result = {}, .from = now_++});
    return operations_.size() - 1;
  }
  // It has asked by now; once is enough.
  void Asked(std::size_t operation) {
    if (!stopped_ && operations_[operation].asked == kNever) operations_[operation].asked = now_++;
  }
  void Return(std::size_t operation, Result result) {
    if (Finish(operation, End::kReturned)) operations_[operation].result = std::move(result);
  }
  void Cancel(std::size_t operation) { Finish(operation, End::kCancelled); }
  // Nothing that happens from now on counts.
  void Stop() { stopped_ = true; }

  // In the order of their beginnings.
  [[nodiscard]] const Operations& operations() const { return operations_; }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  bool Finish(std::size_t operation, End end) {
    if (stopped_) return false;
    operations_[operation].end = end;
    operations_[operation].to = now_++;
    return true;
  }

  Operations operations_;
  std::uint64_t now_ = 0;
  bool stopped_ = false;
};

// An operation from its beginning to its end.
template <typename Spec>
class Running {
 public:
  Running(History<Spec>& history, typename Spec::Call call)
      : history_(history), operation_(history.Begin(std::move(call))) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (!returned_) history_.Cancel(operation_);
  }

  void Asked() { history_.Asked(operation_); }
  void Return(typename Spec::Result result) {
    returned_ = true;
    history_.Return(operation_, std::move(result));
  }

 private:
  History<Spec>& history_;
  const std::size_t operation_;
  bool returned_ = false;
};

}  // namespace home::history

#endif  // HOME_TOOLS_HISTORY_HISTORY_H_
