#include "home/scheduler/blocking_pool.h"

#include <system_error>
#include <thread>
#include <utility>

#include "home/future/async.h"
#include "home/future/fatal.h"
#include "home/scheduler/platform.h"
#include "home/task/run_task.h"

namespace home::scheduler_internal {
namespace {

// A closure is ready at its first poll, so its task is never in a list.
struct NoList {
  void Bind(TaskHeader*) { Fatal("a blocking closure was pending"); }
  bool Unbind(TaskHeader*) { return true; }
  void ReleaseLater(TaskHeader*) {}
};

void RunClosure(TaskHeader* task) {
  NoList owner;
  static_cast<void>(RunTask(task, nullptr, owner));
}

void CancelClosure(TaskHeader* task) {
  AbortTask(task);
  RunClosure(task);
}

}  // namespace

BlockingPool::BlockingPool(BlockingPoolOptions options)
    : options_(std::move(options)), state_(std::make_shared<State>()) {}

void BlockingPool::Schedule(TaskHeader* task) noexcept {
  bool start = false;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->closed) {
      task->next = nullptr;
      (state_->tail != nullptr ? state_->tail->next : state_->head) = task;
      state_->tail = task;
      ++state_->queued;
      if (state_->idle > state_->promised) {
        ++state_->promised;
        state_->work.notify_one();
        return;
      }
      if (state_->threads >= options_.max_threads) return;
      ++state_->threads;
      start = true;
    }
  }
  if (!start) return CancelClosure(task);
  if (StartThread()) return;
  // No thread could be had. The closure waits for one that there is already; if
  // there is none, nobody would ever take it.
  MpscNode* stranded = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    --state_->threads;
    if (state_->threads == 0) {
      stranded = std::exchange(state_->head, nullptr);
      state_->tail = nullptr;
      state_->queued = 0;
    }
    state_->ended.notify_all();
  }
  while (stranded != nullptr) {
    CancelClosure(static_cast<TaskHeader*>(std::exchange(stranded, stranded->next)));
  }
}

void BlockingPool::OnUnjoinedException(const TaskHeader& task,
                                       std::exception_ptr exception) noexcept {
  options_.on_exception(task, std::move(exception));
}

bool BlockingPool::StartThread() {
  auto body = [state = state_, keep_alive = options_.keep_alive, name = options_.thread_name,
               around = options_.around_thread] {
    SetThreadName(name);
    around([&state, keep_alive] { RunThread(state, keep_alive); });
    const std::lock_guard lock(state->mutex);
    --state->threads;
    state->ended.notify_all();
  };
  HOME_FUTURE_TRY {
    std::thread(std::move(body)).detach();
    return true;
  }
  HOME_FUTURE_CATCH_ALL { return false; }
}

void BlockingPool::RunThread(const std::shared_ptr<State>& state, absl::Duration keep_alive) {
  std::unique_lock lock(state->mutex);
  while (true) {
    if (state->head != nullptr) {
      TaskHeader* task = static_cast<TaskHeader*>(state->head);
      state->head = task->next;
      if (state->head == nullptr) state->tail = nullptr;
      --state->queued;
      lock.unlock();
      RunClosure(task);
      lock.lock();
      continue;
    }
    if (state->closed) break;
    ++state->idle;
    const bool timed_out = state->work.wait_for(lock, absl::ToChronoNanoseconds(keep_alive)) ==
                           std::cv_status::timeout;
    --state->idle;
    // A signal may wake a thread whose time is up as well: the promise counts.
    if (state->promised > 0) {
      --state->promised;
      continue;
    }
    if (timed_out && state->head == nullptr) break;
  }
}

void BlockingPool::Close() {
  MpscNode* queued = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    queued = std::exchange(state_->head, nullptr);
    state_->tail = nullptr;
    state_->queued = 0;
    state_->work.notify_all();
  }
  while (queued != nullptr) {
    CancelClosure(static_cast<TaskHeader*>(std::exchange(queued, queued->next)));
  }
}

bool BlockingPool::AwaitThreads(Deadline deadline) {
  std::unique_lock lock(state_->mutex);
  return WaitUntil(state_->ended, lock, deadline, [this] { return state_->threads == 0; });
}

BlockingPool::Counts BlockingPool::counts() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->threads, state_->idle, state_->queued};
}

}  // namespace home::scheduler_internal
