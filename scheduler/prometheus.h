// PrometheusText: a runtime's metrics as Prometheus scrapes them.
//
// The text format 0.0.4 (serve it as kPrometheusContentType): families home_runtime_*
// of the runtime, and home_worker_* with the label worker="INDEX". Times are in
// seconds. A histogram's bounds are the powers of two from 128 ns to 69 s, at which
// its counts are exact.

#ifndef HOME_SCHEDULER_PROMETHEUS_H_
#define HOME_SCHEDULER_PROMETHEUS_H_

#include <string>

#include "home/scheduler/metrics.h"

namespace home {

inline constexpr char kPrometheusContentType[] = "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] std::string PrometheusText(const RuntimeMetrics& metrics);

}  // namespace home

#endif  // HOME_SCHEDULER_PROMETHEUS_H_
