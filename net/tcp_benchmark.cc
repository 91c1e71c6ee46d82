#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/future/testing.h"
#include "home/net/testing.h"
#include "home/reactor/reactor.h"

namespace home {
namespace {

using home::testing::ConnectOverLoopback;
using home::testing::CountingWaker;
using home::testing::TcpPair;

// One message there and back over loopback, futures polled by hand: the cost of
// net and reactor without a scheduler.
void BM_EchoByHand(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  TcpPair pair = ConnectOverLoopback(*reactor);
  if (!pair.client.SetNoDelay(true).ok() || !pair.server.SetNoDelay(true).ok()) std::abort();
  const std::string message(static_cast<std::size_t>(state.range(0)), 'm');
  std::vector<char> buffer(message.size() + 1);
  CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  WakeList wakes;
  auto transfer = [&](TcpStream& from, TcpStream& to) {
    TcpWriteAll write = from.WriteAll(message);
    bool written = write.Poll(cx).ready();
    std::size_t got = 0;
    while (got < message.size()) {
      TcpRead read = to.Read(absl::MakeSpan(buffer));
      for (;;) {
        auto result = read.Poll(cx);
        if (result.ready()) {
          got += (*result).value();
          break;
        }
        reactor->Poll(-1, wakes);
        wakes.WakeAll();
        if (!written) written = write.Poll(cx).ready();
      }
    }
  };
  for (auto _ : state) {
    transfer(pair.client, pair.server);
    transfer(pair.server, pair.client);
  }
}
BENCHMARK(BM_EchoByHand)->Arg(64)->Arg(16384);

// What the system alone costs for the same: send and receive, twice.
void BM_EchoBareSystem(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  TcpPair pair = ConnectOverLoopback(*reactor);
  if (!pair.client.SetNoDelay(true).ok() || !pair.server.SetNoDelay(true).ok()) std::abort();
  const std::string message(static_cast<std::size_t>(state.range(0)), 'm');
  std::vector<char> buffer(message.size() + 1);
  auto transfer = [&](TcpStream& from, TcpStream& to) {
    if (::send(from.fd(), message.data(), message.size(), MSG_NOSIGNAL) < 0) std::abort();
    std::size_t got = 0;
    while (got < message.size()) {
      const ssize_t count = ::recv(to.fd(), buffer.data(), buffer.size(), 0);
      if (count > 0) got += static_cast<std::size_t>(count);
    }
  };
  for (auto _ : state) {
    transfer(pair.client, pair.server);
    transfer(pair.server, pair.client);
  }
}
BENCHMARK(BM_EchoBareSystem)->Arg(64)->Arg(16384);

void BM_ConnectAcceptClose(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  TcpListener listener = home::testing::ListenOnLoopback(*reactor);
  for (auto _ : state) {
    TcpPair pair = home::testing::ConnectTo(*reactor, listener);
    // Or the ports run out, in TIME_WAIT.
    if (!pair.client.SetLingerReset().ok()) std::abort();
  }
}
BENCHMARK(BM_ConnectAcceptClose);

}  // namespace
}  // namespace home
