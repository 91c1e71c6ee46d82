// The third-party libraries that are built from pinned sources, each
// used once for real: an archive that no longer builds, links or runs shows
// here, before it shows as a riddle in a package above.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "liburing.h"
#include "llhttp.h"
#include "mimalloc.h"

namespace home {
namespace {

TEST(LiburingTest, ANopGoesThroughTheRing) {
  io_uring ring;
  const int created = io_uring_queue_init(4, &ring, 0);
  if (created < 0) {
    // A kernel without io_uring, or one whose policy refuses it: then the
    // refusal itself is what has to arrive here unharmed.
    EXPECT_TRUE(created == -EPERM || created == -ENOSYS || created == -EACCES)
        << std::strerror(-created);
    return;
  }

  io_uring_sqe* submission = io_uring_get_sqe(&ring);
  ASSERT_NE(submission, nullptr);
  io_uring_prep_nop(submission);
  io_uring_sqe_set_data64(submission, 42);
  ASSERT_EQ(io_uring_submit(&ring), 1);

  io_uring_cqe* completion = nullptr;
  ASSERT_EQ(io_uring_wait_cqe(&ring, &completion), 0);
  EXPECT_EQ(completion->res, 0);
  EXPECT_EQ(io_uring_cqe_get_data64(completion), 42u);
  io_uring_cqe_seen(&ring, completion);
  io_uring_queue_exit(&ring);
}

TEST(MimallocTest, BlocksFreedByAnotherThreadComeBack) {
  constexpr int kBlocks = 1000;
  std::vector<unsigned char*> blocks;
  for (int i = 0; i < kBlocks; ++i) {
    auto* block = static_cast<unsigned char*>(mi_malloc_aligned(64 + i, 64));
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
    std::memset(block, i & 0xff, 64 + i);
    blocks.push_back(block);
  }
  std::thread other([&blocks] {
    for (int i = 0; i < kBlocks; ++i) {
      EXPECT_EQ(blocks[i][63 + i], i & 0xff);
      mi_free(blocks[i]);
    }
  });
  other.join();
  for (int i = 0; i < kBlocks; ++i) {
    void* block = mi_malloc(64 + i);
    ASSERT_NE(block, nullptr);
    mi_free(block);
  }
}

TEST(LlhttpTest, ARequestIsParsed) {
  struct Request {
    std::string url;
    std::string body;
    bool complete = false;
  };
  Request request;
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = [](llhttp_t* parser, const char* data, std::size_t size) {
    static_cast<Request*>(parser->data)->url.append(data, size);
    return 0;
  };
  settings.on_body = [](llhttp_t* parser, const char* data, std::size_t size) {
    static_cast<Request*>(parser->data)->body.append(data, size);
    return 0;
  };
  settings.on_message_complete = [](llhttp_t* parser) {
    static_cast<Request*>(parser->data)->complete = true;
    return 0;
  };

  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &request;
  const std::string bytes =
      "POST /path?query HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  // In the smallest pieces that a socket can deliver.
  for (const char byte : bytes) {
    ASSERT_EQ(llhttp_execute(&parser, &byte, 1), HPE_OK) << llhttp_get_error_reason(&parser);
  }
  EXPECT_TRUE(request.complete);
  EXPECT_EQ(request.url, "/path?query");
  EXPECT_EQ(request.body, "abcde");
  EXPECT_EQ(parser.method, HTTP_POST);
  EXPECT_EQ(parser.http_minor, 1);
}

TEST(LlhttpTest, AMalformedRequestIsRefused) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  const std::string bytes = "GET / HTTP/1.1\r\nno colon here\r\n\r\n";
  EXPECT_NE(llhttp_execute(&parser, bytes.data(), bytes.size()), HPE_OK);
}

// Debian's binary package has a string_view of its own; from source under
// C++20 it is the standard one, and the whole project relies on that.
TEST(AbseilTest, StringViewIsTheStandardOne) {
  static_assert(std::is_same_v<absl::string_view, std::string_view>);
  EXPECT_EQ(absl::StrCat("a", std::string_view("b"), 3), "ab3");
}

}  // namespace
}  // namespace home
