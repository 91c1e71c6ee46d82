#include "home/integration/examples/http_server/metrics_page.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "home/scheduler/prometheus.h"

namespace home::http_server {
namespace {

// Numbers under plain names: nothing here needs escaping.
class JsonObject {
 public:
  void Add(absl::string_view name, std::uint64_t value) {
    absl::StrAppend(&text_, text_.empty() ? "" : ", ", "\"", name, "\": ", value);
  }
  void AddRaw(absl::string_view name, absl::string_view json) {
    absl::StrAppend(&text_, text_.empty() ? "" : ", ", "\"", name, "\": ", json);
  }
  std::string Finish() const { return absl::StrCat("{", text_, "}"); }

 private:
  std::string text_;
};

std::string WorkerJson(const WorkerMetrics& worker) {
  JsonObject json;
  json.Add("polls", worker.polls);
  json.Add("completed", worker.completed);
  json.Add("spawned", worker.spawned);
  json.Add("steals", worker.steals);
  json.Add("stolen", worker.stolen);
  json.Add("overflows", worker.overflows);
  json.Add("parks", worker.parks);
  json.Add("unparks", worker.unparks);
  json.Add("noop_wakes", worker.noop_wakes);
  json.Add("budget_yields", worker.budget_yields);
  json.Add("reactor_polls", worker.reactor_polls);
  json.Add("reactor_events", worker.reactor_events);
  json.Add("timers_fired", worker.timers_fired);
  json.Add("queue_depth", worker.queue_depth);
  json.Add("busy_us", static_cast<std::uint64_t>(absl::ToInt64Microseconds(worker.busy)));
  return json.Finish();
}

std::string RuntimeJson(const RuntimeMetrics& runtime) {
  JsonObject json;
  json.Add("tasks_spawned", runtime.tasks_spawned);
  json.Add("tasks_completed", runtime.tasks_completed);
  json.Add("tasks_alive", runtime.tasks_alive);
  json.Add("injected", runtime.injected);
  json.Add("injector_depth", runtime.injector_depth);
  json.Add("blocking_threads", runtime.blocking_threads);
  json.Add("blocking_idle", runtime.blocking_idle);
  json.Add("blocking_queued", runtime.blocking_queued);
  json.AddRaw("total", WorkerJson(runtime.total));
  std::string workers;
  for (const WorkerMetrics& worker : runtime.workers) {
    absl::StrAppend(&workers, workers.empty() ? "" : ", ", WorkerJson(worker));
  }
  json.AddRaw("workers", absl::StrCat("[", workers, "]"));
  return json.Finish();
}

void AppendFamily(std::string& text, absl::string_view name, absl::string_view type,
                  absl::string_view help, std::uint64_t value) {
  absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name, " ",
                  value, "\n");
}

}  // namespace

std::string MetricsText(const RuntimeMetrics& runtime, const http::ServerStats& server) {
  std::string text = PrometheusText(runtime);
  AppendFamily(text, "http_server_connections_accepted_total", "counter", "Connections accepted.",
               server.connections_accepted);
  AppendFamily(text, "http_server_connections_open", "gauge", "Connections open.",
               server.connections_open);
  AppendFamily(text, "http_server_requests_total", "counter", "Requests.", server.requests);
  return text;
}

std::string MetricsJson(const RuntimeMetrics& runtime, const http::ServerStats& server) {
  JsonObject http;
  http.Add("connections_accepted", server.connections_accepted);
  http.Add("connections_open", server.connections_open);
  http.Add("requests", server.requests);
  JsonObject json;
  json.AddRaw("http", http.Finish());
  json.AddRaw("runtime", RuntimeJson(runtime));
  return json.Finish() + "\n";
}

}  // namespace home::http_server
