// BlockingPool: threads for closures that block, so that workers need not.
//
// The pool grows by a thread when a closure arrives that its class may run and no thread
// is idle; a thread that was idle for the keep-alive time ends. blocking_ledger.h decides
// all that; here threads are started and closures run. A closure is a task whose future
// runs it in one poll, so it is joined and aborted as any task: Abort() has effect until a
// thread has taken it.
//
// A worker's thread that blocks in place (block_in_place.h) becomes one of the pool's, and one
// of the pool's takes the worker: they change places.
//
// Shutdown: closures that were not started are cancelled; those that were are waited for,
// as far as the caller has time.
//
// Thread-safety: full.

#ifndef HOME_SCHEDULER_BLOCKING_POOL_H_
#define HOME_SCHEDULER_BLOCKING_POOL_H_

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "home/scheduler/blocking_class.h"
#include "home/scheduler/blocking_ledger.h"
#include "home/task/task_header.h"

namespace home::scheduler_internal {

// The end of somebody's patience; none waits for ever.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// Waits for `condition` under `lock`. False: the deadline came first.
template <typename Condition>
bool WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
               Deadline deadline, Condition condition) {
  if (deadline) return changed.wait_until(lock, *deadline, condition);
  changed.wait(lock, condition);
  return true;
}

struct BlockingPoolOptions {
  // How many closures of each BlockingClass run at once, each at least 1.
  std::array<std::size_t, kBlockingClasses> limits = kDefaultBlockingLimits;
  absl::Duration keep_alive = absl::Seconds(10);
  std::string thread_name = "home-blocking";
  std::size_t thread_stack_bytes = 0;  // 0: what the system gives
  // Called for every thread that is started: what has to live as long as it.
  std::function<std::shared_ptr<void>()> keep_alive_for_thread;
  // Called in a pool thread, around its whole life.
  std::function<void(const std::function<void()>& body)> around_thread;
  // Told of exceptions in closures that nobody joins.
  std::function<void(const TaskHeader& task, std::exception_ptr exception)> on_exception;
};

class BlockingPool final : public TaskScheduler {
  // One class more than those of closures: what blocks in place, in any number.
  static constexpr std::size_t kInPlace = kBlockingClasses;
  using Ledger = BlockingLedger<kBlockingClasses + 1>;

 public:
  explicit BlockingPool(BlockingPoolOptions options);
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  // No thread may be left: options.keep_alive_for_thread sees to that.
  ~BlockingPool() = default;

  // Runs a closure that was just made, or cancels it if the pool is closed.
  void Run(TaskHeader* task, BlockingClass blocking_class) noexcept;
  // The same, of no class in particular.
  void Schedule(TaskHeader* task) noexcept override { Run(task, BlockingClass::kGeneral); }
  void OnUnjoinedException(const TaskHeader& task, std::exception_ptr exception) noexcept override;

  // -- For threads that block in place ------------------------------------------------------

  // Runs a closure at once, whatever the limits, and in a closed pool, too: the caller is one of
  // those that the shutdown waits for.
  void RunAtOnce(TaskHeader* task) noexcept;
  // By a closure of RunAtOnce(): its thread leaves its place in the pool to another one, which
  // calls Serve(), and ends; `last` is the last thing that it does.
  static void EndThread(std::function<void()> last);
  // By a thread of somebody else's to whom a place was left: runs closures as a thread of the
  // pool's until it is needed no more. Returns what it is to do at its end, if anything.
  [[nodiscard]] std::function<void()> Serve();
  [[nodiscard]] std::size_t in_place() const { return ledger_.counts().running[kInPlace]; }

  // Refuses new closures and cancels those that were not started.
  void Close();
  // After Close(): waits until all threads have ended, with what is around them. False: some
  // run still at the deadline. Not from a thread of the pool.
  [[nodiscard]] bool AwaitThreads(Deadline deadline);

  [[nodiscard]] Ledger::Counts counts() const { return ledger_.counts(); }
  [[nodiscard]] const Ledger::Limits& limits() const { return ledger_.limits(); }

 private:
  void Obey(const Ledger::Admitted& admitted, TaskHeader* task, std::size_t task_class) noexcept;
  [[nodiscard]] bool StartThread(TaskHeader* first, std::size_t task_class);
  [[nodiscard]] std::function<void()> RunClosures(Ledger::Thread& self, TaskHeader* first);
  [[nodiscard]] static Ledger::Limits AllLimits(const BlockingPoolOptions& options);

  void CountThreadOut();

  const BlockingPoolOptions options_;
  Ledger ledger_;
  // Threads that were started and are not done with what is around them. The ledger counts
  // them out before that.
  std::mutex mutex_;
  std::size_t threads_ = 0;
  std::condition_variable threads_changed_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_BLOCKING_POOL_H_
