// Servers, for the client of ../c/load.c. They serve until the process is killed.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "home/http/server.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/net/socket_address.h"
#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"
#include "home/runtime.h"

namespace home::race {
namespace {

void Announce(const SocketAddress& address) {
  std::printf("listening on %s\n", address.ToString().c_str());
  std::fflush(stdout);
}

Async<> EchoAll(TcpStream stream, std::size_t buffer_size) {
  // Not cleared: what no message reaches is never touched.
  const auto buffer = std::make_unique_for_overwrite<char[]>(buffer_size);
  while (true) {
    const absl::StatusOr<std::size_t> size =
        co_await stream.Read(absl::MakeSpan(buffer.get(), buffer_size));
    if (!size.ok() || *size == 0) co_return;
    const absl::Status written = co_await stream.WriteAll(absl::string_view(buffer.get(), *size));
    if (!written.ok()) co_return;
  }
}

Async<absl::Status> AcceptAndEcho(std::size_t buffer_size) {
  absl::StatusOr<TcpListener> listener = TcpListener::Bind(SocketAddress::IPv4Loopback(0));
  if (!listener.ok()) co_return listener.status();
  Announce(listener->local_address());
  while (true) {
    absl::StatusOr<TcpStream> stream = co_await listener->Accept();
    if (!stream.ok()) co_return stream.status();
    const absl::Status at_once = stream->SetNoDelay(true);
    if (!at_once.ok()) co_return at_once;
    Spawn(EchoAll(*std::move(stream), buffer_size)).Detach();
  }
}

Async<absl::StatusOr<http::Response>> Hello(http::Request&) {
  co_return http::Response::Text("Hello, World!\n");
}

Async<absl::Status> ServeHello() {
  absl::StatusOr<http::Server> server = http::Server::Bind(SocketAddress::IPv4Loopback(0), Hello);
  if (!server.ok()) co_return server.status();
  Announce(server->local_address());
  co_return co_await server->Serve();
}

// What a server returns is that it could not serve.
template <typename Body>
Sample Failed(std::size_t threads, Body body) {
  return RunOnWorker(threads, [body = std::move(body)]() -> Async<Sample> {
    const absl::Status served = co_await body();
    std::fprintf(stderr, "%s\n", served.ToString().c_str());
    co_return Sample{};
  });
}

}  // namespace

Sample ServeEcho(std::uint64_t n, std::size_t threads) {
  return Failed(threads, [n] { return AcceptAndEcho(n); });
}
Sample ServeHttp(std::uint64_t, std::size_t threads) {
  return Failed(threads, [] { return ServeHello(); });
}

}  // namespace home::race
