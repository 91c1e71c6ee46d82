// http_server: serves a directory of files over HTTP/1.1. See README.md.

#include "home/process/main.h"

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
#include "home/scheduler/prometheus.h"
#include "home/scheduler/runtime.h"
#include "home/sync/cancellation_token.h"

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

Async<absl::Status> Serve(SocketAddress address, std::shared_ptr<Site> site,
                          CancellationToken stop) {
  http::Handler handler = [site](http::Request& request) {
    if (request.path() == "/metrics") return MetricsPage(site, /*json=*/false);
    if (request.path() == "/metrics.json") return MetricsPage(site, /*json=*/true);
    return site->files.Handle(request);
  };
  absl::StatusOr<http::Server> server = http::Server::Bind(address, std::move(handler));
  if (!server.ok()) co_return server.status();
  site->server = &*server;
  const CancellationCallback stopping(stop, [&server] {
    std::fprintf(stderr, "http_server: stopping; requests in flight are finished\n");
    server->Shutdown();
  });
  std::printf("listening on http://%s\n", server->local_address().ToString().c_str());
  std::fflush(stdout);
  absl::Status served = co_await server->Serve();
  co_return served;
}

int Run(int argc, char** argv) {
  absl::StatusOr<CommandLine> line = ParseCommandLine(absl::MakeConstSpan(argv + 1, argv + argc));
  if (!line.ok()) {
    std::fprintf(stderr, "http_server: %s (try --help)\n",
                 std::string(line.status().message()).c_str());
    return 2;
  }
  if (line->help) {
    std::fputs(std::string(kUsage).c_str(), stdout);
    return 0;
  }
  RuntimeBuilder builder;
  if (line->workers != 0) builder.WorkerThreads(line->workers);
  return Main(argc, argv, builder, [&line](CancellationToken stop) -> Async<absl::Status> {
    absl::StatusOr<FileTree> tree = FileTree::Open(line->root);
    if (!tree.ok()) co_return tree.status();
    auto serving = Serve(line->address, std::make_shared<Site>(*std::move(tree)), stop);
    co_return co_await serving;
  });
}

}  // namespace
}  // namespace home::http_server

int main(int argc, char** argv) { return home::http_server::Run(argc, argv); }
