// The program as its users see it: a process, a port, files, signals.

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "home/http/testing_client.h"
#include "home/integration/examples/http_server/server_process.h"

namespace home::http_server {
namespace {

using http::testing::Client;
using http::testing::ClientResponse;

// Bytes without a period that a buffer size could hide.
std::string Noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = 88172645463325252u;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return bytes;
}

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string top = ::testing::TempDir() + "/http_server_XXXXXX";
    ASSERT_NE(::mkdtemp(top.data()), nullptr);
    root_ = top + "/root";
    for (const char* directory : {"", "/sub", "/empty dir"}) {
      ASSERT_EQ(::mkdir((root_ + directory).c_str(), 0755), 0);
    }
    Write(top + "/secret", "secret");
    Write(root_ + "/index.html", "<p>index");
    Write(root_ + "/a.txt", "0123456789");
    Write(root_ + "/empty", "");
    Write(root_ + "/sub/index.html", "<p>sub");
    big_ = Noise(3'000'001);
    Write(root_ + "/big.bin", big_);
    ASSERT_EQ(::symlink("../secret", (root_ + "/link-out").c_str()), 0);
    ASSERT_EQ(::symlink("/etc", (root_ + "/etc").c_str()), 0);
    ASSERT_EQ(::symlink("a.txt", (root_ + "/link-in").c_str()), 0);
    ASSERT_EQ(::mkfifo((root_ + "/fifo").c_str(), 0644), 0);
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  void Start(unsigned descriptors = 0) {
    process_.emplace(std::vector<std::string>{"--root", root_, "--port", "0", "--workers", "2"},
                     descriptors);
    port_ = process_->WaitForPort();
    ASSERT_NE(port_, 0) << process_->errors();
  }
  ClientResponse Get(absl::string_view target, absl::string_view headers = "") {
    Client client(port_);
    EXPECT_TRUE(client.Get(target, headers));
    auto response = client.ReadResponse();
    EXPECT_TRUE(response.has_value()) << target;
    EXPECT_TRUE(response->complete) << target;
    return *std::move(response);
  }

  std::string root_;
  std::string big_;
  std::optional<ServerProcess> process_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, ServesFilesByteForByte) {
  Start();
  EXPECT_EQ(Get("/a.txt").body, "0123456789");
  EXPECT_EQ(Get("/a.txt?version=2").body, "0123456789");
  EXPECT_EQ(Get("/%61.txt").body, "0123456789");
  EXPECT_EQ(Get("/link-in").body, "0123456789");
  EXPECT_EQ(Get("/empty").body, "");
  EXPECT_EQ(Get("/big.bin").body, big_);
  EXPECT_EQ(Get("/").body, "<p>index");
  EXPECT_EQ(Get("/sub/").body, "<p>sub");
  EXPECT_EQ(Get("/sub/").headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(Get("/big.bin").headers.at("content-type"), "application/octet-stream");
}

TEST_F(HttpServerTest, OneConnectionMayAskForEverything) {
  Start();
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    for (absl::string_view target : {"/a.txt", "/big.bin", "/none", "/empty", "/sub", "/metrics"}) {
      ASSERT_TRUE(client.Get(target));
      ASSERT_TRUE(client.ReadResponse()->complete);
    }
  }
}

TEST_F(HttpServerTest, Head) {
  Start();
  Client client(port_);
  ASSERT_TRUE(client.Send("HEAD /big.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
  const auto response = client.ReadResponse(/*to_head=*/true);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.at("content-length"), absl::StrCat(big_.size()));
  ASSERT_TRUE(client.Get("/a.txt"));
  EXPECT_EQ(client.ReadResponse()->body, "0123456789");
}

TEST_F(HttpServerTest, Ranges) {
  Start();
  ClientResponse response = Get("/a.txt", "Range: bytes=2-4\r\n");
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.body, "234");
  EXPECT_EQ(response.headers.at("content-range"), "bytes 2-4/10");
  EXPECT_EQ(Get("/a.txt", "Range: bytes=-3\r\n").body, "789");
  EXPECT_EQ(Get("/a.txt", "Range: bytes=7-\r\n").body, "789");
  EXPECT_EQ(Get("/big.bin", "Range: bytes=1000000-2000000\r\n").body,
            big_.substr(1'000'000, 1'000'001));
  response = Get("/a.txt", "Range: bytes=10-\r\n");
  EXPECT_EQ(response.status, 416);
  EXPECT_EQ(response.headers.at("content-range"), "bytes */10");
  EXPECT_EQ(Get("/a.txt", "Range: bytes=1-2,4-5\r\n").status, 200);
  EXPECT_EQ(Get("/a.txt", "Range: nonsense\r\n").status, 200);
}

TEST_F(HttpServerTest, IfRange) {
  Start();
  const ClientResponse whole = Get("/a.txt");
  const std::string tag = whole.headers.at("etag");
  const std::string date = whole.headers.at("last-modified");
  const auto get = [&](const std::string& condition) {
    return Get("/a.txt", absl::StrCat("Range: bytes=2-4\r\nIf-Range: ", condition, "\r\n")).status;
  };
  EXPECT_EQ(get(tag), 206);
  EXPECT_EQ(get(date), 206);
  EXPECT_EQ(get("\"other\""), 200);
  EXPECT_EQ(get("Sun, 06 Nov 1994 08:49:37 GMT"), 200);
}

TEST_F(HttpServerTest, NotModified) {
  Start();
  const ClientResponse whole = Get("/a.txt");
  const std::string tag = whole.headers.at("etag");
  const std::string date = whole.headers.at("last-modified");
  const auto get = [&](const std::string& headers) { return Get("/a.txt", headers).status; };
  EXPECT_EQ(get(absl::StrCat("If-Modified-Since: ", date, "\r\n")), 304);
  EXPECT_EQ(get("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), 200);
  EXPECT_EQ(get("If-Modified-Since: yesterday\r\n"), 200);
  EXPECT_EQ(get(absl::StrCat("If-None-Match: \"x\", W/", tag, "\r\n")), 304);
  EXPECT_EQ(get("If-None-Match: *\r\n"), 304);
  // A tag overrules a date.
  EXPECT_EQ(get(absl::StrCat("If-None-Match: \"x\"\r\nIf-Modified-Since: ", date, "\r\n")), 200);
}

TEST_F(HttpServerTest, WhatIsNotServed) {
  Start();
  EXPECT_EQ(Get("/none").status, 404);
  EXPECT_EQ(Get("/a.txt/").status, 404);
  EXPECT_EQ(Get("/empty%20dir/").status, 404);
  EXPECT_EQ(Get("/fifo").status, 404);
  for (absl::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    Client client(port_);
    ASSERT_TRUE(client.Send(absl::StrCat(method, " /a.txt HTTP/1.1\r\nHost: a\r\n\r\n")));
    const auto response = client.ReadResponse();
    EXPECT_EQ(response->status, 405);
    EXPECT_EQ(response->headers.at("allow"), "GET, HEAD");
  }
}

TEST_F(HttpServerTest, DirectoriesRedirectToThemselves) {
  Start();
  EXPECT_EQ(Get("/sub").status, 301);
  EXPECT_EQ(Get("/sub").headers.at("location"), "/sub/");
  EXPECT_EQ(Get("/sub?a=b").headers.at("location"), "/sub/?a=b");
  EXPECT_EQ(Get("/empty%20dir").headers.at("location"), "/empty%20dir/");
  // Never to another host.
  EXPECT_EQ(Get("//sub").headers.at("location"), "/sub/");
}

TEST_F(HttpServerTest, NoPathLeavesTheRoot) {
  Start();
  for (absl::string_view target :
       {"/../secret", "/sub/../../secret", "/%2e%2e/secret", "/..%2fsecret", "/%2e%2e%2fsecret",
        "/sub/%2E%2E/%2E%2E/secret", "/link-out", "/etc/passwd", "/etc/", "//etc/passwd",
        "/./../secret", "/sub/..", "/..", "/a.txt%00.html", "/%", "/%c0%ae%c0%ae/secret",
        "/..\\secret", "http://x/../secret", "/.../secret"}) {
    const ClientResponse response = Get(target);
    EXPECT_TRUE(response.status == 404 || response.status == 400)
        << target << " " << response.status;
    EXPECT_EQ(response.body.find("secret"), std::string::npos) << target;
    EXPECT_EQ(response.body.find("root:"), std::string::npos) << target;
  }
}

TEST_F(HttpServerTest, MetricsAreForPrometheus) {
  Start();
  const ClientResponse response = Get("/metrics");
  EXPECT_EQ(response.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (absl::string_view line :
       {"\nhome_worker_polls_total{worker=\"0\"} ", "\nhome_runtime_tasks_alive ",
        "\nhttp_server_requests_total 1\n"}) {
    EXPECT_NE(response.body.find(line), std::string::npos) << line << response.body;
  }
}

TEST_F(HttpServerTest, MetricsAreJsonToo) {
  Start();
  const ClientResponse response = Get("/metrics.json");
  EXPECT_EQ(response.headers.at("content-type"), "application/json");
  for (absl::string_view name : {"\"polls\": ", "\"steals\": ", "\"parks\": ",
                                 "\"tasks_completed\": ", "\"requests\": 1", "\"workers\": ["}) {
    EXPECT_NE(response.body.find(name), std::string::npos) << name << response.body;
  }
}

TEST_F(HttpServerTest, ADownloadInFlightSurvivesSigterm) {
  Start();
  Client idle(port_);
  ASSERT_TRUE(idle.Get("/a.txt"));
  ASSERT_TRUE(idle.ReadResponse()->complete);
  Client client;
  client.LimitReceiveBuffer();
  ASSERT_TRUE(client.Connect(port_));
  ASSERT_TRUE(client.Get("/big.bin"));
  ASSERT_TRUE(client.ReadMore());
  process_->Signal(SIGTERM);
  EXPECT_TRUE(idle.ReadsEnd());
  const auto response = client.ReadResponse();
  EXPECT_TRUE(response->complete);
  EXPECT_EQ(response->body, big_);
  EXPECT_TRUE(client.ReadsEnd());
  EXPECT_EQ(process_->WaitForExit(), 0) << process_->errors();
}

TEST_F(HttpServerTest, ASecondSignalEndsItAtOnce) {
  Start();
  Client client;
  client.LimitReceiveBuffer();
  ASSERT_TRUE(client.Connect(port_));
  ASSERT_TRUE(client.Get("/big.bin"));
  ASSERT_TRUE(client.ReadMore());
  process_->Signal(SIGINT);
  EXPECT_NE(process_->ReadErrorLine().find("stopping"), std::string::npos);
  process_->Signal(SIGINT);
  EXPECT_EQ(process_->WaitForExit(), 128 + SIGINT) << process_->errors();
}

TEST_F(HttpServerTest, RecoversFromDescriptorExhaustion) {
  Start(/*descriptors=*/40);
  Client bystander(port_);
  ASSERT_TRUE(bystander.Get("/a.txt"));
  ASSERT_EQ(bystander.ReadResponse()->status, 200);
  {
    std::vector<std::unique_ptr<Client>> crowd;
    for (int i = 0; i < 60; ++i) crowd.push_back(std::make_unique<Client>(port_));
    // Files can't be opened once the crowd was let in, but the server lives.
    int status = 0;
    while (status != 503) {
      ASSERT_TRUE(bystander.Get("/a.txt"));
      status = bystander.ReadResponse()->status;
      ASSERT_TRUE(status == 200 || status == 503) << status;
      std::this_thread::yield();
    }
    ASSERT_TRUE(bystander.Get("/metrics"));
    EXPECT_EQ(bystander.ReadResponse()->status, 200);
  }
  EXPECT_EQ(Get("/metrics").status, 200);
  while (true) {
    ASSERT_TRUE(bystander.Get("/a.txt"));
    const int status = bystander.ReadResponse()->status;
    if (status == 200) break;
    ASSERT_EQ(status, 503);
    std::this_thread::yield();
  }
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->WaitForExit(), 0);
}

TEST_F(HttpServerTest, AMissingDirectoryIsNamed) {
  ServerProcess process({"--root", "/no/such/directory", "--port", "0"});
  EXPECT_EQ(process.WaitForExit(), 1);
  EXPECT_EQ(process.errors(), "http_server: open /no/such/directory: No such file or directory\n");
  EXPECT_EQ(process.output(), "");
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  Start();
  ServerProcess second({"--root", root_, "--port", absl::StrCat(port_)});
  EXPECT_EQ(second.WaitForExit(), 1);
  EXPECT_NE(second.errors().find(absl::StrCat("127.0.0.1:", port_)), std::string::npos);
  EXPECT_EQ(second.errors().find('\n'), second.errors().size() - 1) << "one line";
  EXPECT_EQ(Get("/a.txt").status, 200);
}

TEST_F(HttpServerTest, TheCommandLine) {
  ServerProcess help({"--help"});
  EXPECT_EQ(help.WaitForExit(), 0);
  EXPECT_EQ(help.output().rfind("usage: http_server", 0), 0u);
  ServerProcess mistake({"--root", root_, "--port", "many"});
  EXPECT_EQ(mistake.WaitForExit(), 2);
  EXPECT_NE(mistake.errors().find("--port"), std::string::npos);
}

}  // namespace
}  // namespace home::http_server
