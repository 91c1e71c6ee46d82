// Clients that are broken, slow or hostile: each ends its own connection with
// the right status, and disturbs nobody else.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/http/server.h"
#include "home/http/server_test_handler.h"
#include "home/http/testing_client.h"
#include "home/http/testing_server.h"

namespace home::http {
namespace {

using testing::Client;
using testing::ClientResponse;
using testing::Gate;
using testing::MakeTestHandler;
using testing::TestServer;

// Timeouts that no test has to wait for unless it says so.
ServerOptions Patient() {
  ServerOptions options;
  options.header_timeout = absl::Minutes(10);
  options.idle_timeout = absl::Minutes(10);
  options.body_timeout = absl::Minutes(10);
  options.write_timeout = absl::Minutes(10);
  options.limits.header_bytes = 4096;
  options.limits.target_bytes = 1000;
  options.limits.header_count = 20;
  options.limits.body_bytes = 100'000;
  return options;
}

// A server, and a well-behaved client whose connection lives through the test.
class BadClientTest : public ::testing::Test {
 protected:
  void Start(const ServerOptions& options = Patient()) {
    server_.emplace(MakeTestHandler(gate_), options);
    bystander_.emplace(server_->port());
    ExpectUndisturbed();
  }
  void ExpectUndisturbed() {
    ASSERT_TRUE(bystander_->Get("/bystander"));
    const auto response = bystander_->ReadResponse();
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->body, "hello GET /bystander");
  }
  void TearDown() override {
    ExpectUndisturbed();
    EXPECT_EQ(bystander_accepted_once(), true);
  }
  bool bystander_accepted_once() { return server_->server().stats().connections_open >= 1; }
  // Waits until `count` connections are open.
  void WaitForOpen(std::uint64_t count) {
    while (server_->server().stats().connections_open != count) std::this_thread::yield();
  }
  // Sends `text` and expects that status, an announced close, and the close.
  void ExpectRefused(absl::string_view text, int status) {
    Client client(server_->port());
    client.Send(text);
    const std::optional<ClientResponse> response = client.ReadResponse();
    ASSERT_TRUE(response.has_value()) << text.substr(0, 200);
    EXPECT_EQ(response->status, status) << text.substr(0, 200);
    EXPECT_EQ(response->headers.at("connection"), "close");
    EXPECT_TRUE(response->complete);
    EXPECT_TRUE(client.ReadsEnd());
  }

  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::optional<TestServer> server_;
  std::optional<Client> bystander_;
};

TEST_F(BadClientTest, MalformedRequests) {
  Start();
  ExpectRefused("\x16\x03\x01\x02\r\n\r\n", 400);
  ExpectRefused("GET / HTTP/1.1\r\n\r\n", 400);
  ExpectRefused("GET / HTTP/1.1\r\nHost: a\r\nB d: x\r\n\r\n", 400);
  ExpectRefused("GET / HTTP/1.1\nHost: a\n\n", 400);
  ExpectRefused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400);
  ExpectRefused("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
  ExpectRefused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
  ExpectRefused("POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417);
}

TEST_F(BadClientTest, AmbiguousLengths) {
  Start();
  ExpectRefused(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
      400);
  ExpectRefused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                400);
  ExpectRefused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400);
  ExpectRefused("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400);
  ExpectRefused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
}

TEST_F(BadClientTest, OversizedRequests) {
  Start();
  ExpectRefused(absl::StrCat("GET /", std::string(2000, 'a'), " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
  ExpectRefused(
      absl::StrCat("GET / HTTP/1.1\r\nHost: a\r\nX: ", std::string(100'000, 'a'), "\r\n\r\n"), 431);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 30; ++i) absl::StrAppend(&many, "H", i, ": x\r\n");
  ExpectRefused(absl::StrCat(many, "\r\n"), 431);
  ExpectRefused("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", 413);
  ExpectRefused(absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "fffff\r\n",
                             std::string(150'000, 'b')),
                413);
}

// Without lingering the close would reset the connection, and the answer would
// be lost while the client still sends.
TEST_F(BadClientTest, ARefusedClientThatStillSendsGetsToReadTheAnswer) {
  Start();
  for (int i = 0; i < 10; ++i) {
    Client client(server_->port());
    ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"));
    const std::string piece(10'000, 'b');
    for (int sent = 0; sent < 20; ++sent) ASSERT_TRUE(client.Send(piece));
    EXPECT_EQ(client.ReadResponse()->status, 413);
  }
}

TEST_F(BadClientTest, ASlowHeadGets408) {
  ServerOptions options = Patient();
  options.header_timeout = absl::Milliseconds(50);
  Start(options);
  ExpectRefused("GET / HTTP/1.1\r\nHo", 408);
  ExpectRefused("\r\n", 408);
}

TEST_F(BadClientTest, ADrippingHeadGets408) {
  ServerOptions options = Patient();
  options.header_timeout = absl::Milliseconds(50);
  Start(options);
  Client client(server_->port());
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\n"));
  // Each byte comes within the time, but the head does not.
  std::thread dripping([&] {
    while (client.Send("x")) std::this_thread::yield();
  });
  const auto response = client.ReadResponse();
  client.ShutdownWrite();
  dripping.join();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(response->status == 408 || response->status == 431 || response->status == 400);
}

TEST_F(BadClientTest, ASlowBodyGets408) {
  ServerOptions options = Patient();
  options.body_timeout = absl::Milliseconds(50);
  Start(options);
  ExpectRefused("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 408);
}

TEST_F(BadClientTest, AnIdleConnectionIsClosedWithoutAWord) {
  ServerOptions options = Patient();
  options.idle_timeout = absl::Milliseconds(50);
  server_.emplace(MakeTestHandler(gate_), options);
  Client fresh(server_->port());
  Client used(server_->port());
  ASSERT_TRUE(used.Get("/"));
  EXPECT_EQ(used.ReadResponse()->status, 200);
  EXPECT_TRUE(fresh.ReadsEnd());
  EXPECT_TRUE(used.ReadsEnd());
  bystander_.emplace(server_->port());
}

TEST_F(BadClientTest, HalfClosedRequests) {
  Start();
  for (absl::string_view text :
       {"GET / HTTP/1.1\r\nHo", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    Client client(server_->port());
    ASSERT_TRUE(client.Send(text));
    client.ShutdownWrite();
    EXPECT_EQ(client.ReadResponse()->status, 400) << text;
    EXPECT_TRUE(client.ReadsEnd());
  }
  // Nothing is wrong with a client that has asked all it wants to.
  Client client(server_->port());
  ASSERT_TRUE(client.Get("/last"));
  client.ShutdownWrite();
  EXPECT_EQ(client.ReadResponse()->body, "hello GET /last");
  EXPECT_TRUE(client.ReadsEnd());
  Client silent(server_->port());
  silent.ShutdownWrite();
  EXPECT_TRUE(silent.ReadsEnd());
}

TEST_F(BadClientTest, HandlersThatFail) {
  Start();
  for (absl::string_view path : {"/fail", "/throw", "/throw-early", "/bad-header"}) {
    ExpectRefused(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n"), 500);
  }
}

TEST_F(BadClientTest, SourcesThatFailCutTheResponseShort) {
  Start();
  for (absl::string_view path : {"/broken", "/throwing-source", "/short?5000"}) {
    Client client(server_->port());
    ASSERT_TRUE(client.Get(path));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response.has_value());
    EXPECT_FALSE(response->complete) << path;
    EXPECT_TRUE(client.ReadsEnd());
  }
}

TEST_F(BadClientTest, AClientThatDoesNotReadIsDropped) {
  ServerOptions options = Patient();
  options.write_timeout = absl::Milliseconds(50);
  Start(options);
  for (absl::string_view path : {"/large", "/sized?8000000", "/chunks?1000000"}) {
    Client client;
    client.LimitReceiveBuffer();
    ASSERT_TRUE(client.Connect(server_->port()));
    ASSERT_TRUE(client.Get(path));
    WaitForOpen(2);
    WaitForOpen(1);
    ExpectUndisturbed();
  }
}

TEST_F(BadClientTest, ResetsInMidResponse) {
  Start();
  for (absl::string_view path : {"/large", "/sized?8000000", "/chunks?1000000"}) {
    Client client;
    client.LimitReceiveBuffer();
    ASSERT_TRUE(client.Connect(server_->port()));
    ASSERT_TRUE(client.Get(path));
    ASSERT_TRUE(client.ReadMore());
    client.Reset();
    WaitForOpen(1);
    ExpectUndisturbed();
  }
}

TEST_F(BadClientTest, ResetsWhileTheHandlerWaits) {
  Start();
  Client client(server_->port());
  ASSERT_TRUE(client.Get("/gate"));
  while (gate_->waiting.load() == 0) std::this_thread::yield();
  client.Reset();
  ExpectUndisturbed();
  gate_->open.Set();
  WaitForOpen(1);
}

TEST_F(BadClientTest, ConnectionsBeyondTheLimitWait) {
  ServerOptions options = Patient();
  options.max_connections = 2;
  Start(options);
  std::optional<Client> second(server_->port());
  ASSERT_TRUE(second->Get("/second"));
  EXPECT_EQ(second->ReadResponse()->status, 200);
  Client third(server_->port());
  ASSERT_TRUE(third.Get("/third"));
  ExpectUndisturbed();
  EXPECT_EQ(server_->server().stats().connections_accepted, 2u);
  second.reset();
  EXPECT_EQ(third.ReadResponse()->body, "hello GET /third");
}

// Takes all descriptors that the process may have.
class DescriptorExhaustion {
 public:
  DescriptorExhaustion() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 200;
    ::setrlimit(RLIMIT_NOFILE, &low);
    int fd = 0;
    while ((fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) taken_.push_back(fd);
  }
  ~DescriptorExhaustion() {
    for (const int fd : taken_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  std::size_t taken() const { return taken_.size(); }

 private:
  rlimit before_;
  std::vector<int> taken_;
};

TEST_F(BadClientTest, AcceptRecoversFromDescriptorExhaustion) {
  Start();
  Client early;  // has its descriptor already
  {
    DescriptorExhaustion exhaustion;
    ASSERT_GT(exhaustion.taken(), 0u);
    ASSERT_TRUE(early.Connect(server_->port()));
    ASSERT_TRUE(early.Get("/early"));
    for (int i = 0; i < 20; ++i) ExpectUndisturbed();
    EXPECT_EQ(server_->server().stats().connections_accepted, 1u);
  }
  EXPECT_EQ(early.ReadResponse()->body, "hello GET /early");
  Client late(server_->port());
  ASSERT_TRUE(late.Get("/late"));
  EXPECT_EQ(late.ReadResponse()->body, "hello GET /late");
}

}  // namespace
}  // namespace home::http
