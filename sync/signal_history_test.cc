// Random histories of Notify, AutoResetEvent, Event, Barrier and WaitGroup, with waits that are
// given up and tasks that are aborted, against specifications: see history_testing.h.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/simulation_testing.h"
#include "home/sync/barrier.h"
#include "home/sync/event.h"
#include "home/sync/history_testing.h"
#include "home/sync/line_testing.h"
#include "home/sync/notify.h"
#include "home/sync/wait_group.h"
#include "home/tools/history/history.h"

namespace home {
namespace {

using history::End;
using history::History;
using history::Operation;
using sync_testing::DescribeOp;
using sync_testing::Draw;
using sync_testing::Held;
using sync_testing::Line;
using sync_testing::Record;
using sync_testing::RecordNow;
using sync_testing::RunAndCheck;
using sync_testing::Turns;
using testing::PassesUnderEverySeed;

constexpr int kTasks = 4;
constexpr int kRounds = 5;

// -- Notify, AutoResetEvent, Event ----------------------------------------------------------

// A flag for which one waits. `kUsedUp`: who has waited for it resets it.
template <bool kUsedUp>
struct SignalSpec {
  enum class Kind { kWait, kTryWait, kSet, kRelease, kReset, kLook };
  struct Call {
    Kind kind;
    int argument = 0;
  };
  using Result = int;
  using Op = Operation<Call, Result>;

  struct Stock {
    bool Take(int) {
      const bool was_set = set;
      if (kUsedUp) set = false;
      return was_set;
    }
    void GiveBack(int) {
      if (kUsedUp) set = true;
    }
    static bool Precedes(int, int) { return false; }
    friend bool operator==(const Stock&, const Stock&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Stock& stock) {
      return H::combine(std::move(state), stock.set);
    }
    bool set = false;
  };

  static int Acts(const Op& op) {
    return op.call.kind == Kind::kWait ? Line<Stock>::ActsOfWaiting(op) : 1;
  }
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

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {"wait", "try wait", "set", "release", "reset", "look"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const SignalSpec&, const SignalSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const SignalSpec& spec) {
    return H::combine(std::move(state), spec.line);
  }

  Line<Stock> line;
};

// What the three can do without waiting: the result of `kind`.
int Do(Notify& notify, SignalSpec<true>::Kind kind) {
  using Kind = SignalSpec<true>::Kind;
  if (kind == Kind::kTryWait) return notify.TryWait() ? 1 : 0;
  kind == Kind::kSet ? notify.NotifyOne() : notify.NotifyAll();
  return 0;
}
int Do(AutoResetEvent& event, SignalSpec<true>::Kind kind) {
  kind == SignalSpec<true>::Kind::kSet ? event.Set() : event.Reset();
  return 0;
}
int Do(Event& event, SignalSpec<false>::Kind kind) {
  using Kind = SignalSpec<false>::Kind;
  if (kind == Kind::kLook) return event.IsSet() ? 1 : 0;
  kind == Kind::kSet ? event.Set() : event.Reset();
  return 0;
}

// Waits, or does one of `kinds`.
template <typename Spec, typename Signal>
Async<void> UseSignal(History<Spec>* history, Signal* signal,
                      const std::vector<typename Spec::Kind>* kinds) {
  for (int round = 0; round < kRounds; ++round) {
    const typename Spec::Kind kind =
        (*kinds)[static_cast<std::size_t>(Draw(static_cast<int>(kinds->size())))];
    if (Draw(2) == 0) {
      co_await Record(history, {.kind = Spec::Kind::kWait}, signal->Wait(),
                      [](std::monostate) { return 0; });
    } else {
      RecordNow(history, {.kind = kind}, [=] { return Do(*signal, kind); });
    }
    co_await Turns(Draw(2));
  }
}

template <typename Spec, typename Signal>
void CheckSignal(const std::vector<typename Spec::Kind>& kinds) {
  EXPECT_TRUE(PassesUnderEverySeed([&kinds](Runtime& runtime) {
    runtime.BlockOn([&kinds]() -> Async<void> {
      Signal signal;
      History<Spec> history;
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(UseSignal(&history, &signal, &kinds)));
      co_await RunAndCheck(&history, Spec(), std::move(tasks));
    });
  }));
}

TEST(SignalHistoryTest, Notify) {
  using Spec = SignalSpec<true>;
  CheckSignal<Spec, Notify>({Spec::Kind::kTryWait, Spec::Kind::kSet, Spec::Kind::kRelease});
}
TEST(SignalHistoryTest, AutoResetEvent) {
  using Spec = SignalSpec<true>;
  CheckSignal<Spec, AutoResetEvent>({Spec::Kind::kSet, Spec::Kind::kReset});
}
TEST(SignalHistoryTest, Event) {
  using Spec = SignalSpec<false>;
  CheckSignal<Spec, Event>({Spec::Kind::kSet, Spec::Kind::kReset, Spec::Kind::kLook});
}

// -- WaitGroup ------------------------------------------------------------------------------

struct WaitGroupSpec {
  enum class Kind { kWait, kJoin, kLeave, kSize };
  struct Call {
    Kind kind;
    int argument = 0;
  };
  using Result = int;
  using Op = Operation<Call, Result>;

  struct Stock {
    bool Take(int) const { return members == 0; }
    void GiveBack(int) {}
    static bool Precedes(int, int) { return false; }
    friend bool operator==(const Stock&, const Stock&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Stock& stock) {
      return H::combine(std::move(state), stock.members);
    }
    int members = 0;
  };

  static int Acts(const Op& op) {
    return op.call.kind == Kind::kWait ? Line<Stock>::ActsOfWaiting(op) : 1;
  }
  bool Act(std::size_t id, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kWait:
        return line.ActOfWaiting(id, op, 0, n);
      case Kind::kJoin:
        ++line.stock.members;
        return true;
      case Kind::kLeave:
        --line.stock.members;
        line.Serve();
        return true;
      case Kind::kSize:
        return op.result == line.stock.members;
    }
    return false;
  }
  bool MayWait(std::size_t id, const Op&) const { return line.MayWait(id); }

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {"wait", "join", "leave", "size"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const WaitGroupSpec&, const WaitGroupSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const WaitGroupSpec& spec) {
    return H::combine(std::move(state), spec.line);
  }

  Line<Stock> line;
};

Async<void> UseWaitGroup(History<WaitGroupSpec>* history, WaitGroup* group) {
  using Kind = WaitGroupSpec::Kind;
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(4)) {
      case 0:
        RecordNow(history, {.kind = Kind::kSize}, [=] { return static_cast<int>(group->size()); });
        break;
      case 1:
        co_await Record(history, {.kind = Kind::kWait}, group->Wait(),
                        [](std::monostate) { return 0; });
        break;
      default: {
        std::optional<WaitGroup::Member> member;
        RecordNow(history, {.kind = Kind::kJoin}, [&] {
          member = group->Join();
          return 0;
        });
        const Held<WaitGroupSpec, WaitGroup::Member> held(history, *std::move(member),
                                                          {.kind = Kind::kLeave});
        co_await Turns(Draw(4));
      }
    }
  }
}

TEST(SignalHistoryTest, WaitGroup) {
  EXPECT_TRUE(PassesUnderEverySeed([](Runtime& runtime) {
    runtime.BlockOn([]() -> Async<void> {
      WaitGroup group;
      History<WaitGroupSpec> history;
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(UseWaitGroup(&history, &group)));
      co_await RunAndCheck(&history, WaitGroupSpec(), std::move(tasks));
    });
  }));
}

// -- Barrier --------------------------------------------------------------------------------

struct BarrierSpec {
  struct Call {
    int kind = 0;
    int argument = 0;
  };
  using Result = int;  // whether it leads
  using Op = Operation<Call, Result>;
  using Ids = std::vector<std::size_t>;

  static int Acts(const Op& op) { return op.end == End::kPending ? 1 : 2; }
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

  static std::string Describe(const Op& op) {
    static constexpr const char* kNames[] = {"wait"};
    return DescribeOp(kNames, op);
  }
  friend bool operator==(const BarrierSpec&, const BarrierSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const BarrierSpec& spec) {
    return H::combine(std::move(state), spec.count, spec.waiting, spec.released, spec.leaders);
  }

  static bool Erase(Ids& ids, std::size_t id) {
    const auto place = std::find(ids.begin(), ids.end(), id);
    if (place == ids.end()) return false;
    ids.erase(place);
    return true;
  }

  std::size_t count;
  Ids waiting;
  Ids released;
  Ids leaders;
};

Async<void> UseBarrier(History<BarrierSpec>* history, Barrier* barrier) {
  for (int round = 0; round < kRounds; ++round) {
    co_await Record(history, {}, barrier->Wait(), [](bool leads) { return leads ? 1 : 0; });
    co_await Turns(Draw(3));
  }
}

TEST(SignalHistoryTest, Barrier) {
  EXPECT_TRUE(PassesUnderEverySeed([](Runtime& runtime) {
    runtime.BlockOn([]() -> Async<void> {
      const std::size_t count = static_cast<std::size_t>(Draw(3)) + 1;
      Barrier barrier(count);
      History<BarrierSpec> history;
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(UseBarrier(&history, &barrier)));
      BarrierSpec spec;
      spec.count = count;
      co_await RunAndCheck(&history, std::move(spec), std::move(tasks));
    });
  }));
}

}  // namespace
}  // namespace home
