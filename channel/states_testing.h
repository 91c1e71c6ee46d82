// Tables of what each operation gives in each state, for tests of channels.
//
// A `Situation` is a channel whose ends the test holds: Take(step) brings a state about, wakes()
// counts how often those who wait were woken, and Contents() says at the end what is left.

#ifndef HOME_CHANNEL_STATES_TESTING_H_
#define HOME_CHANNEL_STATES_TESTING_H_

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace home::channel_testing {

// An operation, and what it gives in words.
template <typename Situation>
struct Operation {
  const char* name;
  std::string (*apply)(Situation& situation);
};

inline std::string YesOrNo(bool yes) { return yes ? "yes" : "no"; }

// A state, how it comes about, and a cell for each operation: what it gives and, behind the bar,
// what is left. `*`: it wakes who waits. An empty cell: there is nothing to call it by.
template <typename Step, std::size_t kOperations>
struct Row {
  const char* state;
  std::vector<Step> steps;
  std::array<std::string_view, kOperations> cells;
};

// `make()` gives a Situation. A cell of which `skip(situation, cell)` is true is left out.
template <typename Situation, typename Step, std::size_t kOperations, typename Make, typename Skip>
void CheckTable(const std::array<Operation<Situation>, kOperations>& operations,
                const std::vector<Row<Step, kOperations>>& rows, Make make, Skip skip) {
  for (const auto& row : rows) {
    for (std::size_t column = 0; column < kOperations; ++column) {
      if (row.cells[column].empty()) continue;
      SCOPED_TRACE(absl::StrCat(operations[column].name, " where ", row.state));
      Situation situation = make();
      for (const Step step : row.steps) situation.Take(step);
      if (skip(situation, row.cells[column])) continue;
      const int wakes = situation.wakes();
      std::string outcome = operations[column].apply(situation);
      if (situation.wakes() != wakes) outcome += "*";
      absl::StrAppend(&outcome, " |", situation.Contents());
      EXPECT_EQ(outcome, row.cells[column]);
    }
  }
}
template <typename Situation, typename Step, std::size_t kOperations, typename Make>
void CheckTable(const std::array<Operation<Situation>, kOperations>& operations,
                const std::vector<Row<Step, kOperations>>& rows, Make make) {
  CheckTable(operations, rows, make, [](const Situation&, std::string_view) { return false; });
}

}  // namespace home::channel_testing

#endif  // HOME_CHANNEL_STATES_TESTING_H_
