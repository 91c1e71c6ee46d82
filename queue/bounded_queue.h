// BoundedQueue: a first-in-first-out ring of fixed capacity, many producers, many
// consumers.
//
//   BoundedQueue<std::unique_ptr<Job>> queue(1000);
//   if (!queue.TryPush(std::move(job))) ...      // full; `job` is untouched
//   if (auto next = queue.TryPop()) Run(**next);
//
// T may be move-only; it must move and be destroyed without throwing, for between
// claiming a cell and handing it over there is no way back. The capacity is exactly the
// one asked for, any number from 1. One allocation, in the constructor. The destructor
// destroys what is inside.
//
// Thread-safety: all members by any thread, but for construction and destruction.
// Memory ordering: what precedes TryPush(x) happens before what follows the TryPop() that
// returns x. The claims, and the looks that let TryPop() say "empty" and TryPush() say
// "full", are seq_cst: if a consumer first announces that it will sleep (seq_cst) and then
// finds the queue empty, a producer that looks for the announcement (seq_cst) after its
// push sees it; likewise for a full queue.
// Order: that of the claims, FIFO over all producers. Linearizable: "empty" and "full" are
// said only if that was so at some moment of the call.
// Progress: claims are lock-free. But a call whose cell is still being emptied or filled by
// another thread waits for it (Policy::Relax: a short spin, then yielding): this is the
// price of a truthful "empty", which the original gives up. Elements should move quickly,
// and their moves and destructors must not use the queue.
//
// -- Algorithm -----------------------------------------------------------------------
//
// Dmitry Vyukov's bounded MPMC queue (2010): a cell carries the number of the operation
// that may use it next, so that producers and consumers meet only in cells. With the
// stamps of crossbeam's ArrayQueue, which need neither a power of two nor two cells:
//
//    tail_, head_, stamp   63                   k k-1              0
//                         +----------------------+-----------------+
//                         |         lap          |      index      |   2^k > capacity
//                         +----------------------+-----------------+
//
//    cell's stamp == t         free, for the push whose tail_ is t
//    cell's stamp == t + 1     filled by it, for the pop whose head_ is t
//    cell's stamp == t + lap   emptied: free for the push of the next lap
//
// As 2^k exceeds the capacity, t + 1 is never mistaken for another cell's or lap's stamp.
//
// Invariants
//  I1  head_ <= tail_ <= head_ + capacity elements. Only claims, by CAS, move them.
//  I2  A cell's value is touched only by the thread whose claim its stamp answered, and the
//      stamp passes it on (release to acquire).

#ifndef HOME_QUEUE_BOUNDED_QUEUE_H_
#define HOME_QUEUE_BOUNDED_QUEUE_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "home/queue/queue_policy.h"

namespace home {

struct BoundedQueuePolicy : QueuePolicy {
  // Counts laps and cells; unsigned, of at least 32 bits, and may wrap. Its width decides after
  // how many operations a stalled thread can take one lap for another: 2^64 here.
  using Stamp = std::uint64_t;
  // The number of the first lap.
  static constexpr Stamp kFirstLap = 0;
};

template <QueueElement T, typename Policy = BoundedQueuePolicy>
class BoundedQueue {
 public:
  using value_type = T;

  // A queue for `capacity` elements. A capacity of zero is a programming error and dies.
  explicit BoundedQueue(std::size_t capacity)
      : capacity_(CheckedCapacity(capacity)),
        lap_(std::bit_ceil(static_cast<Stamp>(capacity + 1))),
        cells_(new Cell[capacity]),
        tail_(Policy::kFirstLap * lap_),
        head_(Policy::kFirstLap * lap_) {
    for (std::size_t i = 0; i < capacity_; ++i) {
      // relaxed: nobody else knows the queue yet.
      cells_[i].stamp.store(static_cast<Stamp>(Policy::kFirstLap * lap_ + i),
                            std::memory_order_relaxed);
    }
  }

  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  ~BoundedQueue() {
    // relaxed: whoever destroys the queue is ordered after all of its users.
    const Stamp tail = tail_.load(std::memory_order_relaxed);
    for (Stamp head = head_.load(std::memory_order_relaxed); head != tail; head = Next(head)) {
      std::destroy_at(std::addressof(CellOf(head).value));
    }
  }

  // Appends `value`, or returns false and leaves it untouched if the queue is full.
  [[nodiscard]] bool TryPush(T&& value) {
    int attempt = 0;
    // relaxed: a guess, which the stamp and the CAS verify; likewise below.
    Stamp tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = CellOf(tail);
      // acquire: the pop of the last lap has left the cell (I2). pairs with: TryPop().
      const Stamp stamp = cell.stamp.load(std::memory_order_acquire);
      if (stamp == tail) {
        // The claim. seq_cst: "Memory ordering" above; what is in the cell needs no order
        // here. relaxed on failure: as the first load.
        if (tail_.compare_exchange_weak(tail, Next(tail), std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
          std::construct_at(std::addressof(cell.value), std::move(value));
          // release: hands the value over. pairs with: TryPop()'s load of the stamp.
          cell.stamp.store(stamp + 1, std::memory_order_release);
          return true;
        }
        continue;
      }
      if (stamp + lap_ == tail + 1) {
        // Still the value of the last lap. seq_cst: pairs with TryPop()'s claim.
        if (head_.load(std::memory_order_seq_cst) + lap_ == tail) return false;
        // It is claimed and about to leave.
        Policy::Relax(attempt++);
      }
      // Else our tail was out of date.
      tail = tail_.load(std::memory_order_relaxed);
    }
  }

  // Takes the oldest element, or nothing if the queue is empty.
  [[nodiscard]] std::optional<T> TryPop() {
    int attempt = 0;
    // relaxed: as in TryPush().
    Stamp head = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = CellOf(head);
      // acquire: the value is there (I2). pairs with: TryPush().
      const Stamp stamp = cell.stamp.load(std::memory_order_acquire);
      if (stamp == head + 1) {
        // The claim, ordered as in TryPush().
        const Stamp claimed = head;
        if (head_.compare_exchange_weak(head, Next(head), std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
          std::optional<T> value(std::move(cell.value));
          std::destroy_at(std::addressof(cell.value));
          // release: we have left the cell. pairs with: TryPush()'s load of the stamp.
          cell.stamp.store(claimed + lap_, std::memory_order_release);
          return value;
        }
        continue;
      }
      if (stamp == head) {
        // Nothing there yet. seq_cst: pairs with TryPush()'s claim.
        if (tail_.load(std::memory_order_seq_cst) == head) return std::nullopt;
        // It is claimed and about to be filled.
        Policy::Relax(attempt++);
      }
      head = head_.load(std::memory_order_relaxed);
    }
  }

  // About how many elements are inside; between 0 and the capacity. Elements on their way
  // in count already, those on their way out no more.
  [[nodiscard]] std::size_t SizeHint() const {
    // acquire: keeps the second load behind the first, so that I1 bounds what is seen from
    // below. Otherwise a hint, ordered with nothing.
    const Stamp head = head_.load(std::memory_order_acquire);
    const Stamp tail = tail_.load(std::memory_order_relaxed);
    const Stamp laps = (tail & ~(lap_ - 1)) - (head & ~(lap_ - 1));
    const Stamp size = laps / lap_ * capacity_ + (tail & (lap_ - 1)) - (head & (lap_ - 1));
    return size < capacity_ ? size : capacity_;
  }

  // Whether the queue seems empty.
  [[nodiscard]] bool EmptyHint() const { return SizeHint() == 0; }

  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  using Stamp = typename Policy::Stamp;
  // Narrower ones would be computed with as int.
  static_assert(std::is_unsigned_v<Stamp> && sizeof(Stamp) >= sizeof(std::uint32_t));

  struct Cell {
    Cell() {}   // NOLINT: the value comes and goes by itself.
    ~Cell() {}  // NOLINT

    typename Policy::template Atomic<Stamp> stamp;
    union {
      T value;
    };
  };

  static std::size_t CheckedCapacity(std::size_t capacity) {
    if (ABSL_PREDICT_FALSE(capacity == 0)) {
      std::fprintf(stderr, "BoundedQueue: the capacity must be at least 1\n");
      std::abort();
    }
    return capacity;
  }

  Cell& CellOf(Stamp position) { return cells_[position & (lap_ - 1)]; }
  Stamp Next(Stamp position) const {
    // Within the lap, or to the first cell of the next one.
    return (position & (lap_ - 1)) + 1 < capacity_ ? position + 1 : (position & ~(lap_ - 1)) + lap_;
  }

  const std::size_t capacity_;
  const Stamp lap_;  // 2^k
  const std::unique_ptr<Cell[]> cells_;
  // Producers and consumers on a cache line each.
  alignas(ABSL_CACHELINE_SIZE) typename Policy::template Atomic<Stamp> tail_;
  alignas(ABSL_CACHELINE_SIZE) typename Policy::template Atomic<Stamp> head_;
};

}  // namespace home

#endif  // HOME_QUEUE_BOUNDED_QUEUE_H_
