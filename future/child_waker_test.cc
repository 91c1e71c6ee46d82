// The wakers of a set's children, used in the worst ways: kept too long, from
// other threads, and calling back.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/atomic_waker.h"
#include "home/future/futures_unordered.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Manual;
using testing::ManualState;

using Set = FuturesUnordered<Manual<int>>;

Poll<std::optional<int>> PollSet(Set& set, const Waker& waker) {
  Context cx(waker);
  return set.PollNext(cx);
}

TEST(ChildWakerTest, OutlivesItsFuture) {
  CountingWaker counter;
  const Waker waker = counter.Make();
  ManualState states[2];
  Set set;
  set.Push(Manual<int>(&states[0], 0));
  set.Push(Manual<int>(&states[1], 1));
  EXPECT_TRUE(PollSet(set, waker).pending());
  const Waker kept = states[0].waker.Clone();
  states[0].Set();
  EXPECT_EQ(**PollSet(set, waker), 0);
  const int wakes = counter.wakes();
  kept.WakeByRef();
  EXPECT_EQ(counter.wakes(), wakes);
  EXPECT_TRUE(PollSet(set, waker).pending());
  EXPECT_EQ(states[1].polls, 1);
}

// The node of a finished child may still be on the ready list.
TEST(ChildWakerTest, IsWokenWhileItsFutureEnds) {
  CountingWaker counter;
  const Waker waker = counter.Make();
  class WakesItselfAndEnds {
   public:
    using Output = int;
    explicit WakesItselfAndEnds(Waker* kept) : kept_(kept) {}
    home::Poll<int> Poll(Context& cx) {
      *kept_ = cx.waker().Clone();
      cx.waker().WakeByRef();
      return 1;
    }

   private:
    Waker* kept_;
  };
  Waker kept;
  FuturesUnordered<WakesItselfAndEnds> set;
  set.Push(WakesItselfAndEnds(&kept));
  Context cx(waker);
  EXPECT_EQ(**set.PollNext(cx), 1);
  kept.WakeByRef();
  EXPECT_EQ(*set.PollNext(cx), std::nullopt);
  set.Push(WakesItselfAndEnds(&kept));
  EXPECT_EQ(**set.PollNext(cx), 1);
}

TEST(ChildWakerTest, OutlivesTheSet) {
  CountingWaker counter;
  ManualState states[3];
  Waker kept[3];
  {
    const Waker waker = counter.Make();
    Set set;
    for (ManualState& state : states) set.Push(Manual<int>(&state, 1));
    EXPECT_TRUE(PollSet(set, waker).pending());
    for (int i = 0; i < 3; ++i) kept[i] = states[i].waker.Clone();
    kept[2].WakeByRef();  // on the ready list when the set goes
  }
  EXPECT_EQ(counter.alive(), 0);
  const int wakes = counter.wakes();
  kept[0].WakeByRef();
  const Waker another = kept[0].Clone();
  std::move(kept[0]).Wake();
  std::move(kept[2]).Wake();
  EXPECT_EQ(counter.wakes(), wakes);
  for (ManualState& state : states) state.waker = Waker();
}

TEST(ChildWakerTest, KeepsNoTaskWhenTheSetIsGone) {
  CountingWaker counter;
  ManualState state;
  {
    const Waker waker = counter.Make();
    Set set;
    set.Push(Manual<int>(&state, 1));
    EXPECT_TRUE(PollSet(set, waker).pending());
    EXPECT_EQ(counter.alive(), 2);
  }
  EXPECT_EQ(counter.alive(), 0);
  state.waker.WakeByRef();
  EXPECT_EQ(counter.wakes(), 0);
}

// Calls `attack` from clone, wake and drop, or from wake only.
class Hostile : public WakerTarget {
 public:
  explicit Hostile(std::function<void()> attack, bool only_wakes = false)
      : WakerTarget(&kVTable), attack_(std::move(attack)), only_wakes_(only_wakes) {}
  Waker Make() { return Waker(this); }
  int calls() const { return calls_; }

 private:
  void Attack() {
    ++calls_;
    if (depth_ == 2) return;
    ++depth_;
    attack_();
    --depth_;
  }
  static void Touch(WakerTarget* target) {
    auto* self = static_cast<Hostile*>(target);
    if (!self->only_wakes_) self->Attack();
  }
  static void Wake(WakerTarget* target) { static_cast<Hostile*>(target)->Attack(); }
  static const WakerVTable kVTable;

  const std::function<void()> attack_;
  const bool only_wakes_;
  int calls_ = 0;
  int depth_ = 0;
};
const WakerVTable Hostile::kVTable = {
    .clone =
        [](WakerTarget* target) {
          Touch(target);
          return target;
        },
    .wake = Wake,
    .wake_by_ref = Wake,
    .drop = Touch,
};

// PITFALL 12: the task's waker wakes children from its clone, wake and drop.
TEST(ChildWakerTest, Pitfall12AHostileTaskWakerWakesChildren) {
  ManualState states[3];
  Hostile hostile([&states] {
    for (const ManualState& state : states) state.waker.WakeByRef();
  });
  Hostile other([&states] {
    for (const ManualState& state : states) state.waker.WakeByRef();
  });
  {
    Set set;
    for (ManualState& state : states) set.Push(Manual<int>(&state, 1));
    const Waker waker = hostile.Make();
    const Waker waker2 = other.Make();
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(PollSet(set, waker).pending());
      EXPECT_TRUE(PollSet(set, waker2).pending());
      states[i % 3].waker.WakeByRef();
    }
    states[1].Set();
    EXPECT_EQ(**PollSet(set, waker), 1);
  }
  EXPECT_GT(hostile.calls(), 0);
  EXPECT_GT(other.calls(), 0);
}

// PITFALL 12: the task is polled inside its own wake.
TEST(ChildWakerTest, Pitfall12TheTaskIsPolledInsideItsWake) {
  ManualState states[2];
  Set set;
  for (ManualState& state : states) set.Push(Manual<int>(&state, 1));
  const Waker nothing;
  int values = 0;
  Hostile inline_executor(
      [&] {
        if (PollSet(set, nothing).ready()) ++values;
      },
      /*only_wakes=*/true);
  const Waker waker = inline_executor.Make();
  EXPECT_TRUE(PollSet(set, waker).pending());
  states[0].Set();
  EXPECT_EQ(values, 1);
  EXPECT_EQ(set.size(), 1u);
}

// PITFALL 11: the set is destroyed inside the wake of one of its children.
TEST(ChildWakerTest, Pitfall11TheSetDiesInsideAWake) {
  ManualState state;
  auto set = std::make_unique<Set>();
  set->Push(Manual<int>(&state, 1));
  Hostile executor([&set] { set.reset(); }, /*only_wakes=*/true);
  const Waker waker = executor.Make();
  EXPECT_TRUE(PollSet(*set, waker).pending());
  state.Set();
  EXPECT_EQ(set, nullptr);
  EXPECT_EQ(state.alive, 0);
}

// PITFALL 9: a wake between two polls, or before the task's waker is known, is
// not lost.
TEST(ChildWakerTest, Pitfall9AWakeWithoutATaskIsKept) {
  CountingWaker counter;
  const Waker waker = counter.Make();
  ManualState state;
  Set set;
  set.Push(Manual<int>(&state, 1));
  const Waker nothing;
  EXPECT_TRUE(PollSet(set, nothing).pending());
  state.waker.WakeByRef();  // tells nobody
  EXPECT_TRUE(PollSet(set, waker).pending());
  EXPECT_EQ(state.polls, 2);
  state.Set();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(**PollSet(set, waker), 1);
}

TEST(AtomicWakerTest, WakesTheLastThatWasRegistered) {
  CountingWaker first;
  CountingWaker second;
  {
    AtomicWaker<> cell;
    cell.Wake();
    cell.Register(first.Make());
    cell.Register(second.Make());
    EXPECT_EQ(first.alive(), 0);
    cell.Wake();
    cell.Wake();
    EXPECT_EQ(second.wakes(), 1);
    cell.Register(first.Make());
  }
  EXPECT_EQ(first.wakes(), 0);
  EXPECT_EQ(first.alive(), 0);
  EXPECT_EQ(second.alive(), 0);
  AtomicWaker<> cell;
  EXPECT_FALSE(cell.Take());
  cell.Register(first.Make());
  EXPECT_TRUE(cell.Take());
  cell.Wake();
  EXPECT_EQ(first.wakes(), 0);
}

// PITFALL 12: it is woken while it is registered, by the waker itself.
TEST(AtomicWakerTest, Pitfall12AHostileWaker) {
  AtomicWaker<> cell;
  Hostile hostile([&cell] { cell.Wake(); });
  for (int i = 0; i < 3; ++i) cell.Register(hostile.Make());
  cell.Wake();
  EXPECT_GT(hostile.calls(), 0);
}

// A leaf that other threads complete.
struct SharedState {
  std::mutex mutex;
  bool ready = false;
  Waker waker;

  void Set() {
    Waker woken;
    {
      const std::lock_guard lock(mutex);
      ready = true;
      woken = std::move(waker);
    }
    std::move(woken).Wake();
  }
};
class SharedLeaf {
 public:
  using Output = int;
  explicit SharedLeaf(std::shared_ptr<SharedState> state) : state_(std::move(state)) {}
  home::Poll<int> Poll(Context& cx) {
    Waker fresh = cx.waker().Clone();
    const std::lock_guard lock(state_->mutex);
    if (state_->ready) return 1;
    std::swap(state_->waker, fresh);
    return kPending;
  }

 private:
  std::shared_ptr<SharedState> state_;
};

// An executor for one thread: spins until it is woken. (std::atomic's wait() loses wake-ups
// where g++ 12 has no futex for it, as on Windows.)
class FlagWaker : public WakerTarget {
 public:
  FlagWaker() : WakerTarget(&kVTable) {}
  Waker Make() { return Waker(this); }
  void AwaitWake() {
    while (!woken_.exchange(false, std::memory_order_acquire)) std::this_thread::yield();
  }

 private:
  static void Wake(WakerTarget* target) {
    auto* self = static_cast<FlagWaker*>(target);
    self->woken_.store(true, std::memory_order_release);
  }
  static const WakerVTable kVTable;
  std::atomic<bool> woken_{false};
};
const WakerVTable FlagWaker::kVTable = {
    .clone = [](WakerTarget* target) { return target; },
    .wake = FlagWaker::Wake,
    .wake_by_ref = FlagWaker::Wake,
    .drop = [](WakerTarget*) {},
};

TEST(ChildWakerStressTest, WakesFromOtherThreadsAreNotLost) {
  constexpr int kRounds = 300;
  constexpr int kChildren = 32;
  constexpr int kThreads = 2;
  FlagWaker executor;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::shared_ptr<SharedState>> states;
    FuturesUnordered<SharedLeaf> set;
    for (int i = 0; i < kChildren; ++i) {
      states.push_back(std::make_shared<SharedState>());
      set.Push(SharedLeaf(states.back()));
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&states, t] {
        for (int i = t; i < kChildren; i += kThreads) states[i]->Set();
      });
    }
    const Waker waker = executor.Make();
    Context cx(waker);
    int values = 0;
    while (values < kChildren) {
      auto next = set.PollNext(cx);
      if (next.ready()) {
        ++values;
      } else {
        executor.AwaitWake();
      }
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(set.empty());
  }
}

TEST(ChildWakerStressTest, TheSetGoesWhileOthersWake) {
  constexpr int kRounds = 500;
  constexpr int kChildren = 16;
  FlagWaker executor;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::shared_ptr<SharedState>> states;
    auto set = std::make_unique<FuturesUnordered<SharedLeaf>>();
    for (int i = 0; i < kChildren; ++i) {
      states.push_back(std::make_shared<SharedState>());
      set->Push(SharedLeaf(states.back()));
    }
    const Waker waker = executor.Make();
    Context cx(waker);
    EXPECT_TRUE(set->PollNext(cx).pending());
    std::thread thread([&states] {
      for (const auto& state : states) state->Set();
    });
    for (int i = 0; i < round % 8; ++i) static_cast<void>(set->PollNext(cx));
    set.reset();
    thread.join();
  }
}

}  // namespace
}  // namespace home
