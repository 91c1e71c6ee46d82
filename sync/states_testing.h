// Tables of states and operations: the rows are the states of a primitive, the columns what can be
// done to it. A cell says what the operation gives there and, after `>`, which state it leaves,
// unless that is the same one:
//
//   yes > locked       TryX() gave something, or what is asked for is so
//   waits > waited     the first poll of a new wait. It stays in the state if the state has room
//                      for it, else it is dropped at once, which must change nothing
//   done+wake > free   the operation woke one who waits; +2 wakes: two of them
//   done > ...         a state of which the table has no row
//   (empty)            there is no such operation in this state
//
// That a state is what its row says shows in what the operations give: from each row, reached by
// the shortest way from the first, the test goes all ways of three operations.

#ifndef HOME_SYNC_STATES_TESTING_H_
#define HOME_SYNC_STATES_TESTING_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/testing.h"

namespace home::sync_testing {

struct Cell {
  std::string gives;
  std::string leaves;
};
using Row = std::map<std::string, Cell>;

struct Table {
  std::string first;
  std::map<std::string, Row> rows;
};

// A line whose first column is empty names the operations of those below it; a state's row may go
// on below another such line. The first row's state is that of a new world.
inline Table Parse(std::string_view text) {
  Table table;
  std::vector<std::string> operations;
  for (const std::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    std::vector<std::string> columns = absl::StrSplit(line, '|');
    for (std::string& column : columns) absl::StripAsciiWhitespace(&column);
    const std::string state = columns[0];
    if (state.empty()) {
      operations = columns;
      continue;
    }
    if (table.first.empty()) table.first = state;
    Row& row = table.rows[state];
    EXPECT_EQ(columns.size(), operations.size()) << line;
    for (std::size_t i = 1; i < columns.size() && i < operations.size(); ++i) {
      if (columns[i].empty()) continue;
      const std::vector<std::string> parts = absl::StrSplit(columns[i], " > ");
      const Cell cell{parts.front(), parts.size() == 1 ? state : parts.back()};
      EXPECT_TRUE(row.emplace(operations[i], cell).second) << "twice: " << line;
    }
  }
  return table;
}

// What the operations work on, a base class.
struct World {
  testing::CountingWaker waker;  // of all who wait
};

template <typename W>
using Operations = std::map<std::string, std::function<std::string(W&)>>;

// WalkTable(), below.
template <typename W>
class Walker {
 public:
  Walker(std::string_view text, const Operations<W>& operations)
      : table_(Parse(text)), operations_(operations) {}

  void Walk() {
    for (const auto& [state, row] : table_.rows) {
      for (const auto& [operation, cell] : row) {
        ASSERT_TRUE(cell.leaves == kElsewhere || table_.rows.contains(cell.leaves))
            << operation << " in the state `" << state << "` leaves one without a row";
      }
    }
    std::deque<std::string> found = {table_.first};
    std::map<std::string, Path> ways = {{table_.first, {}}};
    while (!found.empty()) {
      const std::string state = found.front();
      found.pop_front();
      for (const auto& [operation, cell] : table_.rows[state]) {
        Path path = ways[state];
        path.push_back(operation);
        if (!Holds(state, cell, path) || cell.leaves == kElsewhere) continue;
        if (ways.emplace(cell.leaves, path).second) found.push_back(cell.leaves);
        GoOn(cell.leaves, path, kSteps - 1);
      }
    }
    for (const auto& [state, row] : table_.rows) {
      EXPECT_TRUE(ways.contains(state)) << "no way leads to the state `" << state << "`";
    }
    for (const auto& [name, run] : operations_) {
      EXPECT_TRUE(used_.contains(name)) << "no cell for the operation " << name;
    }
  }

 private:
  using Path = std::vector<std::string>;

  static constexpr int kSteps = 3;
  static constexpr std::string_view kElsewhere = "...";

  void GoOn(const std::string& state, const Path& path, int steps) {
    if (steps == 0) return;
    for (const auto& [operation, cell] : table_.rows[state]) {
      Path longer = path;
      longer.push_back(operation);
      if (!Holds(state, cell, longer) || cell.leaves == kElsewhere) continue;
      GoOn(cell.leaves, longer, steps - 1);
    }
  }

  // Whether the last operation of `path`, in `state`, gives what its cell says.
  bool Holds(const std::string& state, const Cell& cell, const Path& path) {
    W world;
    std::string gives;
    for (const std::string& operation : path) {
      const auto run = operations_.find(operation);
      if (run == operations_.end()) {
        ADD_FAILURE() << "there is no operation " << operation;
        return false;
      }
      const int before = world.waker.wakes();
      gives = run->second(world);
      const int wakes = world.waker.wakes() - before;
      if (wakes == 1) gives += "+wake";
      if (wakes > 1) absl::StrAppend(&gives, "+", wakes, " wakes");
    }
    used_.insert(path.back());
    if (gives == cell.gives) return true;
    // Of each cell the shortest way is enough.
    if (failed_.emplace(state, path.back()).second) {
      ADD_FAILURE() << path.back() << " in the state `" << state << "` gives " << gives << ", not "
                    << cell.gives << "; the way there: " << absl::StrJoin(path, ", ");
    }
    return false;
  }

  Table table_;
  const Operations<W>& operations_;
  std::set<std::string> used_;
  std::set<std::pair<std::string, std::string>> failed_;
};

// Expects of each operation in each state what the table says.
template <typename W>
void WalkTable(std::string_view text, const Operations<W>& operations) {
  Walker<W>(text, operations).Walk();
}

// An operation without an answer.
template <typename W, typename Run>
std::function<std::string(W&)> Done(Run run) {
  return [run](W& world) -> std::string {
    run(world);
    return "done";
  };
}

inline std::string YesOrNo(bool yes) { return yes ? "yes" : "no"; }

// Keeps the guard that an operation gave.
template <typename Guard>
std::string Keep(std::optional<Guard> given, std::optional<Guard>& guard) {
  if (!given.has_value()) return "no";
  guard.emplace(*std::move(given));
  return "yes";
}

// The place of one that waits. `take` is given what a poll was ready with, if it was.
template <typename F>
class Place {
 public:
  explicit Place(World& world) : waker_(world.waker) {}

  // A new future and its first poll.
  template <typename Make, typename Take>
  std::string Ask(Make make, Take take) {
    if (future_.has_value()) {
      F other = make();
      return Answer(other, take).value_or("waits");
    }
    future_.emplace(make());
    return Poll(take);
  }
  template <typename Take>
  std::string Poll(Take take) {
    const std::optional<std::string> answer = Answer(*future_, take);
    if (!answer.has_value()) return "waits";
    future_.reset();
    return *answer;
  }
  template <typename Make>
  std::string Ask(Make make) {
    return Ask(make, IsReady);
  }
  std::string Poll() { return Poll(IsReady); }
  std::string Drop() {
    future_.reset();
    return "done";
  }
  [[nodiscard]] bool taken() const { return future_.has_value(); }

 private:
  using Polled = home::Poll<FutureOutput<F>>;

  static std::string IsReady(Polled&) { return "ready"; }
  template <typename Take>
  std::optional<std::string> Answer(F& future, Take take) {
    Polled polled = testing::PollOnce(future, waker_);
    if (polled.pending()) return std::nullopt;
    return take(polled);
  }

  testing::CountingWaker& waker_;
  std::optional<F> future_;
};

// To keep the guard that a wait was ready with.
template <typename Guard>
auto KeepIn(std::optional<Guard>& guard) {
  return [&guard](Poll<Guard>& polled) -> std::string {
    guard.emplace(std::move(polled).value());
    return "ready";
  };
}

template <typename T>
std::string End(std::optional<T>& held) {
  held.reset();
  return "done";
}

}  // namespace home::sync_testing

#endif  // HOME_SYNC_STATES_TESTING_H_
