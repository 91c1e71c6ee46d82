// What a scenario under the model checker is made of: atomics, plain data, fences, a mutex and a
// condition for it, waiting, and choices.
//
//   struct ModelPolicy : DequePolicy {
//     template <typename U>
//     using Atomic = home::model::Atomic<U>;   // under the production header
//   };
//
// All of it belongs into a scenario that a search runs (checker.h): there is no thread and
// no memory to check outside of one. Names mean what they mean in <atomic>. Each access to
// an Atomic is a point at which the checker may switch threads, and a load may return any
// value that the C++20 memory model allows it to, of the last eight.

#ifndef HOME_TOOLS_MODEL_ATOMIC_H_
#define HOME_TOOLS_MODEL_ATOMIC_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <string_view>
#include <type_traits>

#include "home/tools/model/relacy.h"
#include "home/tools/model/weakening.h"

namespace home::model {

using Location = std::source_location;

namespace model_internal {

inline rl::memory_order Order(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return rl::mo_relaxed;
    case std::memory_order_consume:
    case std::memory_order_acquire:
      return rl::mo_acquire;
    case std::memory_order_release:
      return rl::mo_release;
    case std::memory_order_acq_rel:
      return rl::mo_acq_rel;
    case std::memory_order_seq_cst:
      break;
  }
  return rl::mo_seq_cst;
}

// The order of a failed compare-exchange that names only one.
constexpr std::memory_order OnFailure(std::memory_order success) {
  switch (success) {
    case std::memory_order_release:
      return std::memory_order_relaxed;
    case std::memory_order_acq_rel:
      return std::memory_order_acquire;
    default:
      return success;
  }
}

// The name of U as this compiler writes it.
template <typename U>
std::string_view TypeName(const Location& here = Location::current()) {
  const std::string_view name = here.function_name();
  // "... [U = int]" or "... [with U = int; ...]".
  const auto begin = name.find("U = ");
  return name.substr(begin, name.find_first_of(";]", begin) - begin);
}

}  // namespace model_internal

enum class WakeReason { kWoken, kChanged, kSpurious, kTimeout };

// std::atomic<U>, for trivially copyable types of up to eight bytes. Watched for accesses
// before its construction and after its destruction.
template <typename U>
class Atomic {
 public:
  Atomic() : Atomic(U{}) {}
  Atomic(U value) : value_(model_internal::ToStored(value)) {}  // NOLINT: as std::atomic
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  U load(std::memory_order order = std::memory_order_seq_cst,
         Location where = Location::current()) const {
    return From(value_.load(Weakened(Access::kLoad, order, where), model_internal::Info(where)));
  }
  void store(U value, std::memory_order order = std::memory_order_seq_cst,
             Location where = Location::current()) {
    value_.store(To(value), Weakened(Access::kStore, order, where), model_internal::Info(where));
  }
  U exchange(U value, std::memory_order order = std::memory_order_seq_cst,
             Location where = Location::current()) {
    return From(value_.exchange(To(value), Weakened(Access::kRmw, order, where),
                                model_internal::Info(where)));
  }
  U fetch_add(U value, std::memory_order order = std::memory_order_seq_cst,
              Location where = Location::current()) {
    return From(value_.fetch_add(To(value), Weakened(Access::kRmw, order, where),
                                 model_internal::Info(where)));
  }
  U fetch_sub(U value, std::memory_order order = std::memory_order_seq_cst,
              Location where = Location::current()) {
    return From(value_.fetch_sub(To(value), Weakened(Access::kRmw, order, where),
                                 model_internal::Info(where)));
  }
  U fetch_or(U value, std::memory_order order = std::memory_order_seq_cst,
             Location where = Location::current()) {
    return From(value_.fetch_or(To(value), Weakened(Access::kRmw, order, where),
                                model_internal::Info(where)));
  }
  U fetch_and(U value, std::memory_order order = std::memory_order_seq_cst,
              Location where = Location::current()) {
    return From(value_.fetch_and(To(value), Weakened(Access::kRmw, order, where),
                                 model_internal::Info(where)));
  }
  U fetch_xor(U value, std::memory_order order = std::memory_order_seq_cst,
              Location where = Location::current()) {
    return From(value_.fetch_xor(To(value), Weakened(Access::kRmw, order, where),
                                 model_internal::Info(where)));
  }

  bool compare_exchange_strong(U& expected, U desired, std::memory_order success,
                               std::memory_order failure, Location where = Location::current()) {
    return CompareExchange<false>(expected, desired, success, failure, where);
  }
  bool compare_exchange_strong(U& expected, U desired,
                               std::memory_order order = std::memory_order_seq_cst,
                               Location where = Location::current()) {
    return CompareExchange<false>(expected, desired, order, model_internal::OnFailure(order),
                                  where);
  }
  // Fails now and then for no reason.
  bool compare_exchange_weak(U& expected, U desired, std::memory_order success,
                             std::memory_order failure, Location where = Location::current()) {
    return CompareExchange<true>(expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(U& expected, U desired,
                             std::memory_order order = std::memory_order_seq_cst,
                             Location where = Location::current()) {
    return CompareExchange<true>(expected, desired, order, model_internal::OnFailure(order), where);
  }

  // A futex on this word: sleeps if the word holds `expected` (compared and put to sleep in
  // one step, as the kernel does it), until a Wake(), for no reason at all or, if `timed`,
  // until a timeout, which may come at once. No memory order comes with it but that a
  // Wake() happens before the return of those whom it woke. If nobody is left to wake a
  // sleeper that is not timed, the search fails with a deadlock.
  WakeReason Wait(U expected, bool timed, Location where = Location::current()) const {
    rl::context& c = rl::ctx();
    c.sched();
    if (value_.debug_value() != To(expected)) {
      // A failing exchange: this thread has seen the value now, and sees no older one again.
      const rl::preemption_disabler one_step(c);
      Stored bits = To(expected);
      value_.compare_exchange(rl::bool_t<false>(), bits, bits, rl::mo_relaxed,
                              model_internal::Info(where));
      return WakeReason::kChanged;
    }
    switch (value_.wait(c, timed, /*allow_spurious_wakeup=*/true, model_internal::Info(where))) {
      case rl::unpark_reason_timeout:
        return WakeReason::kTimeout;
      case rl::unpark_reason_spurious:
        return WakeReason::kSpurious;
      default:
        return WakeReason::kWoken;
    }
  }
  // Wakes up to `count` sleepers.
  void Wake(int count, Location where = Location::current()) const {
    rl::context& c = rl::ctx();
    c.sched();
    value_.wake(c, count, model_internal::Info(where));
  }

 private:
  using Stored = model_internal::Stored<U>;

  static Stored To(U value) { return model_internal::ToStored(value); }
  static U From(Stored bits) { return model_internal::FromStored<U>(bits); }
  static std::string_view Type() {
    static const std::string_view kName = model_internal::TypeName<U>();
    return kName;
  }
  static std::memory_order Applied(Access access, std::memory_order order, const Location& where) {
    return model_internal::ActiveWeakening::Apply(access, Type(), order, where);
  }
  static rl::memory_order Weakened(Access access, std::memory_order order, const Location& where) {
    return model_internal::Order(Applied(access, order, where));
  }

  template <bool kSpurious>
  bool CompareExchange(U& expected, U desired, std::memory_order success, std::memory_order failure,
                       const Location& where) {
    const std::memory_order applied = Applied(Access::kRmw, success, where);
    if (applied != success) failure = model_internal::OnFailure(applied);
    rl::context& c = rl::ctx();
    c.sched();
    // Relacy knows only failure orders that are no stronger than the success order, as they
    // were before C++17. So the one that applies is given for both.
    const rl::preemption_disabler one_step(c);
    Stored bits = To(expected);
    const bool equal = value_.debug_value() == bits;
    const rl::memory_order order = model_internal::Order(equal ? applied : failure);
    const bool exchanged = value_.compare_exchange(
        rl::bool_t<kSpurious>(), bits, To(desired), order,
        // A spurious failure of a release or relaxed exchange learns nothing.
        model_internal::Order(model_internal::OnFailure(equal ? applied : failure)),
        model_internal::Info(where));
    if (!exchanged) expected = From(bits);
    return exchanged;
  }

  mutable rl::atomic<Stored> value_;
};

// Data without synchronisation of its own. Two accesses of which one is a write, and which
// no happens-before orders, fail the search as a data race; so does a read before the first
// write, and an access after destruction.
template <typename U>
class Data {
 public:
  Data() = default;
  Data(U value) : value_(model_internal::ToStored(value)) {}  // NOLINT: stands for a U
  Data(const Data& other) : Data(static_cast<U>(other)) {}
  Data& operator=(const Data& other) { return *this = static_cast<U>(other); }

  operator U() const { return Read(); }  // NOLINT: stands for a U
  Data& operator=(U value) {
    Write(value);
    return *this;
  }

  U Read(Location where = Location::current()) const {
    return model_internal::FromStored<U>(
        static_cast<const rl::var<Stored>&>(value_)(model_internal::Info(where)).load());
  }
  void Write(U value, Location where = Location::current()) {
    value_(model_internal::Info(where)).store(model_internal::ToStored(value));
  }

 private:
  using Stored = model_internal::Stored<U>;
  rl::var<Stored> value_;
};

// std::atomic_thread_fence.
inline void Fence(std::memory_order order, Location where = Location::current()) {
  order = model_internal::ActiveWeakening::Apply(Access::kFence, "", order, where);
  if (order == std::memory_order_relaxed) return;
  rl::atomic_thread_fence(model_internal::Order(order), model_internal::Info(where));
}

// For a loop that waits for another thread: without it a search does not end.
inline void Yield(Location where = Location::current()) {
  rl::ctx().yield(1, model_internal::Info(where));
}

// The thread of the scenario that calls.
inline int ThreadIndex() { return static_cast<int>(rl::thread_index()); }

// Any number below `count`: each is tried.
inline unsigned Choose(unsigned count) { return rl::rand(count); }

// What must hold, wherever the search is. `what` says so and must be a literal.
inline void Expect(bool holds, const char* what, Location where = Location::current()) {
  if (!holds) {
    rl::ctx().fail_test(what, rl::test_result_user_assert_failed, model_internal::Info(where));
  }
}

// std::mutex.
class Mutex {
 public:
  void lock() { mutex_.lock(model_internal::Info(Location::current())); }
  bool try_lock() { return mutex_.try_lock(model_internal::Info(Location::current())); }
  void unlock() { mutex_.unlock(model_internal::Info(Location::current())); }
  // As FutexMutex.
  bool IsFree() {
    const bool free = try_lock();
    if (free) unlock();
    return free;
  }

 private:
  friend class ConditionVariable;

  rl::mutex mutex_;
};

// std::condition_variable: wakes for no reason now and then, where runs are chosen at random.
class ConditionVariable {
 public:
  ConditionVariable() = default;
  ConditionVariable(const ConditionVariable&) = delete;
  ConditionVariable& operator=(const ConditionVariable&) = delete;
  // As the standard has it: whoever waits has been notified, and may still be on its way out.
  ~ConditionVariable() {
    if (state_->waiting == 0) {
      delete state_;
    } else {
      state_->destroyed = true;
    }
    state_ = nullptr;
  }

  void wait(std::unique_lock<Mutex>& lock, Location where = Location::current()) {
    State* const state = Checked();
    ++state->waiting;
    state->condition.wait(lock.mutex()->mutex_, model_internal::Info(where));
    if (--state->waiting == 0 && state->destroyed) delete state;
  }
  void notify_all(Location where = Location::current()) {
    Checked()->condition.notify_all(model_internal::Info(where));
  }

 private:
  // Relacy's has to outlive those who wait. Plain, as all threads of the checker are one.
  struct State {
    rl::condition_variable condition;
    int waiting = 0;
    bool destroyed = false;
  };

  State* Checked() const {
    Expect(state_ != nullptr, "a condition variable that is there");
    return state_;
  }

  State* state_ = new State;
};

}  // namespace home::model

#endif  // HOME_TOOLS_MODEL_ATOMIC_H_
