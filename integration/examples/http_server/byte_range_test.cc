#include "home/integration/examples/http_server/byte_range.h"

#include <cstdint>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace home::http_server {
namespace {

using Kind = ByteRange::Kind;

TEST(ByteRangeTest, Table) {
  struct {
    absl::string_view field;
    std::uint64_t file_size;
    Kind kind;
    std::uint64_t first, size;
  } cases[] = {
      {"bytes=0-0", 10, Kind::kPart, 0, 1},
      {"bytes=0-9", 10, Kind::kPart, 0, 10},
      {"bytes=2-5", 10, Kind::kPart, 2, 4},
      {"bytes=2-", 10, Kind::kPart, 2, 8},
      {"bytes=9-", 10, Kind::kPart, 9, 1},
      {"bytes=5-500", 10, Kind::kPart, 5, 5},
      {"bytes=-3", 10, Kind::kPart, 7, 3},
      {"bytes=-300", 10, Kind::kPart, 0, 10},
      {"Bytes=2-5", 10, Kind::kPart, 2, 4},
      {"bytes=0-99999999999999999999999", 10, Kind::kPart, 0, 10},
      {"bytes=10-", 10, Kind::kUnsatisfiable, 0, 0},
      {"bytes=99999999999999999999999-", 10, Kind::kUnsatisfiable, 0, 0},
      {"bytes=-0", 10, Kind::kUnsatisfiable, 0, 0},
      {"bytes=0-", 0, Kind::kUnsatisfiable, 0, 0},
      {"bytes=-5", 0, Kind::kUnsatisfiable, 0, 0},
      {"", 10, Kind::kWhole, 0, 0},
      {"bytes=", 10, Kind::kWhole, 0, 0},
      {"bytes=-", 10, Kind::kWhole, 0, 0},
      {"bytes=5", 10, Kind::kWhole, 0, 0},
      {"bytes=5-2", 10, Kind::kWhole, 0, 0},
      {"bytes=a-b", 10, Kind::kWhole, 0, 0},
      {"bytes=1-2,4-5", 10, Kind::kWhole, 0, 0},
      {"bytes=--1", 10, Kind::kWhole, 0, 0},
      {"lines=1-2", 10, Kind::kWhole, 0, 0},
  };
  for (const auto& c : cases) {
    const ByteRange range = ParseByteRange(c.field, c.file_size);
    EXPECT_EQ(range.kind, c.kind) << c.field;
    EXPECT_EQ(range.first, c.first) << c.field;
    EXPECT_EQ(range.size, c.size) << c.field;
  }
}

}  // namespace
}  // namespace home::http_server
