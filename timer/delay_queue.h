// DelayQueue: values that come out when their time has come, the earliest first.
//
//   DelayQueue<Session> idle;
//   const DelayQueue<Session>::Key key = idle.Push(std::move(session), absl::Minutes(5));
//   idle.Reset(key, absl::Minutes(5));                    // it was used: start anew
//   std::optional<Session> session = idle.Remove(key);    // it is closed
//   std::optional<Session> expired = co_await Next(idle); // nullopt: the queue is empty
//
// For many things that expire, such as the entries of a cache or idle connections: one task
// waits for all of them, where a Sleep each would take a task or a place in a set of futures.
//
// A Stream of its values. The stream ends when the queue is empty, and goes on when there is
// something in it again. A value may be pushed, removed or reset while the next one is waited
// for, by what runs on the same thread or in its turn.
//
// Nothing comes early. Values of the same millisecond come in the order in which they were
// pushed; with TimerPrecision::kHigh the order is that of the 256ths of it.
//
// Cancellation: dropping a Next() loses nothing.
// Thread-safety: one thread at a time. The first Push() or PollNext() and what follows must
// happen under a TimerScope of the same clock.
// Cost: Push, Remove and Reset are O(1); one timer is armed, for the earliest. Pushing
// allocates if the queue has never been so full; the room is kept until the queue is
// destroyed. 11 KiB a queue.
//
// The model is Tokio's DelayQueue.

#ifndef HOME_TIMER_DELAY_QUEUE_H_
#define HOME_TIMER_DELAY_QUEUE_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"
#include "home/timer/tick.h"
#include "home/timer/timer_precision.h"
#include "home/timer/timer_service.h"
#include "home/timer/wheel.h"

namespace home {

template <typename T>
class DelayQueue {
  struct Node : TimerEntry {
    // Which of the values that were here a key means. Even: there is none.
    std::uint64_t generation = 0;
    std::optional<T> value;
    Node* next_free = nullptr;
  };

 public:
  using Item = T;

  // Names a value of one queue until it comes out, and nothing afterwards. A copyable value.
  class Key {
   public:
    // Names nothing.
    Key() noexcept = default;
    friend bool operator==(const Key&, const Key&) noexcept = default;

   private:
    friend class DelayQueue;
    Key(Node* node, std::uint64_t generation) noexcept : node_(node), generation_(generation) {}

    Node* node_ = nullptr;
    std::uint64_t generation_ = 0;
  };

  explicit DelayQueue(TimerPrecision precision = TimerPrecision::kMillisecond) noexcept
      : precision_(precision), sleep_(absl::InfiniteDuration(), TimerPrecision::kHigh) {}
  DelayQueue(const DelayQueue&) = delete;
  DelayQueue& operator=(const DelayQueue&) = delete;
  ~DelayQueue() {
    for (Node& node : nodes_) {
      if (node.linked()) wheel_.Remove(node);
    }
  }

  [[nodiscard]] bool empty() const noexcept { return wheel_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return wheel_.size(); }

  // `value` comes out `delay` from now: at once if that is zero or negative, never by itself if
  // it is infinite.
  Key Push(T value, absl::Duration delay) { return Push(std::move(value), Now() + delay); }
  Key Push(T value, Instant deadline) {
    Node& node = Allocate();
    node.value.emplace(std::move(value));
    ++node.generation;
    Arm(node, deadline);
    return Key(&node, node.generation);
  }

  // Takes the value out; nullopt if it is not in the queue any more.
  std::optional<T> Remove(Key key) {
    if (!Holds(key)) return std::nullopt;
    wheel_.Remove(*key.node_);
    std::optional<T> value = Release(*key.node_);
    TellWaiter();
    return value;
  }

  // Sets another time, as Push() does. False, and nothing is done, if the value is not in the
  // queue any more.
  bool Reset(Key key, absl::Duration delay) { return Holds(key) && Reset(key, Now() + delay); }
  bool Reset(Key key, Instant deadline) {
    if (!Holds(key)) return false;
    wheel_.Remove(*key.node_);
    Arm(*key.node_, deadline);
    return true;
  }

  // True until the value has come out or was removed.
  [[nodiscard]] bool Holds(Key key) const noexcept {
    return key.node_ != nullptr && key.node_->generation == key.generation_;
  }

  // A stream's.
  [[nodiscard]] Poll<std::optional<T>> PollNext(Context& cx) {
    while (!empty()) {
      const std::uint64_t now = timer_internal::TickOf(Now());
      const std::uint64_t next = wheel_.NextTick();
      if (next > now) {
        // What is armed already is not armed again: the queue may be polled often.
        const Instant until = timer_internal::StartOf(next);
        if (std::exchange(sleeps_until_, until) != until) sleep_.Reset(until);
        // Without a turn: what is due has not had its step of the budget yet.
        Context unlimited(cx.waker());
        if (sleep_.Poll(unlimited).pending()) {
          UpdateWaker(waiter_, cx.waker());
          return cx.PendingFor("delay queue");
        }
        sleeps_until_ = Instant::InfinitePast();
        continue;
      }
      if (!cx.ConsumeBudget()) return kPending;
      std::size_t moves = kMovesPerStep;
      if (TimerEntry* const due = wheel_.PopDue(now, moves)) {
        waiter_ = Waker();
        return Release(static_cast<Node&>(*due));
      }
    }
    waiter_ = Waker();
    return std::optional<T>();
  }

 private:
  // Entries that are moved towards their time for one step of the budget.
  static constexpr std::size_t kMovesPerStep = 128;

  Instant Now() {
    if (clock_ == nullptr) {
      std::size_t shard = 0;
      clock_ = &TimerService::CurrentOrDie("DelayQueue", shard).clock();
    }
    return clock_->Now();
  }

  Node& Allocate() {
    if (free_ == nullptr) return nodes_.emplace_back();
    return *std::exchange(free_, free_->next_free);
  }
  // The value of a node that is in no wheel any more; keys for it become void.
  std::optional<T> Release(Node& node) {
    ++node.generation;
    std::optional<T> value = std::exchange(node.value, std::nullopt);
    node.next_free = std::exchange(free_, &node);
    return value;
  }

  void Arm(Node& node, Instant deadline) {
    if (empty()) wheel_.SkipTo(timer_internal::TickOf(Now()));
    wheel_.Insert(node, timer_internal::TickAtOrAfter(deadline, precision_));
    TellWaiter();
  }
  // The one who waits looks again if it would look too late.
  void TellWaiter() {
    if (waiter_ && (empty() || timer_internal::StartOf(wheel_.NextTick()) < sleeps_until_)) {
      // Moved out first: it may call back.
      Waker waiter = std::move(waiter_);
      std::move(waiter).Wake();
    }
  }

  const TimerPrecision precision_;
  const Clock* clock_ = nullptr;  // null until it is needed
  TimerWheel wheel_;
  std::deque<Node> nodes_;  // never moves one
  Node* free_ = nullptr;
  Sleep sleep_;
  Instant sleeps_until_ = Instant::InfinitePast();
  // Whoever was last pending.
  Waker waiter_;
};

}  // namespace home

#endif  // HOME_TIMER_DELAY_QUEUE_H_
