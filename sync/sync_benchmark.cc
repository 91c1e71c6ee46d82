// The costs of the primitives: alone, beside std's and Abseil's, and between tasks.
//
// Between tasks: 64 tasks on 2 workers, the time is that of one lock or acquisition, or of one
// message. The names are those of the workloads mutex_64, semaphore_64 and notify.

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"
#include "home/sync/mutex.h"
#include "home/sync/notify.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"

namespace home {
namespace {

// -- Alone: one thread, nobody waits ----------------------------------------------------------

void BM_StdMutex(benchmark::State& state) {
  std::mutex mutex;
  for (auto _ : state) {
    const std::lock_guard lock(mutex);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_StdMutex);

void BM_AbslMutex(benchmark::State& state) {
  absl::Mutex mutex;
  for (auto _ : state) {
    const absl::MutexLock lock(&mutex);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_AbslMutex);

void BM_MutexTryLock(benchmark::State& state) {
  Mutex<int> mutex;
  for (auto _ : state) {
    auto guard = mutex.TryLock();
    benchmark::DoNotOptimize(**guard);
  }
}
BENCHMARK(BM_MutexTryLock);

// A future's poll, as in a coroutine.
template <typename F>
void PollToEnd(F future, Context& cx) {
  auto polled = future.Poll(cx);
  benchmark::DoNotOptimize(polled.ready());
}

void BM_MutexLock(benchmark::State& state) {
  Mutex<int> mutex;
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) PollToEnd(mutex.Lock(), cx);
}
BENCHMARK(BM_MutexLock);

void BM_StdSharedMutexRead(benchmark::State& state) {
  std::shared_mutex mutex;
  for (auto _ : state) {
    const std::shared_lock lock(mutex);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_StdSharedMutexRead);

void BM_AbslMutexRead(benchmark::State& state) {
  absl::Mutex mutex;
  for (auto _ : state) {
    const absl::ReaderMutexLock lock(&mutex);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_AbslMutexRead);

void BM_RwLockRead(benchmark::State& state) {
  RwLock<int> lock;
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) PollToEnd(lock.Read(), cx);
}
BENCHMARK(BM_RwLockRead);

void BM_RwLockWrite(benchmark::State& state) {
  RwLock<int> lock;
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) PollToEnd(lock.Write(), cx);
}
BENCHMARK(BM_RwLockWrite);

void BM_SemaphoreAcquire(benchmark::State& state) {
  Semaphore semaphore(4);
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) PollToEnd(semaphore.Acquire(2), cx);
}
BENCHMARK(BM_SemaphoreAcquire);

void BM_NotifyWait(benchmark::State& state) {
  Notify notify;
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    notify.NotifyOne();
    PollToEnd(notify.Wait(), cx);
  }
}
BENCHMARK(BM_NotifyWait);

// One waits, is granted, and polls again.
void BM_SemaphoreWait(benchmark::State& state) {
  Semaphore semaphore(0);
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto acquire = semaphore.Acquire();
    benchmark::DoNotOptimize(acquire.Poll(cx).ready());
    semaphore.Add(1);
    auto polled = acquire.Poll(cx);
    polled.value()->Forget();
  }
}
BENCHMARK(BM_SemaphoreWait);

// -- Between tasks ----------------------------------------------------------------------------

constexpr int kTasks = 64;
constexpr int kEach = 2'000;

Async<void> LockOften(Mutex<std::uint64_t>* mutex) {
  for (int i = 0; i < kEach; ++i) {
    auto guard = co_await mutex->Lock();
    ++*guard;
  }
}
// The lock is held while others run.
Async<void> LockAndYield(Mutex<std::uint64_t>* mutex) {
  for (int i = 0; i < kEach; ++i) {
    auto guard = co_await mutex->Lock();
    ++*guard;
    co_await YieldNow();
  }
}
Async<void> AcquireOften(Semaphore* semaphore) {
  for (int i = 0; i < kEach; ++i) {
    const auto permit = co_await semaphore->Acquire();
    if (!permit.ok()) co_return;
  }
}

template <typename Work>
Async<void> RunTasks(Work work) {
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(work()));
  for (JoinHandle<void>& task : tasks) {
    const auto ended = co_await task;
    if (!ended.ok()) co_return;
  }
}

template <typename Work>
void Measure(benchmark::State& state, Work work) {
  auto runtime = RuntimeBuilder().WorkerThreads(2).Build();
  for (auto _ : state) runtime->BlockOn(RunTasks(work));
  constexpr double kOperations = static_cast<double>(kTasks) * kEach;
  state.counters["per_operation"] = benchmark::Counter(
      kOperations, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void BM_MutexTasks(benchmark::State& state) {
  Mutex<std::uint64_t> mutex;
  Measure(state, [&mutex] { return LockOften(&mutex); });
}
BENCHMARK(BM_MutexTasks)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_MutexTasksHeldAcrossAYield(benchmark::State& state) {
  Mutex<std::uint64_t> mutex;
  Measure(state, [&mutex] { return LockAndYield(&mutex); });
}
BENCHMARK(BM_MutexTasksHeldAcrossAYield)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_SemaphoreTasks(benchmark::State& state) {
  Semaphore semaphore(4);
  Measure(state, [&semaphore] { return AcquireOften(&semaphore); });
}
BENCHMARK(BM_SemaphoreTasks)->Unit(benchmark::kMillisecond)->UseRealTime();

// Two tasks notify each other in turn.
Async<void> PingPong(Notify* mine, Notify* other) {
  for (int i = 0; i < kTasks * kEach / 2; ++i) {
    co_await mine->Wait();
    other->NotifyOne();
  }
}
Async<void> PingPongOfTwo() {
  Notify a;
  Notify b;
  auto first = Spawn(PingPong(&a, &b));
  auto second = Spawn(PingPong(&b, &a));
  a.NotifyOne();
  const auto one = co_await first;
  const auto two = co_await second;
  if (!one.ok() || !two.ok()) co_return;
}
void BM_NotifyPingPong(benchmark::State& state) {
  auto runtime = RuntimeBuilder().WorkerThreads(2).Build();
  for (auto _ : state) runtime->BlockOn(PingPongOfTwo());
  state.counters["per_operation"] = benchmark::Counter(
      static_cast<double>(kTasks) * kEach,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_NotifyPingPong)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace home
