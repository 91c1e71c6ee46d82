// The program that README.md shows: tasks, a fan-out without a channel, a
// timeout and a socket.

#include <cstdio>
#include <vector>

#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"
#include "home/runtime.h"

using namespace home;

Async<absl::StatusOr<std::size_t>> Visit(SocketAddress host) {
  TcpStream stream = co_await Try(TcpStream::Connect(host));
  char buffer[64];
  co_return co_await stream.Read(absl::MakeSpan(buffer));
}

Async<absl::Status> AsyncMain() {
  absl::StatusOr<TcpListener> host = TcpListener::Bind(SocketAddress::IPv4Loopback(0));
  if (!host.ok()) co_return host.status();
  std::vector<JoinHandle<absl::StatusOr<std::size_t>>> visits;
  for (int i = 0; i < 3; ++i) {
    visits.push_back(Spawn(Timeout(Visit(host->local_address()), absl::Seconds(5))));
  }
  for (int i = 0; i < 3; ++i) {
    TcpStream guest = co_await Try(host->Accept());
    co_await Try(guest.WriteAll("hello"));
  }
  for (auto& visit : visits) {
    std::size_t size = co_await Try(std::move(visit));
    std::printf("a visitor heard %zu bytes\n", size);
  }
  co_return absl::OkStatus();
}

int main(int argc, char** argv) { return Main(argc, argv, AsyncMain); }
