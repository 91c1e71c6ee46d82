#include "home/scheduler/simulation_testing.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "home/future/fatal.h"

namespace home::testing {
namespace {

// What simulation_main works on in this process.
std::optional<std::uint64_t> suite_seed;

std::optional<std::uint64_t> ReplayedSeed() {
  const char* text = std::getenv("HOME_SIM_SEED");
  if (text == nullptr) return std::nullopt;
  const absl::StatusOr<std::uint64_t> seed = ParseSeed(text);
  if (!seed.ok()) Fatal(absl::StrCat("HOME_SIM_SEED: ", seed.status().message()).c_str());
  return *seed;
}

SeedRange SeedsToTry(SeedRange by_default) {
  const char* text = std::getenv("HOME_SIM_SEEDS");
  if (text == nullptr) return by_default;
  const absl::StatusOr<SeedRange> seeds = ParseSeedRange(text);
  if (!seeds.ok()) Fatal(absl::StrCat("HOME_SIM_SEEDS: ", seeds.status().message()).c_str());
  return *seeds;
}

// The command that replays `seed` of the tests that `filter` names.
std::string ReplayCommand(std::uint64_t seed, std::string_view filter) {
  if (const char* target = std::getenv("TEST_TARGET")) {
    return absl::StrCat("bazel test ", target, " --test_output=all --test_env=HOME_SIM_SEED=", seed,
                        " --test_filter='", filter, "'");
  }
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return absl::StrCat("HOME_SIM_SEED=", seed, " ", program.empty() ? "PROGRAM" : program.string(),
                      " --gtest_filter='", filter, "'");
}

std::string Describe(const SeedFailure& failure, SeedRange seeds, std::string_view filter) {
  return absl::StrCat("seed ", failure.seed, " of ", seeds.first, "-", seeds.last,
                      " failed: ", failure.how, failure.output.empty() ? "" : ". It wrote:\n",
                      failure.output, "\nThe command that replays it, with its trace:\n  ",
                      ReplayCommand(failure.seed, filter));
}

// How many assertions of the current test have failed.
int FailedAssertions() {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return 0;
  int failed = 0;
  for (int i = 0; i < test->result()->total_part_count(); ++i) {
    if (test->result()->GetTestPartResult(i).failed()) ++failed;
  }
  return failed;
}

std::string CurrentTestName() {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? "*" : absl::StrCat(test->test_suite_name(), ".", test->name());
}

Runtime MakeRuntime(SimulationOptions options, std::uint64_t seed, bool trace) {
  options.seed = seed;
  if (trace) {
    options.trace = [](std::string_view line) {
      std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    };
  }
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().Simulated(std::move(options)).Build();
  if (!runtime.ok()) Fatal(runtime.status().ToString().c_str());
  return *std::move(runtime);
}

}  // namespace

::testing::AssertionResult PassesUnderEverySeed(const std::function<void(Runtime& runtime)>& body,
                                                const SeedsOptions& options) {
  const int failed_before = FailedAssertions();
  const auto run = [&](std::uint64_t seed, bool trace) {
    Runtime runtime = MakeRuntime(options.simulation, seed, trace);
    body(runtime);
    return FailedAssertions() == failed_before;
  };
  if (const std::optional<std::uint64_t> seed = ReplayedSeed()) {
    if (run(*seed, /*trace=*/true)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "seed " << *seed << ", which was replayed, failed";
  }
  const SeedRange seeds = SeedsToTry(options.seeds);
  const std::optional<SeedFailure> failure =
      RunSeeds(seeds, {.limit_seconds = options.limit_seconds},
               [&run](std::uint64_t seed) { return run(seed, /*trace=*/false); });
  if (!failure) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << Describe(*failure, seeds, CurrentTestName());
}

std::uint64_t CurrentSeed() {
  if (suite_seed) return *suite_seed;
  return ReplayedSeed().value_or(0);
}

Runtime SimulatedRuntime(SimulationOptions options) {
  return MakeRuntime(std::move(options), CurrentSeed(), ReplayedSeed().has_value());
}

int RunUnderEverySeed(const std::function<int()>& run) {
  if (ReplayedSeed()) return run();
  const SeedRange seeds = SeedsToTry(SeedsOptions().seeds);
  const std::optional<SeedFailure> failure =
      RunSeeds(seeds, {.batch = 1}, [&run](std::uint64_t seed) {
        suite_seed = seed;
        return run() == 0;
      });
  if (!failure) {
    std::fprintf(stderr, "all seeds from %llu to %llu have passed\n",
                 static_cast<unsigned long long>(seeds.first),
                 static_cast<unsigned long long>(seeds.last));
    return 0;
  }
  std::fprintf(stderr, "%s\n", Describe(*failure, seeds, GTEST_FLAG_GET(filter)).c_str());
  return 1;
}

}  // namespace home::testing
