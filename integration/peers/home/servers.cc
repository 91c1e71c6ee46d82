// Servers, for the client of ../c/load.c. They serve until the process is killed.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
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

// A buffer for all connections of the thread: nothing else runs there between a read and the write
// of what was read. Out of line, as a coroutine may go on with another thread's.
ABSL_ATTRIBUTE_NOINLINE absl::Span<char> ThreadBuffer(std::size_t size) {
  // Not cleared: what no message reaches is never touched.
  thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(size);
  return absl::MakeSpan(buffer.get(), size);
}

Async<> EchoAll(TcpStream stream, std::size_t buffer_size) {
  while (true) {
    co_await stream.Readable();
    const absl::Span<char> buffer = ThreadBuffer(buffer_size);
    const absl::StatusOr<std::optional<std::size_t>> size = stream.TryRead(buffer);
    if (!size.ok()) co_return;
    if (!size->has_value()) continue;
    if (**size == 0) co_return;
    const absl::string_view message(buffer.data(), **size);
    const absl::StatusOr<std::optional<std::size_t>> written = stream.TryWrite(message);
    if (!written.ok()) co_return;
    if (*written == message.size()) continue;
    // What the peer does not take at once waits here.
    const std::string rest(message.substr(written->value_or(0)));
    const absl::Status all_written = co_await stream.WriteAll(rest);
    if (!all_written.ok()) co_return;
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
