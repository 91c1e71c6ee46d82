#include "home/integration/examples/http_server/url_path.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace home::http_server {
namespace {

TEST(UrlPathTest, ResolvesToRelativePaths) {
  struct {
    absl::string_view url, file;
    bool is_directory;
  } cases[] = {
      {"/", ".", true},
      {"/a", "a", false},
      {"/a/", "a", true},
      {"/a/b.txt", "a/b.txt", false},
      {"//a///b", "a/b", false},
      {"/./a/.", "a", true},
      {"/a%20b/%c3%a4", "a b/\xc3\xa4", false},
      {"/%61", "a", false},
      {"/...", "...", false},
      {"/a..b", "a..b", false},
      {"/a%25b", "a%b", false},
      {"/%2541", "%41", false},  // decoded once, not twice
  };
  for (const auto& c : cases) {
    const auto resolved = ResolveUrlPath(c.url);
    ASSERT_TRUE(resolved.ok()) << c.url;
    EXPECT_EQ(resolved->file, c.file) << c.url;
    EXPECT_EQ(resolved->is_directory, c.is_directory) << c.url;
  }
}

TEST(UrlPathTest, NothingLeadsOut) {
  for (absl::string_view url : {"/..", "/../", "/../etc/passwd", "/a/../../b", "/a/..", "/%2e%2e/x",
                                "/%2E./x", "/.%2e", "/a%2f..%2fb", "/%2fetc/passwd", "/a%2Fb"}) {
    EXPECT_EQ(ResolveUrlPath(url).status().code(), absl::StatusCode::kNotFound) << url;
  }
}

TEST(UrlPathTest, RefusesWhatIsNoPath) {
  for (absl::string_view url : {"", "*", "a", "/%", "/%4", "/%zz", "/a%00b", "/a%"}) {
    EXPECT_EQ(ResolveUrlPath(url).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
  EXPECT_EQ(ResolveUrlPath(absl::string_view("/a\0b", 4)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(UrlPathTest, EncodingUndoesResolving) {
  EXPECT_EQ(EncodeUrlPath("a b/\xc3\xa4?#%"), "/a%20b/%C3%A4%3F%23%25");
  EXPECT_EQ(EncodeUrlPath("x\r\ny"), "/x%0D%0Ay");
  for (absl::string_view file : {"a", "a/b", "\x01\xff", "100%", "q?a=b"}) {
    EXPECT_EQ(ResolveUrlPath(EncodeUrlPath(file))->file, file);
  }
}

}  // namespace
}  // namespace home::http_server
