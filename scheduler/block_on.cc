#include "home/scheduler/block_on.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "home/future/fatal.h"
#include "home/future/result_slot.h"
#include "home/parker/parker.h"
#include "home/parker/parker_policy.h"
#include "home/scheduler/context.h"
#include "home/scheduler/scheduler.h"
#include "home/task/chaos.h"

namespace home::scheduler_internal {

// Whom a waker of a BlockOn wakes. Wakers may outlive the BlockOn, so it is
// counted.
class MainWaker : public WakerTarget {
 public:
  // `scheduler`: of the current-thread flavour, else null.
  explicit MainWaker(std::shared_ptr<Scheduler> scheduler)
      : WakerTarget(&kVTable), scheduler_(std::move(scheduler)) {}

  [[nodiscard]] Waker Make() {
    AddReference();
    return Waker(this);
  }
  // Multi-thread: waits for a wake, or for EndSleep().
  void Park() { parker_.Park(); }
  // Multi-thread: whether there was a wake since the last call.
  [[nodiscard]] bool TakeWoken() {
    // relaxed: a guess that the exchange verifies.
    if (!woken_.load(std::memory_order_relaxed)) return false;
    // acquire: what happened before the wake. pairs with: Wake().
    return woken_.exchange(false, std::memory_order_acquire);
  }
  // Any thread: lets the BlockOn look for pinned tasks.
  void EndSleep() {
    if (scheduler_ != nullptr) {
      scheduler_->EndSleepHere();
    } else {
      parker_.Unpark();
    }
  }
  void AddReference() {
    // relaxed: a new reference is made from one that the caller holds.
    references_.fetch_add(1, std::memory_order_relaxed);
  }
  void Release() {
    // release: our uses come before the end. acquire: all others' do. pairs with:
    // itself.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  static MainWaker* Self(WakerTarget* target) { return static_cast<MainWaker*>(target); }
  void Wake() {
    if (scheduler_ != nullptr) return scheduler_->WakeMain();
    // release: see TakeWoken(). Before the unpark, so that it is seen after it.
    woken_.store(true, std::memory_order_release);
    parker_.Unpark();
  }

  static WakerTarget* OnClone(WakerTarget* target) {
    Self(target)->AddReference();
    return target;
  }
  static void OnWake(WakerTarget* target) {
    Self(target)->Wake();
    Self(target)->Release();
  }
  static void OnWakeByRef(WakerTarget* target) { Self(target)->Wake(); }
  static void OnDrop(WakerTarget* target) { Self(target)->Release(); }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  const std::shared_ptr<Scheduler> scheduler_;
  BasicParker<internal::WithChaos<ParkerPolicy>> parker_;
  internal::Atomic<bool> woken_{false};
  internal::Atomic<std::uint32_t> references_{1};
};

namespace {

// Wakes a BlockOn when a panic ends its runtime.
class PanicWatch {
 public:
  PanicWatch(Scheduler& scheduler, MainWaker* main) : scheduler_(scheduler) {
    if (scheduler.options().shut_down_on_panic) waker_ = scheduler.WakeOnPanic(main->Make());
  }
  PanicWatch(const PanicWatch&) = delete;
  PanicWatch& operator=(const PanicWatch&) = delete;
  ~PanicWatch() {
    if (waker_) scheduler_.ForgetOnPanic(*waker_);
  }

 private:
  Scheduler& scheduler_;
  std::optional<Scheduler::PanicWakers::iterator> waker_;
};

}  // namespace

BlockOnScope::BlockOnScope(Scheduler& scheduler)
    : scheduler_(scheduler),
      in_place_(CurrentScheduler() == &scheduler),
      main_(new MainWaker(scheduler.options().current_thread ? scheduler.shared_from_this()
                                                             : nullptr),
            [](MainWaker* waker) { waker->Release(); }) {
  if (CurrentScheduler() != nullptr && !MayBlock()) {
    Fatal(
        "BlockOn was called inside a runtime, whose thread it would block: co_await instead, "
        "or block on a thread of your own, or inside BlockInPlace");
  }
  scheduler_.fork_check().DieInChild();
  if (!in_place_) scheduler_.EnterBlockOn();
  scope_.emplace(&scheduler_, scheduler_.options().current_thread ? 0 : scheduler_.outside_shard());
  local_.emplace(scheduler_, [main = main_.get()] { main->EndSleep(); });
}

BlockOnScope::~BlockOnScope() {
  local_.reset();
  scope_.reset();
  if (!in_place_) scheduler_.LeaveBlockOn();
}

void BlockOnScope::RunPoll(const std::function<bool(Context& cx)>& poll) {
  const Waker waker = main_->Make();
  RethrowPanic();
  if (!scheduler_.options().current_thread) return RunOnThisThread(waker, poll);
  // It shares the thread with the tasks, so it has a budget like one.
  scheduler_.RunHere([this, &waker, &poll] {
    scheduler_.fork_check().DieInChild();
    if (scheduler_.Panic() != nullptr) return true;
    Turn turn{.budget = scheduler_.options().budget};
    Context cx(waker, &turn);
    return poll(cx);
  });
  RethrowPanic();
}

void BlockOnScope::RunOnThisThread(const Waker& waker,
                                   const std::function<bool(Context& cx)>& poll) {
  const PanicWatch watch(scheduler_, main_.get());
  waker.WakeByRef();
  while (true) {
    RethrowPanic();
    if (main_->TakeWoken()) {
      Context cx(waker);
      if (poll(cx)) return;
    }
    // Nobody would wake it there.
    scheduler_.fork_check().DieInChild();
    // In turns with the future.
    if (!local_->RunOne()) main_->Park();
  }
}

void BlockOnScope::RethrowPanic() const {
  if (std::exception_ptr panic = scheduler_.Panic()) internal::Rethrow(std::move(panic));
}

}  // namespace home::scheduler_internal
