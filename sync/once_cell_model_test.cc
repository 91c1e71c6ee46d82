// OnceCell under the model checker: making, waiting for one who makes, giving up, putting a value
// in and looking at it. Once and LazyCell are made of it.

#include <atomic>

#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/map.h"
#include "home/future/poll.h"
#include "home/sync/model_testing.h"
#include "home/sync/once_cell.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::WithPreemptions;
using std::memory_order_acquire;
using std::memory_order_release;
using sync_testing::LockScenario;
using sync_testing::ModelSyncPolicy;

// A value that is watched: who reads it unordered with its making is found.
class Made {
 public:
  explicit Made(int number) : number_(number) {}
  Made(Made&& other) noexcept : number_(static_cast<int>(other.number_)) {}
  Made& operator=(Made&&) = delete;
  ~Made() = default;
  [[nodiscard]] int number() const { return number_; }

 private:
  model::Data<int> number_;
};

template <int kThreadCount>
struct Scenario : LockScenario<kThreadCount> {
  void Get(int thread) {
    auto get = Map(cell.GetOrInit([this, thread] { return Make(thread); }),
                   [](const Made& made) { return &made; });
    ExpectMade(*this->tasks[thread].Run(get));
  }
  Made Make(int number) {
    this->Count();
    return Made(number + 1);
  }
  void ExpectMade(const Made& got) {
    model::Expect(got.number() != 0 && got.number() == cell.Get()->number(), "the one value");
  }

  OnceCell<Made, ModelSyncPolicy> cell;
};

// One makes it, and others get that.
template <int kThreads>
struct OneMakes : Scenario<kThreads> {
  void Thread(int index) { this->Get(index); }
  void After() {
    this->ExpectCounted(1);
    Scenario<kThreads>::After();
  }
};
// One makes it; another sees it, or not.
struct Looked : Scenario<2> {
  void Thread(int index) {
    if (index == 0) return Get(0);
    if (const Made* const there = cell.Get()) model::Expect(there->number() == 1, "the value");
  }
};
// Is pending once, and makes the value at the next poll.
class Slowly {
 public:
  using Output = Made;
  home::Poll<Made> Poll(Context&) {
    if (!polled_) {
      polled_ = true;
      return kPending;
    }
    return Made(1);
  }

 private:
  bool polled_ = false;
};
// One gives up what it makes; somebody else makes it.
struct Cancelled : Scenario<3> {
  void Thread(int index) {
    if (index != 0) return Get(index);
    auto get = cell.GetOrInit([] { return Slowly(); });
    if (auto polled = tasks[0].PollOnce(get); polled.ready()) ExpectMade(*polled);
  }
  void After() {
    ExpectCounted(1);
    Scenario::After();
  }
};
// One puts a value in, if it is not there and nobody makes it.
struct Set : Scenario<3> {
  void Thread(int index) {
    if (index == 0) {
      was_set = cell.Set(Made(9));
    } else {
      Get(index);
    }
  }
  void After() {
    ExpectCounted(was_set ? 0 : 1);
    Scenario::After();
  }
  bool was_set = false;  // plain: all threads of the checker are one
};

TEST(OnceCellModelTest, OneMakes) { CheckWithPreemptions<OneMakes<2>>(2); }
TEST(OnceCellModelTest, OneOfThreeMakes) { CheckRandomly<OneMakes<3>>(20'000); }
TEST(OnceCellModelTest, Looked) { CheckWithPreemptions<Looked>(2); }
TEST(OnceCellModelTest, Cancelled) { CheckRandomly<Cancelled>(20'000); }
TEST(OnceCellModelTest, Set) { CheckRandomly<Set>(20'000); }

// -- Mutations ------------------------------------------------------------------------------

TEST(OnceCellMutationTest, MakingNeedsRelease) {
  ExpectFound<Looked>(WithPreemptions(2),
                      {.function = "Make", .access = Access::kStore, .from = memory_order_release});
}
TEST(OnceCellMutationTest, LookingNeedsAcquire) {
  ExpectFound<Looked>(WithPreemptions(2),
                      {.function = "IsSet", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home
