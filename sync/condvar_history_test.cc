// Random histories of Condvar with its Mutex, with waits that are given up and tasks that are
// aborted, against a specification: see history_testing.h.

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/sync/condvar.h"
#include "home/sync/history_testing.h"
#include "home/sync/mutex.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 4;

enum class CondvarKind { kLock, kUnlock, kWait, kNotifyOne, kNotifyAll };

// Each owner of the lock writes a number. The argument of what unlocks is that number, the result
// of what locks the one that it finds.
struct CondvarSpec : NumberSpec<CondvarSpec, CondvarKind> {
  using Ids = std::vector<std::size_t>;

  static int Acts(const Op& op) {
    switch (op.call.kind) {
      case Kind::kLock:
        return op.end == End::kReturned ? 1 : 0;
      case Kind::kWait:
        // Unlocks and waits; has locked again, or gives up.
        return op.end == End::kPending ? 1 : 2;
      default:
        return 1;
    }
  }
  static bool AsksFirst(const Op& op) { return op.call.kind == Kind::kWait; }
  bool Act(std::size_t id, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kLock:
        return Lock(op);
      case Kind::kUnlock:
        Unlock(op);
        return true;
      case Kind::kWait:
        if (n == 0) {
          Unlock(op);
          waiting.push_back(id);
          return true;
        }
        if (op.end == End::kReturned) return Erase(notified, id) && Lock(op);
        // What it was told goes on to the next.
        if (Erase(notified, id)) {
          NotifyOne();
          return true;
        }
        return Erase(waiting, id);
      case Kind::kNotifyOne:
        NotifyOne();
        return true;
      case Kind::kNotifyAll:
        while (!waiting.empty()) NotifyOne();
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t id, const Op& op) const {
    if (op.call.kind == Kind::kLock) return locked;
    return std::find(waiting.begin(), waiting.end(), id) != waiting.end();
  }

  static constexpr const char* kNames[] = {"lock", "unlock", "wait", "notify one", "notify all"};
  auto State() const { return std::tie(locked, value, waiting, notified); }

  bool Lock(const Op& op) {
    if (locked || op.result != value) return false;
    locked = true;
    return true;
  }
  void Unlock(const Op& op) {
    locked = false;
    value = op.call.argument;
  }
  void NotifyOne() {
    if (waiting.empty()) return;
    notified.push_back(waiting.front());
    waiting.erase(waiting.begin());
  }
  static bool Erase(Ids& ids, std::size_t id) {
    const auto place = std::find(ids.begin(), ids.end(), id);
    if (place == ids.end()) return false;
    ids.erase(place);
    return true;
  }

  bool locked = false;
  int value = 0;
  Ids waiting;
  Ids notified;
};

struct Monitor {
  Mutex<int> mutex;
  Condvar condvar;
};

template <typename MonitorType>
void NotifySome(History<CondvarSpec>* history, MonitorType* monitor) {
  const bool all = Draw(3) == 0;
  RecordNow(history, {.kind = all ? CondvarKind::kNotifyAll : CondvarKind::kNotifyOne}, [=] {
    all ? monitor->condvar.NotifyAll() : monitor->condvar.NotifyOne();
    return 0;
  });
}

template <typename MonitorType>
Async<void> UseMonitor(History<CondvarSpec>* history, MonitorType* monitor, int index) {
  const auto value_of = [](const MutexGuard<int>& guard) { return *guard; };
  for (int round = 1; round <= kRounds; ++round) {
    if (Draw(3) == 0) NotifySome(history, monitor);
    auto locked =
        co_await Record(history, {.kind = CondvarKind::kLock}, monitor->mutex.Lock(), value_of);
    // Has it, writes, and waits up to twice.
    for (int part = 0; locked && part < 3; ++part) {
      const int number = 100 * round + 10 * part + index;
      const int before = **locked;
      Held<CondvarSpec, MutexGuard<int>> held(history, *std::move(locked),
                                              {.kind = CondvarKind::kUnlock, .argument = before});
      locked.reset();
      co_await Turns(Draw(3));
      *held.guard() = number;
      held.set_end({.kind = CondvarKind::kUnlock, .argument = number});
      if (Draw(3) == 0) NotifySome(history, monitor);
      if (part == 2 || Draw(2) == 0) break;
      locked = co_await Record(history, {.kind = CondvarKind::kWait, .argument = number},
                               monitor->condvar.Wait(held.Take()), value_of);
    }
    co_await Turns(Draw(2));
  }
}

TEST(CondvarHistoryTest, Condvar) {
  EXPECT_TRUE(AgreesUnderEverySeed<CondvarSpec>([](CondvarSpec&) { return Monitor(); },
                                                UseMonitor<Monitor>));
}

// Who gives up while it waits is notified all the same.
class ForgetfulCondvar {
 public:
  auto Wait(MutexGuard<int> guard) { return given_up_.Keep(condvar_.Wait(std::move(guard))); }
  void NotifyOne() { condvar_.NotifyOne(); }
  void NotifyAll() { condvar_.NotifyAll(); }

 private:
  Condvar condvar_;
  GivenUp given_up_;
};
struct ForgetfulMonitor {
  Mutex<int> mutex;
  ForgetfulCondvar condvar;
};

TEST(CondvarHistoryMutationTest, ANotificationThatIsLostIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CondvarSpec>([](CondvarSpec&) { return ForgetfulMonitor(); },
                                                  UseMonitor<ForgetfulMonitor>));
}

}  // namespace
}  // namespace home::sync_testing
