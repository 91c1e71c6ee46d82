// http_server: serves a directory of files over HTTP/1.1. See README.md.

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "home/future/async.h"
#include "home/http/server.h"
#include "home/integration/examples/http_server/command_line.h"
#include "home/integration/examples/http_server/file_tree.h"
#include "home/integration/examples/http_server/metrics_page.h"
#include "home/integration/examples/http_server/static_files.h"
#include "home/process/signal.h"
#include "home/scheduler/prometheus.h"
#include "home/scheduler/runtime.h"

namespace home::http_server {
namespace {

// What the handler needs. The server exists only after its handler does.
struct Site {
  explicit Site(FileTree tree) : files(std::move(tree)) {}

  const StaticFiles files;
  const http::Server* server = nullptr;  // set before the first request
};

Async<absl::StatusOr<http::Response>> MetricsPage(std::shared_ptr<const Site> site, bool json) {
  const RuntimeMetrics metrics = RuntimeMetrics::Snapshot();
  http::Response response;
  response.AddHeader("Cache-Control", "no-store");
  if (json) {
    response.set_body(MetricsJson(metrics, site->server->stats()), "application/json");
  } else {
    response.set_body(MetricsText(metrics, site->server->stats()), kPrometheusContentType);
  }
  co_return std::move(response);
}

// The first signal ends the server gracefully, the second one at once.
Async<void> ObeySignals(SignalListener* signals, http::Server* server) {
  auto first = signals->Next();
  absl::StatusOr<int> signal = co_await first;
  std::fprintf(stderr, "http_server: stopping; requests in flight are finished\n");
  server->Shutdown();
  auto second = signals->Next();
  signal = co_await second;
  std::fprintf(stderr, "http_server: stopping at once\n");
  server->Abort();
}

Async<absl::Status> Serve(SocketAddress address, std::shared_ptr<Site> site) {
  // Before anybody is told that we are ready.
  const int wanted[] = {SIGINT, SIGTERM};
  absl::StatusOr<SignalListener> signals = SignalListener::Create(wanted);
  if (!signals.ok()) co_return signals.status();
  http::Handler handler = [site](http::Request& request) {
    if (request.path() == "/metrics") return MetricsPage(site, /*json=*/false);
    if (request.path() == "/metrics.json") return MetricsPage(site, /*json=*/true);
    return site->files.Handle(request);
  };
  absl::StatusOr<http::Server> server = http::Server::Bind(address, std::move(handler));
  if (!server.ok()) co_return server.status();
  site->server = &*server;
  std::printf("listening on http://%s\n", server->local_address().ToString().c_str());
  std::fflush(stdout);
  JoinHandle<void> obeying = Spawn(ObeySignals(&*signals, &*server));
  absl::Status served = co_await server->Serve();
  obeying.Abort();
  (void)co_await obeying;
  co_return served;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "http_server: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Main(absl::Span<const char* const> arguments) {
  absl::StatusOr<CommandLine> line = ParseCommandLine(arguments);
  if (!line.ok()) {
    std::fprintf(stderr, "http_server: %s (try --help)\n",
                 std::string(line.status().message()).c_str());
    return 2;
  }
  if (line->help) {
    std::fputs(std::string(kUsage).c_str(), stdout);
    return 0;
  }
  absl::StatusOr<FileTree> tree = FileTree::Open(line->root);
  if (!tree.ok()) return Fail(tree.status());
  RuntimeBuilder builder;
  if (line->workers != 0) builder.WorkerThreads(line->workers);
  absl::StatusOr<Runtime> runtime = builder.Build();
  if (!runtime.ok()) return Fail(runtime.status());
  const absl::Status served =
      runtime->BlockOn(Serve(line->address, std::make_shared<Site>(*std::move(tree))));
  return served.ok() ? 0 : Fail(served);
}

}  // namespace
}  // namespace home::http_server

int main(int argc, char** argv) {
  return home::http_server::Main(absl::MakeConstSpan(argv + 1, argv + argc));
}
