// BlockingLedger: the accounts of the blocking pool: which closure waits, which thread
// takes it, when a thread is started and when one ends.
//
// A closure belongs to a class, and a class has a limit on its closures that run and a
// queue for the others. A thread belongs to no class. One that has finished its closure
// takes the next of the same class, which is the one that may now run; without any it
// lies down as the newest of the idle ones. A closure goes to the newest idle thread,
// whose caches are warm; so in a time of little work the oldest ones stay idle and end.
//
// What a thread is to do next is written down by whoever gives it, under the mutex,
// before it is woken: there is nothing to compete for when it wakes up, and nobody can
// be counted as idle who has been promised something (tokio#8056, Kotlin#3642).
//
//  L1  threads = idle threads + the running closures of all classes: a thread is
//      started for a closure, and is idle or runs one until it ends. What is counted
//      is a place: who runs a closure may leave it to another thread, which then calls
//      Next() instead (BlockingPool::Serve).
//  L2  A class with a queue runs as many closures as it may. So no work waits for a
//      thread that there could be. Only a thread that could not be started breaks
//      this; then the next one to finish anything takes what waits.
//  L3  A thread is in the idle list or holds a task or has been told to end; who takes
//      it out of the list owes it exactly one Unpark().
//  L4  A closure that is admitted is run once or handed back once, to be cancelled.
//
// The ledger starts no thread and runs nothing: BlockingPool does. It is a template so
// that the model checker runs it (blocking_ledger_model_test.cc). The Policy has what
// an event count needs of it (parker_policy.h), and a Task type with a pointer `next`.
//
// Thread-safety: full. Cost: a lock for each closure that comes and for each that ends.

#ifndef HOME_SCHEDULER_BLOCKING_LEDGER_H_
#define HOME_SCHEDULER_BLOCKING_LEDGER_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <mutex>
#include <utility>

#include "absl/time/time.h"
#include "home/parker/event_count.h"
#include "home/parker/parker.h"
#include "home/parker/parker_policy.h"
#include "home/task/task_header.h"

namespace home::scheduler_internal {

struct BlockingLedgerPolicy : EventCountPolicy {
  using Task = TaskHeader;
  // Plain data that the model checker watches for races.
  template <typename U>
  using Data = U;
};

template <std::size_t kClasses, typename Policy = BlockingLedgerPolicy>
class BlockingLedger {
 public:
  using Task = typename Policy::Task;
  using Limits = std::array<std::size_t, kClasses>;

  // A thread of the pool, on its own stack.
  class Thread {
   public:
    // It runs a closure of this class first.
    explicit Thread(std::size_t task_class) : class_(task_class) {}
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

   private:
    friend class BlockingLedger;

    BasicParker<Policy> parker_;
    // Under the mutex; or by the thread itself while it is not in the list, as what was
    // done before its Unpark() happens before its waking up.
    typename Policy::template Data<std::size_t> class_;    // of its closure
    typename Policy::template Data<Task*> task_{nullptr};  // what it was given; null: to end
    // Under the mutex: in the list, and where.
    typename Policy::template Data<bool> idle_{false};
    Thread* newer_ = nullptr;
    Thread* older_ = nullptr;
  };

  enum class [[nodiscard]] Admission {
    kRefused,   // the ledger is closed: the task is the caller's
    kAccepted,  // it waits, or an idle thread has it
    kStart,     // the caller starts a thread, which begins with `to_run`
  };
  struct [[nodiscard]] Admitted {
    Admission what;
    Task* to_run = nullptr;
  };

  // Each limit is at least 1.
  explicit BlockingLedger(const Limits& limits) : limits_(limits) {}
  BlockingLedger(const BlockingLedger&) = delete;
  BlockingLedger& operator=(const BlockingLedger&) = delete;
  // No thread is left.
  ~BlockingLedger() { assert(threads_ == 0); }

  // A closure arrives.
  Admitted Admit(Task* task, std::size_t task_class) {
    const std::lock_guard lock(mutex_);
    if (closed_) return {Admission::kRefused};
    queues_[task_class].PushBack(task);
    if (running_[task_class] >= limits_[task_class]) return {Admission::kAccepted};
    // Not always the one that came (L2).
    Task* const first = queues_[task_class].PopFront();
    ++running_[task_class];
    if (GiveToIdle(first, task_class)) return {Admission::kAccepted};
    ++threads_;
    return {Admission::kStart, first};
  }

  // A closure arrives that must run even in a closed ledger, and whatever the limit: who
  // brings it is one of those that the end of the ledger waits for.
  Admitted AdmitAtOnce(Task* task, std::size_t task_class) {
    const std::lock_guard lock(mutex_);
    ++running_[task_class];
    if (GiveToIdle(task, task_class)) return {Admission::kAccepted};
    ++threads_;
    return {Admission::kStart, task};
  }

  // The thread that an admission asked for could not be started. Closures that nobody would
  // ever run are handed back, linked by `next`.
  [[nodiscard]] Task* StartFailed(Task* task, std::size_t task_class) {
    Task* stranded = nullptr;
    {
      const std::lock_guard lock(mutex_);
      // Somebody may be idle by now.
      if (!GiveToIdle(task, task_class)) {
        --running_[task_class];
        queues_[task_class].PushFront(task);
      }
      // Together with the look: of two whose threads fail the second sees none left.
      --threads_;
      if (closed_ || threads_ == 0) stranded = TakeAll();
    }
    ended_.NotifyAll();
    return stranded;
  }

  // A thread has finished its closure, or one whose place it took. Returns its next one, after a
  // wait if need be, or null: then it is counted out and ends. A wait of more than `keep_alive`
  // ends it.
  [[nodiscard]] Task* Next(Thread& self, absl::Duration keep_alive) {
    {
      const std::lock_guard lock(mutex_);
      --running_[self.class_];
      if (Task* const task = TakeRunnable(self)) return task;
      Rest(self);
    }
    return AwaitTask(self, keep_alive);
  }

  // Refuses closures from now on, tells the idle threads to end, and hands back what
  // waits, linked by `next`.
  [[nodiscard]] Task* Close() {
    Thread* idle = nullptr;
    Task* waiting = nullptr;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      waiting = TakeAll();
      idle = std::exchange(newest_idle_, nullptr);
      idle_threads_ = 0;
      for (Thread* thread = idle; thread != nullptr; thread = thread->older_) {
        thread->idle_ = false;
      }
    }
    while (idle != nullptr) {
      // It may be gone once it was woken.
      Thread* const thread = std::exchange(idle, idle->older_);
      thread->parker_.Unpark();
    }
    return waiting;
  }

  // After Close(): waits until all threads have been counted out. False: some had not
  // when the time was over.
  [[nodiscard]] bool AwaitThreads(absl::Duration timeout) {
    typename BasicEventCount<Policy>::Waiter waiter;
    return ended_.AwaitFor(waiter, timeout, [this] {
      const std::lock_guard lock(mutex_);
      return threads_ == 0;
    });
  }

  struct Counts {
    std::size_t threads = 0;
    std::size_t idle = 0;
    std::array<std::size_t, kClasses> running{};
    std::array<std::size_t, kClasses> queued{};
  };
  [[nodiscard]] Counts counts() const {
    const std::lock_guard lock(mutex_);
    Counts counts{threads_, idle_threads_, running_, {}};
    for (std::size_t i = 0; i < kClasses; ++i) counts.queued[i] = queues_[i].size;
    return counts;
  }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  // First in, first out. Under the mutex.
  struct Queue {
    void PushBack(Task* task) {
      task->next = nullptr;
      if (tail != nullptr) {
        tail->next = task;
      } else {
        head = task;
      }
      tail = task;
      ++size;
    }
    void PushFront(Task* task) {
      task->next = head;
      head = task;
      if (tail == nullptr) tail = task;
      ++size;
    }
    [[nodiscard]] Task* PopFront() {
      Task* const task = head;
      if (task == nullptr) return nullptr;
      head = static_cast<Task*>(task->next);
      if (head == nullptr) tail = nullptr;
      --size;
      return task;
    }

    Task* head = nullptr;
    Task* tail = nullptr;
    std::size_t size = 0;
  };

  // -- Under the mutex -------------------------------------------------------------

  // A closure that may run, counted as `self`'s: of its class, or, where L2 was broken,
  // of another.
  [[nodiscard]] Task* TakeRunnable(Thread& self) {
    for (std::size_t i = 0; i < kClasses; ++i) {
      const std::size_t task_class = (self.class_ + i) % kClasses;
      if (running_[task_class] >= limits_[task_class]) continue;
      if (Task* const task = queues_[task_class].PopFront()) {
        ++running_[task_class];
        self.class_ = task_class;
        return task;
      }
    }
    return nullptr;
  }

  // Gives a closure that counts as running to an idle thread, if there is one.
  [[nodiscard]] bool GiveToIdle(Task* task, std::size_t task_class) {
    Thread* const thread = newest_idle_;
    if (thread == nullptr) return false;
    Unlink(*thread);
    thread->class_ = task_class;
    thread->task_ = task;
    // L3. Under the mutex, but that costs the woken thread nothing: it does not need it.
    thread->parker_.Unpark();
    return true;
  }

  [[nodiscard]] Task* TakeAll() {
    Task* all = nullptr;
    for (Queue& queue : queues_) {
      if (queue.head == nullptr) continue;
      queue.tail->next = all;
      all = queue.head;
      queue = Queue();
    }
    return all;
  }

  // A thread without work lies down; or, in a closed ledger, is told to end at once.
  void Rest(Thread& thread) {
    if (!closed_) return Link(thread);
    thread.parker_.Unpark();
  }
  void Link(Thread& thread) {
    thread.idle_ = true;
    thread.newer_ = nullptr;
    thread.older_ = newest_idle_;
    if (newest_idle_ != nullptr) newest_idle_->newer_ = &thread;
    newest_idle_ = &thread;
    ++idle_threads_;
  }
  void Unlink(Thread& thread) {
    thread.idle_ = false;
    (thread.newer_ != nullptr ? thread.newer_->older_ : newest_idle_) = thread.older_;
    if (thread.older_ != nullptr) thread.older_->newer_ = thread.newer_;
    --idle_threads_;
  }

  // -- Without the mutex -------------------------------------------------------------

  // After Rest(): what the thread is given. Null: it is counted out, and ends.
  [[nodiscard]] Task* AwaitTask(Thread& self, absl::Duration keep_alive) {
    if (!self.parker_.ParkFor(keep_alive)) {
      if (Withdraw(self)) {
        ended_.NotifyAll();
        return nullptr;
      }
      // At the last moment somebody has taken it out of the list, and owes it a token.
      self.parker_.Park();
    }
    Task* const task = self.task_;
    self.task_ = nullptr;
    if (task == nullptr) CountOut();
    return task;
  }

  // A thread's time is over: it is counted out in the same step, or who cannot start one
  // would trust it with what waits. False: it is not in the list any more.
  [[nodiscard]] bool Withdraw(Thread& self) {
    const std::lock_guard lock(mutex_);
    if (!self.idle_) return false;
    Unlink(self);
    --threads_;
    return true;
  }

  // A thread that was told to ends. It may touch the ledger until this returns, so AwaitThreads()
  // does not tell when the ledger may be destroyed: who starts threads keeps it alive for them.
  void CountOut() {
    {
      const std::lock_guard lock(mutex_);
      --threads_;
    }
    ended_.NotifyAll();
  }

  const Limits limits_;
  mutable typename Policy::Mutex mutex_;
  // All under the mutex.
  std::array<Queue, kClasses> queues_;
  std::array<std::size_t, kClasses> running_{};
  std::size_t threads_ = 0;
  Thread* newest_idle_ = nullptr;
  std::size_t idle_threads_ = 0;
  bool closed_ = false;
  // That threads_ is smaller.
  BasicEventCount<Policy> ended_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_BLOCKING_LEDGER_H_
