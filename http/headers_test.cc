#include "home/http/headers.h"

#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace home::http {
namespace {

TEST(HeadersTest, TokensAndFieldValues) {
  EXPECT_TRUE(IsToken("Content-Type"));
  EXPECT_TRUE(IsToken("x!#$%&'*+-.^_`|~9"));
  for (absl::string_view bad : {"", "a b", "a:", "a\r", "(x)", "\x80"}) EXPECT_FALSE(IsToken(bad));
  EXPECT_TRUE(IsFieldValue(""));
  EXPECT_TRUE(IsFieldValue("text/html; charset=\"utf-8\"\t\xc3\xa4"));
  EXPECT_FALSE(IsFieldValue("a\r\nb"));
  EXPECT_FALSE(IsFieldValue("a\nb"));
  EXPECT_FALSE(IsFieldValue(absl::string_view("a\0b", 3)));
  EXPECT_FALSE(IsFieldValue("\x7f"));
}

TEST(HeadersTest, ListsOfTokens) {
  EXPECT_TRUE(ListHasToken("close", "close"));
  EXPECT_TRUE(ListHasToken("Keep-Alive , CLOSE", "close"));
  EXPECT_FALSE(ListHasToken("closed, not-close", "close"));
  EXPECT_FALSE(ListHasToken("", "close"));
}

TEST(HeadersTest, ViewsFindTheFirstFieldInAnyCase) {
  const HeaderField fields[] = {{"Host", "a"}, {"Accept", "x"}, {"accept", "y"}};
  const HeaderView view(fields);
  EXPECT_EQ(view.size(), 3u);
  EXPECT_EQ(view.Find("HOST"), "a");
  EXPECT_EQ(view.Find("Accept"), "x");
  EXPECT_EQ(view.Find("Range"), std::nullopt);
  EXPECT_EQ(view.Get("Range"), "");
}

TEST(HeadersTest, BlocksAreTheTextOfTheMessage) {
  HeaderBlock block;
  block.Add("Content-Type", "text/plain");
  block.Add("X-Empty", "");
  EXPECT_TRUE(block.valid());
  EXPECT_EQ(block.text(), "Content-Type: text/plain\r\nX-Empty: \r\n");
  EXPECT_EQ(block.Find("content-type"), "text/plain");
  EXPECT_EQ(block.Find("x-empty"), "");
  EXPECT_FALSE(block.Has("Content"));
  EXPECT_FALSE(block.Has("text/plain"));
}

TEST(HeadersTest, HeaderInjectionMakesTheBlockInvalid) {
  for (absl::string_view value : {absl::string_view("/x\r\nSet-Cookie: a=b"),
                                  absl::string_view("/\n"), absl::string_view("\0", 1)}) {
    HeaderBlock block;
    block.Add("Location", value);
    EXPECT_FALSE(block.valid());
    EXPECT_TRUE(block.text().empty());
  }
  HeaderBlock block;
  block.Add("Bad Name", "x");
  EXPECT_FALSE(block.valid());
}

}  // namespace
}  // namespace home::http
