// Random histories of OnceCell, LazyCell and Once, with values that are made slowly, fail or are
// given up, and tasks that are aborted, against a specification: see history_testing.h.

#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/map.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/sync/history_testing.h"
#include "home/sync/once_cell.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 3;

enum class CellKind { kGetOrInit, kGetOrTryInit, kSet, kGet };

// The argument is what would be put in, and no two are the same. The result is what is there; of
// Set(), whether it was put in; kNothing, kError.
struct CellSpec : NumberSpec<CellSpec, CellKind> {
  static constexpr int kNothing = 0;
  static constexpr int kError = -1;

  // Who makes the value begins, and ends; who finds one acts once.
  static int Acts(const Op& op) {
    if (op.call.kind == Kind::kSet || op.call.kind == Kind::kGet) return 1;
    if (op.end == End::kPending) return 0;
    return op.end == End::kCancelled || Makes(op) ? 2 : 1;
  }
  bool Act(std::size_t, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kSet: {
        const bool free = value == kNothing && !making;
        if (free) value = op.call.argument;
        return op.result == (free ? 1 : 0);
      }
      case Kind::kGet:
        return op.result == value;
      case Kind::kGetOrInit:
      case Kind::kGetOrTryInit:
        if (op.end == End::kReturned && !Makes(op)) return op.result == value;
        if (n == 0) {
          if (value != kNothing || making) return false;
          making = true;
          return true;
        }
        making = false;
        if (op.result == op.call.argument) value = op.call.argument;
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op&) const { return making; }

  static constexpr const char* kNames[] = {"get or init", "get or try init", "set", "get"};
  auto State() const { return std::tie(value, making); }

  static bool Makes(const Op& op) { return op.result == op.call.argument || op.result == kError; }

  int value = kNothing;
  bool making = false;
};

Async<int> MakeSlowly(int number) {
  co_await Turns(Draw(4));
  co_return number;
}
Async<absl::StatusOr<int>> MakeOrFail(int number) {
  co_await Turns(Draw(4));
  if (Draw(3) != 0) co_return absl::UnavailableError("later");
  co_return number;
}

template <typename Cell>
Async<void> UseCell(History<CellSpec>* history, Cell* cell, int index) {
  for (int round = 1; round <= kRounds; ++round) {
    const int number = 10 * round + index;
    switch (Draw(8)) {
      case 0:
        RecordNow(history, {.kind = CellKind::kGet}, [=] {
          const int* const there = cell->Get();
          return there == nullptr ? CellSpec::kNothing : *there;
        });
        break;
      case 1:
        RecordNow(history, {.kind = CellKind::kSet, .argument = number},
                  [=] { return cell->Set(int{number}) ? 1 : 0; });
        break;
      case 2: {
        auto get = Map(cell->GetOrInit([number] { return MakeSlowly(number); }),
                       [](int& made) { return made; });
        co_await Record(history, {.kind = CellKind::kGetOrInit, .argument = number}, std::move(get),
                        [](int made) { return made; });
        break;
      }
      default: {
        auto get = cell->GetOrTryInit([number] { return MakeOrFail(number); });
        co_await Record(
            history, {.kind = CellKind::kGetOrTryInit, .argument = number}, std::move(get),
            [](const absl::StatusOr<int*>& made) { return made.ok() ? **made : CellSpec::kError; });
      }
    }
    co_await Turns(Draw(3));
  }
}

TEST(OnceCellHistoryTest, OnceCell) {
  EXPECT_TRUE(AgreesUnderEverySeed<CellSpec>([](CellSpec&) { return OnceCell<int>(); },
                                             UseCell<OnceCell<int>>));
}

// -- Once and LazyCell ------------------------------------------------------------------------

// As cells: Get(number) puts in that number unless one is there, and gives what is there.

// What is done is to put it in.
class CellOfOnce {
 public:
  const int* Peek() const { return once_.IsDone() ? &value_ : nullptr; }
  auto Get(int number) {
    auto put_in = [this, number] {
      return Map(MakeSlowly(number), [this](int made) { value_ = made; });
    };
    return Map(once_.Call(std::move(put_in)), [this] { return value_; });
  }

 private:
  int value_ = 0;
  Once once_;
};
// Its function takes the number of the one that is polled.
class CellOfLazyCell {
 public:
  const int* Peek() { return cell_.Peek(); }
  auto Get(int number) {
    return PollFn([this, number, get = cell_.Get()](Context& cx) mutable -> Poll<int> {
      polled_ = number;
      Poll<int&> polled = get.Poll(cx);
      if (polled.pending()) return kPending;
      return polled.value();
    });
  }

 private:
  int polled_ = 0;
  LazyCell<int, std::function<Async<int>()>> cell_{[this] { return MakeSlowly(polled_); }};
};

template <typename Cell>
Async<void> UseOnce(History<CellSpec>* history, Cell* cell, int index) {
  for (int round = 1; round <= kRounds; ++round) {
    const int number = 10 * round + index;
    if (Draw(4) == 0) {
      RecordNow(history, {.kind = CellKind::kGet}, [=] {
        const int* const there = cell->Peek();
        return there == nullptr ? CellSpec::kNothing : *there;
      });
    } else {
      co_await Record(history, {.kind = CellKind::kGetOrInit, .argument = number},
                      cell->Get(number), [](int made) { return made; });
    }
    co_await Turns(Draw(3));
  }
}

TEST(OnceCellHistoryTest, Once) {
  EXPECT_TRUE(
      AgreesUnderEverySeed<CellSpec>([](CellSpec&) { return CellOfOnce(); }, UseOnce<CellOfOnce>));
}
TEST(OnceCellHistoryTest, LazyCell) {
  EXPECT_TRUE(AgreesUnderEverySeed<CellSpec>([](CellSpec&) { return CellOfLazyCell(); },
                                             UseOnce<CellOfLazyCell>));
}

// -- Cells that are wrong -------------------------------------------------------------------

// Who gives up what it makes has the cell for ever.
class CellThatIsStuck {
 public:
  const int* Get() const { return cell_.Get(); }
  bool Set(int value) { return cell_.Set(std::move(value)); }
  template <typename Fn>
  auto GetOrInit(Fn fn) {
    return given_up_.Keep(cell_.GetOrInit(std::move(fn)));
  }
  template <typename Fn>
  auto GetOrTryInit(Fn fn) {
    return given_up_.Keep(cell_.GetOrTryInit(std::move(fn)));
  }

 private:
  OnceCell<int> cell_;
  GivenUp given_up_;
};
// Two may make a value at the same time.
class CellOfTwo {
 public:
  const int* Get() const { return cells_[0].IsSet() ? cells_[0].Get() : cells_[1].Get(); }
  bool Set(int value) { return Get() == nullptr && Next().Set(std::move(value)); }
  template <typename Fn>
  auto GetOrInit(Fn fn) {
    return Next().GetOrInit(std::move(fn));
  }
  template <typename Fn>
  auto GetOrTryInit(Fn fn) {
    return Next().GetOrTryInit(std::move(fn));
  }

 private:
  OnceCell<int>& Next() { return cells_[next_++ % 2]; }

  OnceCell<int> cells_[2];
  std::size_t next_ = 0;
};

TEST(OnceCellHistoryMutationTest, ACellThatIsStuckIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CellSpec>([](CellSpec&) { return CellThatIsStuck(); },
                                               UseCell<CellThatIsStuck>));
}
TEST(OnceCellHistoryMutationTest, TwoThatMakeAreFound) {
  EXPECT_TRUE(
      DisagreesUnderSomeSeed<CellSpec>([](CellSpec&) { return CellOfTwo(); }, UseCell<CellOfTwo>));
}

// As CellThatIsStuck.
template <typename Cell>
class Stuck : public Cell {
 public:
  auto Get(int number) { return given_up_.Keep(Cell::Get(number)); }

 private:
  GivenUp given_up_;
};

TEST(OnceCellHistoryMutationTest, AOnceThatIsStuckIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CellSpec>([](CellSpec&) { return Stuck<CellOfOnce>(); },
                                               UseOnce<Stuck<CellOfOnce>>));
}
TEST(OnceCellHistoryMutationTest, ALazyCellThatIsStuckIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<CellSpec>([](CellSpec&) { return Stuck<CellOfLazyCell>(); },
                                               UseOnce<Stuck<CellOfLazyCell>>));
}

}  // namespace
}  // namespace home::sync_testing
