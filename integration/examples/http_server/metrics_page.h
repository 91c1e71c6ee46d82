// The pages /metrics and /metrics.json: the runtime's and the server's figures, as
// Prometheus scrapes them and as JSON.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_METRICS_PAGE_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_METRICS_PAGE_H_

#include <string>

#include "home/http/server.h"
#include "home/scheduler/metrics.h"

namespace home::http_server {

// What home/scheduler/prometheus.h has, and families http_server_* beside.
std::string MetricsText(const RuntimeMetrics& runtime, const http::ServerStats& server);
// One JSON object, with a line break at its end.
std::string MetricsJson(const RuntimeMetrics& runtime, const http::ServerStats& server);

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_METRICS_PAGE_H_
