// ValueCell under the model checker: what a reader gets is whole, and what it asked for.

#include <cstdint>

#include "gtest/gtest.h"
#include "home/channel/model_policy_testing.h"
#include "home/channel/value_cell.h"
#include "home/tools/model/checker.h"

namespace home::channel_internal {
namespace {

using channel_testing::ModelChannelPolicy;
using model::Access;
using std::memory_order_acquire;
using std::memory_order_release;

// Of two words, which are the same.
struct Twice {
  std::uint64_t first;
  std::uint64_t second;
};

// The value before is overwritten while others read it and what follows.
template <int kThreadCount>
struct Overwriting {
  static constexpr int kThreads = kThreadCount;

  void Before() { cell.Put(0, {10, 10}); }
  void Thread(int index) {
    if (index == 0) {
      cell.Put(1, {11, 11});
      return;
    }
    for (std::uint64_t n = 0; n < 2; ++n) {
      const auto value = cell.Get(n);
      if (!value) continue;
      model::Expect(value->first == 10 + n && value->second == 10 + n, "whole");
    }
  }
  void After() {
    const auto value = cell.Get(1);
    model::Expect(value && value->first == 11, "the last is there");
    model::Expect(!cell.Get(0) && !cell.Get(2), "no others are");
  }

  ValueCell<Twice, ModelChannelPolicy> cell;
};

TEST(ValueCellModelTest, Overwriting) { model::CheckExhaustively<Overwriting<2>>(); }
TEST(ValueCellModelTest, OverwritingWithTwoReaders) {
  model::CheckRandomly<Overwriting<3>>(20'000);
}

TEST(ValueCellMutationTest, PuttingNeedsRelease) {
  model::ExpectFound<Overwriting<2>>(
      model::Exhaustively(),
      {.function = "Put", .access = Access::kStore, .from = memory_order_release});
}
TEST(ValueCellMutationTest, PuttingAWordNeedsRelease) {
  model::ExpectFound<Overwriting<2>>(
      model::Exhaustively(),
      {.function = "PutWord", .access = Access::kStore, .from = memory_order_release});
}
TEST(ValueCellMutationTest, GettingAWordNeedsAcquire) {
  model::ExpectFound<Overwriting<2>>(
      model::Exhaustively(),
      {.function = "GetWord", .access = Access::kLoad, .from = memory_order_acquire});
}
TEST(ValueCellMutationTest, GettingNeedsAcquire) {
  model::ExpectFound<Overwriting<2>>(
      model::Exhaustively(),
      {.function = "Get", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::channel_internal
