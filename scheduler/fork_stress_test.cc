// Forked children on several workers: stolen, taken back, dropped and cancelled at any
// moment, and never alive after their parent's scope.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/yield.h"
#include "home/task/fork.h"
#include "home/task/join_handle.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

Runtime MakeRuntime() { return *RuntimeBuilder().WorkerThreads(4).Build(); }

Async<long> Fib(int n) {
  if (n < 2) co_return n;
  auto left = Fork(Fib(n - 1));
  const long right = co_await Fib(n - 2);
  const long left_value = co_await left;
  co_return left_value + right;
}

TEST(ForkStressTest, Fib) {
  Runtime runtime = MakeRuntime();
  for (int i = 0; i < 60; ++i) {
    absl::StatusOr<long> fib = runtime.BlockOn(runtime.Spawn(Fib(16)));
    ASSERT_TRUE(fib.ok());
    ASSERT_EQ(*fib, 987);
  }
}

// The same from a thread that is no worker.
TEST(ForkStressTest, FibOutsideOfTheWorkers) {
  Runtime runtime = MakeRuntime();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(runtime.BlockOn(Fib(12)), 144);
}

// Frames that are there, begun or not, and the most that ever were.
class Frames {
 public:
  class Frame {
   public:
    explicit Frame(Frames& frames) : frames_(&frames) { frames_->Add(); }
    Frame(const Frame& other) : Frame(*other.frames_) {}
    Frame& operator=(const Frame&) = delete;
    ~Frame() { frames_->now_.fetch_sub(1); }

   private:
    Frames* frames_;
  };
  int most() const { return most_.load(); }

 private:
  void Add() {
    const int now = now_.fetch_add(1) + 1;
    int most = most_.load();
    while (most < now && !most_.compare_exchange_weak(most, now)) {
    }
  }

  std::atomic<int> now_{0};
  std::atomic<int> most_{0};
};

Async<int> CountedFib(Frames::Frame frame, int n) {
  if (n < 2) co_return n;
  auto other = Fork(CountedFib(frame, n - 1));
  const int own = co_await CountedFib(frame, n - 2);
  const int others = co_await other;
  co_return own + others;
}

// Memory follows the depth of the tree and not its size, which is 57,313 calls here.
TEST(ForkStressTest, FramesAreAsManyAsTheTreeIsDeep) {
  constexpr int kDepth = 22;
  for (const int workers : {1, 2, 4}) {
    Runtime runtime = *RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(workers)).Build();
    Frames frames;
    const int fib = *runtime.BlockOn(runtime.Spawn(CountedFib(Frames::Frame(frames), kDepth)));
    EXPECT_EQ(fib, 17711);
    // A level has its own frame and its child's; one more is copied from while it is made.
    if (workers == 1) {
      EXPECT_LE(frames.most(), 2 * kDepth + 1);
    }
    // What was stolen is a tree of its own, and so is what a worker takes while its own waits.
    EXPECT_LE(frames.most(), kDepth * kDepth * workers);
  }
}

// Counts who is inside a scope, and sees to it that nobody is when it ends.
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // relaxed: a child's end happens before the end of its scope, or TSan says so.
  ~Scope() { EXPECT_EQ(inside_, 0); }

  class Visit {
   public:
    explicit Visit(Scope& scope) : scope_(&scope) {
      scope_->inside_.fetch_add(1, std::memory_order_relaxed);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { scope_->inside_.fetch_sub(1, std::memory_order_relaxed); }

   private:
    Scope* scope_;
  };

 private:
  std::atomic<int> inside_{0};
};

// xorshift (Marsaglia 2003).
class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761u + 1) {}
  std::uint32_t operator()(std::uint32_t below) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ % below;
  }

 private:
  std::uint32_t state_;
};

// A tree of children that borrow from their parents, wait at random, and are awaited in
// any order, or dropped.
Async<int> Tree(Scope& around, int depth, std::uint32_t seed) {
  const Scope::Visit visit(around);
  Scope own;
  Random random(seed);
  std::vector<Forked<int>> children;
  const std::uint32_t count = depth == 0 ? 0 : 1 + random(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    children.push_back(Fork(Tree(own, depth - 1, seed * 5 + i)));
    if (random(4) == 0) co_await YieldNow();
  }
  int total = 1;
  while (!children.empty()) {
    const bool first = random(2) == 0;
    Forked<int> child = std::move(first ? children.front() : children.back());
    children.erase(first ? children.begin() : children.end() - 1);
    switch (random(4)) {
      case 0:
        co_await YieldNow();
        break;
      case 1: {
        auto sleep = Sleep(absl::Microseconds(random(50)));
        co_await sleep;
        break;
      }
      default:
        break;
    }
    if (random(5) == 0) continue;
    const int below = co_await child;
    total += below;
  }
  co_return total;
}

Async<int> Root(int depth, std::uint32_t seed) {
  Scope scope;
  const int total = co_await Tree(scope, depth, seed);
  co_return total;
}

TEST(ForkStressTest, ChildrenEndWithTheirScope) {
  Runtime runtime = MakeRuntime();
  std::vector<JoinHandle<int>> roots;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) roots.push_back(runtime.Spawn(Root(4, seed)));
  for (JoinHandle<int>& root : roots) {
    absl::StatusOr<int> total = runtime.BlockOn(std::move(root));
    ASSERT_TRUE(total.ok());
    EXPECT_GE(*total, 1);
  }
}

TEST(ForkStressTest, AbortedParentsTakeTheirChildrenAlong) {
  Runtime runtime = MakeRuntime();
  Random random(7);
  for (std::uint32_t round = 0; round < 500; ++round) {
    std::vector<JoinHandle<int>> roots;
    for (std::uint32_t i = 0; i < 4; ++i) roots.push_back(runtime.Spawn(Root(4, 100 * round + i)));
    for (std::uint32_t spin = random(2000); spin > 0; --spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    for (JoinHandle<int>& root : roots) root.Abort();
    for (JoinHandle<int>& root : roots) static_cast<void>(runtime.BlockOn(std::move(root)));
  }
}

TEST(ForkStressTest, ARuntimeEndsUnderForks) {
  for (std::uint32_t round = 0; round < 50; ++round) {
    Runtime runtime = MakeRuntime();
    for (std::uint32_t i = 0; i < 4; ++i) runtime.Spawn(Root(4, 100 * round + i)).Detach();
  }
}

}  // namespace
}  // namespace home
