#include "home/http/date.h"

#include <cstdint>
#include <ctime>
#include <limits>

#include "gtest/gtest.h"

namespace home::http {
namespace {

TEST(DateTest, FormatsThePreferredForm) {
  EXPECT_EQ(FormatHttpDate(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatHttpDate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(FormatHttpDate(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(FormatHttpDate(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST(DateTest, ClampsYearsThatHaveNoFourDigits) {
  EXPECT_EQ(FormatHttpDate(std::numeric_limits<std::int64_t>::max()).size(), kHttpDateSize);
  EXPECT_EQ(FormatHttpDate(std::numeric_limits<std::int64_t>::max()).substr(12, 4), "9999");
  EXPECT_EQ(FormatHttpDate(std::numeric_limits<std::int64_t>::min()).substr(12, 4), "0000");
}

TEST(DateTest, ParsesAllThreeForms) {
  EXPECT_EQ(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(ParseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(ParseHttpDate("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(ParseHttpDate("Wed Nov 16 08:49:37 1994"), 784975777);
}

TEST(DateTest, ParsingUndoesFormatting) {
  for (std::int64_t t = -2'000'000'000; t < 4'000'000'000; t += 86'399 * 37) {
    EXPECT_EQ(ParseHttpDate(FormatHttpDate(t)), t);
  }
}

TEST(DateTest, RefusesWhatIsNoDate) {
  for (const char* text :
       {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 30 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt", "784111777"}) {
    EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
  }
}

TEST(DateTest, TheCacheTellsTheCurrentTime) {
  DateCache cache;
  const std::int64_t before = std::time(nullptr);
  const auto now = ParseHttpDate(cache.Now());
  const std::int64_t after = std::time(nullptr);
  ASSERT_TRUE(now.has_value());
  EXPECT_LE(before, *now);
  EXPECT_LE(*now, after);
}

}  // namespace
}  // namespace home::http
