// The search for an order, on histories written by hand: what it has to explain, and what it
// has to refuse.

#include "home/tools/history/linearizable.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/tools/history/history.h"

namespace home::history {
namespace {

using ::testing::HasSubstr;

enum class Kind { kPush, kPop, kTryPop };

// A queue without a limit. A pop that is cancelled may have acted in this one: it takes a value,
// and puts it back in front.
struct QueueSpec {
  struct Call {
    Kind kind;
    int value = 0;
  };
  using Result = int;  // of a kTryPop that found nothing: 0
  using Op = Operation<Call, Result>;

  static int Acts(const Op& op) {
    if (op.call.kind != Kind::kPop) return 1;
    return op.end == End::kReturned ? 1 : op.end == End::kCancelled ? 2 : 0;
  }
  bool Act(std::size_t id, const Op& op, int n) {
    if (op.call.kind == Kind::kPush) {
      values.push_back(op.call.value);
      return true;
    }
    if (n == 1) {
      for (auto taken = held.begin(); taken != held.end(); ++taken) {
        if (taken->first != id) continue;
        values.insert(values.begin(), taken->second);
        held.erase(taken);
        return true;
      }
      return false;
    }
    if (values.empty()) return op.call.kind == Kind::kTryPop && op.result == 0;
    const int value = values.front();
    if (op.end == End::kCancelled) held.emplace_back(id, value);
    values.erase(values.begin());
    return op.end == End::kCancelled || op.result == value;
  }
  bool MayWait(std::size_t, const Op&) const { return values.empty(); }

  static std::string Describe(const Op& op) {
    const std::string result = op.result ? absl::StrCat(" = ", *op.result) : "";
    if (op.call.kind == Kind::kPush) return absl::StrCat("push(", op.call.value, ")");
    return absl::StrCat(op.call.kind == Kind::kPop ? "pop()" : "try pop()", result);
  }

  friend bool operator==(const QueueSpec&, const QueueSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const QueueSpec& spec) {
    return H::combine(std::move(state), spec.values, spec.held);
  }

  std::vector<int> values;
  std::vector<std::pair<std::size_t, int>> held;
};

// The same, where a pop takes a place in a line: it asks, and is answered.
struct LineSpec : QueueSpec {
  static int Acts(const Op& op) {
    if (op.call.kind == Kind::kPush) return 1;
    return op.end == End::kPending ? 1 : 2;
  }
  static bool AsksFirst(const Op& op) { return op.call.kind == Kind::kPop; }
  bool Act(std::size_t id, const Op& op, int n) {
    if (op.call.kind == Kind::kPush) {
      values.push_back(op.call.value);
      return true;
    }
    if (n == 0) {
      line.push_back(id);
      return true;
    }
    if (op.end == End::kCancelled) return std::erase(line, id) == 1;
    if (values.empty() || line.front() != id || op.result != values.front()) return false;
    values.erase(values.begin());
    line.erase(line.begin());
    return true;
  }

  friend bool operator==(const LineSpec&, const LineSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const LineSpec& spec) {
    return H::combine(std::move(state), spec.values, spec.line);
  }

  std::vector<std::size_t> line;
};

class LinearizableTest : public ::testing::Test {
 protected:
  std::size_t Begin(Kind kind, int value = 0) {
    return history_.Begin({.kind = kind, .value = value});
  }
  // One that overlaps with no other that begins later, or ended before.
  void Do(Kind kind, int value, int result = 0) { history_.Return(Begin(kind, value), result); }

  ::testing::AssertionResult Check() { return IsLinearizable(history_, QueueSpec()); }
  void ExpectRefused() {
    const auto result = Check();
    ASSERT_FALSE(result);
    EXPECT_THAT(result.message(), HasSubstr("no order explains this history"));
  }

  History<QueueSpec> history_;
};

TEST_F(LinearizableTest, OneAfterTheOther) {
  Do(Kind::kPush, 1);
  Do(Kind::kPush, 2);
  Do(Kind::kPop, 0, 1);
  Do(Kind::kPop, 0, 2);
  Do(Kind::kTryPop, 0, 0);
  EXPECT_TRUE(Check());
}

TEST_F(LinearizableTest, NothingHappened) { EXPECT_TRUE(Check()); }

TEST_F(LinearizableTest, TheOrderOfTimeCounts) {
  Do(Kind::kPush, 1);
  Do(Kind::kPush, 2);
  Do(Kind::kPop, 0, 2);
  ExpectRefused();
}

TEST_F(LinearizableTest, ThoseThatOverlapMayActEitherWay) {
  for (const int first : {1, 2}) {
    History<QueueSpec> history;
    const auto one = history.Begin({.kind = Kind::kPush, .value = 1});
    const auto two = history.Begin({.kind = Kind::kPush, .value = 2});
    history.Return(two, 0);
    history.Return(one, 0);
    history.Return(history.Begin({.kind = Kind::kPop}), first);
    history.Return(history.Begin({.kind = Kind::kPop}), 3 - first);
    EXPECT_TRUE(IsLinearizable(history, QueueSpec()));
  }
}

TEST_F(LinearizableTest, NothingActsBeforeItBegan) {
  Do(Kind::kPop, 0, 1);
  Do(Kind::kPush, 1);
  ExpectRefused();
}

TEST_F(LinearizableTest, NothingActsAfterItsEnd) {
  const auto pop = Begin(Kind::kPop);
  Do(Kind::kPush, 1);
  Do(Kind::kTryPop, 0, 1);
  history_.Return(pop, 2);
  Do(Kind::kPush, 2);
  ExpectRefused();
}

TEST_F(LinearizableTest, AValueComesOutOnce) {
  Do(Kind::kPush, 1);
  const auto one = Begin(Kind::kPop);
  const auto two = Begin(Kind::kPop);
  history_.Return(one, 1);
  history_.Return(two, 1);
  ExpectRefused();
}

// What a receipt that is cancelled after it was handed a value would do.
TEST_F(LinearizableTest, ACancelledOneLosesNothing) {
  const auto pop = Begin(Kind::kPop);
  Do(Kind::kPush, 1);
  history_.Cancel(pop);
  Do(Kind::kTryPop, 0, 0);
  ExpectRefused();
}

TEST_F(LinearizableTest, ACancelledOneActsAsOftenAsItShouldOrNever) {
  const auto pop = Begin(Kind::kPop);
  Do(Kind::kPush, 1);
  Do(Kind::kTryPop, 0, 0);  // it is taken
  history_.Cancel(pop);
  Do(Kind::kTryPop, 0, 1);  // and back
  EXPECT_TRUE(Check());
  Do(Kind::kTryPop, 0, 1);
  ExpectRefused();
}

TEST_F(LinearizableTest, ACancelledOneActsBeforeItsEnd) {
  history_.Cancel(Begin(Kind::kPop));
  Do(Kind::kPush, 1);
  Do(Kind::kTryPop, 0, 0);
  ExpectRefused();
}

TEST_F(LinearizableTest, WhoWaitsHasToWait) {
  static_cast<void>(Begin(Kind::kPop));
  EXPECT_TRUE(Check());
  Do(Kind::kPush, 1);
  history_.Stop();
  const auto result = Check();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("but then one that waits need not"));
}

TEST_F(LinearizableTest, TheMessageShowsTheHistory) {
  Do(Kind::kPush, 1);
  const auto cancelled = Begin(Kind::kPop);
  static_cast<void>(Begin(Kind::kPop));
  Do(Kind::kTryPop, 0, 7);
  history_.Cancel(cancelled);
  EXPECT_THAT(Check().message(), HasSubstr("\n  #0 push(1) [0, 1]"
                                           "\n  #1 pop() [2, 6 cancelled]"
                                           "\n  #2 pop() [3, waits]"
                                           "\n  #3 try pop() = 7 [4, 5]"
                                           "\nThe longest that is possible: #0"));
}

TEST_F(LinearizableTest, AfterTheStopNothingCounts) {
  const auto pop = Begin(Kind::kPop);
  history_.Stop();
  history_.Cancel(pop);
  {
    Running<QueueSpec> late(history_, {.kind = Kind::kPush, .value = 1});
    late.Return(0);
  }
  EXPECT_TRUE(history_.operations()[pop].end == End::kPending);
  EXPECT_THAT(history_.operations(), ::testing::SizeIs(1));
}

TEST_F(LinearizableTest, ARunningOneThatIsDroppedIsCancelled) {
  {
    const Running<QueueSpec> dropped(history_, {.kind = Kind::kPop});
  }
  {
    Running<QueueSpec> returned(history_, {.kind = Kind::kPush, .value = 1});
    returned.Return(0);
  }
  EXPECT_EQ(history_.operations()[0].end, End::kCancelled);
  EXPECT_EQ(history_.operations()[1].end, End::kReturned);
  EXPECT_TRUE(Check());
}

// Two that wait, of whom the second is answered: if it is not known when the first asked, it may
// have asked behind the other.
::testing::AssertionResult ServeTheSecond(bool first_has_asked, bool first_gives_up) {
  History<LineSpec> history;
  const std::size_t first = history.Begin({.kind = Kind::kPop});
  if (first_has_asked) history.Asked(first);
  const std::size_t second = history.Begin({.kind = Kind::kPop});
  history.Asked(second);
  history.Return(history.Begin({.kind = Kind::kPush, .value = 1}), 0);
  history.Return(second, 1);
  if (first_gives_up) history.Cancel(first);
  return IsLinearizable(history, LineSpec());
}
TEST(AskingTest, WhoMayHaveAskedLaterMayBePassed) {
  EXPECT_TRUE(ServeTheSecond(/*first_has_asked=*/false, /*first_gives_up=*/false));
  EXPECT_TRUE(ServeTheSecond(/*first_has_asked=*/false, /*first_gives_up=*/true));
}
TEST(AskingTest, WhoHasAskedIsNotPassed) {
  EXPECT_FALSE(ServeTheSecond(/*first_has_asked=*/true, /*first_gives_up=*/false));
  // It may have given up at once.
  EXPECT_TRUE(ServeTheSecond(/*first_has_asked=*/true, /*first_gives_up=*/true));
}
// The end of a later poll tells nothing more.
TEST(AskingTest, TheFirstTimeCounts) {
  History<LineSpec> history;
  const std::size_t pop = history.Begin({.kind = Kind::kPop});
  history.Asked(pop);
  history.Asked(pop);
  EXPECT_EQ(history.operations()[pop].asked, 1);
}

// Twelve that overlap all, and none of whose orders is right: the memory of states keeps the
// search from all 12! of them.
TEST_F(LinearizableTest, ManyAtOnce) {
  std::vector<std::size_t> pushes;
  for (int i = 0; i < 12; ++i) pushes.push_back(Begin(Kind::kPush, 1));
  for (const std::size_t push : pushes) history_.Return(push, 0);
  for (int i = 0; i < 12; ++i) Do(Kind::kPop, 0, 1);
  EXPECT_TRUE(Check());
  Do(Kind::kTryPop, 0, 1);
  ExpectRefused();
}

}  // namespace
}  // namespace home::history
