// The costs of coroutines: awaiting what is ready, awaiting a child, resuming
// a chain of some depth, and the allocators that frames could come from.

#include <cstddef>
#include <cstdlib>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/future/frame_allocator.h"
#include "home/future/future.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
#include "mimalloc.h"

namespace home {
namespace {

void PollToEnd(benchmark::State& state, Async<int> future) {
  const Waker waker;
  Context cx(waker);
  Poll<int> polled = future.Poll(cx);
  if (polled.pending()) state.SkipWithError("pending");
  benchmark::DoNotOptimize(polled.value());
}

// A leaf that the optimiser can't see through.
class OpaqueReady {
 public:
  using Output = int;
  explicit OpaqueReady(int value) : value_(value) {}
  home::Poll<int> Poll(Context&) {
    benchmark::DoNotOptimize(value_);
    return value_;
  }

 private:
  int value_;
};

Async<int> AwaitReady(benchmark::State& state) {
  int sum = 0;
  for (auto _ : state) {
    int value = co_await OpaqueReady(1);
    sum += value;
  }
  co_return sum;
}
void BM_AwaitReadyFuture(benchmark::State& state) { PollToEnd(state, AwaitReady(state)); }
BENCHMARK(BM_AwaitReadyFuture);

Async<int> Return(int value) { co_return value; }

Async<int> AwaitChild(benchmark::State& state) {
  int sum = 0;
  for (auto _ : state) {
    int value = co_await Return(1);
    sum += value;
  }
  co_return sum;
}
void BM_AwaitChildThatReturnsAtOnce(benchmark::State& state) {
  PollToEnd(state, AwaitChild(state));
}
BENCHMARK(BM_AwaitChildThatReturnsAtOnce);

// Pending at every other poll; keeps the waker in `waker`.
class Alternating {
 public:
  using Output = int;
  Alternating(benchmark::State* state, Waker* waker) : state_(state), waker_(waker) {}
  home::Poll<int> Poll(Context& cx) {
    pending_ = !pending_;
    if (pending_) {
      UpdateWaker(*waker_, cx.waker());
      return kPending;
    }
    return state_->KeepRunning() ? 1 : 0;
  }

 private:
  benchmark::State* state_;
  Waker* waker_;
  bool pending_ = false;
};

Async<int> WaitAtDepth(benchmark::State* state, Waker* waker, int depth) {
  if (depth > 1) {
    int value = co_await WaitAtDepth(state, waker, depth - 1);
    co_return value;
  }
  Alternating leaf(state, waker);
  int running = 1;
  while (running != 0) running = co_await leaf;
  co_return 0;
}

// An executor of one task: a wake says that it is to be polled.
class OneTask : public WakerTarget {
 public:
  OneTask() : WakerTarget(&kVTable) {}
  OneTask(const OneTask&) = delete;
  OneTask& operator=(const OneTask&) = delete;

  [[nodiscard]] Waker MakeWaker() { return Waker(this); }
  // Whether it was woken since the last call.
  [[nodiscard]] bool TakeWake() { return std::exchange(woken_, false); }

 private:
  static WakerTarget* Clone(WakerTarget* target) { return target; }
  static void Wake(WakerTarget* target) { static_cast<OneTask*>(target)->woken_ = true; }
  static void Drop(WakerTarget*) {}
  static constexpr WakerVTable kVTable = {Clone, Wake, Wake, Drop};

  bool woken_ = false;
};

// One wake by the leaf's waker, and the poll that resumes the leaf of a chain, up to its next
// suspension. What a runtime's queue costs is not in it.
void BM_ResumeAtDepth(benchmark::State& state) {
  OneTask task;
  Waker leaf_waker;
  Async<int> future = WaitAtDepth(&state, &leaf_waker, static_cast<int>(state.range(0)));
  const Waker waker = task.MakeWaker();
  Context cx(waker);
  while (future.Poll(cx).pending()) {
    leaf_waker.WakeByRef();
    if (!task.TakeWake()) return state.SkipWithError("not woken");
  }
}
BENCHMARK(BM_ResumeAtDepth)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->Arg(10000);

template <typename Allocate, typename Free>
void AllocateAndFree(benchmark::State& state, Allocate allocate, Free free) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::vector<void*> blocks(batch);
  for (auto _ : state) {
    for (void*& block : blocks) block = allocate(120);
    benchmark::DoNotOptimize(blocks.data());
    for (void* block : blocks) free(block);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void BM_FrameAllocator(benchmark::State& state) {
  AllocateAndFree(
      state, [](std::size_t n) { return AllocateFrame(n); },
      [](void* block) { FreeFrame(block, 120); });
}
void BM_Mimalloc(benchmark::State& state) {
  AllocateAndFree(
      state, [](std::size_t n) { return mi_malloc(n); }, [](void* block) { mi_free(block); });
}
void BM_Malloc(benchmark::State& state) {
  AllocateAndFree(
      state, [](std::size_t n) { return std::malloc(n); }, [](void* block) { std::free(block); });
}
BENCHMARK(BM_FrameAllocator)->Arg(1)->Arg(1000);
BENCHMARK(BM_Mimalloc)->Arg(1)->Arg(1000);
BENCHMARK(BM_Malloc)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace home
