// Well-behaved clients: what they ask for is what they get.

#include "home/http/server.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "home/http/date.h"
#include "home/http/server_test_handler.h"
#include "home/http/testing_client.h"
#include "home/http/testing_server.h"

namespace home::http {
namespace {

using testing::Client;
using testing::ClientResponse;
using testing::Gate;
using testing::kLargeBytes;
using testing::MakeTestHandler;
using testing::TestServer;

class ServerTest : public ::testing::Test {
 protected:
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  TestServer server_{MakeTestHandler(gate_)};
  Client client_{server_.port()};
};

TEST_F(ServerTest, KeepAlive) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client_.Get(absl::StrCat("/", i)));
    const auto response = client_.ReadResponse();
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, absl::StrCat("hello GET /", i));
    EXPECT_EQ(response->headers.at("content-type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(ParseHttpDate(response->headers.at("date")).has_value());
    EXPECT_EQ(response->headers.count("connection"), 0u);
  }
  EXPECT_EQ(server_.server().stats().connections_accepted, 1u);
  EXPECT_EQ(server_.server().stats().requests, 5u);
}

TEST_F(ServerTest, ConnectionCloseIsHeededAndAnnounced) {
  ASSERT_TRUE(client_.Get("/", "Connection: close\r\n"));
  auto response = client_.ReadResponse();
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
  Client other(server_.port());
  ASSERT_TRUE(other.Get("/close"));
  response = other.ReadResponse();
  EXPECT_EQ(response->body, "bye");
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(other.ReadsEnd());
}

TEST_F(ServerTest, Http10ClosesUnlessAsked) {
  ASSERT_TRUE(client_.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  auto response = client_.ReadResponse();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.at("connection"), "keep-alive");
  ASSERT_TRUE(client_.Send("GET / HTTP/1.0\r\n\r\n"));
  response = client_.ReadResponse();
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  std::string requests;
  for (int i = 0; i < 500; ++i) {
    absl::StrAppend(&requests, "GET /", i, " HTTP/1.1\r\nHost: a\r\n\r\n");
    if (i % 7 == 0) {
      absl::StrAppend(&requests, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    }
    if (i % 11 == 0) {
      absl::StrAppend(&requests,
                      "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    }
  }
  std::thread sender([&] { EXPECT_TRUE(client_.Send(requests)); });
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(client_.ReadResponse()->body, absl::StrCat("hello GET /", i));
    if (i % 7 == 0) {
      ASSERT_EQ(client_.ReadResponse()->body, "abc");
    }
    if (i % 11 == 0) {
      ASSERT_EQ(client_.ReadResponse()->body, "hello POST /ignore");
    }
  }
  sender.join();
}

TEST_F(ServerTest, AFinishedResponseDoesNotWaitForTheNextHandler) {
  ASSERT_TRUE(
      client_.Send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /gate HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(client_.ReadResponse()->body, "hello GET /a");
  gate_->open.Set();
  EXPECT_EQ(client_.ReadResponse()->body, "open");
}

TEST_F(ServerTest, RequestsMayComeByteByByte) {
  for (const char c :
       std::string("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")) {
    ASSERT_TRUE(client_.Send(absl::string_view(&c, 1)));
  }
  EXPECT_EQ(client_.ReadResponse()->body, "abcde");
}

TEST_F(ServerTest, LargeRequestBodiesAreStreamed) {
  const std::string body(5 << 20, 'b');
  std::thread sender([&] {
    EXPECT_TRUE(client_.Send(absl::StrCat(
        "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: ", body.size(), "\r\n\r\n")));
    EXPECT_TRUE(client_.Send(body));
    EXPECT_TRUE(
        client_.Send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(client_.Send(absl::StrCat("2710\r\n", std::string(10'000, 'c'), "\r\n")));
    }
    EXPECT_TRUE(client_.Send("0\r\n\r\n"));
  });
  EXPECT_EQ(client_.ReadResponse()->body, absl::StrCat(body.size()));
  EXPECT_EQ(client_.ReadResponse()->body, "1000000");
  sender.join();
}

TEST_F(ServerTest, LargeResponsesArriveWhole) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(client_.Get("/large"));
    const auto response = client_.ReadResponse();
    EXPECT_TRUE(response->complete);
    EXPECT_EQ(response->body, std::string(kLargeBytes, 'x'));
  }
}

TEST_F(ServerTest, SourcesWithoutASizeAreChunked) {
  for (int chunks : {0, 1, 1000}) {
    ASSERT_TRUE(client_.Get(absl::StrCat("/chunks?", chunks)));
    const auto response = client_.ReadResponse();
    EXPECT_EQ(response->headers.at("transfer-encoding"), "chunked");
    EXPECT_TRUE(response->complete);
    EXPECT_EQ(response->body, std::string(static_cast<std::size_t>(chunks) * 10, 'x'));
  }
}

TEST_F(ServerTest, ChunksAreSentWhenTheyAreMade) {
  ASSERT_TRUE(client_.Get("/gated-chunks"));
  while (client_.buffered().find("0001\r\nx\r\n") == std::string::npos) {
    ASSERT_TRUE(client_.ReadMore());
  }
  gate_->open.Set();
  EXPECT_EQ(client_.ReadResponse()->body, "xx");
}

TEST_F(ServerTest, Http10GetsASourceUntilTheEnd) {
  ASSERT_TRUE(client_.Send("GET /chunks?100 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const auto response = client_.ReadResponse();
  EXPECT_EQ(response->headers.count("transfer-encoding"), 0u);
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_EQ(response->body, std::string(1000, 'x'));
}

TEST_F(ServerTest, SourcesWithASize) {
  for (int size : {0, 1, 1 << 20}) {
    ASSERT_TRUE(client_.Get(absl::StrCat("/sized?", size)));
    const auto response = client_.ReadResponse();
    EXPECT_EQ(response->headers.at("content-length"), absl::StrCat(size));
    EXPECT_TRUE(response->complete);
    EXPECT_EQ(response->body, std::string(static_cast<std::size_t>(size), 'x'));
  }
}

TEST_F(ServerTest, HeadGetsTheHeadOnly) {
  for (absl::string_view target : {"/", "/large", "/sized?1000", "/chunks?5"}) {
    ASSERT_TRUE(client_.Send(absl::StrCat("HEAD ", target, " HTTP/1.1\r\nHost: a\r\n\r\n")));
    const auto response = client_.ReadResponse(/*to_head=*/true);
    EXPECT_EQ(response->status, 200);
    EXPECT_TRUE(client_.buffered().empty());
  }
  ASSERT_TRUE(client_.Get("/"));
  EXPECT_EQ(client_.ReadResponse()->body, "hello GET /");
}

TEST_F(ServerTest, ResponsesWithoutABody) {
  ASSERT_TRUE(client_.Get("/no-content"));
  auto response = client_.ReadResponse();
  EXPECT_EQ(response->status, 204);
  EXPECT_EQ(response->headers.count("content-length"), 0u);
  ASSERT_TRUE(client_.Get("/created"));
  response = client_.ReadResponse();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->headers.at("location"), "/new");
}

TEST_F(ServerTest, ExpectContinue) {
  ASSERT_TRUE(client_.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client_.ReadResponse()->status, 100);
  ASSERT_TRUE(client_.Send("abc"));
  EXPECT_EQ(client_.ReadResponse()->body, "abc");
  // A client that does not wait gets no "100 Continue".
  ASSERT_TRUE(client_.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"));
  EXPECT_EQ(client_.ReadResponse()->body, "abc");
}

TEST_F(ServerTest, ExpectContinueIsNotSentForABodyThatNobodyWants) {
  ASSERT_TRUE(client_.Send(
      "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  const auto response = client_.ReadResponse();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(ServerTest, ASmallUnreadBodyIsReadOver) {
  ASSERT_TRUE(client_.Send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"));
  EXPECT_EQ(client_.ReadResponse()->status, 200);
  ASSERT_TRUE(client_.Send("0123456789"));
  ASSERT_TRUE(client_.Get("/next"));
  EXPECT_EQ(client_.ReadResponse()->body, "hello GET /next");
}

TEST_F(ServerTest, ALargeUnreadBodyEndsTheConnection) {
  ASSERT_TRUE(client_.Send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
  EXPECT_EQ(client_.ReadResponse()->headers.at("connection"), "close");
  EXPECT_TRUE(client_.ReadsEnd());
}

TEST_F(ServerTest, ManyClientsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([this, t] {
      for (int connection = 0; connection < 5; ++connection) {
        Client client(server_.port());
        for (int i = 0; i < 40; ++i) {
          const std::string text = absl::StrCat(t, ".", connection, ".", i);
          ASSERT_TRUE(client.Send(absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ",
                                               text.size(), "\r\n\r\n", text)));
          ASSERT_EQ(client.ReadResponse()->body, text);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server_.server().stats().requests, 6u * 5 * 40);
}

}  // namespace
}  // namespace home::http
