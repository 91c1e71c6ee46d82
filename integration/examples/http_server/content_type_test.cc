#include "home/integration/examples/http_server/content_type.h"

#include "gtest/gtest.h"

namespace home::http_server {
namespace {

TEST(ContentTypeTest, GoesByTheExtension) {
  EXPECT_EQ(ContentTypeOf("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(ContentTypeOf("a/b/PHOTO.JPG"), "image/jpeg");
  EXPECT_EQ(ContentTypeOf("a.tar.gz"), "application/gzip");
  for (const char* unknown : {"", "README", "a.b/README", ".html", "a.", "a.unknown", "x/"}) {
    EXPECT_EQ(ContentTypeOf(unknown), "application/octet-stream") << unknown;
  }
}

}  // namespace
}  // namespace home::http_server
