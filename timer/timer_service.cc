#include "home/timer/timer_service.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/base/attributes.h"
#include "home/timer/tick.h"

namespace home {
namespace {

using timer_internal::StartOf;
using timer_internal::TickAtOrAfter;
using timer_internal::TickOf;

struct ThreadTimers {
  TimerService* service;
  std::size_t shard;
};
// Trivially destructible: it may be asked for while the thread ends.
constinit thread_local ThreadTimers thread_timers = {nullptr, 0};

// A coroutine may be resumed on another thread than the one that suspended it,
// and compilers keep the address of a thread_local across the suspension. It is
// reached through these two only, which are never inlined.
ABSL_ATTRIBUTE_NOINLINE ThreadTimers GetThreadTimers() { return thread_timers; }
ABSL_ATTRIBUTE_NOINLINE void SetThreadTimers(ThreadTimers timers) { thread_timers = timers; }

}  // namespace

TimerService::TimerService(std::size_t shards, const Clock* clock,
                           absl::AnyInvocable<void()> wake_driver)
    : shard_count_(shards),
      shards_(std::make_unique<Shard[]>(shards)),
      clock_(clock),
      wake_driver_(std::move(wake_driver)) {
  assert(shards > 0);
  const std::uint64_t now = TickOf(clock->Now());
  for (std::size_t i = 0; i < shards; ++i) {
    const std::lock_guard lock(shards_[i].lock);
    shards_[i].wheel.SkipTo(now);
  }
}

TimerService::~TimerService() {
  const std::size_t left = size();
  if (left != 0) {
    // Their owners would cancel them in freed memory.
    std::fprintf(stderr,
                 "home: a TimerService was destroyed with %zu timers armed; destroy the futures "
                 "that wait for time first\n",
                 left);
    std::abort();
  }
}

void TimerService::Arm(TimerNode& node, std::size_t shard_index, Instant deadline, Waker waker,
                       TimerPrecision precision) {
  assert(node.state() != TimerNode::State::kArmed);
  assert(shard_index < shard_count_);
  const std::uint64_t tick = TickAtOrAfter(deadline, precision);
  const std::int64_t due = StartOf(tick).nanoseconds();
  Shard& shard = shards_[shard_index];
  node.shard_ = &shard;
  node.waker_.Put(std::move(waker));

  bool lowered = false;
  {
    const std::lock_guard lock(shard.lock);
    // relaxed: whoever acts on kArmed from another thread holds the lock.
    node.state_.store(TimerNode::State::kArmed, std::memory_order_relaxed);
    shard.wheel.Insert(node, tick);
    if (!shard.closed) lowered = DriverGate<>::Lower(shard.next, due);
  }
  if (lowered && gate_.MustWake(due)) wake_driver_();
}

bool TimerService::UpdateWaker(TimerNode& node, const Waker& current) {
  if (node.state() == TimerNode::State::kFired) return false;
  assert(node.shard_ != nullptr);
  // Not under the lock: only this thread writes the word. If the node fires in
  // this moment, the waker that it wakes is for the same task.
  if (node.waker_.WillWake(current)) return true;
  // Cloned before the lock and dropped after it: either may run a user's code.
  Waker fresh = current.Clone();
  Waker old;
  Shard& shard = *node.shard_;
  const std::lock_guard lock(shard.lock);
  // relaxed: only written under the lock while the node is armed.
  if (node.state_.load(std::memory_order_relaxed) != TimerNode::State::kArmed) return false;
  old = node.waker_.Take();
  node.waker_.Put(std::move(fresh));
  return true;
}

void TimerService::Cancel(TimerNode& node) {
  Waker dropped;  // after the lock
  if (node.state() == TimerNode::State::kArmed) {
    Shard& shard = *node.shard_;
    const std::lock_guard lock(shard.lock);
    // relaxed: only written under the lock while the node is armed. It may have
    // fired meanwhile: then the firing side is done with it.
    if (node.state_.load(std::memory_order_relaxed) == TimerNode::State::kArmed) {
      shard.wheel.Remove(node);
      dropped = node.waker_.Take();
    }
    // shard.next stays: it is only a lower bound (G1), and the next look at the
    // shard raises it. A timeout that is armed and cancelled over and over thus
    // costs one look in its duration.
  }
  // relaxed: the node is the owner's alone.
  node.state_.store(TimerNode::State::kIdle, std::memory_order_relaxed);
}

std::size_t TimerService::FireShard(Shard& shard, Instant now, WakeList& wakes) {
  const std::uint64_t tick = TickOf(now);
  // Collected here first, so that nothing is allocated under the lock.
  WakerSlot taken[kMovesPerLock];
  std::size_t fired = 0;
  for (std::size_t moves = 0; moves < kMovesPerCall; moves += kMovesPerLock) {
    std::size_t budget = kMovesPerLock;
    std::size_t count = 0;
    {
      const std::lock_guard lock(shard.lock);
      if (shard.closed) return fired;
      while (TimerEntry* const entry = shard.wheel.PopDue(tick, budget)) {
        TimerNode& node = static_cast<TimerNode&>(*entry);
        Waker waker = node.waker_.Take();
        // Most likely a task that slept long: until it is woken its header will be there, which
        // is two lines.
        const auto task = reinterpret_cast<std::uintptr_t>(waker.target());
        __builtin_prefetch(reinterpret_cast<const void*>(task));
        __builtin_prefetch(reinterpret_cast<const void*>(task + 64));
        taken[count++].Put(std::move(waker));
        // release: pairs with state(). The owner may free the node from here on.
        node.state_.store(TimerNode::State::kFired, std::memory_order_release);
      }
      // relaxed: raised under the lock (G1). Who reads the older, earlier value
      // looks at the shard once too often.
      shard.next.store(StartOf(shard.wheel.NextTick()).nanoseconds(), std::memory_order_relaxed);
    }
    for (std::size_t i = 0; i < count; ++i) wakes.Push(taken[i].Take());
    fired += count;
    if (budget != 0) break;  // nothing is left that is due
  }
  return fired;
}

std::size_t TimerService::FireExpired(std::size_t shard, WakeList& wakes) {
  assert(shard < shard_count_);
  // relaxed: as in the other overload.
  if (shards_[shard].next.load(std::memory_order_relaxed) == kInfinite) return 0;
  return FireExpired(shard, clock_->Now(), wakes);
}

std::size_t TimerService::FireAllExpired(Instant now, WakeList& wakes) {
  std::size_t fired = 0;
  for (std::size_t i = 0; i < shard_count_; ++i) fired += FireExpired(i, now, wakes);
  // relaxed: it bounds a cost, and who reads an older value sleeps a little less.
  if (fired >= kDense) last_fired_.store(now.nanoseconds(), std::memory_order_relaxed);
  return fired;
}

std::size_t TimerService::FireAllExpired(WakeList& wakes) {
  return FireAllExpired(clock_->Now(), wakes);
}

Instant TimerService::PrepareSleep() {
  const std::int64_t earliest = gate_.Prepare(
      shard_count_,
      [this](std::size_t i) -> std::atomic<std::int64_t>& { return shards_[i].next; });
  // relaxed: see FireAllExpired().
  const std::int64_t fired = last_fired_.load(std::memory_order_relaxed);
  const Instant batch_end = Instant::FromNanoseconds(fired).PlusNanoseconds(kBatchNanos);
  const Instant until = Instant::FromNanoseconds(earliest);
  // What was due then already is what one call could not take: that does not wait. To sleep
  // longer than the gate knows is no more than to be late: an arming thread may wake the
  // driver in vain, but relies on nothing that does not come.
  return earliest > fired ? std::max(until, batch_end) : until;
}

void TimerService::FinishSleep() { gate_.Finish(); }

Instant TimerService::NextDeadline() const {
  std::int64_t earliest = kInfinite;
  for (std::size_t i = 0; i < shard_count_; ++i) {
    // relaxed: a snapshot that promises nothing.
    earliest = std::min(earliest, shards_[i].next.load(std::memory_order_relaxed));
  }
  return Instant::FromNanoseconds(earliest);
}

std::size_t TimerService::size() const {
  std::size_t size = 0;
  for (std::size_t i = 0; i < shard_count_; ++i) {
    const std::lock_guard lock(shards_[i].lock);
    size += shards_[i].wheel.size();
  }
  return size;
}

void TimerService::Close() {
  for (std::size_t i = 0; i < shard_count_; ++i) {
    const std::lock_guard lock(shards_[i].lock);
    shards_[i].closed = true;
    // relaxed: whoever reads the older value finds `closed` under the lock.
    shards_[i].next.store(kInfinite, std::memory_order_relaxed);
  }
}

TimerService* TimerService::Current() noexcept { return GetThreadTimers().service; }

TimerService& TimerService::CurrentOrDie(const char* user, std::size_t& shard) {
  const ThreadTimers timers = GetThreadTimers();
  if (timers.service == nullptr) {
    std::fprintf(stderr,
                 "home: %s was polled on a thread without timers; poll it inside a runtime, or "
                 "under a TimerScope\n",
                 user);
    std::abort();
  }
  shard = timers.shard;
  return *timers.service;
}

TimerScope::TimerScope(TimerService* service, std::size_t shard) noexcept
    : previous_service_(GetThreadTimers().service), previous_shard_(GetThreadTimers().shard) {
  assert(service == nullptr || shard < service->shards());
  SetThreadTimers({service, shard});
}

TimerScope::~TimerScope() { SetThreadTimers({previous_service_, previous_shard_}); }

}  // namespace home
