// Proof that the primitives allocate nothing: not where nobody waits, nor to wait, to be let
// through, or to give up.

#include <cstddef>
#include <deque>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/context.h"
#include "home/future/map.h"
#include "home/future/waker.h"
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

using testing::AllocationsOf;

// How many allocations are borne. In debug builds it is written down who holds a lock and who waits
// for it (home/future/lock_watch.h).
#if defined(NDEBUG)
constexpr std::size_t kMost = 0;
#else
constexpr std::size_t kMost = 8;
#endif

template <typename F>
bool IsReady(F& future) {
  const Waker waker;
  Context cx(waker);
  return future.Poll(cx).ready();
}

// `wait()` gives a future that is ready at once.
template <typename Wait>
void ExpectNoneAlone(Wait wait) {
  EXPECT_LE(AllocationsOf([&] {
              auto future = wait();
              EXPECT_TRUE(IsReady(future));
            }),
            kMost);
}

// `wait()` gives a future that has to wait until `release()`. Beside it another one gives up.
template <typename Wait, typename Release>
void ExpectNoneWaiting(Wait wait, Release release) {
  EXPECT_LE(AllocationsOf([&] {
              auto future = wait();
              EXPECT_FALSE(IsReady(future));
              {
                auto dropped = wait();
                EXPECT_FALSE(IsReady(dropped));
              }
              release();
              EXPECT_TRUE(IsReady(future));
            }),
            kMost);
}

TEST(SyncAllocationTest, Mutex) {
  Mutex<int> mutex;
  ExpectNoneAlone([&] { return mutex.Lock(); });
  auto held = mutex.TryLock();
  ExpectNoneWaiting([&] { return mutex.Lock(); }, [&] { held.reset(); });
}

TEST(SyncAllocationTest, RwLock) {
  RwLock<int> lock;
  ExpectNoneAlone([&] { return lock.Read(); });
  ExpectNoneAlone([&] { return lock.Write(); });
  ExpectNoneAlone([&] { return lock.UpgradableRead(); });
  auto held = lock.TryRead();
  ExpectNoneWaiting([&] { return lock.Write(); }, [&] { held.reset(); });
  auto writing = lock.TryWrite();
  ExpectNoneWaiting([&] { return lock.Read(); }, [&] { writing.reset(); });
  auto looking = lock.TryUpgradableRead();
  ExpectNoneWaiting([&] { return lock.UpgradableRead(); }, [&] { looking.reset(); });
}

// Not for ExpectNoneWaiting(): there is one at a time.
TEST(SyncAllocationTest, Upgrade) {
  RwLock<int> lock;
  for (const bool gives_up : {false, true}) {
    auto looking = lock.TryUpgradableRead();
    auto reading = lock.TryRead();
    EXPECT_LE(AllocationsOf([&] {
                auto upgrade = (*std::move(looking)).Upgrade();
                EXPECT_FALSE(IsReady(upgrade));
                if (gives_up) return;
                reading.reset();
                EXPECT_TRUE(IsReady(upgrade));
              }),
              kMost);
  }
}

TEST(SyncAllocationTest, Semaphore) {
  Semaphore semaphore(2);
  ExpectNoneAlone([&] { return semaphore.Acquire(2); });
  ExpectNoneWaiting([&] { return semaphore.Acquire(3); }, [&] { semaphore.Add(1); });
}

TEST(SyncAllocationTest, NotifyAndEvents) {
  Notify notify;
  notify.NotifyOne();
  ExpectNoneAlone([&] { return notify.Wait(); });
  ExpectNoneWaiting([&] { return notify.Wait(); }, [&] { notify.NotifyOne(); });
  ExpectNoneWaiting([&] { return notify.Wait(); }, [&] { notify.NotifyAll(); });
  Event event;
  ExpectNoneWaiting([&] { return event.Wait(); }, [&] { event.Set(); });
  ExpectNoneAlone([&] { return event.Wait(); });
}

TEST(SyncAllocationTest, CancellationToken) {
  const CancellationToken token;
  const CancellationToken child = token.Child();
  ExpectNoneWaiting([&] { return child.Cancelled(); }, [&] { token.Cancel(); });
  ExpectNoneAlone([&] { return child.Cancelled(); });
}

TEST(SyncAllocationTest, Counts) {
  Latch latch(1);
  ExpectNoneWaiting([&] { return latch.Wait(); }, [&] { latch.CountDown(); });
  ExpectNoneAlone([&] { return latch.Wait(); });
  WaitGroup group;
  ExpectNoneAlone([&] { return group.Wait(); });
  std::optional<WaitGroup::Member> member = group.Join();
  ExpectNoneWaiting([&] { return group.Wait(); }, [&] { member.reset(); });
}

TEST(SyncAllocationTest, Barrier) {
  Barrier alone(1);
  ExpectNoneAlone([&] { return alone.Wait(); });
  Barrier barrier(3);
  auto other = barrier.Wait();
  EXPECT_FALSE(IsReady(other));
  EXPECT_LE(AllocationsOf([&] {
              auto second = barrier.Wait();
              auto last = barrier.Wait();
              EXPECT_FALSE(IsReady(second));
              EXPECT_TRUE(IsReady(last));
              EXPECT_TRUE(IsReady(second));
            }),
            kMost);
}

TEST(SyncAllocationTest, Condvar) {
  Mutex<int> mutex;
  Condvar condvar;
  ExpectNoneWaiting([&] { return condvar.Wait(*mutex.TryLock()); }, [&] { condvar.NotifyOne(); });
}

TEST(SyncAllocationTest, OnceCell) {
  const auto make = [] { return 1; };
  OnceCell<int> alone;
  ExpectNoneAlone([&] { return alone.GetOrInit(make); });
  ExpectNoneAlone([&] { return alone.GetOrInit(make); });
  // The future that makes the value waits for a notification.
  OnceCell<int> cell;
  Notify made;
  auto maker =
      cell.GetOrTryInit([&] { return Map(made.Wait(), [] { return absl::StatusOr<int>(2); }); });
  EXPECT_FALSE(IsReady(maker));
  ExpectNoneWaiting([&] { return cell.GetOrInit(make); },
                    [&] {
                      made.NotifyOne();
                      EXPECT_TRUE(IsReady(maker));
                    });
}

TEST(SyncAllocationTest, LazyCell) {
  Notify made;
  auto make = [&made] { return Map(made.Wait(), [] { return 1; }); };
  LazyCell<int, decltype(make)> cell(make);
  auto maker = cell.Get();
  EXPECT_FALSE(IsReady(maker));
  ExpectNoneWaiting([&] { return cell.Get(); },
                    [&] {
                      made.NotifyOne();
                      EXPECT_TRUE(IsReady(maker));
                    });
  ExpectNoneAlone([&] { return cell.Get(); });
}

TEST(SyncAllocationTest, Once) {
  Once once;
  Notify done;
  auto doer = once.Call([&done] { return done.Wait(); });
  EXPECT_FALSE(IsReady(doer));
  const auto call = [&once] { return once.Call([] {}); };
  ExpectNoneWaiting(call, [&] {
    done.NotifyOne();
    EXPECT_TRUE(IsReady(doer));
  });
  ExpectNoneAlone(call);
}

// Of `wake()`, for which `count` futures of `wait()` wait.
template <typename Wait, typename Wake>
std::size_t AllocationsOfWaking(std::size_t count, Wait wait, Wake wake) {
  std::deque<std::invoke_result_t<Wait&>> waiting;
  for (std::size_t i = 0; i < count; ++i) {
    waiting.push_back(wait());
    EXPECT_FALSE(IsReady(waiting.back()));
  }
  return AllocationsOf(wake);
}

// The list of wakers, if there are more of them than it has room for.
TEST(SyncAllocationTest, WakingManyAtOnce) {
  constexpr std::size_t kRoom = 16;
  for (const std::size_t count : {kRoom, kRoom + 1}) {
    const std::size_t blocks = count > kRoom ? 1 : 0;
    Event event;
    EXPECT_EQ(
        AllocationsOfWaking(count, [&] { return event.Wait(); }, [&] { event.Set(); }), blocks);
    Notify notify;
    EXPECT_EQ(AllocationsOfWaking(
                  count, [&] { return notify.Wait(); }, [&] { notify.NotifyAll(); }),
              blocks);
    Latch latch(1);
    EXPECT_EQ(AllocationsOfWaking(
                  count, [&] { return latch.Wait(); }, [&] { latch.CountDown(); }),
              blocks);
    Mutex<int> mutex;
    Condvar condvar;
    EXPECT_EQ(
        AllocationsOfWaking(
            count, [&] { return condvar.Wait(*mutex.TryLock()); }, [&] { condvar.NotifyAll(); }),
        blocks);
    Barrier barrier(count + 1);
    auto last = barrier.Wait();
    EXPECT_EQ(AllocationsOfWaking(
                  count, [&] { return barrier.Wait(); }, [&] { EXPECT_TRUE(IsReady(last)); }),
              blocks);
  }
}

}  // namespace
}  // namespace home
