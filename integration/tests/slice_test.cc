// The floors together: tasks that talk over sockets under a runtime of either
// flavour, with timeouts, aborts and shutdowns in the middle of it.

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"
#include "home/runtime.h"

namespace home {
namespace {

enum class Flavour { kMultiThread, kCurrentThread };

Runtime MakeRuntime(Flavour flavour) {
  RuntimeBuilder builder;
  if (flavour == Flavour::kCurrentThread) {
    builder.CurrentThread();
  } else {
    builder.WorkerThreads(4);
  }
  absl::StatusOr<Runtime> runtime = builder.Build();
  EXPECT_TRUE(runtime.ok()) << runtime.status();
  return *std::move(runtime);
}

// Reads `size` bytes, or to the end.
Async<absl::StatusOr<std::string>> ReadExactly(TcpStream& stream, std::size_t size) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const std::size_t n = co_await Try(stream.Read(absl::MakeSpan(text).subspan(have)));
    if (n == 0) break;
    have += n;
  }
  text.resize(have);
  co_return text;
}

// Sends back what comes, until the client ends.
Async<absl::Status> Echo(TcpStream stream) {
  std::string buffer(4096, '\0');
  for (;;) {
    const std::size_t n = co_await Try(stream.Read(absl::MakeSpan(buffer)));
    if (n == 0) co_return absl::OkStatus();
    co_await Try(stream.WriteAll(absl::string_view(buffer).substr(0, n)));
  }
}

Async<absl::Status> Serve(TcpListener listener) {
  for (;;) {
    TcpStream stream = co_await Try(listener.Accept());
    Spawn(Echo(std::move(stream))).Detach();
  }
}

// An echo server in a task; yields its address and the task.
struct Server {
  Server(const SocketAddress& where, JoinHandle<absl::Status> what)
      : address(where), task(std::move(what)) {}

  SocketAddress address;
  JoinHandle<absl::Status> task;
};

absl::StatusOr<Server> StartServer() {
  absl::StatusOr<TcpListener> listener = TcpListener::Bind(SocketAddress::IPv4Loopback(0));
  if (!listener.ok()) return listener.status();
  const SocketAddress address = listener->local_address();
  return Server(address, Spawn(Serve(*std::move(listener))));
}

class SliceTest : public ::testing::TestWithParam<Flavour> {
 protected:
  Runtime runtime_ = MakeRuntime(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Flavours, SliceTest,
                         ::testing::Values(Flavour::kMultiThread, Flavour::kCurrentThread),
                         [](const auto& param) {
                           return param.param == Flavour::kMultiThread ? "MultiThread"
                                                                       : "CurrentThread";
                         });

// Messages of growing size, over and over the connection's buffers' ends.
Async<absl::Status> Converse(SocketAddress server, int client, int messages) {
  TcpStream stream = co_await Try(TcpStream::Connect(server));
  for (int i = 0; i < messages; ++i) {
    const std::string message(1 + (client * 977 + i * 131) % 9000, static_cast<char>('a' + i % 26));
    co_await Try(stream.WriteAll(message));
    const std::string answer = co_await Try(ReadExactly(stream, message.size()));
    if (answer != message) co_return absl::DataLossError("the echo differs");
  }
  co_return absl::OkStatus();
}

TEST_P(SliceTest, EveryByteComesBackToEachOfManyClients) {
  constexpr int kClients = 32;
  constexpr int kMessages = 50;
  const absl::Status status = runtime_.BlockOn([]() -> Async<absl::Status> {
    absl::StatusOr<Server> server = StartServer();
    if (!server.ok()) co_return server.status();
    std::vector<JoinHandle<absl::Status>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(Spawn(Converse(server->address, i, kMessages)));
    }
    for (JoinHandle<absl::Status>& client : clients) co_await Try(std::move(client));
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

TEST_P(SliceTest, AReadThatTimedOutHasLostNothing) {
  const absl::Status status = runtime_.BlockOn([]() -> Async<absl::Status> {
    absl::StatusOr<Server> server = StartServer();
    if (!server.ok()) co_return server.status();
    TcpStream stream = co_await Try(TcpStream::Connect(server->address));
    char buffer[16];
    for (int i = 0; i < 20; ++i) {
      // Nobody has said anything, so nothing can come back.
      absl::StatusOr<std::size_t> nothing =
          co_await Timeout(stream.Read(absl::MakeSpan(buffer)), absl::Milliseconds(1));
      EXPECT_EQ(nothing.status().code(), absl::StatusCode::kDeadlineExceeded);
      co_await Try(stream.WriteAll("ping"));
      const std::string answer = co_await Try(ReadExactly(stream, 4));
      EXPECT_EQ(answer, "ping");
    }
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

TEST_P(SliceTest, AnAbortedServerGivesItsPortBack) {
  const absl::Status status = runtime_.BlockOn([]() -> Async<absl::Status> {
    SocketAddress address = SocketAddress::IPv4Loopback(0);
    for (int i = 0; i < 20; ++i) {
      absl::StatusOr<TcpListener> listener = TcpListener::Bind(address);
      if (!listener.ok()) co_return listener.status();
      address = listener->local_address();
      JoinHandle<absl::Status> task = Spawn(Serve(*std::move(listener)));
      task.Abort();
      const absl::Status ended = co_await std::move(task);
      EXPECT_EQ(ended.code(), absl::StatusCode::kCancelled);
    }
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

// Counts the frames that are alive.
class Alive {
 public:
  explicit Alive(std::atomic<int>* count) : count_(count) { count_->fetch_add(1); }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { count_->fetch_sub(1); }

 private:
  std::atomic<int>* count_;
};

Async<absl::Status> WaitOnSocket(SocketAddress server, std::atomic<int>* alive,
                                 std::atomic<int>* waiting) {
  const Alive guard(alive);
  TcpStream stream = co_await Try(TcpStream::Connect(server));
  waiting->fetch_add(1);
  char buffer[1];
  const std::size_t n = co_await Try(stream.Read(absl::MakeSpan(buffer)));
  co_return n == 0 ? absl::OkStatus() : absl::InternalError("nobody has written");
}

Async<void> WaitOnTimer(std::atomic<int>* alive, std::atomic<int>* waiting) {
  const Alive guard(alive);
  waiting->fetch_add(1);
  co_await Sleep(absl::Hours(1));
}

TEST_P(SliceTest, ShutdownDestroysWhatWaitsOnSocketsAndTimers) {
  constexpr int kEach = 50;
  std::atomic<int> alive{0};
  std::atomic<int> waiting{0};
  const absl::Status status = runtime_.BlockOn([&]() -> Async<absl::Status> {
    absl::StatusOr<Server> server = StartServer();
    if (!server.ok()) co_return server.status();
    for (int i = 0; i < kEach; ++i) {
      Spawn(WaitOnSocket(server->address, &alive, &waiting)).Detach();
      Spawn(WaitOnTimer(&alive, &waiting)).Detach();
    }
    while (waiting.load() < 2 * kEach) co_await YieldNow();
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(alive.load(), 2 * kEach);
  EXPECT_TRUE(runtime_.ShutdownTimeout(absl::InfiniteDuration()));
  EXPECT_EQ(alive.load(), 0);
}

}  // namespace
}  // namespace home
