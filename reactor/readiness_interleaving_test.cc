// All interleavings of small scenarios of the readiness word, one atomic
// operation at a time, under sequential consistency. (What the memory orders
// must give beyond that is for the stress test under ThreadSanitizer.)
//
// Each party is a fiber. The word's atomics hand control back before every
// operation and again after every compare-exchange, so that also the plain
// accesses to the waker cells are cut off from the exchange that permits them.
// A depth-first search replays each scenario once for every order.

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/readiness.h"

namespace home::reactor_internal {
namespace {

using home::testing::CountingWaker;

constexpr ReadySet kReadable(ReadySet::kReadable);

// Runs fibers in every order.
class Explorer {
 public:
  using Body = std::function<void()>;

  // Calls `scenario` for each order; it adds its fibers with Add() and returns
  // a check for the end. Returns the number of orders.
  static std::size_t Run(const std::function<Body(Explorer&)>& scenario) {
    Explorer explorer;
    std::size_t orders = 0;
    do {
      explorer.fibers_.clear();
      explorer.step_ = 0;
      const Body check = scenario(explorer);
      current_ = &explorer;
      explorer.RunOnce();
      current_ = nullptr;
      check();
      ++orders;
    } while (!::testing::Test::HasFailure() && explorer.NextOrder());
    return orders;
  }

  void Add(Body body) {
    fibers_.push_back(std::make_unique<Fiber>());
    fibers_.back()->body = std::move(body);
  }

  // Lets others go first. Outside of a run it does nothing.
  static void Yield() {
    if (current_ == nullptr) return;
    WaitUntil([] { return true; });
  }

  // The fiber goes on only when `condition` holds.
  static void WaitUntil(std::function<bool()> condition) {
    Fiber& self = *current_->running_;
    self.condition = std::move(condition);
    ::swapcontext(&self.context, &current_->main_);
  }

 private:
  static constexpr std::size_t kStackSize = 128 * 1024;

  struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[kStackSize]};
    Body body;
    std::function<bool()> condition = [] { return true; };
    bool done = false;
  };
  struct Choice {
    std::size_t taken;
    std::size_t count;
  };

  static void Enter() {
    Fiber& self = *current_->running_;
    self.body();
    self.done = true;
    ::swapcontext(&self.context, &current_->main_);
  }

  void RunOnce() {
    for (const std::unique_ptr<Fiber>& fiber : fibers_) {
      ::getcontext(&fiber->context);
      fiber->context.uc_stack.ss_sp = fiber->stack.get();
      fiber->context.uc_stack.ss_size = kStackSize;
      fiber->context.uc_link = &main_;
      ::makecontext(&fiber->context, &Enter, 0);
    }
    for (;;) {
      std::vector<Fiber*> able;
      bool all_done = true;
      for (const std::unique_ptr<Fiber>& fiber : fibers_) {
        all_done = all_done && fiber->done;
        if (!fiber->done && fiber->condition()) able.push_back(fiber.get());
      }
      if (all_done) return;
      // Somebody waits for ever: a wake-up was lost.
      if (able.empty()) {
        ADD_FAILURE() << "nobody can go on after " << step_ << " steps";
        return;
      }
      if (step_ == choices_.size()) choices_.push_back(Choice{0, able.size()});
      ASSERT_EQ(choices_[step_].count, able.size()) << "the scenario isn't deterministic";
      running_ = able[choices_[step_].taken];
      ++step_;
      ::swapcontext(&main_, &running_->context);
    }
  }

  // Prepares the next order; false if there is none.
  bool NextOrder() {
    while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().count) {
      choices_.pop_back();
    }
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

  static inline Explorer* current_ = nullptr;

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Choice> choices_;
  std::size_t step_ = 0;
  Fiber* running_ = nullptr;
  ucontext_t main_;
};

// An atomic whose operations are the steps of the search.
template <typename T>
class StepAtomic {
 public:
  explicit StepAtomic(T value) : value_(value) {}

  T load(std::memory_order) const {
    Explorer::Yield();
    return value_;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order, std::memory_order) {
    Explorer::Yield();
    const bool equal = value_ == expected;
    if (equal) {
      value_ = desired;
    } else {
      expected = value_;
    }
    Explorer::Yield();
    return equal;
  }

 private:
  T value_;
};

using Model = BasicReadiness<23, StepAtomic>;

void Report(Model& model, std::uint32_t generation, bool* live = nullptr) {
  Waker waker;
  const bool result = model.Report(generation, kReadable, &waker);
  if (live != nullptr) *live = result;
  std::move(waker).Wake();
}

home::Poll<ReadyEvent> PollWith(Model& model, CountingWaker& counter) {
  const Waker waker = counter.Make();
  Context cx(waker);
  return model.PollReady(cx);
}

// Two items are announced by an edge each; the reader takes all there is, then
// clears, and sleeps when nothing is ready.
TEST(ReadinessInterleavingTest, NoEdgeIsLost) {
  struct State {
    Model model;
    CountingWaker counter;
    int produced = 0;
    int consumed = 0;
  };
  const std::size_t orders = Explorer::Run([](Explorer& explorer) -> Explorer::Body {
    auto state = std::make_shared<State>();
    explorer.Add([state] {
      while (state->consumed < 2) {
        const int wakes = state->counter.wakes();
        home::Poll<ReadyEvent> ready = PollWith(state->model, state->counter);
        if (ready.pending()) {
          Explorer::WaitUntil([state, wakes] { return state->counter.wakes() != wakes; });
          continue;
        }
        state->consumed = state->produced;
        state->model.Clear(*ready);
      }
    });
    explorer.Add([state] {
      for (int i = 0; i < 2; ++i) {
        ++state->produced;
        Report(state->model, 0);
      }
    });
    return [state] {
      {
        const Waker left = state->model.Disarm();
      }
      EXPECT_EQ(state->counter.alive(), 0);
    };
  });
  EXPECT_GT(orders, 1000u);
}

// The reader polls twice, with different wakers, while an edge comes.
TEST(ReadinessInterleavingTest, TheLastWakerIsWoken) {
  struct State {
    Model model;
    CountingWaker first;
    CountingWaker second;
    bool second_waits = false;
  };
  const std::size_t orders = Explorer::Run([](Explorer& explorer) -> Explorer::Body {
    auto state = std::make_shared<State>();
    explorer.Add([state] {
      if (PollWith(state->model, state->first).ready()) return;
      state->second_waits = PollWith(state->model, state->second).pending();
      if (state->second_waits) {
        Explorer::WaitUntil([state] { return state->second.wakes() > 0; });
      }
    });
    explorer.Add([state] { Report(state->model, 0); });
    return [state] {
      EXPECT_TRUE(state->model.Current().ready.readable());
      EXPECT_EQ(state->first.alive() + state->second.alive(), 0);
      EXPECT_LE(state->first.wakes() + state->second.wakes(), 1);
      if (state->second_waits) {
        EXPECT_EQ(state->first.wakes(), 0);
      }
    };
  });
  EXPECT_GT(orders, 100u);
}

// A registration ends and its slot goes to another one, while an edge of the
// first and then one of the second are on their way.
TEST(ReadinessInterleavingTest, SlotReuseDuringAnEvent) {
  struct State {
    Model model;
    CountingWaker first;
    CountingWaker second;
    bool registered = false;
    bool live = false;
  };
  const std::size_t orders = Explorer::Run([](Explorer& explorer) -> Explorer::Body {
    auto state = std::make_shared<State>();
    explorer.Add([state] {
      (void)PollWith(state->model, state->first).ready();
      {
        const Waker left = state->model.Reset(1, ReadySet());
      }
      // Only an edge of its own makes the new one ready.
      EXPECT_TRUE(PollWith(state->model, state->second).pending());
      EXPECT_EQ(state->second.wakes(), 0);
      state->registered = true;
      Explorer::WaitUntil([state] { return state->second.wakes() == 1; });
      EXPECT_TRUE(PollWith(state->model, state->second).ready());
    });
    explorer.Add([state] {
      Report(state->model, 0, &state->live);
      Explorer::WaitUntil([state] { return state->registered; });
      Report(state->model, 1);
    });
    return [state] {
      EXPECT_EQ(state->first.alive() + state->second.alive(), 0);
      EXPECT_LE(state->first.wakes(), state->live ? 1 : 0);
      EXPECT_EQ(state->second.wakes(), 1);
    };
  });
  EXPECT_GT(orders, 100u);
}

// A wait is given up while the edge comes: the waker goes to one of the two.
TEST(ReadinessInterleavingTest, DisarmDuringAnEdge) {
  struct State {
    Model model;
    CountingWaker counter;
    bool disarmed = false;
  };
  const std::size_t orders = Explorer::Run([](Explorer& explorer) -> Explorer::Body {
    auto state = std::make_shared<State>();
    explorer.Add([state] {
      if (PollWith(state->model, state->counter).ready()) return;
      const Waker left = state->model.Disarm();
      state->disarmed = static_cast<bool>(left);
    });
    explorer.Add([state] { Report(state->model, 0); });
    return [state] {
      EXPECT_EQ(state->counter.alive(), 0);
      EXPECT_TRUE(state->model.Current().ready.readable());
      if (state->disarmed) {
        EXPECT_EQ(state->counter.wakes(), 0);
      }
    };
  });
  EXPECT_GT(orders, 50u);
}

}  // namespace
}  // namespace home::reactor_internal
