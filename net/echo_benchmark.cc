// Messages of 64 bytes there and back over TCP connections of one process, by tasks of a runtime:
// the readiness layer, as TcpStream has it, beside the operations of the completion layer on each
// of its engines. It shows which is the better default for sockets.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/future/stream.h"
#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/unique_fd.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

constexpr std::size_t kSize = 64;

// Both ends of a connection, as blocking descriptors.
struct Connection {
  UniqueFd client;
  UniqueFd server;
};

Connection Connect() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  // Without a bind() the system chooses the port.
  if (::listen(listener.get(), 1) != 0 || ::getsockname(listener.get(), raw, &size) != 0) {
    std::abort();
  }
  Connection made;
  made.client = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(made.client.get(), raw, size) != 0) std::abort();
  made.server = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!made.server) std::abort();
  return made;
}

IoFile Attach(UniqueFd fd) {
  return IoFile::Attach(Reactor::Current()->io(), std::move(fd)).value();
}

// Receives a message and sends one, `rounds` times; the client the other way round.
Async<> ByOperations(UniqueFd fd, bool client, std::int64_t rounds) {
  const IoFile socket = Attach(std::move(fd));
  std::string buffer(kSize, 'x');
  for (std::int64_t i = 0; i < 2 * rounds; ++i) {
    if (client == (i % 2 == 0)) {
      IoResult<std::string> sent = co_await IoSend(socket, std::move(buffer));
      buffer = std::move(sent.buffer);
    } else {
      IoResult<std::string> received = co_await IoRecv(socket, std::move(buffer));
      buffer = std::move(received.buffer);
    }
  }
}

Async<> BySource(UniqueFd fd, bool client, std::int64_t rounds, IoBufferPool pool) {
  const IoFile socket = Attach(std::move(fd));
  IoRecvSource source = IoReceiveAll(socket, pool);
  std::string buffer(kSize, 'x');
  for (std::int64_t i = 0; i < 2 * rounds; ++i) {
    if (client == (i % 2 == 0)) {
      IoResult<std::string> sent = co_await IoSend(socket, std::move(buffer));
      buffer = std::move(sent.buffer);
    } else {
      const auto received = co_await Next(source);
      if (!received.has_value() || !received->ok()) std::abort();
    }
  }
}

Async<> ByReadiness(TcpStream stream, bool client, std::int64_t rounds) {
  std::string buffer(kSize, 'x');
  for (std::int64_t i = 0; i < 2 * rounds; ++i) {
    if (client == (i % 2 == 0)) {
      const absl::Status sent = co_await stream.WriteAll(buffer);
      if (!sent.ok()) std::abort();
    } else {
      const absl::StatusOr<std::size_t> received = co_await stream.Read(absl::MakeSpan(buffer));
      if (!received.ok()) std::abort();
    }
  }
}

enum class Layer { kNet, kOperations, kSource };

Async<> Echo(Layer layer, std::int64_t connections, std::int64_t rounds) {
  std::vector<JoinHandle<void>> ends;
  const IoBufferPool buffers = IoBufferPool::Create(Reactor::Current()->io(), 256, 4096).value();
  absl::StatusOr<TcpListener> listener = TcpListener::Bind(SocketAddress::IPv4Loopback(0));
  for (std::int64_t i = 0; i < connections; ++i) {
    if (layer == Layer::kNet) {
      absl::StatusOr<TcpStream> client = co_await TcpStream::Connect(listener->local_address());
      absl::StatusOr<TcpStream> server = co_await listener->Accept();
      if (!client->SetNoDelay(true).ok() || !server->SetNoDelay(true).ok()) std::abort();
      ends.push_back(Spawn(ByReadiness(*std::move(client), true, rounds)));
      ends.push_back(Spawn(ByReadiness(*std::move(server), false, rounds)));
      continue;
    }
    Connection made = Connect();
    if (layer == Layer::kSource) {
      ends.push_back(Spawn(BySource(std::move(made.client), true, rounds, buffers)));
      ends.push_back(Spawn(BySource(std::move(made.server), false, rounds, buffers)));
    } else {
      ends.push_back(Spawn(ByOperations(std::move(made.client), true, rounds)));
      ends.push_back(Spawn(ByOperations(std::move(made.server), false, rounds)));
    }
  }
  for (JoinHandle<void>& end : ends) {
    const absl::Status joined = co_await std::move(end);
    if (!joined.ok()) std::abort();
  }
}

// range(0): workers, 0 for a current-thread runtime; range(1): connections.
void Run(benchmark::State& state, Layer layer, IoBackend backend) {
  RuntimeBuilder builder;
  if (state.range(0) == 0) {
    builder.CurrentThread();
  } else {
    builder.WorkerThreads(static_cast<std::size_t>(state.range(0)));
  }
  Runtime runtime = *builder.Io(backend).Build();
  const std::int64_t rounds = 8000 / state.range(1);
  for (auto _ : state) {
    if (!runtime.BlockOn(runtime.Spawn(Echo(layer, state.range(1), rounds))).ok()) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * rounds * state.range(1));
}

void BM_EchoNet(benchmark::State& state) { Run(state, Layer::kNet, IoBackend::kBest); }
void BM_EchoReadiness(benchmark::State& state) {
  Run(state, Layer::kOperations, IoBackend::kReadiness);
}
void BM_EchoUring(benchmark::State& state) { Run(state, Layer::kOperations, IoBackend::kUring); }
void BM_EchoBest(benchmark::State& state) { Run(state, Layer::kOperations, IoBackend::kBest); }
void BM_EchoSourceReadiness(benchmark::State& state) {
  Run(state, Layer::kSource, IoBackend::kReadiness);
}
void BM_EchoSourceUring(benchmark::State& state) { Run(state, Layer::kSource, IoBackend::kUring); }
void BM_EchoSourceBest(benchmark::State& state) { Run(state, Layer::kSource, IoBackend::kBest); }

void Shapes(benchmark::internal::Benchmark* of) {
  of->ArgsProduct({{0, 1, 2}, {1, 16, 128}})->UseRealTime()->Iterations(1);
}
BENCHMARK(BM_EchoNet)->Apply(Shapes);
BENCHMARK(BM_EchoReadiness)->Apply(Shapes);
BENCHMARK(BM_EchoUring)->Apply(Shapes);
BENCHMARK(BM_EchoBest)->Apply(Shapes);
BENCHMARK(BM_EchoSourceReadiness)->Apply(Shapes);
BENCHMARK(BM_EchoSourceUring)->Apply(Shapes);
BENCHMARK(BM_EchoSourceBest)->Apply(Shapes);

}  // namespace
}  // namespace home
