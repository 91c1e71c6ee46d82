// Random histories of Notify, AutoResetEvent, Event, WaitGroup, Latch and Barrier, with waits that
// are given up and tasks that are aborted, against specifications: see history_testing.h.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/sync/barrier.h"
#include "home/sync/event.h"
#include "home/sync/history_testing.h"
#include "home/sync/latch.h"
#include "home/sync/line_testing.h"
#include "home/sync/notify.h"
#include "home/sync/wait_group.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 5;

// -- Notify, AutoResetEvent, Event ----------------------------------------------------------

enum class SignalKind { kWait, kTryWait, kSet, kSetLast, kRelease, kReset, kLook };

// A flag for which one waits. `kUsedUp`: who has waited for it resets it.
template <bool kUsedUp>
struct SignalSpec : NumberSpec<SignalSpec<kUsedUp>, SignalKind> {
  using Kind = SignalKind;
  using Op = typename NumberSpec<SignalSpec, SignalKind>::Op;

  struct Stock : Compared<Stock> {
    bool Take(int) {
      const bool was_set = set;
      if (kUsedUp) set = false;
      return was_set;
    }
    void GiveBack(int) {
      if (kUsedUp) set = true;
    }
    static bool Precedes(int, int) { return false; }
    auto State() const { return std::tie(set); }
    bool set = false;
  };

  static int Acts(const Op& op) { return AsksFirst(op) ? Line<Stock>::ActsOfWaiting(op) : 1; }
  static bool AsksFirst(const Op& op) { return op.call.kind == Kind::kWait; }
  bool Act(std::size_t id, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kWait:
        return line.ActOfWaiting(id, op, 0, n);
      case Kind::kTryWait:
        return op.result == (line.Try(0) ? 1 : 0);
      case Kind::kSet:
        line.stock.set = true;
        line.Serve();
        return true;
      case Kind::kSetLast:
        line.stock.set = true;
        line.ServeLast();
        return true;
      case Kind::kRelease:
        line.Release();
        return true;
      case Kind::kReset:
        line.stock.set = false;
        return true;
      case Kind::kLook:
        return op.result == (line.stock.set ? 1 : 0);
    }
    return false;
  }
  bool MayWait(std::size_t id, const Op&) const { return line.MayWait(id); }

  static constexpr const char* kNames[] = {"wait",    "try wait", "set", "set last",
                                           "release", "reset",    "look"};
  auto State() const { return std::tie(line); }

  Line<Stock> line;
};

// Who gives up while it waits is told all the same.
class ForgetfulNotify {
 public:
  auto Wait() { return given_up_.Keep(notify_.Wait()); }
  operator Notify&() { return notify_; }  // NOLINT: all else is as it should be.

 private:
  Notify notify_;
  GivenUp given_up_;
};

// Whoever came last is told first.
class UnfairNotify {
 public:
  class WaitFuture {
   public:
    using Output = void;

    explicit WaitFuture(UnfairNotify* notify) : notify_(notify) {}
    WaitFuture(WaitFuture&& other) noexcept : notify_(other.notify_) {}
    WaitFuture& operator=(WaitFuture&&) = delete;
    ~WaitFuture() {
      std::erase(notify_->waiting_, this);
      if (told_) notify_->NotifyOne();
    }

    home::Poll<void> Poll(Context& cx) {
      std::erase(notify_->waiting_, this);
      if (std::exchange(told_, false) || std::exchange(notify_->kept_, false)) return kReady;
      waker_ = cx.waker().Clone();
      notify_->waiting_.push_back(this);
      return kPending;
    }

   private:
    friend class UnfairNotify;
    UnfairNotify* notify_;
    Waker waker_;
    bool told_ = false;
  };

  WaitFuture Wait() { return WaitFuture(this); }
  void NotifyOne() {
    if (waiting_.empty()) {
      kept_ = true;
      return;
    }
    WaitFuture* const last = waiting_.back();
    waiting_.pop_back();
    last->told_ = true;
    std::move(last->waker_).Wake();
  }

 private:
  std::vector<WaitFuture*> waiting_;
  bool kept_ = false;
};

// Tells the first when it should tell the last.
class OrderlyNotify {
 public:
  auto Wait() { return notify_.Wait(); }
  void NotifyLast() { notify_.NotifyOne(); }

 private:
  Notify notify_;
};

// What the three can do without waiting: the result of `kind`.
int Do(Notify& notify, SignalKind kind) {
  if (kind == SignalKind::kTryWait) return notify.TryWait() ? 1 : 0;
  if (kind == SignalKind::kSet) notify.NotifyOne();
  if (kind == SignalKind::kSetLast) notify.NotifyLast();
  if (kind == SignalKind::kRelease) notify.NotifyAll();
  return 0;
}
int Do(UnfairNotify& notify, SignalKind) {
  notify.NotifyOne();
  return 0;
}
int Do(OrderlyNotify& notify, SignalKind) {
  notify.NotifyLast();
  return 0;
}
int Do(AutoResetEvent& event, SignalKind kind) {
  kind == SignalKind::kSet ? event.Set() : event.Reset();
  return 0;
}
int Do(Event& event, SignalKind kind) {
  if (kind == SignalKind::kLook) return event.IsSet() ? 1 : 0;
  kind == SignalKind::kSet ? event.Set() : event.Reset();
  return 0;
}

// Waits, or does one of `kinds`.
template <typename Spec, typename Signal>
Async<void> UseSignal(History<Spec>* history, Signal* signal,
                      const std::vector<SignalKind>* kinds) {
  for (int round = 0; round < kRounds; ++round) {
    const SignalKind kind =
        (*kinds)[static_cast<std::size_t>(Draw(static_cast<int>(kinds->size())))];
    if (Draw(2) == 0) {
      co_await Record(history, {.kind = SignalKind::kWait}, signal->Wait(),
                      [](std::monostate) { return 0; });
    } else {
      RecordNow(history, {.kind = kind}, [=] { return Do(*signal, kind); });
    }
    co_await Turns(Draw(2));
  }
}

template <typename Signal>
constexpr auto kMakeSignal = [](const auto&) { return Signal(); };
// By a task that does `kinds` besides waiting.
template <typename Spec, typename Signal>
auto SignalUser(std::vector<SignalKind> kinds) {
  return [kinds = std::move(kinds)](History<Spec>* history, Signal* signal, int) {
    return UseSignal(history, signal, &kinds);
  };
}
template <typename Spec, typename Signal>
void CheckSignal(std::vector<SignalKind> kinds) {
  EXPECT_TRUE(
      AgreesUnderEverySeed<Spec>(kMakeSignal<Signal>, SignalUser<Spec, Signal>(std::move(kinds))));
}
template <typename Spec, typename Signal>
void ExpectFault(std::vector<SignalKind> kinds) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<Spec>(kMakeSignal<Signal>,
                                           SignalUser<Spec, Signal>(std::move(kinds))));
}

TEST(SignalHistoryTest, Notify) {
  CheckSignal<SignalSpec<true>, Notify>(
      {SignalKind::kTryWait, SignalKind::kSet, SignalKind::kSetLast, SignalKind::kRelease});
}
TEST(SignalHistoryTest, AutoResetEvent) {
  CheckSignal<SignalSpec<true>, AutoResetEvent>({SignalKind::kSet, SignalKind::kReset});
}
TEST(SignalHistoryTest, Event) {
  CheckSignal<SignalSpec<false>, Event>({SignalKind::kSet, SignalKind::kReset, SignalKind::kLook});
}

TEST(SignalHistoryMutationTest, ANotificationThatIsLostIsFound) {
  ExpectFault<SignalSpec<true>, ForgetfulNotify>({SignalKind::kSet});
}
TEST(SignalHistoryMutationTest, ANotificationOfTheLastIsFound) {
  ExpectFault<SignalSpec<true>, UnfairNotify>({SignalKind::kSet});
}
TEST(SignalHistoryMutationTest, ANotificationOfTheFirstIsFound) {
  ExpectFault<SignalSpec<true>, OrderlyNotify>({SignalKind::kSetLast});
}
TEST(SignalHistoryMutationTest, AnEventThatNoWaitResetsIsFound) {
  ExpectFault<SignalSpec<true>, Event>({SignalKind::kSet, SignalKind::kReset});
}
TEST(SignalHistoryMutationTest, AnEventThatWakesOneAloneIsFound) {
  ExpectFault<SignalSpec<false>, AutoResetEvent>({SignalKind::kSet, SignalKind::kReset});
}

// -- WaitGroup, Latch -----------------------------------------------------------------------

enum class CountKind { kWait, kUp, kDown, kSize, kIsZero };

// A count, and those who wait until it is zero.
struct CountSpec : NumberSpec<CountSpec, CountKind> {
  struct Stock : Compared<Stock> {
    bool Take(int) const { return count == 0; }
    void GiveBack(int) {}
    static bool Precedes(int, int) { return false; }
    auto State() const { return std::tie(count); }
    int count = 0;
  };

  static int Acts(const Op& op) { return AsksFirst(op) ? Line<Stock>::ActsOfWaiting(op) : 1; }
  static bool AsksFirst(const Op& op) { return op.call.kind == Kind::kWait; }
  bool Act(std::size_t id, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kWait:
        return line.ActOfWaiting(id, op, 0, n);
      case Kind::kUp:
        ++line.stock.count;
        return true;
      case Kind::kDown:
        --line.stock.count;
        line.Serve();
        return true;
      case Kind::kSize:
        return op.result == line.stock.count;
      case Kind::kIsZero:
        return op.result == (line.stock.count == 0 ? 1 : 0);
    }
    return false;
  }
  bool MayWait(std::size_t id, const Op&) const { return line.MayWait(id); }

  static constexpr const char* kNames[] = {"wait", "up", "down", "size", "is zero"};
  auto State() const { return std::tie(line); }

  Line<Stock> line;
};

template <typename Group>
Async<void> UseWaitGroup(History<CountSpec>* history, Group* group, int) {
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(4)) {
      case 0:
        RecordNow(history, {.kind = CountKind::kSize},
                  [=] { return static_cast<int>(group->size()); });
        break;
      case 1:
        co_await Record(history, {.kind = CountKind::kWait}, group->Wait(),
                        [](std::monostate) { return 0; });
        break;
      default: {
        std::optional<WaitGroup::Member> member;
        RecordNow(history, {.kind = CountKind::kUp}, [&] {
          member = group->Join();
          return 0;
        });
        const Held<CountSpec, WaitGroup::Member> held(history, *std::move(member),
                                                      {.kind = CountKind::kDown});
        co_await Turns(Draw(4));
      }
    }
  }
}

TEST(SignalHistoryTest, WaitGroup) {
  EXPECT_TRUE(AgreesUnderEverySeed<CountSpec>([](CountSpec&) { return WaitGroup(); },
                                              UseWaitGroup<WaitGroup>));
}

// One is never counted off.
class EndlessGroup {
 public:
  std::size_t size() const { return group_.size() - 1; }
  WaitGroup::Member Join() { return group_.Join(); }
  auto Wait() { return group_.Wait(); }

 private:
  WaitGroup group_;
  WaitGroup::Member member_ = group_.Join();
};

TEST(SignalHistoryMutationTest, AGroupThatNeverEndsIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CountSpec>([](CountSpec&) { return EndlessGroup(); },
                                                UseWaitGroup<EndlessGroup>));
}

template <typename LatchType>
struct Counted {
  explicit Counted(int count) : latch(static_cast<std::size_t>(count)), left(count) {}
  LatchType latch;
  int left;  // how often it may be counted down still
};

template <typename LatchType>
Async<void> UseLatch(History<CountSpec>* history, Counted<LatchType>* counted, int) {
  LatchType* const latch = &counted->latch;
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(4)) {
      case 0:
        RecordNow(history, {.kind = CountKind::kIsZero}, [=] { return latch->IsOpen() ? 1 : 0; });
        break;
      case 1:
        if (counted->left == 0) break;
        --counted->left;
        RecordNow(history, {.kind = CountKind::kDown}, [=] {
          latch->CountDown();
          return 0;
        });
        break;
      default:
        co_await Record(history, {.kind = CountKind::kWait}, latch->Wait(),
                        [](std::monostate) { return 0; });
    }
    co_await Turns(Draw(3));
  }
}

TEST(SignalHistoryTest, Latch) {
  EXPECT_TRUE(AgreesUnderEverySeed<CountSpec>(
      [](CountSpec& spec) {
        spec.line.stock.count = Draw(4);
        return Counted<Latch>(spec.line.stock.count);
      },
      UseLatch<Latch>));
}

// Wakes nobody.
class SleepingLatch {
 public:
  explicit SleepingLatch(std::size_t count) : latch_(count) {}
  void CountDown() { latch_.CountDown(); }
  bool IsOpen() const { return latch_.IsOpen(); }
  auto Wait() { return latch_.IsOpen() ? latch_.Wait() : never_.Wait(); }

 private:
  Latch latch_;
  Latch never_{1};
};

TEST(SignalHistoryMutationTest, ALatchThatOpensTooEarlyIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CountSpec>(
      [](CountSpec& spec) {
        spec.line.stock.count = 3;
        return Counted<Latch>(2);
      },
      UseLatch<Latch>));
}
TEST(SignalHistoryMutationTest, ALatchThatWakesNobodyIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CountSpec>(
      [](CountSpec& spec) {
        spec.line.stock.count = 2;
        return Counted<SleepingLatch>(2);
      },
      UseLatch<SleepingLatch>));
}

// -- Barrier --------------------------------------------------------------------------------

enum class BarrierKind { kWait };

// The result is whether it leads.
struct BarrierSpec : NumberSpec<BarrierSpec, BarrierKind> {
  using Ids = std::vector<std::size_t>;

  static int Acts(const Op& op) { return op.end == End::kPending ? 1 : 2; }
  static bool AsksFirst(const Op&) { return true; }
  bool Act(std::size_t id, const Op& op, int n) {
    if (n == 0) {
      waiting.push_back(id);
      if (waiting.size() == count) {
        leaders.push_back(id);
        released.insert(released.end(), waiting.begin(), waiting.end());
        waiting.clear();
      }
      return true;
    }
    const bool leads = Erase(leaders, id);
    if (op.end == End::kCancelled) return Erase(waiting, id) || Erase(released, id);
    return Erase(released, id) && op.result == (leads ? 1 : 0);
  }
  bool MayWait(std::size_t id, const Op&) const {
    return std::find(waiting.begin(), waiting.end(), id) != waiting.end();
  }

  static constexpr const char* kNames[] = {"wait"};
  auto State() const { return std::tie(count, waiting, released, leaders); }

  static bool Erase(Ids& ids, std::size_t id) {
    const auto place = std::find(ids.begin(), ids.end(), id);
    if (place == ids.end()) return false;
    ids.erase(place);
    return true;
  }

  std::size_t count = 0;
  Ids waiting;
  Ids released;
  Ids leaders;
};

template <typename BarrierType>
Async<void> UseBarrier(History<BarrierSpec>* history, BarrierType* barrier, int) {
  for (int round = 0; round < kRounds; ++round) {
    co_await Record(history, {}, barrier->Wait(), [](bool leads) { return leads ? 1 : 0; });
    co_await Turns(Draw(3));
  }
}

TEST(SignalHistoryTest, Barrier) {
  EXPECT_TRUE(AgreesUnderEverySeed<BarrierSpec>(
      [](BarrierSpec& spec) {
        spec.count = static_cast<std::size_t>(Draw(3)) + 1;
        return Barrier(spec.count);
      },
      UseBarrier<Barrier>));
}

// Who gives up has arrived all the same.
class HastyBarrier {
 public:
  explicit HastyBarrier(std::size_t count) : barrier_(count) {}
  auto Wait() { return given_up_.Keep(barrier_.Wait()); }

 private:
  Barrier barrier_;
  GivenUp given_up_;
};

TEST(SignalHistoryMutationTest, ABarrierThatOpensTooEarlyIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<BarrierSpec>(
      [](BarrierSpec& spec) {
        spec.count = 3;
        return HastyBarrier(3);
      },
      UseBarrier<HastyBarrier>));
}

}  // namespace
}  // namespace home::sync_testing
