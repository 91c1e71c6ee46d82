// How a server begins and ends.

#include <memory>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/http/server.h"
#include "home/http/server_test_handler.h"
#include "home/http/testing_client.h"
#include "home/http/testing_server.h"

namespace home::http {
namespace {

using testing::Client;
using testing::Gate;
using testing::MakeTestHandler;
using testing::TestServer;

void WaitForGate(const Gate& gate, int count) {
  while (gate.waiting.load() != count) std::this_thread::yield();
}

TEST(ServerShutdownTest, RequestsInFlightFinish) {
  auto gate = std::make_shared<Gate>();
  TestServer server(MakeTestHandler(gate));
  Client idle(server.port());
  ASSERT_TRUE(idle.Get("/"));
  ASSERT_TRUE(idle.ReadResponse().has_value());
  Client busy(server.port());
  ASSERT_TRUE(busy.Get("/gate"));
  Client streaming(server.port());
  ASSERT_TRUE(streaming.Get("/gated-chunks"));
  Client partial(server.port());
  ASSERT_TRUE(partial.Get("/"));
  ASSERT_TRUE(partial.ReadResponse().has_value());
  WaitForGate(*gate, 2);

  server.server().Shutdown();
  EXPECT_TRUE(idle.ReadsEnd());
  EXPECT_TRUE(partial.ReadsEnd());
  gate->open.Set();
  const auto response = busy.ReadResponse();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->body, "open");
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(busy.ReadsEnd());
  EXPECT_EQ(streaming.ReadResponse()->body, "xx");
  EXPECT_TRUE(streaming.ReadsEnd());
  EXPECT_TRUE(server.Wait().ok());
  EXPECT_EQ(server.server().stats().connections_open, 0u);
  Client late;
  EXPECT_FALSE(late.Connect(server.port()));
}

TEST(ServerShutdownTest, TheGracePeriodEnds) {
  auto gate = std::make_shared<Gate>();
  ServerOptions options;
  options.grace_period = absl::Milliseconds(50);
  TestServer server(MakeTestHandler(gate), options);
  Client stuck(server.port());
  ASSERT_TRUE(stuck.Get("/gate"));
  WaitForGate(*gate, 1);
  server.server().Shutdown();
  EXPECT_TRUE(server.Wait().ok());
  EXPECT_TRUE(stuck.ReadsEnd());
  EXPECT_EQ(server.server().stats().connections_open, 0u);
}

TEST(ServerShutdownTest, AbortDropsEverythingAtOnce) {
  auto gate = std::make_shared<Gate>();
  ServerOptions options;
  options.grace_period = absl::InfiniteDuration();
  TestServer server(MakeTestHandler(gate), options);
  Client stuck(server.port());
  ASSERT_TRUE(stuck.Get("/gate"));
  WaitForGate(*gate, 1);
  server.server().Shutdown();
  server.server().Abort();
  EXPECT_TRUE(server.Wait().ok());
  EXPECT_TRUE(stuck.ReadsEnd());
}

TEST(ServerShutdownTest, CancellingServeDropsTheConnections) {
  auto gate = std::make_shared<Gate>();
  TestServer server(MakeTestHandler(gate));
  Client stuck(server.port());
  ASSERT_TRUE(stuck.Get("/gate"));
  WaitForGate(*gate, 1);
  server.Cancel();
  EXPECT_TRUE(stuck.ReadsEnd());
  Client late;
  EXPECT_FALSE(late.Connect(server.port()));
}

TEST(ServerShutdownTest, AServerThatWasStoppedBeforeItServedEndsAtOnce) {
  TestServer server(MakeTestHandler());
  server.server().Shutdown();
  server.server().Shutdown();
  EXPECT_TRUE(server.Wait().ok());
}

TEST(ServerShutdownTest, ManyClientsDuringAShutdown) {
  for (int round = 0; round < 20; ++round) {
    TestServer server(MakeTestHandler());
    std::thread clients[3];
    for (std::thread& thread : clients) {
      thread = std::thread([&server] {
        while (true) {
          Client client;
          if (!client.Connect(server.port())) return;
          // Each request is either answered whole or not at all.
          while (client.Get("/")) {
            const auto response = client.ReadResponse();
            if (!response.has_value()) break;
            EXPECT_TRUE(response->complete);
            if (response->headers.count("connection") != 0) break;
          }
        }
      });
    }
    while (server.server().stats().requests < 50) std::this_thread::yield();
    server.server().Shutdown();
    EXPECT_TRUE(server.Wait().ok());
    for (std::thread& thread : clients) thread.join();
  }
}

TEST(ServerBindTest, APortInUseIsNamed) {
  TestServer server(MakeTestHandler());
  const SocketAddress address = server.server().local_address();
  const absl::StatusOr<Server> second =
      server.runtime().BlockOn([&]() -> Async<absl::StatusOr<Server>> {
        co_return Server::Bind(address, MakeTestHandler());
      });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(address.ToString()), std::string::npos)
      << second.status();
}

}  // namespace
}  // namespace home::http
