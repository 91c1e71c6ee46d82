#include "home/sync/blocking.h"

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/time/time.h"
#include "home/future/waker.h"
#include "home/parker/deadline.h"
#include "home/parker/parker.h"
#include "home/parker/parker_policy.h"

namespace home::sync_internal {

static_assert(kForever == parker_internal::kNoDeadline);

class ThreadParker : public WakerTarget {
 public:
  ThreadParker() : WakerTarget(&kVTable) {}
  ThreadParker(const ThreadParker&) = delete;
  ThreadParker& operator=(const ThreadParker&) = delete;

  // For whoever holds a reference, and does not give it up.
  [[nodiscard]] Waker Lend() { return Waker(this); }
  [[nodiscard]] bool ParkUntil(std::int64_t deadline) { return parker_.ParkUntil(deadline); }
  void Release() {
    // release: our uses come before the end. acquire: all others' do. pairs with: itself.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  ~ThreadParker() = default;

  static ThreadParker* Self(WakerTarget* target) { return static_cast<ThreadParker*>(target); }
  static WakerTarget* OnClone(WakerTarget* target) {
    // relaxed: a new reference is made from one that the caller holds.
    Self(target)->references_.fetch_add(1, std::memory_order_relaxed);
    return target;
  }
  static void OnWake(WakerTarget* target) {
    Self(target)->parker_.Unpark();
    Self(target)->Release();
  }
  static void OnWakeByRef(WakerTarget* target) { Self(target)->parker_.Unpark(); }
  static void OnDrop(WakerTarget* target) { Self(target)->Release(); }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  Parker parker_;
  std::atomic<std::uint32_t> references_{1};
};

namespace {

// The parker that this thread keeps for its next wait.
class KeptParker {
 public:
  constexpr KeptParker() = default;
  KeptParker(const KeptParker&) = delete;
  KeptParker& operator=(const KeptParker&) = delete;
  ~KeptParker() {
    closed_ = true;
    if (parker_ != nullptr) std::exchange(parker_, nullptr)->Release();
  }

  [[nodiscard]] ThreadParker* Take() {
    if (parker_ == nullptr) return new ThreadParker;
    return std::exchange(parker_, nullptr);
  }
  void Keep(ThreadParker* parker) {
    if (closed_ || parker_ != nullptr) return parker->Release();
    parker_ = parker;
  }

 private:
  ThreadParker* parker_ = nullptr;
  bool closed_ = false;  // The thread is ending: nobody would release it.
};

ABSL_ATTRIBUTE_NOINLINE KeptParker& ThisThreads() {
  static thread_local KeptParker kept;
  return kept;
}

}  // namespace

BlockingScope::BlockingScope() : parker_(ThisThreads().Take()), waker_(parker_->Lend()) {}

BlockingScope::~BlockingScope() { ThisThreads().Keep(parker_); }

bool BlockingScope::SleepUntil(std::int64_t deadline) {
  if (is_late_ || !parker_->ParkUntil(deadline)) return false;
  // A future that wakes itself at each poll must not go on for ever.
  is_late_ = deadline != kForever && ParkerPolicy::Now() >= deadline;
  return true;
}

std::int64_t DeadlineAfter(absl::Duration timeout) {
  return parker_internal::DeadlineAfter<ParkerPolicy>(timeout);
}

}  // namespace home::sync_internal
