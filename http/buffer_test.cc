#include "home/http/buffer.h"

#include <cstring>
#include <string>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace home::http {
namespace {

TEST(BufferTest, BytesComeOutInOrder) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  buffer.Append("hello ");
  absl::Span<char> space = buffer.Prepare(5);
  ASSERT_GE(space.size(), 5u);
  std::memcpy(space.data(), "world", 5);
  buffer.Commit(5);
  EXPECT_EQ(buffer.readable(), "hello world");
  buffer.Consume(6);
  EXPECT_EQ(buffer.readable(), "world");
  buffer.Consume(5);
  EXPECT_TRUE(buffer.empty());
}

TEST(BufferTest, MemoryIsReusedOnceAllIsConsumed) {
  Buffer buffer;
  buffer.Append("abc");
  const std::size_t capacity = buffer.capacity();
  for (int i = 0; i < 10'000; ++i) {
    buffer.Consume(buffer.size());
    buffer.Append("abc");
  }
  EXPECT_EQ(buffer.capacity(), capacity);
}

TEST(BufferTest, BytesMoveToTheFrontBeforeMemoryGrows) {
  Buffer buffer;
  buffer.Append(std::string(4000, 'a') + "tail");
  buffer.Consume(4000);
  const std::size_t capacity = buffer.capacity();
  buffer.Append(std::string(capacity - 4, 'b'));
  EXPECT_EQ(buffer.capacity(), capacity);
  EXPECT_EQ(buffer.readable().substr(0, 5), "tailb");
  buffer.Append("c");
  EXPECT_GT(buffer.capacity(), capacity);
  EXPECT_EQ(buffer.readable().substr(0, 5), "tailb");
  EXPECT_EQ(buffer.readable().back(), 'c');
}

TEST(BufferTest, ConsumeInPlaceMovesNothing) {
  Buffer buffer;
  buffer.Append("headbody");
  const char* base = buffer.readable().data();
  buffer.ConsumeInPlace(4);
  EXPECT_EQ(buffer.readable().data(), base + 4);
  buffer.ConsumeInPlace(4);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.readable().data(), base + 8);
  EXPECT_EQ(std::string(base, 4), "head");
}

TEST(BufferTest, RewindKeepsWhatLiesBeforeTheMark) {
  Buffer buffer;
  buffer.Append("headbody");
  const char* base = buffer.readable().data();
  buffer.ConsumeInPlace(4);
  const std::size_t mark = buffer.Mark();
  buffer.ConsumeInPlace(4);
  buffer.Rewind(mark);
  buffer.Append("BODY");
  EXPECT_EQ(std::string(base, 8), "headBODY");
  EXPECT_EQ(buffer.readable(), "BODY");
}

TEST(BufferTest, ReleaseGivesTheMemoryBack) {
  Buffer buffer;
  buffer.Append("x");
  buffer.Consume(1);
  buffer.Release();
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.Append("y");
  EXPECT_EQ(buffer.readable(), "y");
}

}  // namespace
}  // namespace home::http
