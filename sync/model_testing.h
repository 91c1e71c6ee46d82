// The model checker's atomics under the primitives, and what its scenarios wait with.

#ifndef HOME_SYNC_MODEL_TESTING_H_
#define HOME_SYNC_MODEL_TESTING_H_

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/waker.h"
#include "home/tools/model/atomic.h"

namespace home::sync_testing {

struct ModelSyncPolicy {
  template <typename U>
  using Atomic = model::Atomic<U>;
  using Mutex = model::Mutex;

  static constexpr int kLooks = 0;
  static constexpr std::uint8_t kVainSpins = 0;
  static constexpr std::uint8_t kUnspunWaits = 255;
  static void BackOff() {}

  // Precedence is seen in short scenarios, too.
  static constexpr std::uint8_t kPatience = 1;

  // So is a bias.
  static constexpr std::uint16_t kQuiet = 1;
  // Ordinary fences stand for the asymmetric one.
  static void LightFence() { model::Fence(std::memory_order_seq_cst); }
  static void HeavyFence() { model::Fence(std::memory_order_seq_cst); }
};

// A task that polls one future after the other, and sleeps in between until it is woken;
// with nobody left to wake it, the checker reports a deadlock. A wake touches a count of
// references, as a task's does: a waker that was dropped or woken twice is found.
class ModelTask : public WakerTarget {
 public:
  ModelTask() : WakerTarget(&kVTable) {}
  ModelTask(const ModelTask&) = delete;
  ModelTask& operator=(const ModelTask&) = delete;

  [[nodiscard]] BorrowedWaker Lend() { return BorrowedWaker(this); }

  // Polls `future` until it is ready.
  template <typename F>
  auto Run(F& future) {
    while (true) {
      // acquire: what was done before the wake.
      const int seen = wakes_.load(std::memory_order_acquire);
      const BorrowedWaker waker = Lend();
      Context cx(waker.get());
      auto polled = future.Poll(cx);
      if (polled.ready()) {
        if constexpr (!std::is_void_v<typename decltype(polled)::value_type>) {
          return std::move(polled).value();
        } else {
          return;
        }
      }
      wakes_.Wait(seen, /*timed=*/false);
    }
  }
  // One poll.
  template <typename F>
  auto PollOnce(F& future) {
    const BorrowedWaker waker = Lend();
    Context cx(waker.get());
    return future.Poll(cx);
  }
  // After the threads: wakers that are still somewhere.
  [[nodiscard]] int wakers() const { return wakers_.load(std::memory_order_seq_cst); }

 private:
  static ModelTask* Self(WakerTarget* target) { return static_cast<ModelTask*>(target); }
  void Wake() {
    wakes_.fetch_add(1, std::memory_order_release);
    wakes_.Wake(1);
  }
  static WakerTarget* OnClone(WakerTarget* target) {
    Self(target)->wakers_.fetch_add(1, std::memory_order_relaxed);
    return target;
  }
  static void OnWake(WakerTarget* target) {
    Self(target)->Wake();
    OnDrop(target);
  }
  static void OnWakeByRef(WakerTarget* target) { Self(target)->Wake(); }
  static void OnDrop(WakerTarget* target) {
    Self(target)->wakers_.fetch_sub(1, std::memory_order_relaxed);
  }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  model::Atomic<int> wakes_{0};
  model::Atomic<int> wakers_{0};
};

// What scenarios of locks have in common: a task a thread, and a value that one changes at a
// time.
template <int kThreadCount>
struct LockScenario {
  static constexpr int kThreads = kThreadCount;

  // By whoever has the lock.
  void Count() { guarded = guarded + 1; }
  // After the threads.
  void ExpectCounted(int times) { model::Expect(guarded == times, "one at a time"); }
  void After() {
    for (ModelTask& task : tasks) model::Expect(task.wakers() == 0, "no waker is left");
  }

  ModelTask tasks[kThreads];
  model::Data<int> guarded{0};
};

}  // namespace home::sync_testing

#endif  // HOME_SYNC_MODEL_TESTING_H_
