// HTTP dates: "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
//
// FormatHttpDate writes the preferred form; ParseHttpDate reads it and the two
// obsolete ones, as the RFC demands. DateCache formats the current second once
// for many responses.
//
// Thread-safety: the functions from any thread; a DateCache by one at a time.
// Cost: a cached date is one clock read and a comparison.

#ifndef HOME_HTTP_DATE_H_
#define HOME_HTTP_DATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace home::http {

inline constexpr std::size_t kHttpDateSize = 29;

// `unix_seconds` in years 0 to 9999; others are clamped to that range.
std::string FormatHttpDate(std::int64_t unix_seconds);
// The same into memory of the caller's.
void FormatHttpDateTo(std::int64_t unix_seconds, char (&out)[kHttpDateSize]);

// Seconds since the epoch; nothing if `text` is no HTTP date.
std::optional<std::int64_t> ParseHttpDate(absl::string_view text);

class DateCache {
 public:
  // The current date, valid until the next call.
  absl::string_view Now();

 private:
  std::int64_t second_ = -1;
  char text_[kHttpDateSize] = {};
};

}  // namespace home::http

#endif  // HOME_HTTP_DATE_H_
