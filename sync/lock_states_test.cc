// Tables of what is held, for states_testing.h: Mutex, Condvar, RwLock, Semaphore.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "home/future/poll.h"
#include "home/future/testing.h"
#include "home/sync/condvar.h"
#include "home/sync/mutex.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/sync/states_testing.h"

namespace home {
namespace {

using sync_testing::Done;
using sync_testing::End;
using sync_testing::Keep;
using sync_testing::KeepIn;
using sync_testing::Operations;
using sync_testing::Place;
using sync_testing::WalkTable;
using sync_testing::World;
using sync_testing::YesOrNo;
using testing::PollOnce;

struct MutexWorld : World {
  Mutex<int> mutex;
  std::optional<MutexGuard<int>> guard;
  Place<LockFuture<int, Mutex<int>*>> waiter{*this};
};

// woken: by an unlock, and has not been polled since. passed: the same, but another has locked it.
TEST(LockStatesTest, Mutex) {
  using W = MutexWorld;
  const Operations<W> operations = {
      {"TryLock", [](W& w) { return Keep(w.mutex.TryLock(), w.guard); }},
      {"Lock", [](W& w) { return w.waiter.Ask([&w] { return w.mutex.Lock(); }, KeepIn(w.guard)); }},
      {"Unlock", [](W& w) { return End(w.guard); }},
      {"Poll", [](W& w) { return w.waiter.Poll(KeepIn(w.guard)); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
         | TryLock      | Lock           | Unlock            | Poll           | Drop
  free   | yes > locked | ready > locked |                   |                |
  locked | no           | waits > waited | done > free       |                |
  waited | no           | waits          | done+wake > woken | waits          | done > locked
  woken  | yes > passed | ready > passed |                   | ready > locked | done > free
  passed | no           | waits          | done > woken      | waits > waited | done > locked
  )",
               operations);
}

struct CondvarWorld : World {
  Mutex<int> mutex;
  Condvar condvar;
  std::optional<MutexGuard<int>> guard;
  Place<CondvarFuture<int, Mutex<int>*>> a{*this};
  Place<CondvarFuture<int, Mutex<int>*>> b{*this};

  auto MakeWait() {
    return [this] { return condvar.Wait(*std::exchange(guard, std::nullopt)); };
  }
};

// held: the mutex, by one who may wait with it. w: one waits to be notified; w!: it was, and has
// not been polled since; l: it waits for the mutex; l!: it was woken for that.
TEST(LockStatesTest, Condvar) {
  using W = CondvarWorld;
  const Operations<W> operations = {
      {"One", Done<W>([](W& w) { w.condvar.NotifyOne(); })},
      {"All", Done<W>([](W& w) { w.condvar.NotifyAll(); })},
      {"TryLock", [](W& w) { return Keep(w.mutex.TryLock(), w.guard); }},
      {"Wait", [](W& w) { return w.a.Ask(w.MakeWait(), KeepIn(w.guard)); }},
      {"Unlock", [](W& w) { return End(w.guard); }},
      {"Poll", [](W& w) { return w.a.Poll(KeepIn(w.guard)); }},
      {"Drop", [](W& w) { return w.a.Drop(); }},
  };
  WalkTable<W>(R"(
          | One                 | All                 | TryLock       | Wait
  free    | done                | done                | yes > held    |
  held    | done                | done                | no            | waits > w
  w       | done+wake > w!      | done+wake > w!      | yes > held w  |
  held w  | done+wake > held w! | done+wake > held w! | no            | waits > w
  w!      | done                | done                | yes > held w! |
  held w! | done                | done                | no            | waits > w!
  held l  | done                | done                | no            | waits+wake > l!
  l!      | done                | done                | yes > held l! |
  held l! | done                | done                | no            | waits > l!

          | Unlock         | Poll           | Drop
  held    | done > free    |                |
  w       |                | waits          | done > free
  held w  | done > w       | waits          | done > held
  w!      |                | ready > held   | done > free
  held w! | done > w!      | waits > held l | done > held
  held l  | done+wake > l! | waits          | done > held
  l!      |                | ready > held   | done > free
  held l! | done > l!      | waits > held l | done > held
  )",
               operations);
}

struct TwoWaitsWorld : CondvarWorld {
  TwoWaitsWorld() {
    for (auto* place : {&a, &b}) {
      guard = mutex.TryLock();
      place->Ask(MakeWait(), KeepIn(guard));
    }
  }
  // Whoever is notified unlocks at once.
  static std::string Take(Poll<MutexGuard<int>>&) { return "ready"; }
};

// a waits longer than b; a!, b!: it was notified, and has not been polled since.
TEST(LockStatesTest, CondvarForWhichTwoWait) {
  using W = TwoWaitsWorld;
  const Operations<W> operations = {
      {"One", Done<W>([](W& w) { w.condvar.NotifyOne(); })},
      {"All", Done<W>([](W& w) { w.condvar.NotifyAll(); })},
      {"PollA", [](W& w) { return w.a.Poll(W::Take); }},
      {"PollB", [](W& w) { return w.b.Poll(W::Take); }},
      {"DropA", [](W& w) { return w.a.Drop(); }},
      {"DropB", [](W& w) { return w.b.Drop(); }},
  };
  WalkTable<W>(R"(
       | One              | All
  ab   | done+wake > a!b  | done+2 wakes > a!b!
  a    | done+wake > a!   | done+wake > a!
  b    | done+wake > b!   | done+wake > b!
  a!b  | done+wake > a!b! | done+wake > a!b!
  a!b! | done             | done
  a!   | done             | done
  b!   | done             | done
  none | done             | done

       | PollA        | PollB        | DropA          | DropB
  ab   | waits        | waits        | done > b       | done > a
  a    | waits        |              | done > none    |
  b    |              | waits        |                | done > none
  a!b  | ready > b    | waits        | done+wake > b! | done > a!
  a!b! | ready > b!   | ready > a!   | done > b!      | done > a!
  a!   | ready > none |              | done > none    |
  b!   |              | ready > none |                | done > none
  )",
               operations);
}

template <RwLockMode kMode>
struct RwLockWorld : World {
  using Lock = RwLock<int>;

  Lock lock{kMode};
  std::vector<Lock::ReadGuard> readers;
  std::optional<Lock::UpgradableGuard> upgradable;
  std::optional<Lock::WriteGuard> writer;
  Place<RwLockFuture<Lock::ReadGuard, Lock*>> reading{*this};
  Place<RwLockFuture<Lock::UpgradableGuard, Lock*>> looking{*this};
  Place<RwLockFuture<Lock::WriteGuard, Lock*>> writing{*this};
  Place<RwLockUpgradeFuture<int, Lock*>> upgrading{*this};

  auto KeepReader() {
    return [this](Poll<Lock::ReadGuard>& polled) -> std::string {
      readers.push_back(std::move(polled).value());
      return "ready";
    };
  }
  std::string TryRead() {
    auto reader = lock.TryRead();
    if (!reader.has_value()) return "no";
    readers.push_back(*std::move(reader));
    return "yes";
  }
  std::string Write() {
    // One who waits to write is enough.
    if (!upgrading.taken()) {
      return writing.Ask([this] { return lock.Write(); }, KeepIn(writer));
    }
    auto other = lock.Write();
    return PollOnce(other, waker).pending() ? "waits" : "ready";
  }
  std::string Upgrade() {
    auto hold = *std::exchange(upgradable, std::nullopt);
    return upgrading.Ask([&hold] { return std::move(hold).Upgrade(); }, KeepIn(writer));
  }
  std::string Downgrade() {
    if (writer.has_value()) {
      readers.push_back((*std::exchange(writer, std::nullopt)).Downgrade());
    } else {
      readers.push_back((*std::exchange(upgradable, std::nullopt)).Downgrade());
    }
    return "done";
  }
  std::string ToUpgradable() {
    upgradable.emplace((*std::exchange(writer, std::nullopt)).DowngradeToUpgradable());
    return "done";
  }
  std::string EndRead() {
    readers.pop_back();
    return "done";
  }
  std::string PollWriter() {
    return upgrading.taken() ? upgrading.Poll(KeepIn(writer)) : writing.Poll(KeepIn(writer));
  }
  std::string DropWriter() { return upgrading.taken() ? upgrading.Drop() : writing.Drop(); }
};

template <RwLockMode kMode>
void WalkRwLock(std::string_view rows_of_mode) {
  using W = RwLockWorld<kMode>;
  const Operations<W> operations = {
      {"TryR", [](W& w) { return w.TryRead(); }},
      {"TryU", [](W& w) { return Keep(w.lock.TryUpgradableRead(), w.upgradable); }},
      {"TryW", [](W& w) { return Keep(w.lock.TryWrite(), w.writer); }},
      {"Read", [](W& w) { return w.reading.Ask([&w] { return w.lock.Read(); }, w.KeepReader()); }},
      {"Write", [](W& w) { return w.Write(); }},
      {"Upgrade", [](W& w) { return w.Upgrade(); }},
      {"Downgrade", [](W& w) { return w.Downgrade(); }},
      {"ToU", [](W& w) { return w.ToUpgradable(); }},
      {"ReadU",
       [](W& w) {
         return w.looking.Ask([&w] { return w.lock.UpgradableRead(); }, KeepIn(w.upgradable));
       }},
      {"EndR", [](W& w) { return w.EndRead(); }},
      {"EndU", [](W& w) { return End(w.upgradable); }},
      {"EndW", [](W& w) { return End(w.writer); }},
      {"PollR", [](W& w) { return w.reading.Poll(w.KeepReader()); }},
      {"DropR", [](W& w) { return w.reading.Drop(); }},
      {"PollW", [](W& w) { return w.PollWriter(); }},
      {"DropW", [](W& w) { return w.DropWriter(); }},
  };
  // Capitals hold: Readers, an Upgradable reader, a Writer. Small ones wait, in this order: a
  // reader, a writer, an upgrade. Those with ! have been served and not been polled since.
  constexpr std::string_view kRowsOfBoth = R"(
       | TryR      | TryU      | TryW    | Read        | Write       | Upgrade    | Downgrade
  free | yes > R   | yes > U   | yes > W | ready > R   | ready > W   |            |
  R    | yes > RR  | yes > RU  | no      | ready > RR  | waits > Rw  |            |
  RR   | yes > ... | yes > ... | no      | ready > ... | waits > ... |            |
  U    | yes > RU  | no        | no      | ready > RU  | waits > Uw  | ready > W  | done > R
  RU   | yes > ... | no        | no      | ready > ... | waits > ... | waits > Ru | done > RR
  Ru   | no        | no        | no      | waits > Rur | waits       |            |
  Rur  | no        | no        | no      | waits       | waits       |            |
  Rw   | no        | no        | no      | waits > Rwr | waits       |            |
  Rwr  | no        | no        | no      | waits       | waits       |            |
  Uw   | no        | no        | no      | waits > ... | waits       | ready > Ww | done > Rw
  W    | no        | no        | no      | waits > Wr  | waits > Ww  |            | done > R
  Ww   | no        | no        | no      | waits > Wwr | waits       |            | done > Rw
  Wwr  | no        | no        | no      | waits       | waits       |            | done > Rwr
  r!   | yes > Rr! | yes > ... | no      | ready > Rr! | waits > r!w |            |
  Rr!  | yes > ... | yes > ... | no      | ready > ... | waits > ... |            |
  r!w  | no        | no        | no      | waits       | waits       |            |
  w!   | no        | no        | no      | waits > w!r | waits       |            |
  w!r  | no        | no        | no      | waits       | waits       |            |

      | ToU        | EndR            | EndU           | EndW
  R   |            | done > free     |                |
  RR  |            | done > R        |                |
  U   |            |                 | done > free    |
  RU  |            | done > U        | done > R       |
  Ru  |            | done+wake > w!  |                |
  Rur |            | done+wake > w!r |                |
  Rw  |            | done+wake > w!  |                |
  Rwr |            | done+wake > w!r |                |
  Uw  |            |                 | done+wake > w! |
  W   | done > U   |                 |                | done > free
  Wr  |            |                 |                | done+wake > r!
  Ww  | done > Uw  |                 |                | done+wake > w!
  Wwr | done > ... |                 |                | done+wake > w!r
  Rr! |            | done > r!       |                |

       | PollW      | DropW           | ReadU       | PollR      | DropR
  free |            |                 | ready > U   |            |
  R    |            |                 | ready > RU  |            |
  RR   |            |                 | ready > ... |            |
  U    |            |                 | waits > ... |            |
  RU   |            |                 | waits > ... |            |
  Ru   | waits      | done > R        | waits > ... |            |
  Rur  | waits      | done+wake > Rr! | waits > ... | waits      | done > Ru
  Rw   | waits      | done > R        | waits > ... |            |
  Rwr  | waits      | done+wake > Rr! | waits > ... | waits      | done > Rw
  Uw   | waits      | done > U        | waits > ... |            |
  W    |            |                 | waits > ... |            |
  Wr   |            |                 |             | waits      | done > W
  Ww   | waits      | done > W        | waits > ... |            |
  Wwr  | waits      | done > Wr       | waits > ... | waits      | done > Ww
  r!   |            |                 | ready > ... | ready > R  | done > free
  Rr!  |            |                 | ready > ... | ready > RR | done > R
  r!w  | waits      | done > r!       | waits > ... | ready > Rw | done+wake > w!
  w!   | ready > W  | done > free     | waits > ... |            |
  w!r  | ready > Wr | done+wake > r!  | waits > ... | waits      | done > w!
  )";
  WalkTable<W>(absl::StrCat(kRowsOfBoth, rows_of_mode), operations);
}

TEST(LockStatesTest, FairRwLock) {
  WalkRwLock<RwLockMode::kFair>(R"(
      | TryR | TryU | TryW | Read  | Write       | Downgrade       | ToU             | ReadU
  Wr  | no   | no   | no   | waits | waits > Wrw | done+wake > Rr! | done+wake > ... | waits > ...
  Wrw | no   | no   | no   | waits | waits       | done+wake > ... | done+wake > ... | waits > ...

      | EndW            | PollR | DropR     | PollW | DropW
  Wrw | done+wake > r!w | waits | done > Ww | waits | done > Wr
  )");
}

TEST(LockStatesTest, RwLockThatPrefersWriters) {
  WalkRwLock<RwLockMode::kPreferWriters>(R"(
     | TryR | TryU | TryW | Read  | Write       | Downgrade       | ToU             | ReadU
  Wr | no   | no   | no   | waits | waits > Wwr | done+wake > Rr! | done+wake > ... | waits > ...
  )");
}

struct SemaphoreWorld : World {
  Semaphore semaphore{0};
  Place<AcquireFuture<Semaphore*>> waiter{*this};

  std::string Try(std::size_t count) {
    auto permit = semaphore.TryAcquire(count);
    if (permit.has_value()) permit->Forget();
    return YesOrNo(permit.has_value());
  }
  static std::string Take(Poll<absl::StatusOr<SemaphorePermit>>& polled) {
    absl::StatusOr<SemaphorePermit>& permit = polled.value();
    if (absl::IsFailedPrecondition(permit.status())) return "closed";
    if (!permit.ok()) return permit.status().ToString();
    permit->Forget();
    return "ready";
  }
};

// The free permits; w: one waits for two of them; w!: it was granted them, or released by Close(),
// and has not been polled since. Permits that were taken are forgotten, so Add() gives them back.
TEST(LockStatesTest, Semaphore) {
  using W = SemaphoreWorld;
  const Operations<W> operations = {
      {"Try1", [](W& w) { return w.Try(1); }},
      {"Try2", [](W& w) { return w.Try(2); }},
      {"Acquire2",
       [](W& w) { return w.waiter.Ask([&w] { return w.semaphore.Acquire(2); }, W::Take); }},
      {"Add1", Done<W>([](W& w) { w.semaphore.Add(1); })},
      {"Forget2", [](W& w) { return absl::StrCat(w.semaphore.Forget(2)); }},
      {"Close", Done<W>([](W& w) { w.semaphore.Close(); })},
      {"IsClosed", [](W& w) { return YesOrNo(w.semaphore.IsClosed()); }},
      {"available", [](W& w) { return absl::StrCat(w.semaphore.available()); }},
      {"Poll", [](W& w) { return w.waiter.Poll(W::Take); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
             | Try1    | Try2    | Acquire2   | Add1              | Forget2 | Close
  0          | no      | no      | waits > 0w | done > 1          | 0       | done > 0 closed
  1          | yes > 0 | no      | waits > 1w | done > 2          | 1 > 0   | done > 1 closed
  2          | yes > 1 | yes > 0 | ready > 0  | done > ...        | 2 > 0   | done > 2 closed
  0w         | no      | no      | waits      | done > 1w         | 0       | done+wake > 0w! closed
  1w         | no      | no      | waits      | done+wake > 0w!   | 0       | done+wake > 1w! closed
  0w!        | no      | no      | waits      | done > ...        | 0       | done > ...
  0 closed   | no      | no      | closed     | done > 1 closed   | 0       | done
  1 closed   | no      | no      | closed     | done > 2 closed   | 0       | done
  2 closed   | no      | no      | closed     | done > ...        | 0       | done
  0w! closed | no      | no      | closed     | done > 1w! closed | 0       | done
  1w! closed | no      | no      | closed     | done > ...        | 0       | done

             | IsClosed | available | Poll              | Drop
  0          | no       | 0         |                   |
  1          | no       | 1         |                   |
  2          | no       | 2         |                   |
  0w         | no       | 0         | waits             | done > 0
  1w         | no       | 1         | waits             | done > 1
  0w!        | no       | 0         | ready > 0         | done > 2
  0 closed   | yes      | 0         |                   |
  1 closed   | yes      | 1         |                   |
  2 closed   | yes      | 2         |                   |
  0w! closed | yes      | 0         | closed > 0 closed | done > 0 closed
  1w! closed | yes      | 1         | closed > 1 closed | done > 1 closed
  )",
               operations);
}

struct PermitWorld : World {
  Semaphore semaphore{2};
  std::optional<SemaphorePermit> whole;
  std::optional<SemaphorePermit> part;
  Place<AcquireFuture<Semaphore*>> waiter{*this};

  // Gives both back at once.
  static std::string Take(Poll<absl::StatusOr<SemaphorePermit>>& polled) {
    return polled.value().ok() ? "ready" : polled.value().status().ToString();
  }
};

// What a permit and the part that was split off it hold, - if there is none; w, w!: as above. of:
// how many permits there are, where some were forgotten.
TEST(LockStatesTest, SemaphorePermit) {
  using W = PermitWorld;
  const Operations<W> operations = {
      {"Try", [](W& w) { return Keep(w.semaphore.TryAcquire(2), w.whole); }},
      {"Split", Done<W>([](W& w) { w.part.emplace(w.whole->Split(1)); })},
      {"Merge", Done<W>([](W& w) { w.whole->Merge(*std::exchange(w.part, std::nullopt)); })},
      {"Forget", Done<W>([](W& w) { w.whole->Forget(); })},
      {"End", [](W& w) { return End(w.whole); }},
      {"EndPart", [](W& w) { return End(w.part); }},
      {"free", [](W& w) { return absl::StrCat(w.semaphore.available()); }},
      {"count", [](W& w) { return absl::StrCat(w.whole->count()); }},
      {"Acquire",
       [](W& w) { return w.waiter.Ask([&w] { return w.semaphore.Acquire(2); }, W::Take); }},
      {"Poll", [](W& w) { return w.waiter.Poll(W::Take); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
           | Try       | Split           | Merge           | End                | EndPart
  - -      | yes > 2 - |                 |                 |                    |
  2 -      | no        | done > 1 1      |                 | done > - -         |
  1 1      | no        |                 | done > 2 -      | done > - 1         | done > 1 -
  1 -      | no        | done > 0 1      |                 | done > - -         |
  0 1      | no        |                 | done > 1 -      | done > - 1         | done > 0 -
  0 -      | yes > 2 - |                 |                 | done > - -         |
  - 1      | no        |                 |                 |                    | done > - -
  2 - w    | no        | done > 1 1 w    |                 | done+wake > - - w! |
  1 1 w    | no        |                 | done > 2 - w    | done > - 1 w       | done > 1 - w
  1 - w    | no        | done > ...      |                 | done+wake > - - w! |
  - 1 w    | no        |                 |                 |                    | done+wake > - - w!
  - - w!   | no        |                 |                 |                    |
  0 1 of 1 | no        |                 | done > 1 - of 1 | done > - 1 of 1    | done > 0 - of 1
  1 - of 1 | no        | done > 0 1 of 1 |                 | done > - - of 1    |
  0 - of 1 | no        |                 |                 | done > - - of 1    |
  - 1 of 1 | no        |                 |                 |                    | done > - - of 1
  - - of 1 | no        |                 |                 |                    |
  0 - of 0 | no        |                 |                 | done > - - of 0    |
  - - of 0 | no        |                 |                 |                    |

           | free | count | Forget          | Acquire       | Poll        | Drop
  - -      | 2    |       |                 | ready         |             |
  2 -      | 0    | 2     | done > 0 - of 0 | waits > 2 - w |             |
  1 1      | 0    | 1     | done > 0 1 of 1 | waits > 1 1 w |             |
  1 -      | 1    | 1     | done > 0 - of 1 | waits > 1 - w |             |
  0 1      | 1    | 0     | done            | waits > ...   |             |
  0 -      | 2    | 0     | done            | ready         |             |
  - 1      | 1    |       |                 | waits > - 1 w |             |
  2 - w    | 0    | 2     | done > ...      | waits         | waits       | done > 2 -
  1 1 w    | 0    | 1     | done > ...      | waits         | waits       | done > 1 1
  1 - w    | 1    | 1     | done > ...      | waits         | waits       | done > 1 -
  - 1 w    | 1    |       |                 | waits         | waits       | done > - 1
  - - w!   | 0    |       |                 | waits         | ready > - - | done > - -
  0 1 of 1 | 0    | 0     | done            | waits > ...   |             |
  1 - of 1 | 0    | 1     | done > 0 - of 0 | waits > ...   |             |
  0 - of 1 | 1    | 0     | done            | waits > ...   |             |
  - 1 of 1 | 0    |       |                 | waits > ...   |             |
  - - of 1 | 1    |       |                 | waits > ...   |             |
  0 - of 0 | 0    | 0     | done            | waits > ...   |             |
  - - of 0 | 0    |       |                 | waits > ...   |             |
  )",
               operations);
}

}  // namespace
}  // namespace home
