#include "home/http/date.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"

namespace home::http {
namespace {

constexpr absl::string_view kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
constexpr absl::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr absl::CivilSecond kEpoch(1970, 1, 1, 0, 0, 0);

void PutNumber(char*& out, std::int64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out += digits;
}

void PutText(char*& out, absl::string_view text) {
  std::memcpy(out, text.data(), text.size());
  out += text.size();
}

// Takes pieces off the front of a text; every step fails for good once one has.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

  bool Literal(absl::string_view text) {
    ok_ = ok_ && rest_.substr(0, text.size()) == text;
    if (ok_) rest_.remove_prefix(text.size());
    return ok_;
  }
  // The 1-based index of the name that comes next; `prefix` characters count.
  template <std::size_t kCount>
  int Name(const absl::string_view (&names)[kCount], std::size_t prefix) {
    for (std::size_t i = 0; ok_ && i < kCount; ++i) {
      const absl::string_view name = names[i].substr(0, prefix);
      if (rest_.substr(0, name.size()) == name) {
        rest_.remove_prefix(name.size());
        return static_cast<int>(i) + 1;
      }
    }
    ok_ = false;
    return 0;
  }
  int Number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; ok_ && i < digits; ++i) {
      ok_ = i < rest_.size() && absl::ascii_isdigit(static_cast<unsigned char>(rest_[i]));
      if (ok_) value = value * 10 + (rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(digits);
    return value;
  }
  // A day of the month as asctime() writes it: two digits, or a space and one.
  int SpacedDay() {
    if (rest_.substr(0, 1) == " ") {
      rest_.remove_prefix(1);
      return Number(1);
    }
    return Number(2);
  }

 private:
  absl::string_view rest_;
  bool ok_ = true;
};

struct Fields {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void ScanTime(Scanner& scan, Fields& fields) {
  fields.hour = scan.Number(2);
  scan.Literal(":");
  fields.minute = scan.Number(2);
  scan.Literal(":");
  fields.second = scan.Number(2);
}

std::optional<std::int64_t> ToUnix(const Fields& f) {
  if (f.month < 1 || f.day < 1 || f.hour > 23 || f.minute > 59 || f.second > 60) {
    return std::nullopt;
  }
  const absl::CivilDay day(f.year, f.month, f.day);
  if (day.day() != f.day) return std::nullopt;  // the 30th of February
  const absl::CivilSecond midnight(day);
  return (midnight - kEpoch) + f.hour * 3600 + f.minute * 60 + f.second;
}

// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<std::int64_t> ParsePreferred(absl::string_view text) {
  Scanner scan(text);
  Fields fields;
  scan.Name(kDays, 3);
  scan.Literal(", ");
  fields.day = scan.Number(2);
  scan.Literal(" ");
  fields.month = scan.Name(kMonths, 3);
  scan.Literal(" ");
  fields.year = scan.Number(4);
  scan.Literal(" ");
  ScanTime(scan, fields);
  scan.Literal(" GMT");
  return scan.done() ? ToUnix(fields) : std::nullopt;
}

// Sunday, 06-Nov-94 08:49:37 GMT
std::optional<std::int64_t> ParseRfc850(absl::string_view text) {
  Scanner scan(text);
  Fields fields;
  scan.Name(kDays, absl::string_view::npos);
  scan.Literal(", ");
  fields.day = scan.Number(2);
  scan.Literal("-");
  fields.month = scan.Name(kMonths, 3);
  scan.Literal("-");
  fields.year = scan.Number(2);
  // Two digits stand for the year that is at most 50 years ahead.
  const int this_year =
      static_cast<int>((kEpoch + static_cast<std::int64_t>(std::time(nullptr))).year());
  fields.year += this_year / 100 * 100;
  if (fields.year > this_year + 50) fields.year -= 100;
  scan.Literal(" ");
  ScanTime(scan, fields);
  scan.Literal(" GMT");
  return scan.done() ? ToUnix(fields) : std::nullopt;
}

// Sun Nov  6 08:49:37 1994
std::optional<std::int64_t> ParseAsctime(absl::string_view text) {
  Scanner scan(text);
  Fields fields;
  scan.Name(kDays, 3);
  scan.Literal(" ");
  fields.month = scan.Name(kMonths, 3);
  scan.Literal(" ");
  fields.day = scan.SpacedDay();
  scan.Literal(" ");
  ScanTime(scan, fields);
  scan.Literal(" ");
  fields.year = scan.Number(4);
  return scan.done() ? ToUnix(fields) : std::nullopt;
}

}  // namespace

void FormatHttpDateTo(std::int64_t unix_seconds, char (&out)[kHttpDateSize]) {
  constexpr std::int64_t kFirst = absl::CivilSecond(0, 1, 1) - kEpoch;
  constexpr std::int64_t kLast = absl::CivilSecond(9999, 12, 31, 23, 59, 59) - kEpoch;
  const absl::CivilSecond civil = kEpoch + std::clamp(unix_seconds, kFirst, kLast);
  char* put = out;
  PutText(put, kDays[static_cast<int>(absl::GetWeekday(civil))].substr(0, 3));
  PutText(put, ", ");
  PutNumber(put, civil.day(), 2);
  PutText(put, " ");
  PutText(put, kMonths[civil.month() - 1]);
  PutText(put, " ");
  PutNumber(put, civil.year(), 4);
  PutText(put, " ");
  PutNumber(put, civil.hour(), 2);
  PutText(put, ":");
  PutNumber(put, civil.minute(), 2);
  PutText(put, ":");
  PutNumber(put, civil.second(), 2);
  PutText(put, " GMT");
}

std::string FormatHttpDate(std::int64_t unix_seconds) {
  char text[kHttpDateSize];
  FormatHttpDateTo(unix_seconds, text);
  return std::string(text, kHttpDateSize);
}

std::optional<std::int64_t> ParseHttpDate(absl::string_view text) {
  if (auto result = ParsePreferred(text)) return result;
  if (auto result = ParseRfc850(text)) return result;
  return ParseAsctime(text);
}

absl::string_view DateCache::Now() {
  const std::int64_t now = std::time(nullptr);
  if (now != second_) {
    FormatHttpDateTo(now, text_);
    second_ = now;
  }
  return absl::string_view(text_, kHttpDateSize);
}

}  // namespace home::http
