#include "home/integration/examples/http_server/byte_range.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace home::http_server {
namespace {

constexpr absl::string_view kUnit = "bytes=";

// A number of digits only; what is too large is as large as can be.
std::optional<std::uint64_t> ParsePosition(absl::string_view text) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  return value;
}

ByteRange Part(std::uint64_t first, std::uint64_t last, std::uint64_t file_size) {
  ByteRange range;
  if (first >= file_size) {
    range.kind = ByteRange::Kind::kUnsatisfiable;
    return range;
  }
  range.kind = ByteRange::Kind::kPart;
  range.first = first;
  range.size = std::min(last, file_size - 1) - first + 1;
  return range;
}

}  // namespace

ByteRange ParseByteRange(absl::string_view field, std::uint64_t file_size) {
  const ByteRange whole;
  if (!absl::StartsWithIgnoreCase(field, kUnit)) return whole;
  const absl::string_view spec = absl::StripAsciiWhitespace(field.substr(kUnit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == absl::string_view::npos) return whole;
  const absl::string_view first_text = spec.substr(0, dash);
  const absl::string_view last_text = spec.substr(dash + 1);
  const std::optional<std::uint64_t> last = ParsePosition(last_text);
  if (first_text.empty()) {  // the last so many bytes
    if (!last.has_value()) return whole;
    if (*last == 0) return Part(file_size, 0, file_size);
    return Part(file_size - std::min(*last, file_size), file_size, file_size);
  }
  const std::optional<std::uint64_t> first = ParsePosition(first_text);
  if (!first.has_value() || (!last.has_value() && !last_text.empty())) return whole;
  if (last.has_value() && *last < *first) return whole;
  return Part(*first, last.value_or(std::numeric_limits<std::uint64_t>::max()), file_size);
}

}  // namespace home::http_server
