// Chaos builds (--config=chaos): every access to an atomic of task and scheduler, and of the
// queues, deques and parkers that the scheduler has, may stand still for a moment first.
//
// Threads then meet in the middle of each other's operations thousands of times as often as
// they would by themselves, so that the ordinary tests go through schedules that otherwise
// come up once in a year of service. The accesses themselves are the same.
//
// Other builds have std::atomic in these places, and no trace of this.
//
// The environment variable HOME_CHAOS_SEED, a number, changes where threads stand still. It
// replays nothing: how threads interleave is still up to the system.

#ifndef HOME_TASK_CHAOS_H_
#define HOME_TASK_CHAOS_H_

#include <atomic>
#include <type_traits>

namespace home::internal {

#if defined(HOME_CHAOS)
inline constexpr bool kChaos = true;
#else
inline constexpr bool kChaos = false;
#endif

// Does nothing most of the time; else spins, yields, or sleeps for some microseconds.
void ChaosPause() noexcept;

// A std::atomic with a ChaosPause() before each access. It is one, so that a futex can have
// its address; what the functions below do not hide must not be used.
template <typename U>
class ChaosAtomic : public std::atomic<U> {
  using Base = std::atomic<U>;
  using Order = std::memory_order;

 public:
  using Base::Base;

  U load(Order order) const { return Paused().load(order); }
  void store(U value, Order order) { Paused().store(value, order); }
  U exchange(U value, Order order) { return Paused().exchange(value, order); }
  U fetch_add(U value, Order order) { return Paused().fetch_add(value, order); }
  U fetch_sub(U value, Order order) { return Paused().fetch_sub(value, order); }
  U fetch_or(U value, Order order) { return Paused().fetch_or(value, order); }
  U fetch_and(U value, Order order) { return Paused().fetch_and(value, order); }
  template <typename... Orders>
  bool compare_exchange_weak(U& expected, U desired, Orders... orders) {
    return Paused().compare_exchange_weak(expected, desired, orders...);
  }
  template <typename... Orders>
  bool compare_exchange_strong(U& expected, U desired, Orders... orders) {
    return Paused().compare_exchange_strong(expected, desired, orders...);
  }

 private:
  Base& Paused() {
    ChaosPause();
    return *this;
  }
  const Base& Paused() const {
    ChaosPause();
    return *this;
  }
};

// The atomics of task and scheduler.
template <typename U>
using Atomic = std::conditional_t<kChaos, ChaosAtomic<U>, std::atomic<U>>;

template <typename Policy>
struct Chaotic : Policy {
  template <typename U>
  using Atomic = ChaosAtomic<U>;
};

// The policy of a queue, deque or parker of theirs.
template <typename Policy>
using WithChaos = std::conditional_t<kChaos, Chaotic<Policy>, Policy>;

}  // namespace home::internal

#endif  // HOME_TASK_CHAOS_H_
