#include "home/future/lock_watch.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/polled_task.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"
#include "home/sync/barrier.h"
#include "home/sync/cancellation_token.h"
#include "home/sync/condvar.h"
#include "home/sync/event.h"
#include "home/sync/latch.h"
#include "home/sync/mutex.h"
#include "home/sync/notify.h"
#include "home/sync/once_cell.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/sync/wait_group.h"

namespace home {
namespace {

using internal::PolledTaskScope;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Manual;
using testing::ManualState;
using testing::PollOnce;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

#if defined(NDEBUG)

TEST(LockWatchTest, CostsNothing) {
  static_assert(sizeof(MutexGuard<int>) == sizeof(void*));
  static_assert(sizeof(RwLock<int>::ReadGuard) == 2 * sizeof(void*));
  static_assert(sizeof(SemaphorePermit) == 2 * sizeof(void*));
  static_assert(sizeof(WaitGroup::Member) == sizeof(void*));
  Mutex<int> mutex;
  const auto guard = mutex.TryLock();
  EXPECT_THAT(LockUses(), IsEmpty());
  EXPECT_EQ(LockReport(), "");
}

#else

// As an executor would poll a task.
constexpr std::uint64_t kTask = 7;
PolledTaskScope InPoll(std::uint64_t id = kTask) {
  return PolledTaskScope(id, "worker", std::source_location::current());
}

std::vector<LockUse> UsesOf(const void* lock) {
  std::vector<LockUse> uses = LockUses();
  std::erase_if(uses, [lock](const LockUse& use) { return use.lock != lock; });
  return uses;
}

TEST(LockWatchTest, TellsWhoHoldsAndWho) {
  Mutex<int> mutex;
  auto lock = mutex.Lock();
  {
    const PolledTaskScope scope = InPoll(7);
    auto guard = PollOnce(lock);
    const auto held = UsesOf(&mutex);
    ASSERT_THAT(held, SizeIs(1));
    EXPECT_STREQ(held[0].kind, "mutex");
    EXPECT_TRUE(held[0].holds);
    EXPECT_EQ(held[0].task.id, 7u);
    EXPECT_STREQ(held[0].task.name, "worker");
    EXPECT_THAT(held[0].location.file_name(), HasSubstr("lock_watch_test.cc"));
    EXPECT_GE(held[0].duration, absl::ZeroDuration());
    {
      auto waits = mutex.Lock();
      EXPECT_THAT(UsesOf(&mutex), SizeIs(1));  // not before it is polled
      const PolledTaskScope other = InPoll(8);
      EXPECT_TRUE(PollOnce(waits).pending());
      EXPECT_TRUE(PollOnce(waits).pending());
      const auto both = UsesOf(&mutex);
      ASSERT_THAT(both, SizeIs(2));
      const auto waiter =
          std::find_if(both.begin(), both.end(), [](const LockUse& use) { return !use.holds; });
      ASSERT_NE(waiter, both.end());
      EXPECT_EQ(waiter->task.id, 8u);
      EXPECT_GT(waiter->location.line(), held[0].location.line());
    }
    EXPECT_THAT(UsesOf(&mutex), SizeIs(1));
  }
  EXPECT_THAT(UsesOf(&mutex), IsEmpty());
}

TEST(LockWatchTest, FollowsAGuardThatMoves) {
  Mutex<int> first;
  Mutex<int> second;
  auto guard = *first.TryLock();
  auto moved = std::move(guard);
  EXPECT_THAT(UsesOf(&first), SizeIs(1));
  moved = *second.TryLock();
  EXPECT_THAT(UsesOf(&first), IsEmpty());
  EXPECT_THAT(UsesOf(&second), SizeIs(1));
}

TEST(LockWatchTest, ReadersAndWriters) {
  RwLock<int> lock;
  const auto kind = [&lock] { return std::string(UsesOf(&lock).at(0).kind); };
  {
    const auto reading = lock.TryRead();
    const auto also = lock.TryRead();
    EXPECT_EQ(kind(), "rw lock (read)");
    EXPECT_THAT(UsesOf(&lock), SizeIs(2));
    auto write = lock.Write();
    EXPECT_TRUE(PollOnce(write).pending());
    EXPECT_THAT(UsesOf(&lock), SizeIs(3));
  }
  auto looking = *lock.TryUpgradableRead();
  EXPECT_EQ(kind(), "rw lock (upgradable read)");
  auto upgrade = std::move(looking).Upgrade();
  {
    auto writing = std::move(PollOnce(upgrade)).value();
    EXPECT_EQ(kind(), "rw lock (write)");
    EXPECT_THAT(UsesOf(&lock), SizeIs(1));
    auto reading = std::move(writing).Downgrade();
    EXPECT_EQ(kind(), "rw lock (read)");
    EXPECT_THAT(UsesOf(&lock), SizeIs(1));
  }
  EXPECT_THAT(UsesOf(&lock), IsEmpty());
}

TEST(LockWatchTest, Permits) {
  Semaphore semaphore(3);
  auto two = *semaphore.TryAcquire(2);
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  auto one = two.Split(1);
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(2));
  two.Merge(std::move(one));
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  auto acquire = semaphore.Acquire(2);
  EXPECT_TRUE(PollOnce(acquire).pending());
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(2));
  two.Forget();
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  semaphore.Close();
  EXPECT_FALSE(PollOnce(acquire).value().ok());
  EXPECT_THAT(UsesOf(&semaphore), IsEmpty());
}

TEST(LockWatchTest, APermitOfNothingHoldsNothing) {
  Semaphore semaphore(3);
  auto permit = *semaphore.TryAcquire(2);
  auto both = permit.Split(2);
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  const auto none = permit.Split(0);
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  permit.Merge(std::move(both));
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  permit.Forget();
  EXPECT_THAT(UsesOf(&semaphore), IsEmpty());
  permit.Merge(*semaphore.TryAcquire());
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
  const auto nothing = semaphore.TryAcquire(0);
  EXPECT_THAT(UsesOf(&semaphore), SizeIs(1));
}

TEST(LockWatchTest, WhoMakesACellsValueHoldsIt) {
  OnceCell<int> cell;
  ManualState source;
  auto makes = cell.GetOrInit([&source] { return Manual<int>(&source, 5); });
  auto waits = cell.GetOrInit([] { return 6; });
  {
    const PolledTaskScope scope = InPoll(7);
    EXPECT_TRUE(PollOnce(makes).pending());
  }
  {
    const PolledTaskScope scope = InPoll(8);
    EXPECT_TRUE(PollOnce(waits).pending());
  }
  const auto both = UsesOf(&cell);
  ASSERT_THAT(both, SizeIs(2));
  for (const LockUse& use : both) {
    EXPECT_STREQ(use.kind, "once cell");
    EXPECT_EQ(use.task.id, use.holds ? 7u : 8u);
    EXPECT_THAT(use.location.file_name(), HasSubstr("lock_watch_test.cc"));
  }
  EXPECT_NE(both[0].holds, both[1].holds);
  source.Set();
  EXPECT_EQ(*PollOnce(makes), 5);
  EXPECT_EQ(*PollOnce(waits), 5);
  EXPECT_THAT(UsesOf(&cell), IsEmpty());
}

TEST(LockWatchTest, WhoFailsToMakeItHoldsItNoMore) {
  OnceCell<int> cell;
  auto fails =
      cell.GetOrTryInit([]() -> absl::StatusOr<int> { return absl::UnavailableError("not yet"); });
  EXPECT_FALSE(PollOnce(fails).value().ok());
  EXPECT_THAT(UsesOf(&cell), IsEmpty());
}

TEST(LockWatchTest, OfALazyCellAndAOnceToo) {
  ManualState source;
  LazyCell<int, std::function<Manual<int>()>> lazy([&source] { return Manual<int>(&source, 5); });
  Once once;
  auto get = lazy.Get();
  auto call = once.Call([] { return YieldNow(); });
  const PolledTaskScope scope = InPoll();
  EXPECT_TRUE(PollOnce(get).pending());
  EXPECT_TRUE(PollOnce(call).pending());
  std::vector<LockUse> uses = LockUses();
  std::erase_if(uses, [](const LockUse& use) { return std::string(use.kind) != "once cell"; });
  ASSERT_THAT(uses, SizeIs(2));
  for (const LockUse& use : uses) {
    EXPECT_TRUE(use.holds);
    EXPECT_THAT(use.location.file_name(), HasSubstr("lock_watch_test.cc"));
  }
}

TEST(LockWatchTest, ACondvarHoldsNothingWhileItWaits) {
  Mutex<int> mutex;
  Condvar condvar;
  auto wait = condvar.Wait(*mutex.TryLock());
  EXPECT_THAT(UsesOf(&mutex), SizeIs(1));
  EXPECT_TRUE(PollOnce(wait).pending());
  EXPECT_THAT(UsesOf(&mutex), IsEmpty());
  condvar.NotifyOne();
  const auto guard = PollOnce(wait);
  EXPECT_THAT(UsesOf(&mutex), SizeIs(1));
}

// What waits is shown from its first poll on until it is ready or dropped.
template <typename MakeWait>
void ExpectWaitShown(const void* waited_for, const char* kind, MakeWait make_wait,
                     absl::FunctionRef<void()> end) {
  SCOPED_TRACE(kind);
  const PolledTaskScope scope = InPoll(7);
  {
    auto dropped = make_wait();
    EXPECT_THAT(UsesOf(waited_for), IsEmpty());
    EXPECT_TRUE(PollOnce(dropped).pending());
    EXPECT_THAT(UsesOf(waited_for), SizeIs(1));
  }
  EXPECT_THAT(UsesOf(waited_for), IsEmpty());

  auto wait = make_wait();
  EXPECT_TRUE(PollOnce(wait).pending());
  const auto waits = UsesOf(waited_for);
  ASSERT_THAT(waits, SizeIs(1));
  EXPECT_STREQ(waits[0].kind, kind);
  EXPECT_FALSE(waits[0].holds);
  EXPECT_EQ(waits[0].task.id, 7u);
  EXPECT_THAT(waits[0].location.file_name(), HasSubstr("lock_watch_test.cc"));
  end();
  EXPECT_TRUE(PollOnce(wait).ready());
  EXPECT_THAT(UsesOf(waited_for), IsEmpty());
}

TEST(LockWatchTest, WhoWaitsForWhatNobodyHolds) {
  Event event;
  ExpectWaitShown(&event, "event", [&] { return event.Wait(); }, [&] { event.Set(); });
  Notify notify;
  ExpectWaitShown(&notify, "notify", [&] { return notify.Wait(); }, [&] { notify.NotifyOne(); });
  AutoResetEvent reset;
  ExpectWaitShown(&reset, "notify", [&] { return reset.Wait(); }, [&] { reset.Set(); });
  Latch latch(1);
  ExpectWaitShown(&latch, "latch", [&] { return latch.Wait(); }, [&] { latch.CountDown(); });
  Condvar condvar;
  Mutex<int> mutex;
  ExpectWaitShown(
      &condvar, "condvar", [&] { return condvar.Wait(*mutex.TryLock()); },
      [&] { condvar.NotifyOne(); });
  Barrier barrier(2);
  ExpectWaitShown(
      &barrier, "barrier", [&] { return barrier.Wait(); },
      [&] {
        auto last = barrier.Wait();
        EXPECT_TRUE(PollOnce(last).ready());
      });
}

TEST(LockWatchTest, MembersHoldTheirGroup) {
  WaitGroup group;
  std::optional<WaitGroup::Member> member = group.Join();
  {
    const PolledTaskScope scope = InPoll(8);
    const auto another = std::make_optional(*member);
    const auto both = UsesOf(&group);
    ASSERT_THAT(both, SizeIs(2));
    EXPECT_TRUE(both[0].holds);
    EXPECT_TRUE(both[1].holds);
    EXPECT_EQ(both[1].task.id, 8u);
  }
  auto moved = std::move(*member);
  auto wait = group.Wait();
  EXPECT_TRUE(PollOnce(wait).pending());
  const auto both = UsesOf(&group);
  ASSERT_THAT(both, SizeIs(2));
  EXPECT_NE(both[0].holds, both[1].holds);
  for (const LockUse& use : both) EXPECT_STREQ(use.kind, "wait group");
  moved = group.Join();
  EXPECT_THAT(UsesOf(&group), SizeIs(2));
  member.reset();
  {
    const auto last = std::move(moved);
  }
  EXPECT_TRUE(PollOnce(wait).ready());
  EXPECT_THAT(UsesOf(&group), IsEmpty());
}

std::size_t TokenWaits() {
  std::vector<LockUse> uses = LockUses();
  return static_cast<std::size_t>(std::count_if(uses.begin(), uses.end(), [](const LockUse& use) {
    return std::string(use.kind) == "cancellation token";
  }));
}

// Who only ends what it does when an event is set, or a token cancelled, does not wait for that.
TEST(LockWatchTest, AWaitBesideAnotherIsNotShown) {
  Event event;
  auto beside = event.WaitBeside();
  const Waker waker;
  Turn turn;
  Context cx(waker, &turn);
  EXPECT_TRUE(beside.Poll(cx).pending());
  EXPECT_EQ(turn.wait_reason, nullptr);
  EXPECT_THAT(UsesOf(&event), IsEmpty());
  event.Set();
  EXPECT_TRUE(PollOnce(beside).ready());

  const CancellationToken token;
  auto work = RunUntilCancelled(token, PendingForever<void>());
  EXPECT_TRUE(PollOnce(work).pending());
  EXPECT_EQ(TokenWaits(), 0u);
  auto cancelled = token.Cancelled();
  EXPECT_TRUE(PollOnce(cancelled).pending());
  EXPECT_EQ(TokenWaits(), 1u);
  token.Cancel();
  EXPECT_TRUE(PollOnce(cancelled).ready());
  EXPECT_EQ(TokenWaits(), 0u);
}

TEST(LockWatchTest, TheReportKnowsItsArticles) {
  Event event;
  Latch latch(1);
  auto waits = event.Wait();
  auto also = latch.Wait();
  OnceCell<int> cell;
  ManualState source;
  auto makes = cell.GetOrInit([&source] { return Manual<int>(&source, 5); });
  const PolledTaskScope scope = InPoll(7);
  EXPECT_TRUE(PollOnce(makes).pending());
  EXPECT_TRUE(PollOnce(waits).pending());
  EXPECT_TRUE(PollOnce(also).pending());
  const std::string report = LockReport();
  EXPECT_THAT(report, HasSubstr(", an event, is awaited by task 7 \"worker\" (spawned at "));
  EXPECT_THAT(report, HasSubstr(", a latch, is awaited by task 7 \"worker\" (spawned at "));
  EXPECT_THAT(report, HasSubstr(", a once cell, is held by task 7 \"worker\" (spawned at "));
}

TEST(LockWatchTest, TheReportHasAnEnd) {
  Mutex<int> mutex;
  const auto guard = mutex.TryLock();
  std::vector<LockFuture<int, Mutex<int>*>> waits;
  waits.reserve(300);
  for (int i = 0; i < 300; ++i) {
    waits.push_back(mutex.Lock());
    EXPECT_TRUE(PollOnce(waits.back()).pending());
  }
  const std::string report = LockReport();
  EXPECT_EQ(std::count(report.begin(), report.end(), '\n'), 201);
  EXPECT_THAT(report, StartsWith("lock 1, a mutex, is held by "));
  EXPECT_THAT(report, EndsWith("\nand 101 more\n"));
}

// -- Long holds -----------------------------------------------------------------------------

// Every hold across an await is long here.
class LongHoldTest : public ::testing::Test {
 protected:
  LongHoldTest() {
    ReportLongHolds(absl::ZeroDuration(),
                    [this](const LongHold& hold) { reported_.push_back(hold); });
  }
  ~LongHoldTest() override { ReportLongHolds(absl::Seconds(1), nullptr); }

  std::vector<LongHold> reported_;
};

TEST_F(LongHoldTest, AGuardAcrossAnAwait) {
  Mutex<int> mutex;
  std::optional<MutexGuard<int>> guard;
  {
    const PolledTaskScope scope = InPoll(7);
    guard = mutex.TryLock();
  }
  auto waits = mutex.Lock();
  EXPECT_TRUE(PollOnce(waits).pending());
  {
    const PolledTaskScope scope = InPoll(7);
    guard.reset();
  }
  ASSERT_THAT(reported_, SizeIs(1));
  EXPECT_EQ(reported_[0].use.task.id, 7u);
  EXPECT_EQ(reported_[0].use.lock, &mutex);
  EXPECT_EQ(reported_[0].waiters, 1u);
}

// The lock is free when the report is made.
TEST_F(LongHoldTest, TheReportMayLock) {
  Mutex<int> mutex;
  std::optional<MutexGuard<int>> guard;
  bool locked = false;
  ReportLongHolds(absl::ZeroDuration(),
                  [&](const LongHold&) { locked = mutex.TryLock().has_value(); });
  {
    const PolledTaskScope scope = InPoll();
    guard = mutex.TryLock();
  }
  guard.reset();
  EXPECT_TRUE(locked);
}

TEST_F(LongHoldTest, NotWithinAPollNorOnAThreadNorOfPermits) {
  Mutex<int> mutex;
  RwLock<int> lock;
  Semaphore semaphore(1);
  std::optional<SemaphorePermit> permit;
  {
    const auto guard = mutex.TryLock();
  }
  {
    const PolledTaskScope scope = InPoll();
    const auto guard = mutex.TryLock();
    const auto reading = lock.TryRead();
    permit = semaphore.TryAcquire();
  }
  permit.reset();
  EXPECT_THAT(reported_, IsEmpty());
}

// By whoever looks, once, when the poll in which it was locked is over.
TEST_F(LongHoldTest, WhileItLasts) {
  Mutex<int> mutex;
  std::optional<MutexGuard<int>> guard;
  {
    const PolledTaskScope scope = InPoll(7);
    guard = mutex.TryLock();
    EXPECT_TRUE(internal::ReportHoldsThatLast());
    EXPECT_THAT(reported_, IsEmpty());
  }
  auto waits = mutex.Lock();
  EXPECT_TRUE(PollOnce(waits).pending());
  EXPECT_FALSE(internal::ReportHoldsThatLast());
  ASSERT_THAT(reported_, SizeIs(1));
  EXPECT_TRUE(reported_[0].use.holds);
  EXPECT_EQ(reported_[0].use.task.id, 7u);
  EXPECT_EQ(reported_[0].waiters, 1u);

  EXPECT_FALSE(internal::ReportHoldsThatLast());
  EXPECT_THAT(reported_, SizeIs(1));
  guard.reset();
  ASSERT_THAT(reported_, SizeIs(2));
  EXPECT_FALSE(reported_[1].use.holds);
}

TEST_F(LongHoldTest, NotYetBelowTheThreshold) {
  ReportLongHolds(absl::Hours(1), [this](const LongHold& hold) { reported_.push_back(hold); });
  Mutex<int> mutex;
  std::optional<MutexGuard<int>> guard;
  {
    const PolledTaskScope scope = InPoll();
    guard = mutex.TryLock();
  }
  EXPECT_TRUE(internal::ReportHoldsThatLast());
  EXPECT_THAT(reported_, IsEmpty());
}

// The poll, and the thread, in which it was locked may be another's.
TEST_F(LongHoldTest, OfAThreadThatIsGone) {
  Mutex<int> mutex;
  std::optional<MutexGuard<int>> guard;
  std::thread([&] {
    const PolledTaskScope scope = InPoll(7);
    guard = mutex.TryLock();
  }).join();
  const PolledTaskScope scope = InPoll(8);
  EXPECT_FALSE(internal::ReportHoldsThatLast());
  EXPECT_THAT(reported_, SizeIs(1));
}

TEST_F(LongHoldTest, NotOfPermitsCellsMembersNorThreadsWhileTheyLast) {
  Mutex<int> mutex;
  Semaphore semaphore(1);
  OnceCell<int> cell;
  WaitGroup group;
  ManualState source;
  const auto guard = mutex.TryLock();
  std::optional<SemaphorePermit> permit;
  std::optional<WaitGroup::Member> member;
  const auto make = [&source] { return Manual<int>(&source, 5); };
  std::optional makes{cell.GetOrInit(make)};
  {
    const PolledTaskScope scope = InPoll();
    permit = semaphore.TryAcquire();
    member = group.Join();
    EXPECT_TRUE(PollOnce(*makes).pending());
  }
  EXPECT_FALSE(internal::ReportHoldsThatLast());
  permit.reset();
  member.reset();
  makes.reset();
  EXPECT_THAT(UsesOf(&cell), IsEmpty());
  EXPECT_THAT(reported_, IsEmpty());
}

TEST_F(LongHoldTest, ALineByDefault) {
  ReportLongHolds(absl::ZeroDuration(), nullptr);
  RwLock<int> lock;
  std::optional<RwLock<int>::WriteGuard> guard;
  {
    const PolledTaskScope scope = InPoll(7);
    guard = lock.TryWrite();
  }
  ::testing::internal::CaptureStderr();
  internal::ReportHoldsThatLast();
  const std::string lasting = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(lasting, HasSubstr("home: a rw lock (write) is held across an await for "));
  EXPECT_THAT(lasting, HasSubstr("; 0 wait for it\n"));

  ::testing::internal::CaptureStderr();
  guard.reset();
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, HasSubstr("home: a rw lock (write) was held across an await for "));
  EXPECT_THAT(line, HasSubstr(" by task 7 \"worker\" (spawned at "));
  EXPECT_THAT(line, HasSubstr("; 0 waited for it in the end\n"));
}

// -- With a runtime -------------------------------------------------------------------------

TEST(LockWatchRuntimeTest, TheMetricsTellOfTasks) {
  Runtime runtime = Runtime::Simulated(1);
  Mutex<int> mutex;
  runtime.BlockOn([&]() -> Async<void> {
    auto holder = Spawn(
        [&]() -> Async<void> {
          const auto guard = co_await mutex.Lock();
          co_await YieldNow();
          const RuntimeMetrics metrics = RuntimeMetrics::Snapshot();
          const auto use = std::find_if(metrics.lock_uses.begin(), metrics.lock_uses.end(),
                                        [&](const LockUse& used) { return used.lock == &mutex; });
          EXPECT_NE(use, metrics.lock_uses.end());
          EXPECT_STREQ(use->task.name, "holder");
        },
        "holder");
    const auto done = co_await holder;
    EXPECT_TRUE(done.ok());
  });
}

Async<void> LockBoth(Mutex<int>* first, Mutex<int>* second) {
  const auto one = co_await first->Lock();
  co_await YieldNow();
  co_await YieldNow();
  const auto two = co_await second->Lock();
}

// Two tasks that wait for one another for ever: the watchdog tells of both.
TEST_F(LongHoldTest, TheWatchdogTellsOfADeadlock) {
  Mutex<int> a;
  Mutex<int> b;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<const void*> held;
  ReportLongHolds(absl::Milliseconds(20), [&](const LongHold& hold) {
    if (!hold.use.holds) return;
    EXPECT_EQ(hold.waiters, 1u);
    const std::lock_guard lock(mutex);
    held.push_back(hold.use.lock);
    changed.notify_one();
  });
  Runtime runtime = *RuntimeBuilder().WorkerThreads(2).Build();
  Barrier both(2);
  const auto lock_both = [&both](Mutex<int>* first, Mutex<int>* second) -> Async<void> {
    const auto one = co_await first->Lock();
    co_await both.Wait();
    const auto two = co_await second->Lock();
  };
  auto first = runtime.Spawn(lock_both(&a, &b));
  auto second = runtime.Spawn(lock_both(&b, &a));
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return held.size() == 2; });
  }
  first.Abort();
  second.Abort();
  EXPECT_FALSE(runtime.BlockOn(std::move(first)).ok());
  EXPECT_FALSE(runtime.BlockOn(std::move(second)).ok());
  EXPECT_THAT(held, UnorderedElementsAre(&a, &b));
}

TEST(LockWatchRuntimeDeathTest, AStuckSimulationNamesHoldersAndWaiters) {
  const auto deadlock = [] {
    // Some seed has both of them hold one.
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      Runtime::Simulated(seed).BlockOn([]() -> Async<void> {
        Mutex<int> a;
        Mutex<int> b;
        auto first = Spawn(LockBoth(&a, &b), "first");
        auto second = Spawn(LockBoth(&b, &a), "second");
        const auto first_done = co_await first;
        const auto second_done = co_await second;
        EXPECT_TRUE(first_done.ok() && second_done.ok());
      });
    }
  };
  EXPECT_DEATH(deadlock(),
               "lock 1, a mutex, is held by task [0-9]+ \"(first|second)\" .*\n"
               "lock 1, a mutex, is awaited by task [0-9]+ \"(first|second)\" .*\n"
               "lock 2, a mutex, is held by task [0-9]+ \"(first|second)\" .*\n"
               "lock 2, a mutex, is awaited by task");
}

#endif

}  // namespace
}  // namespace home
