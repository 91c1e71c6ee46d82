// TaskState under the model checker: what the threads around one task do to its
// word at the same time, and that the orders are needed.

#include <atomic>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "home/task/task_state.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::Exhaustively;
using model::ExpectFound;
using model::Randomly;
using model::WithPreemptions;

// A task as a runtime has it: plain data where the state word has to order.
struct Task {
  // One turn of whoever took the task from a queue, and the turns that follow
  // from wake-ups during the poll. It is ready once it was woken. `here`: the owner of
  // the handle stands still on this thread meanwhile. `lends`: the first poll gives a waker away
  // that is counted later.
  void Run(bool here = false, bool gives_way = false, bool lends = false) {
    bool gave_way = false;
    while (true) {
      // The queue's link is read by whoever takes the task out.
      model::Expect(link == 1, "a task that runs was in a queue");
      const bool unshared = here && state.RunUnshared();
      if (!unshared && Start(std::exchange(gave_way, false)) == StartResult::kCancel) {
        return Cancel();
      }
      future = future + 1;
      const bool lent = std::exchange(lends, false);
      // release: what hands a waker to another thread. pairs with: TakeLent().
      if (lent) lent_waker.store(1, std::memory_order_release);
      // relaxed: the state word orders it, or the poll sleeps for ever.
      const bool ready = message.load(std::memory_order_relaxed) == 1;
      gave_way = std::exchange(gives_way, false);
      if (lent && (ready || gave_way)) state.AddReference();
      if (ready) return Complete(here);
      if (gave_way) continue;
      if (state.TransitionToIdle(lent) == IdleResult::kIdle) return;
    }
  }
  // Whether the waker that was given away is the caller's.
  // acquire: as above.
  bool TakeLent() { return lent_waker.exchange(0, std::memory_order_acquire) == 1; }
  StartResult Start(bool gave_way) {
    return gave_way ? state.ContinueRunning() : state.TransitionToRunning();
  }
  // Puts it into a queue, from which a worker takes it at once.
  void Submit() {
    link = 1;
    Run();
  }
  void Cancel() {
    // relaxed: as above.
    model::Expect(cancelled.load(std::memory_order_relaxed) == 1,
                  "the cancellation sees what came before the abort");
    future = future + 1;
    Complete();
  }
  void Complete(bool here = false) {
    outcome = 1;
    if (here && state.CompleteUnshared()) return;
    // Not tried for a task that is in a list.
    if (model::Choose(2) == 0 && state.CompleteForHandle()) return;
    const TaskSnapshot before = state.TransitionToComplete();
    if (!before.join_interest()) DropOutcome();
    if (before.join_waker()) TakeWaker();
    Release();
  }
  // By a waker that keeps its reference.
  void Wake() {
    message.store(1, std::memory_order_relaxed);  // relaxed: as above
    if (state.NotifyByRef() == NotifyResult::kSubmit) Submit();
  }
  void WakeByValue() {
    Use();
    message.store(1, std::memory_order_relaxed);  // relaxed: as above
    switch (state.NotifyByValue()) {
      case NotifyResult::kSubmit:
        return Submit();
      case NotifyResult::kDestroy:
        return Free();
      case NotifyResult::kDone:
        return;
    }
  }
  void Abort() {
    cancelled.store(1, std::memory_order_relaxed);  // relaxed: as above
    if (state.Abort() == NotifyResult::kSubmit) Submit();
  }
  // As ShutdownTask.
  void Shutdown() {
    cancelled.store(1, std::memory_order_relaxed);  // relaxed: as above
    if (state.TransitionToShutdown()) Cancel();
  }
  // As PollTaskEnd, each time with another waker: true once the outcome is the handle's.
  bool PollHandle() {
    const TaskSnapshot now = state.Load();
    if (now.complete()) return true;
    if (now.join_waker()) {
      if (state.UnsetJoinWaker() == JoinWakerResult::kComplete) return true;
      TakeWaker();
    }
    waker = 1;
    if (state.SetJoinWaker() == JoinWakerResult::kDone) return false;
    TakeWaker();
    return true;
  }
  // Polls the handle so often, and joins the task or gives up.
  void Join(int polls) {
    Use();
    for (; polls > 0; --polls) {
      if (!PollHandle()) continue;
      DropOutcome();
      return Release();
    }
    DropHandle();
  }
  // As JoinHandle::Detach.
  void DropHandle() {
    Use();
    bool had_waker = false;
    if (state.DropJoinHandle(had_waker) == JoinWakerResult::kComplete) {
      DropOutcome();
      Release();
    } else if (had_waker) {
      TakeWaker();
      Release();
    }
  }
  // Looks at a field of the cell that never changes, as whoever has a reference may.
  void Use() { model::Expect(id == 1, "a reference keeps the cell"); }
  void DropOutcome() {
    model::Expect(outcome == 1, "an outcome is dropped once, when it is there");
    outcome = 2;
  }
  void TakeWaker() {
    model::Expect(waker == 1, "a waker is taken once, when it is there");
    waker = 2;
  }
  void Release() {
    if (state.Release()) Free();
  }
  void Free() {
    model::Expect(freed == 0, "freed once");
    // Whoever frees comes after all others.
    id = -1;
    link = -1;
    future = -1;
    outcome = -1;
    waker = -1;
    freed = 1;
  }

  BasicTaskState<model::Atomic> state;
  model::Atomic<int> message{0};
  model::Atomic<int> cancelled{0};
  model::Atomic<int> lent_waker{0};
  model::Data<int> id{1};
  model::Data<int> link{1};
  model::Data<int> future{0};
  model::Data<int> outcome{0};
  model::Data<int> waker{0};
  model::Data<int> freed{0};
};

// What a thread does.
enum class Role {
  kRun,                // takes the task, which was just spawned, from its queue
  kRunTwice,           // the same; the task gives way once
  kRunLending,         // as kRun; its first poll gives a waker away
  kRunTwiceLending,    // as kRunTwice; the same
  kRunAwaitedLending,  // as kRunAwaited; the same
  kRunDropped,         // as kRun, if its handle has gone
  kRunAwaited,         // the same as who awaits it; polls the handle then, as kJoin
  kWake,               // wakes it by reference
  kWakeByValue,        // and with its reference
  kWakeByLent,         // wakes it by the waker that was given away, if it was, and with it
  kDropLent,           // drops that one
  kAbort,              // aborts it by an AbortHandle
  kShutdown,           // shuts the runtime down
  kJoin,               // polls the handle; joins the task or drops the handle
  kRejoin,             // polls the handle twice, with two wakers; the same
  kDrop,               // drops the handle
  kRelease,            // drops an AbortHandle
};

// A task and one thread for each role. If none of them runs the task first, it has waited
// once before, or, if nobody wakes or cancels it either, it has run to its end.
template <Role... kRoles>
struct Around {
  static constexpr int kThreads = sizeof...(kRoles);
  static constexpr bool Has(Role role) { return ((kRoles == role) || ...); }
  static constexpr bool kWoken =
      Has(Role::kWake) || Has(Role::kWakeByValue) || Has(Role::kWakeByLent);
  static constexpr bool kAwaited = Has(Role::kRunAwaited) || Has(Role::kRunAwaitedLending);
  static constexpr bool kRunByRole = Has(Role::kRun) || Has(Role::kRunTwice) || kAwaited ||
                                     Has(Role::kRunDropped) || Has(Role::kRunLending) ||
                                     Has(Role::kRunTwiceLending);
  static constexpr bool kHandleByRole =
      Has(Role::kJoin) || Has(Role::kRejoin) || Has(Role::kDrop) || kAwaited;
  static constexpr bool kCancelled = Has(Role::kAbort) || Has(Role::kShutdown);

  void Before() {
    for (const Role role : {kRoles...}) {
      if (role == Role::kWakeByValue || role == Role::kAbort || role == Role::kRelease) {
        task.state.AddReference();
      }
    }
    // relaxed: the threads have not begun.
    if (!kWoken && !kCancelled) task.message.store(1, std::memory_order_relaxed);
    if (!kRunByRole) task.Run();
  }
  void Thread(int index) {
    constexpr Role kAll[] = {kRoles...};
    switch (kAll[index]) {
      case Role::kRun:
        return task.Run();
      case Role::kRunTwice:
        return task.Run(/*here=*/false, /*gives_way=*/true);
      case Role::kRunLending:
        return task.Run(/*here=*/false, /*gives_way=*/false, /*lends=*/true);
      case Role::kRunTwiceLending:
        return task.Run(/*here=*/false, /*gives_way=*/true, /*lends=*/true);
      case Role::kRunAwaitedLending:
        task.Run(/*here=*/true, /*gives_way=*/false, /*lends=*/true);
        return task.Join(1);
      case Role::kRunDropped:
        if (!task.state.Load().join_interest()) task.Run();
        return;
      case Role::kRunAwaited:
        task.Run(/*here=*/true);
        return task.Join(1);
      case Role::kWake:
        return task.Wake();
      case Role::kWakeByValue:
        return task.WakeByValue();
      case Role::kWakeByLent:
        if (task.TakeLent()) task.WakeByValue();
        return;
      case Role::kDropLent:
        if (task.TakeLent()) task.Release();
        return;
      case Role::kAbort:
        task.Use();
        task.Abort();
        return task.Release();
      case Role::kShutdown:
        return task.Shutdown();
      case Role::kJoin:
        return task.Join(1);
      case Role::kRejoin:
        return task.Join(2);
      case Role::kDrop:
        return task.DropHandle();
      case Role::kRelease:
        task.Use();
        return task.Release();
    }
  }
  void After() {
    // Nobody else came by in time.
    if (task.TakeLent()) task.WakeByValue();
    if (task.freed == 0) {
      const TaskSnapshot now = task.state.Load();
      if (Has(Role::kRunDropped) && now.notified()) task.Run();
      // Whoever shuts down asks again until its list is empty.
      if (Has(Role::kShutdown) && !kWoken && !Has(Role::kAbort) && !now.complete()) {
        task.Shutdown();
      }
    }
    if (!kHandleByRole) {
      model::Expect(task.state.Load().complete(), "no wake and no abort is lost");
      task.DropHandle();
    }
    model::Expect(task.freed == 1, "freed, and so complete");
  }
  Task task;
};

// A mutation of a read-modify-write of the state word is found.
template <typename Scenario>
void ExpectRmwFound(std::string_view function, std::memory_order from,
                    std::memory_order to = std::memory_order_relaxed) {
  ExpectFound<Scenario>(Exhaustively(),
                        {.function = function, .access = Access::kRmw, .from = from, .to = to});
}
// Of both halves of one that is acquire and release.
template <typename Scenario>
void ExpectRmwReleases(std::string_view function) {
  ExpectRmwFound<Scenario>(function, std::memory_order_acq_rel, std::memory_order_acquire);
}
template <typename Scenario>
void ExpectRmwAcquires(std::string_view function) {
  ExpectRmwFound<Scenario>(function, std::memory_order_acq_rel, std::memory_order_release);
}

// -- Wakes ---------------------------------------------------------------------

using WakeAgainstRun = Around<Role::kRun, Role::kWake>;

TEST(TaskStateModelTest, AWakeIsNotLost) { CheckExhaustively<WakeAgainstRun>(); }
TEST(TaskStateModelTest, AWakeIsARelease) { ExpectRmwReleases<WakeAgainstRun>("Notify"); }
TEST(TaskStateModelTest, AWakeThatSubmitsAcquires) { ExpectRmwAcquires<WakeAgainstRun>("Notify"); }
TEST(TaskStateModelTest, RunningAcquires) {
  ExpectRmwFound<WakeAgainstRun>("TransitionToRunning", std::memory_order_acquire);
}
TEST(TaskStateModelTest, IdleReleases) {
  ExpectRmwFound<WakeAgainstRun>("TransitionToIdle", std::memory_order_release);
}

// -- Giving way -----------------------------------------------------------------

using WakeAgainstGivingWay = Around<Role::kRunTwice, Role::kWake>;
using AbortAgainstGivingWay = Around<Role::kRunTwice, Role::kAbort>;
using WakeAndAbortAgainstGivingWay = Around<Role::kRunTwice, Role::kWake, Role::kAbort>;

TEST(TaskStateModelTest, ATaskThatGaveWayMissesNothing) {
  CheckExhaustively<WakeAgainstGivingWay>();
  CheckExhaustively<AbortAgainstGivingWay>();
  CheckExhaustively<Around<Role::kRunTwice, Role::kJoin>>();
  CheckRandomly<WakeAndAbortAgainstGivingWay>(50'000);
}
TEST(TaskStateModelTest, TheCancellationOfATaskThatGaveWaySeesTheAbort) {
  ExpectFound<AbortAgainstGivingWay>(
      Exhaustively(),
      {.function = "ContinueRunning", .access = Access::kLoad, .from = std::memory_order_acquire});
}
TEST(TaskStateModelTest, ContinuingAcquires) {
  ExpectFound<WakeAndAbortAgainstGivingWay>(
      Randomly(100'000),
      {.function = "ContinueRunning", .access = Access::kRmw, .from = std::memory_order_acquire});
}

// -- A waker that is counted when the poll ends ----------------------------------

TEST(TaskStateModelTest, AWakerThatWasLentKeepsTheCell) {
  CheckExhaustively<Around<Role::kRunLending, Role::kWakeByLent>>();
  CheckRandomly<Around<Role::kRunLending, Role::kDropLent, Role::kWake>>(50'000);
  CheckRandomly<Around<Role::kRunLending, Role::kWakeByLent, Role::kDrop>>(50'000);
  CheckRandomly<Around<Role::kRunLending, Role::kDropLent, Role::kDrop, Role::kWakeByValue>>(
      50'000);
  CheckRandomly<Around<Role::kRunLending, Role::kWakeByLent, Role::kJoin, Role::kAbort>>(50'000);
  CheckRandomly<Around<Role::kRunLending, Role::kDropLent, Role::kDrop, Role::kShutdown>>(50'000);
}
TEST(TaskStateModelTest, AWakerThatWasLentByATaskThatGivesWay) {
  CheckExhaustively<Around<Role::kRunTwiceLending, Role::kWakeByLent>>();
  CheckRandomly<Around<Role::kRunTwiceLending, Role::kDropLent, Role::kDrop, Role::kWake>>(50'000);
}
TEST(TaskStateModelTest, AWakerThatWasLentIsKnownToWhoRunsUnshared) {
  CheckRandomly<Around<Role::kRunAwaitedLending, Role::kWakeByLent>>(50'000);
  CheckRandomly<Around<Role::kRunAwaitedLending, Role::kDropLent, Role::kWakeByValue>>(50'000);
}

// -- The handle ----------------------------------------------------------------

using JoinAgainstRun = Around<Role::kRun, Role::kJoin>;

TEST(TaskStateModelTest, TheHandleIsPolledAndDroppedDuringTheRun) {
  CheckExhaustively<JoinAgainstRun>();
}
TEST(TaskStateModelTest, CompletionPublishesTheOutcome) {
  ExpectRmwReleases<JoinAgainstRun>("TransitionToComplete");
}
TEST(TaskStateModelTest, CompletionSeesTheWaker) {
  ExpectRmwAcquires<JoinAgainstRun>("TransitionToComplete");
  ExpectRmwReleases<JoinAgainstRun>("SetJoinWaker");
}
TEST(TaskStateModelTest, CompletionForTheHandlePublishesTheOutcome) {
  ExpectRmwFound<JoinAgainstRun>("CompleteForHandle", std::memory_order_release);
}
TEST(TaskStateModelTest, AWakerThatComesTooLateSeesTheOutcome) {
  ExpectRmwAcquires<JoinAgainstRun>("SetJoinWaker");
}

// -- Without an RMW ------------------------------------------------------------
//
// Who else has a reference may give it up, or wake or abort the task by it, at any time.

using ReleaseAgainstAwaited = Around<Role::kRunAwaited, Role::kRelease>;
using WakeAgainstAwaited = Around<Role::kRunAwaited, Role::kWakeByValue>;
using AbortAgainstAwaited = Around<Role::kRunAwaited, Role::kAbort>;

TEST(TaskStateModelTest, AnAwaitedTaskIsAloneOnlyWhenAllOthersHaveGone) {
  CheckWithPreemptions<ReleaseAgainstAwaited>(3);
  CheckWithPreemptions<WakeAgainstAwaited>(3);
  CheckWithPreemptions<AbortAgainstAwaited>(3);
}
TEST(TaskStateModelTest, RunningUnsharedAcquires) {
  ExpectFound<WakeAgainstAwaited>(
      WithPreemptions(3),
      {.function = "RunUnshared", .access = Access::kLoad, .from = std::memory_order_acquire});
}
TEST(TaskStateModelTest, CompletingUnsharedAcquires) {
  ExpectFound<ReleaseAgainstAwaited>(
      WithPreemptions(3),
      {.function = "CompleteUnshared", .access = Access::kLoad, .from = std::memory_order_acquire});
}

using RejoinAgainstRun = Around<Role::kRun, Role::kRejoin>;

TEST(TaskStateModelTest, TheHandleIsPolledWithAnotherWakerDuringTheRun) {
  CheckExhaustively<RejoinAgainstRun>();
}
TEST(TaskStateModelTest, AWakerTakenBackTooLateSeesTheOutcome) {
  ExpectRmwFound<RejoinAgainstRun>("UnsetJoinWaker", std::memory_order_acquire);
}

using DropAgainstRun = Around<Role::kRun, Role::kDrop>;

TEST(TaskStateModelTest, TheHandleIsDroppedDuringTheRun) { CheckExhaustively<DropAgainstRun>(); }
TEST(TaskStateModelTest, AHandleDroppedTooLateSeesTheOutcome) {
  ExpectFound<DropAgainstRun>(
      Exhaustively(),
      {.function = "DropJoinHandle", .access = Access::kLoad, .from = std::memory_order_acquire});
}
TEST(TaskStateModelTest, ADroppedHandleReleases) {
  // Here the exchange never meets a complete task, so that it is not for the order where it
  // fails that this is found.
  using DropBeforeRun = Around<Role::kRunDropped, Role::kDrop>;
  CheckExhaustively<DropBeforeRun>();
  ExpectRmwFound<DropBeforeRun>("DropJoinHandle", std::memory_order_release);
}

// -- References ----------------------------------------------------------------

using TwoReferences = Around<Role::kRelease, Role::kDrop>;

TEST(TaskStateModelTest, TheLastReferenceFrees) { CheckExhaustively<TwoReferences>(); }
TEST(TaskStateModelTest, GivingUpAReferenceReleases) {
  ExpectRmwReleases<TwoReferences>("Release");
}
TEST(TaskStateModelTest, TheLastReferenceAcquires) {
  ExpectRmwAcquires<TwoReferences>("Release");
  ExpectFound<TwoReferences>(
      Exhaustively(),
      {.function = "Load", .access = Access::kLoad, .from = std::memory_order_acquire});
}

// -- Aborts and the runtime's end ----------------------------------------------

using AbortAgainstRun = Around<Role::kRun, Role::kAbort>;

TEST(TaskStateModelTest, AnAbortIsNotLost) { CheckExhaustively<AbortAgainstRun>(); }
TEST(TaskStateModelTest, AnAbortReleases) { ExpectRmwReleases<AbortAgainstRun>("Abort"); }
TEST(TaskStateModelTest, AnAbortThatSubmitsAcquires) {
  ExpectRmwAcquires<AbortAgainstRun>("Abort");
}

using ShutdownAgainstRun = Around<Role::kRun, Role::kShutdown>;

TEST(TaskStateModelTest, AShutdownDuringTheRun) { CheckExhaustively<ShutdownAgainstRun>(); }
TEST(TaskStateModelTest, AShutdownReleases) {
  ExpectRmwReleases<ShutdownAgainstRun>("TransitionToShutdown");
}
TEST(TaskStateModelTest, AShutdownSeesTheLastPoll) {
  ExpectRmwAcquires<ShutdownAgainstRun>("TransitionToShutdown");
}

// -- Those beside the worker, against each other ---------------------------------

TEST(TaskStateModelTest, AWakeAgainstAnAbort) {
  CheckExhaustively<Around<Role::kWake, Role::kAbort>>();
}
TEST(TaskStateModelTest, AWakeAgainstADrop) {
  CheckExhaustively<Around<Role::kWakeByValue, Role::kDrop>>();
}
TEST(TaskStateModelTest, AWakeAgainstAShutdown) {
  CheckExhaustively<Around<Role::kWake, Role::kShutdown>>();
  CheckExhaustively<Around<Role::kWakeByValue, Role::kShutdown>>();
}
TEST(TaskStateModelTest, AnAbortAgainstADrop) {
  CheckExhaustively<Around<Role::kAbort, Role::kDrop>>();
}
// Every run of these takes seconds, of three threads minutes.
TEST(TaskStateModelTest, AnAbortAgainstAJoin) {
  CheckWithPreemptions<Around<Role::kAbort, Role::kJoin>>(3);
}
TEST(TaskStateModelTest, AnAbortAgainstAShutdown) {
  CheckWithPreemptions<Around<Role::kAbort, Role::kShutdown>>(3);
}
TEST(TaskStateModelTest, TwoAgainstTheRun) {
  constexpr unsigned kPreemptions = 2;
  CheckWithPreemptions<Around<Role::kRun, Role::kWakeByValue, Role::kAbort>>(kPreemptions);
  CheckWithPreemptions<Around<Role::kRun, Role::kWakeByValue, Role::kDrop>>(kPreemptions);
  CheckWithPreemptions<Around<Role::kRun, Role::kAbort, Role::kJoin>>(kPreemptions);
  CheckWithPreemptions<Around<Role::kRun, Role::kAbort, Role::kDrop>>(kPreemptions);
  CheckWithPreemptions<Around<Role::kRun, Role::kWakeByValue, Role::kShutdown>>(kPreemptions);
}
TEST(TaskStateModelTest, EverybodyAtOnce) {
  CheckRandomly<Around<Role::kRun, Role::kWakeByValue, Role::kAbort, Role::kJoin>>(30'000);
}

}  // namespace
}  // namespace home
