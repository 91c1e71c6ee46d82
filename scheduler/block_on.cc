#include "home/scheduler/block_on.h"

#include <atomic>
#include <cstdint>
#include <memory>

#include "home/future/fatal.h"
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

}  // namespace

void BlockOnPoll(Scheduler& scheduler, const std::function<bool(Context& cx)>& poll) {
  if (CurrentScheduler() != nullptr) {
    Fatal(
        "BlockOn was called inside a runtime, whose thread it would block: co_await instead, "
        "or use SpawnBlocking");
  }
  const bool here = scheduler.options().current_thread;
  auto* main = new MainWaker(here ? scheduler.shared_from_this() : nullptr);
  // Drops the last reference of this function's however it ends.
  const std::unique_ptr<MainWaker, void (*)(MainWaker*)> owner(
      main, [](MainWaker* waker) { waker->Release(); });
  const Waker waker = main->Make();
  const EnterScope scope(&scheduler, here ? 0 : scheduler.outside_shard());
  const auto poll_once = [&waker, &poll] {
    Context cx(waker);
    return poll(cx);
  };
  if (here) {
    scheduler.RunHere(poll_once);
  } else {
    while (!poll_once()) main->Park();
  }
}

}  // namespace home::scheduler_internal
