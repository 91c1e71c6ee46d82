// All that is waited for in this package, by plain threads.

#include "home/sync/blocking.h"

#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/testing.h"
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

using testing::Manual;
using testing::ManualState;
using testing::PollOnce;

// The cases, one for each way to wait:
//
//   Wait()      a future that has to wait
//   LetGo()     in another thread: lets one such wait go
//   AsItWas()   whether others find all as it was before a wait that gave up
//   Take()      checks what the wait gave, and what it left

enum class Form { kPlain, kOwned };

// What is under the locks, and in the cells, in the end.
constexpr int kValue = 7;

// Only `given` keeps `try_it` from giving something.
template <typename Given, typename Try>
void ExpectToExclude(Given given, Try try_it) {
  {
    const Given last = std::move(given);
    EXPECT_FALSE(try_it().has_value());
  }
  EXPECT_TRUE(try_it().has_value());
}

template <Form form>
struct MutexLock {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return LockOwned(mutex);
    } else {
      return mutex->Lock();
    }
  }
  void LetGo() { held.reset(); }
  bool AsItWas() { return !mutex->TryLock().has_value(); }
  template <typename Guard>
  void Take(Guard guard) {
    ExpectToExclude(std::move(guard), [this] { return mutex->TryLock(); });
  }

  std::shared_ptr<Mutex<int>> mutex = std::make_shared<Mutex<int>>();
  std::optional<MutexGuard<int>> held = mutex->TryLock();
};

// The guard is given up with the wait, and so others can lock the mutex.
template <Form form>
struct CondvarWait {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return condvar.Wait(TryLockOwned(mutex).value());
    } else {
      return condvar.Wait(mutex->TryLock().value());
    }
  }
  void LetGo() {
    const auto guard = BlockingWait(mutex->Lock());
    *guard = kValue;
    condvar.NotifyOne();
  }
  bool AsItWas() { return mutex->TryLock().has_value(); }
  template <typename Guard>
  void Take(Guard guard) {
    EXPECT_EQ(*guard, kValue);
    ExpectToExclude(std::move(guard), [this] { return mutex->TryLock(); });
  }

  std::shared_ptr<Mutex<int>> mutex = std::make_shared<Mutex<int>>();
  Condvar condvar;
};

template <Form form>
struct RwLockRead {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return RwLock<int>::ReadOwned(lock);
    } else {
      return lock->Read();
    }
  }
  void LetGo() { held.reset(); }
  bool AsItWas() { return !lock->TryRead().has_value(); }
  template <typename Guard>
  void Take(Guard guard) {
    EXPECT_TRUE(lock->TryRead().has_value());
    ExpectToExclude(std::move(guard), [this] { return lock->TryWrite(); });
  }

  std::shared_ptr<RwLock<int>> lock = std::make_shared<RwLock<int>>();
  std::optional<RwLock<int>::WriteGuard> held = lock->TryWrite();
};

// A writer that waits keeps readers out; one that gave up does not.
template <Form form>
struct RwLockWrite {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return RwLock<int>::WriteOwned(lock);
    } else {
      return lock->Write();
    }
  }
  void LetGo() { held.reset(); }
  bool AsItWas() { return lock->TryRead().has_value(); }
  template <typename Guard>
  void Take(Guard guard) {
    ExpectToExclude(std::move(guard), [this] { return lock->TryRead(); });
  }

  std::shared_ptr<RwLock<int>> lock = std::make_shared<RwLock<int>>();
  std::optional<RwLock<int>::ReadGuard> held = lock->TryRead();
};

template <Form form>
struct RwLockUpgradableRead {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return RwLock<int>::UpgradableReadOwned(lock);
    } else {
      return lock->UpgradableRead();
    }
  }
  void LetGo() { held.reset(); }
  bool AsItWas() { return lock->TryRead().has_value(); }
  template <typename Guard>
  void Take(Guard guard) {
    EXPECT_TRUE(lock->TryRead().has_value());
    ExpectToExclude(std::move(guard), [this] { return lock->TryUpgradableRead(); });
  }

  std::shared_ptr<RwLock<int>> lock = std::make_shared<RwLock<int>>();
  std::optional<RwLock<int>::UpgradableGuard> held = lock->TryUpgradableRead();
};

// Who gives up has no right to read left either.
template <Form form>
struct RwLockUpgrade {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return RwLock<int>::TryUpgradableReadOwned(lock).value().Upgrade();
    } else {
      return lock->TryUpgradableRead().value().Upgrade();
    }
  }
  void LetGo() { held.reset(); }
  bool AsItWas() { return lock->TryRead().has_value() && lock->TryUpgradableRead().has_value(); }
  template <typename Guard>
  void Take(Guard guard) {
    ExpectToExclude(std::move(guard), [this] { return lock->TryRead(); });
  }

  std::shared_ptr<RwLock<int>> lock = std::make_shared<RwLock<int>>();
  std::optional<RwLock<int>::ReadGuard> held = lock->TryRead();
};

// Two of three permits: while somebody waits for them nobody gets the one that is free.
template <Form form>
struct SemaphoreAcquire {
  auto Wait() {
    if constexpr (form == Form::kOwned) {
      return AcquireOwned(semaphore, 2);
    } else {
      return semaphore->Acquire(2);
    }
  }
  void LetGo() { held.reset(); }
  bool AsItWas() { return semaphore->TryAcquire().has_value(); }
  template <typename Permit>
  void Take(absl::StatusOr<Permit> permit) {
    ASSERT_TRUE(permit.ok());
    EXPECT_EQ(permit->count(), 2u);
    ExpectToExclude(*std::move(permit), [this] { return semaphore->TryAcquire(2); });
    EXPECT_EQ(semaphore->available(), 3u);
  }

  std::shared_ptr<Semaphore> semaphore = std::make_shared<Semaphore>(3);
  std::optional<SemaphorePermit> held = semaphore->TryAcquire(2);
};

struct SemaphoreThatIsClosed {
  auto Wait() { return semaphore.Acquire(); }
  void LetGo() { semaphore.Close(); }
  bool AsItWas() { return !semaphore.IsClosed(); }
  void Take(absl::StatusOr<SemaphorePermit> permit) {
    EXPECT_EQ(permit.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(BlockingWait(Wait()).status(), permit.status());
  }

  Semaphore semaphore{0};
};

struct BarrierWait {
  auto Wait() { return barrier.Wait(); }
  void LetGo() { EXPECT_TRUE(BlockingWait(barrier.Wait())); }
  bool AsItWas() {
    auto alone = barrier.Wait();
    return PollOnce(alone).pending();
  }
  void Take(bool leads) {
    EXPECT_FALSE(leads);
    EXPECT_TRUE(AsItWas());
  }

  Barrier barrier{2};
};

// Something that another is about to do.
struct OnceCall {
  struct Warm {
    Event::WaitFuture operator()() const { return warm->Wait(); }

    Event* warm;
  };

  OnceCall() { EXPECT_TRUE(PollOnce(other).pending()); }

  auto Wait() {
    return once.Call([] { ADD_FAILURE() << "done by two"; });
  }
  void LetGo() {
    warm.Set();
    EXPECT_TRUE(PollOnce(other).ready());
  }
  bool AsItWas() { return !once.IsDone(); }
  void Take() { EXPECT_TRUE(once.IsDone()); }

  Event warm;
  Once once;
  Once::CallFuture<Warm> other = once.Call(Warm{&warm});
};

// A value that another is about to make, or fails to.
template <typename T>
struct Make {
  auto operator()() const { return Manual<T>(state, value); }

  ManualState* state;
  T value;
};

struct OnceCellGetOrInit {
  OnceCellGetOrInit() { EXPECT_TRUE(PollOnce(other).pending()); }

  auto Wait() {
    return cell.GetOrInit([] {
      ADD_FAILURE() << "made by two";
      return 0;
    });
  }
  void LetGo() {
    state.Set();
    EXPECT_TRUE(PollOnce(other).ready());
  }
  bool AsItWas() { return !cell.IsSet(); }
  void Take(int& value) {
    EXPECT_EQ(value, kValue);
    EXPECT_EQ(&value, cell.Get());
  }

  ManualState state;
  OnceCell<int> cell;
  OnceCell<int>::GetFuture<Make<int>> other = cell.GetOrInit(Make<int>{&state, kValue});
};

// The other fails, and whoever waited makes the value.
struct OnceCellGetOrTryInit {
  using Result = absl::StatusOr<int>;

  OnceCellGetOrTryInit() { EXPECT_TRUE(PollOnce(other).pending()); }

  auto Wait() {
    return cell.GetOrTryInit([] { return Result(kValue); });
  }
  void LetGo() {
    state.Set();
    EXPECT_FALSE(PollOnce(other).value().ok());
  }
  bool AsItWas() { return !cell.IsSet(); }
  void Take(absl::StatusOr<int*> value) {
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(**value, kValue);
    EXPECT_EQ(*value, cell.Get());
  }

  ManualState state;
  OnceCell<int> cell;
  OnceCell<int>::TryGetFuture<Make<Result>> other =
      cell.GetOrTryInit(Make<Result>{&state, absl::UnavailableError("none")});
};

struct LazyCellGet {
  LazyCellGet() { EXPECT_TRUE(PollOnce(other).pending()); }

  auto Wait() { return cell.Get(); }
  void LetGo() {
    state.Set();
    EXPECT_TRUE(PollOnce(other).ready());
  }
  bool AsItWas() { return cell.Peek() == nullptr; }
  void Take(int& value) {
    EXPECT_EQ(value, kValue);
    EXPECT_EQ(&value, cell.Peek());
  }

  using Cell = LazyCell<int, Make<int>>;

  ManualState state;
  Cell cell{Make<int>{&state, kValue}};
  decltype(std::declval<Cell&>().Get()) other = cell.Get();
};

template <void (Notify::*tell)()>
struct NotifyWait {
  auto Wait() { return notify.Wait(); }
  void LetGo() { (notify.*tell)(); }
  bool AsItWas() { return !notify.TryWait(); }
  void Take() { EXPECT_FALSE(notify.TryWait()); }

  Notify notify;
};

struct AutoResetEventWait {
  auto Wait() { return event.Wait(); }
  void LetGo() { event.Set(); }
  bool AsItWas() {
    auto other = event.Wait();
    return PollOnce(other).pending();
  }
  void Take() { EXPECT_TRUE(AsItWas()); }

  AutoResetEvent event;
};

struct EventWait {
  auto Wait() { return event.Wait(); }
  void LetGo() { event.Set(); }
  bool AsItWas() { return !event.IsSet(); }
  void Take() { BlockingWait(event.Wait()); }

  Event event;
};

struct WaitGroupWait {
  auto Wait() { return group.Wait(); }
  void LetGo() { member.reset(); }
  bool AsItWas() { return group.size() == 1; }
  void Take() { BlockingWait(group.Wait()); }

  WaitGroup group;
  std::optional<WaitGroup::Member> member = group.Join();
};

struct LatchWait {
  auto Wait() { return latch.Wait(); }
  void LetGo() { latch.CountDown(); }
  bool AsItWas() { return !latch.IsOpen(); }
  void Take() { BlockingWait(latch.Wait()); }

  Latch latch{1};
};

struct TokenCancelled {
  auto Wait() { return child.Cancelled(); }
  void LetGo() { token.Cancel(); }
  bool AsItWas() { return !child.IsCancelled(); }
  void Take() { BlockingWait(child.Cancelled()); }

  CancellationToken token;
  CancellationToken child = token.Child();
};

struct TokenOfWork {
  auto Wait() { return RunUntilCancelled(token, never.Wait()); }
  void LetGo() { token.Cancel(); }
  bool AsItWas() { return !token.IsCancelled(); }
  void Take(const absl::Status& status) { EXPECT_EQ(status.code(), absl::StatusCode::kCancelled); }

  Event never;
  CancellationToken token;
};

// `future`, whose first poll tells whether it was in vain.
template <Future F>
class Telling {
 public:
  using Output = FutureOutput<F>;

  Telling(F future, std::promise<bool>& in_vain) : future_(std::move(future)), in_vain_(&in_vain) {}

  home::Poll<Output> Poll(Context& cx) {
    home::Poll<Output> polled = future_.Poll(cx);
    if (in_vain_ != nullptr) std::exchange(in_vain_, nullptr)->set_value(polled.pending());
    return polled;
  }

 private:
  F future_;
  std::promise<bool>* in_vain_;
};

template <typename Case>
class BlockingTest : public ::testing::Test {
 protected:
  // Whether it gives more than that it is over.
  static constexpr bool kGives = !std::is_void_v<FutureOutput<decltype(Case().Wait())>>;

  // A wait that another thread lets go, once it has begun.
  auto Begin() {
    other_ = std::thread([this] {
      ASSERT_TRUE(in_vain_.get_future().get());
      written_ = true;
      case_.LetGo();
    });
    return Telling(case_.Wait(), in_vain_);
  }
  // The wait is over.
  void End() {
    EXPECT_TRUE(written_);
    other_.join();
  }
  void WaitAndBeLetGo(absl::Duration timeout) {
    auto given = BlockingWaitFor(Begin(), timeout);
    End();
    ASSERT_TRUE(given);
    if constexpr (kGives) {
      case_.Take(*std::move(given));
    } else {
      case_.Take();
    }
  }

  Case case_;

 private:
  bool written_ = false;  // not atomic: the wait orders it
  std::promise<bool> in_vain_;
  std::thread other_;
};
using Cases = ::testing::Types<
    MutexLock<Form::kPlain>, MutexLock<Form::kOwned>, CondvarWait<Form::kPlain>,
    CondvarWait<Form::kOwned>, RwLockRead<Form::kPlain>, RwLockRead<Form::kOwned>,
    RwLockWrite<Form::kPlain>, RwLockWrite<Form::kOwned>, RwLockUpgradableRead<Form::kPlain>,
    RwLockUpgradableRead<Form::kOwned>, RwLockUpgrade<Form::kPlain>, RwLockUpgrade<Form::kOwned>,
    SemaphoreAcquire<Form::kPlain>, SemaphoreAcquire<Form::kOwned>, SemaphoreThatIsClosed,
    BarrierWait, OnceCall, OnceCellGetOrInit, OnceCellGetOrTryInit, LazyCellGet,
    NotifyWait<&Notify::NotifyOne>, NotifyWait<&Notify::NotifyLast>, NotifyWait<&Notify::NotifyAll>,
    AutoResetEventWait, EventWait, WaitGroupWait, LatchWait, TokenCancelled, TokenOfWork>;
TYPED_TEST_SUITE(BlockingTest, Cases);

TYPED_TEST(BlockingTest, AnotherThreadLetsItGo) {
  if constexpr (TestFixture::kGives) {
    auto&& given = BlockingWait(this->Begin());
    this->End();
    this->case_.Take(std::forward<decltype(given)>(given));
  } else {
    BlockingWait(this->Begin());
    this->End();
    this->case_.Take();
  }
}

TYPED_TEST(BlockingTest, AnotherThreadLetsItGoInTime) {
  this->WaitAndBeLetGo(absl::InfiniteDuration());
}

TYPED_TEST(BlockingTest, OneThatGivesUpLeavesAllAsItWas) {
  for (const absl::Duration timeout :
       {-absl::InfiniteDuration(), absl::ZeroDuration(), absl::Milliseconds(2)}) {
    EXPECT_FALSE(BlockingWaitFor(this->case_.Wait(), timeout));
    EXPECT_TRUE(this->case_.AsItWas());
  }
  this->WaitAndBeLetGo(absl::Hours(1));
}

// The time ends a sleep only.
TEST(BlockingWaitForTest, WhoIsWokenPollsThoughTheTimeIsOver) {
  EXPECT_EQ(BlockingWaitFor(testing::Countdown(2, kValue), absl::ZeroDuration()), kValue);
}

TEST(BlockingWaitForTest, WhoIsWokenAgainAndAgainDoesNotPollForEver) {
  constexpr int kForLong = 2'000'000'000;
  for (const absl::Duration time : {absl::ZeroDuration(), absl::Milliseconds(2)}) {
    EXPECT_EQ(BlockingWaitFor(testing::Countdown(kForLong, kValue), time), std::nullopt);
  }
}

struct Ledger {
  void Book(int order) { booked += order; }

  int booked = 0;
};

// The one in the header.
TEST(BlockingWaitForTest, Example) {
  Mutex<Ledger> ledger;
  Event started;
  Event stopped;
  std::thread peer([&] {
    stopped.Set();  // so the time cannot be over before
    started.Set();
  });

  MutexGuard<Ledger> guard = BlockingWait(ledger.Lock());
  BlockingWait(started.Wait());
  const bool in_time = BlockingWaitFor(stopped.Wait(), absl::Seconds(5));

  EXPECT_TRUE(in_time);
  guard->Book(1);
  EXPECT_EQ(guard->booked, 1);
  peer.join();
}

}  // namespace
}  // namespace home
