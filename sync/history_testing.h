// Random histories of a primitive or channel under the simulated runtime, for tests that compare
// them with a specification (tools/history).
//
//   namespace home::sync_testing {
//
//   enum class QueueKind { kPush, kPop };
//   struct QueueSpec : NumberSpec<QueueSpec, QueueKind> { ... };
//   Async<void> PushAndPop(History<QueueSpec>* history, Queue* queue, int index) { ... }
//
//   TEST(QueueHistoryTest, Queue) {
//     EXPECT_TRUE(AgreesUnderEverySeed<QueueSpec>([](QueueSpec&) { return Queue(); }, PushAndPop));
//   }
//
// A test of the tests: DisagreesUnderSomeSeed(), with an object that is wrong on purpose.
//
// The specification is told of each operation, of those that were given up and of those that
// wait when nothing moves any more: then nobody may wait for what is there.
//
// The tasks decide by home/future/random.h, which a simulation seeds.

#ifndef HOME_SYNC_HISTORY_TESTING_H_
#define HOME_SYNC_HISTORY_TESTING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/random.h"
#include "home/future/select.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/simulation_testing.h"
#include "home/timer/sleep.h"
#include "home/tools/history/history.h"
#include "home/tools/history/linearizable.h"

namespace home::sync_testing {

using history::End;
using history::History;
using history::Operation;

// -- Specifications -----------------------------------------------------------------------

// A part of a specification, whose own parts are `std::tie(...)`, as State() says.
template <typename Derived>
struct Compared {
  friend bool operator==(const Derived& a, const Derived& b) { return a.State() == b.State(); }
  template <typename H>
  friend H AbslHashValue(H hash, const Derived& derived) {
    return std::apply(
        [&hash](const auto&... parts) { return H::combine(std::move(hash), parts...); },
        derived.State());
  }
};

// A specification of operations that have a kind and a number, and result in a number. It says
// how the kinds are called: kNames.
template <typename Spec, typename KindType>
struct NumberSpec : Compared<Spec> {
  using Kind = KindType;
  struct Call {
    Kind kind{};
    int argument = 0;
  };
  using Result = int;
  using Op = Operation<Call, Result>;

  // "acquire(2) = 1"
  static std::string Describe(const Op& op) {
    return absl::StrCat(Spec::kNames[static_cast<int>(op.call.kind)], "(", op.call.argument, ")",
                        op.result ? absl::StrCat(" = ", *op.result) : "");
  }
};

// -- Tasks --------------------------------------------------------------------------------

// A number from 0 to `bound` - 1.
inline int Draw(int bound) {
  return static_cast<int>(RandomBelow(static_cast<std::uint32_t>(bound)));
}

// Lets others run so often.
inline Async<void> Turns(int count) {
  for (int i = 0; i < count; ++i) co_await YieldNow();
}

// What a future of `Output` gives, in an optional.
template <typename Output>
using Given = std::optional<std::conditional_t<std::is_void_v<Output>, std::monostate, Output>>;

// Until the caller loses patience: after some turns, or some time, which in a simulation is
// when all others wait too.
inline Async<void> Patience() {
  if (Draw(3) == 0) {
    co_await Sleep(absl::Microseconds(Draw(3)));
  } else {
    co_await Turns(Draw(4));
  }
}

// What `future` gives; or nothing: half of the futures are given up if they are not ready soon.
template <Future F>
Async<Given<FutureOutput<F>>> Impatiently(F future) {
  using Output = Given<FutureOutput<F>>;
  if (Draw(2) == 0) {
    if constexpr (std::is_void_v<FutureOutput<F>>) {
      co_await future;
      co_return Output(std::in_place);
    } else {
      auto output = co_await future;
      co_return Output(std::move(output));
    }
  }
  auto select = Select(std::move(future), Patience());
  auto winner = co_await select;
  if (winner.index() == 1) co_return std::nullopt;
  co_return Output(std::get<0>(std::move(winner)));
}

// `future` as `running`: it has asked once it was polled.
template <typename Spec, Future F>
class [[nodiscard]] Asking {
 public:
  using Output = FutureOutput<F>;

  Asking(history::Running<Spec>& running, F future)
      : running_(&running), future_(std::move(future)) {}

  home::Poll<Output> Poll(Context& cx) {
    home::Poll<Output> polled = future_.Poll(cx);
    // But if it had no budget to do anything.
    if (cx.turn() == nullptr || !cx.turn()->budget_exhausted) running_->Asked();
    return polled;
  }

 private:
  history::Running<Spec>* running_;
  F future_;
};

// The same as an operation of the history. `result` makes its result of what the future gives.
template <typename Spec, Future F, typename ToResult>
Async<Given<FutureOutput<F>>> Record(History<Spec>* history, typename Spec::Call call, F future,
                                     ToResult to_result) {
  history::Running<Spec> running(*history, call);
  auto given = co_await Impatiently(Asking<Spec, F>(running, std::move(future)));
  if (given) running.Return(to_result(*given));
  co_return given;
}

// An operation that does not wait: `act()` gives its result, which is returned.
template <typename Spec, typename Act>
typename Spec::Result RecordNow(History<Spec>* history, typename Spec::Call call, Act act) {
  history::Running<Spec> running(*history, call);
  typename Spec::Result result = act();
  running.Return(result);
  return result;
}

// What a task holds: its end is an operation, also that by which the task is aborted. `result`
// tells what that has resulted in.
template <typename Spec, typename Guard>
class Held {
 public:
  using ToResult = std::function<typename Spec::Result()>;

  Held(
      History<Spec>* history, Guard guard, typename Spec::Call end,
      ToResult result = [] { return 0; })
      : history_(history), guard_(std::move(guard)), end_(end), result_(std::move(result)) {}
  Held(Held&& other) noexcept
      : history_(other.history_),
        guard_(std::exchange(other.guard_, {})),
        end_(other.end_),
        result_(std::move(other.result_)) {}
  Held& operator=(Held&&) = delete;
  ~Held() {
    if (!guard_) return;
    RecordNow(history_, end_, [this] {
      guard_.reset();
      return result_();
    });
  }

  Guard& guard() { return *guard_; }
  // The end changes.
  void set_end(typename Spec::Call end) { end_ = end; }
  // Somebody else ends it.
  Guard Take() {
    Guard guard = *std::move(guard_);
    guard_.reset();
    return guard;
  }

 private:
  History<Spec>* const history_;
  std::optional<Guard> guard_;
  typename Spec::Call end_;
  ToResult result_;
};

// Keeps futures that were given up, as if nobody had noticed that they are gone: what they have,
// or are handed, is lost. For primitives that are wrong on purpose.
class GivenUp {
 public:
  template <Future F>
  class [[nodiscard]] Kept {
   public:
    using Output = FutureOutput<F>;

    Kept(GivenUp& given_up, F future)
        : given_up_(&given_up), future_(std::make_shared<F>(std::move(future))) {}
    Kept(Kept&&) noexcept = default;
    Kept& operator=(Kept&&) = delete;
    ~Kept() {
      if (future_ != nullptr) given_up_->futures_.push_back(std::move(future_));
    }

    home::Poll<Output> Poll(Context& cx) {
      home::Poll<Output> polled = future_->Poll(cx);
      if (polled.ready()) future_.reset();
      return polled;
    }

   private:
    GivenUp* given_up_;
    std::shared_ptr<F> future_;
  };

  // `future`, which comes here if it is dropped before it is ready.
  template <Future F>
  Kept<F> Keep(F future) {
    return Kept<F>(*this, std::move(future));
  }

 private:
  std::vector<std::shared_ptr<void>> futures_;
};

// What `future` gives, at the poll after that in which it was ready: if it is dropped in between,
// that is lost. For primitives that are wrong on purpose.
template <Future F>
class [[nodiscard]] Late {
 public:
  using Output = FutureOutput<F>;

  explicit Late(F future) : future_(std::move(future)) {}

  home::Poll<Output> Poll(Context& cx) {
    if (output_) return *std::move(output_);
    home::Poll<Output> polled = future_.Poll(cx);
    if (polled.pending()) return kPending;
    output_ = std::move(polled).value();
    cx.waker().WakeByRef();
    return kPending;
  }

 private:
  F future_;
  std::optional<Output> output_;
};

// Lets `tasks` run, of which some are aborted, until nothing moves; ends them; and says whether
// what they did agrees with `spec`.
template <typename Spec>
Async<::testing::AssertionResult> RunAndCheck(History<Spec>* history, Spec spec,
                                              std::vector<JoinHandle<void>> tasks) {
  for (JoinHandle<void>& task : tasks) {
    if (Draw(4) != 0) continue;
    co_await Turns(Draw(12));
    task.Abort();
  }
  // The time of a simulation passes when nothing else can happen.
  co_await Sleep(absl::Hours(1));
  history->Stop();
  for (JoinHandle<void>& task : tasks) task.Abort();
  for (JoinHandle<void>& task : tasks) {
    const auto ended = co_await task;
    static_cast<void>(ended.ok());
  }
  co_return history::IsLinearizable(*history, spec);
}

// One run. `start(spec, history, tasks)` spawns the tasks, and may tell the specification more.
template <typename Spec, typename Start>
::testing::AssertionResult RunOnce(Runtime& runtime, const Start& start) {
  return runtime.BlockOn([&start]() -> Async<::testing::AssertionResult> {
    Spec spec;
    History<Spec> history;
    std::vector<JoinHandle<void>> tasks;
    start(spec, &history, tasks);
    co_return co_await RunAndCheck(&history, std::move(spec), std::move(tasks));
  });
}
// The same for an object, which `make(spec)` gives, and four tasks that are `use(history, object,
// index)`.
template <typename Spec, typename Make, typename Use>
::testing::AssertionResult RunOnce(Runtime& runtime, const Make& make, const Use& use) {
  return runtime.BlockOn([&make, &use]() -> Async<::testing::AssertionResult> {
    Spec spec;
    auto object = make(spec);
    History<Spec> history;
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(Spawn(use(&history, &object, i)));
    co_return co_await RunAndCheck(&history, std::move(spec), std::move(tasks));
  });
}

// -- Tests --------------------------------------------------------------------------------

// Whether, under every seed, what some tasks do agrees with a specification. `run` is `start`, or
// `make, use`: see RunOnce().
template <typename Spec, typename... Run>
[[nodiscard]] ::testing::AssertionResult AgreesUnderEverySeed(const Run&... run) {
  return testing::PassesUnderEverySeed(
      [&run...](Runtime& runtime) { EXPECT_TRUE(RunOnce<Spec>(runtime, run...)); });
}

// The opposite, of an object that is wrong on purpose: shows that the test can see such a fault.
template <typename Spec, typename... Run>
[[nodiscard]] ::testing::AssertionResult DisagreesUnderSomeSeed(const Run&... run) {
  constexpr std::uint64_t kSeeds = 200;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Runtime runtime = Runtime::Simulated(seed);
    if (!RunOnce<Spec>(runtime, run...)) return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "no history of " << kSeeds << " shows the fault";
}

}  // namespace home::sync_testing

#endif  // HOME_SYNC_HISTORY_TESTING_H_
