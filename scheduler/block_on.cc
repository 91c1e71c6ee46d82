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
#include "home/scheduler/context.h"
#include "home/scheduler/scheduler.h"

namespace home::scheduler_internal {
namespace {

// Whom a waker of a BlockOn wakes. Wakers may outlive the BlockOn, so it is
// counted.
class MainWaker {
 public:
  // `scheduler`: of the current-thread flavour, else null.
  explicit MainWaker(std::shared_ptr<Scheduler> scheduler) : scheduler_(std::move(scheduler)) {}

  [[nodiscard]] Waker Make() {
    AddReference();
    return Waker(this, &kVTable);
  }
  void Park() { parker_.Park(); }
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
  static MainWaker* Self(void* data) { return static_cast<MainWaker*>(data); }
  void Wake() {
    if (scheduler_ != nullptr) {
      scheduler_->WakeMain();
    } else {
      parker_.Unpark();
    }
  }

  static void* OnClone(void* data) {
    Self(data)->AddReference();
    return data;
  }
  static void OnWake(void* data) {
    Self(data)->Wake();
    Self(data)->Release();
  }
  static void OnWakeByRef(void* data) { Self(data)->Wake(); }
  static void OnDrop(void* data) { Self(data)->Release(); }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  const std::shared_ptr<Scheduler> scheduler_;
  Parker parker_;
  std::atomic<std::uint32_t> references_{1};
};

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

BlockOnScope::BlockOnScope(Scheduler& scheduler) : scheduler_(scheduler) {
  if (CurrentScheduler() != nullptr) {
    Fatal(
        "BlockOn was called inside a runtime, whose thread it would block: co_await instead, "
        "or block on a thread of your own");
  }
  scheduler_.fork_check().DieInChild();
  scheduler_.EnterBlockOn();
  scope_.emplace(&scheduler_, scheduler_.options().current_thread ? 0 : scheduler_.outside_shard());
}

BlockOnScope::~BlockOnScope() {
  scope_.reset();
  scheduler_.LeaveBlockOn();
}

void BlockOnScope::RunPoll(const std::function<bool(Context& cx)>& poll) {
  const bool here = scheduler_.options().current_thread;
  auto* main = new MainWaker(here ? scheduler_.shared_from_this() : nullptr);
  // Drops the last reference of this function's however it ends.
  const std::unique_ptr<MainWaker, void (*)(MainWaker*)> owner(
      main, [](MainWaker* waker) { waker->Release(); });
  const Waker waker = main->Make();
  RethrowPanic();
  if (here) {
    // It shares the thread with the tasks, so it has a budget like one.
    scheduler_.RunHere([this, &waker, &poll] {
      scheduler_.fork_check().DieInChild();
      if (scheduler_.Panic() != nullptr) return true;
      Budget budget{.remaining = scheduler_.options().budget};
      Context cx(waker, &budget);
      return poll(cx);
    });
    return RethrowPanic();
  }
  const PanicWatch watch(scheduler_, main);
  while (true) {
    RethrowPanic();
    Context cx(waker);
    if (poll(cx)) return;
    // Nobody would wake it there.
    scheduler_.fork_check().DieInChild();
    main->Park();
  }
}

void BlockOnScope::RethrowPanic() const {
  if (std::exception_ptr panic = scheduler_.Panic()) internal::Rethrow(std::move(panic));
}

}  // namespace home::scheduler_internal
