// The wheel against a sorted map, over two million random operations.

#include <cstdint>
#include <random>

#include "gtest/gtest.h"
#include "home/timer/wheel_model_testing.h"

namespace home {
namespace {

class RandomChoices {
 public:
  RandomChoices(std::uint64_t seed, int operations) : random_(seed), operations_(operations) {}

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  bool done() { return operations_-- == 0; }

 private:
  std::mt19937_64 random_;
  int operations_;
};

class WheelPropertyTest : public ::testing::TestWithParam<std::uint64_t> {};

// The starts lie just before every level's wrap-around.
INSTANTIATE_TEST_SUITE_P(Starts, WheelPropertyTest,
                         ::testing::Values(0u, 0xf0u, 0xfff0u, 0xfffff0u, 0xfffffff0u,
                                           0xfffffffff0u, 0xfffffffffff0u, 1'234'567'890u));

TEST_P(WheelPropertyTest, AgreesWithASortedMap) {
  RandomChoices choices(/*seed=*/GetParam() + 1, /*operations=*/250'000);
  testing::WheelModel model(choices, GetParam());
  model.Run();
  EXPECT_GT(model.fired(), 10'000u);
}

}  // namespace
}  // namespace home
