#include "home/scheduler/seed_runner.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace home::testing {

absl::StatusOr<std::uint64_t> ParseSeed(std::string_view text) {
  std::uint64_t seed = 0;
  if (!absl::SimpleAtoi(text, &seed)) {
    return absl::InvalidArgumentError(absl::StrCat("not a seed: \"", text, "\""));
  }
  return seed;
}

absl::StatusOr<SeedRange> ParseSeedRange(std::string_view text) {
  const auto wrong = [text] {
    return absl::InvalidArgumentError(
        absl::StrCat("neither a number of seeds nor a range as 100-199: \"", text, "\""));
  };
  const std::size_t dash = text.find('-');
  const absl::StatusOr<std::uint64_t> first = ParseSeed(text.substr(0, dash));
  if (!first.ok()) return wrong();
  if (dash == std::string_view::npos) {
    if (*first == 0) return wrong();
    return SeedRange{.first = 0, .last = *first - 1};
  }
  const absl::StatusOr<std::uint64_t> last = ParseSeed(text.substr(dash + 1));
  if (!last.ok() || *last < *first) return wrong();
  return SeedRange{.first = *first, .last = *last};
}

}  // namespace home::testing
