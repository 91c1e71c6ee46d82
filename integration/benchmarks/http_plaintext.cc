// http_plaintext [PORT [WORKERS]]: the plaintext benchmark on Home Async's server.
//
// Answers every request with the same short text, as epoll_plaintext does.
// Prints "listening on 127.0.0.1:PORT" and serves until SIGTERM or SIGINT.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/async.h"
#include "home/http/server.h"
#include "home/net/socket_address.h"
#include "home/process/signal.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

Async<absl::StatusOr<http::Response>> Hello(http::Request&) {
  co_return http::Response::Text("Hello, World!\n");
}

Async<void> ShutdownAtSignal(SignalListener* signals, http::Server* server) {
  auto next = signals->Next();
  (void)co_await next;
  server->Shutdown();
}

Async<absl::Status> Serve(std::uint16_t port) {
  absl::StatusOr<http::Server> server =
      http::Server::Bind(SocketAddress::IPv4Loopback(port), Hello);
  if (!server.ok()) co_return server.status();
  const int wanted[] = {SIGINT, SIGTERM};
  absl::StatusOr<SignalListener> signals = SignalListener::Create(wanted);
  if (!signals.ok()) co_return signals.status();
  std::printf("listening on %s\n", server->local_address().ToString().c_str());
  std::fflush(stdout);
  JoinHandle<void> stopping = Spawn(ShutdownAtSignal(&*signals, &*server));
  absl::Status served = co_await server->Serve();
  stopping.Abort();
  (void)co_await stopping;
  co_return served;
}

int Main(int argc, char** argv) {
  const int port = argc > 1 ? std::atoi(argv[1]) : 0;
  const int workers = argc > 2 ? std::atoi(argv[2]) : 1;
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(workers)).Build();
  const absl::Status status =
      runtime.ok() ? runtime->BlockOn(Serve(static_cast<std::uint16_t>(port))) : runtime.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "http_plaintext: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace
}  // namespace home

int main(int argc, char** argv) { return home::Main(argc, argv); }
