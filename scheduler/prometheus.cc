#include "home/scheduler/prometheus.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "home/future/lock_watch.h"
#include "home/scheduler/blocking_class.h"

namespace home {
namespace {

// Enough digits that a nanosecond shows in a day.
std::string Seconds(absl::Duration duration) {
  return absl::StrFormat("%.15g", absl::ToDoubleSeconds(duration));
}

// The lines before a family's samples.
void Head(std::string& text, absl::string_view name, absl::string_view type,
          absl::string_view help) {
  absl::StrAppend(&text, "# HELP ", name, " ", help, "\n", "# TYPE ", name, " ", type, "\n");
}

// A family with one sample.
void Single(std::string& text, absl::string_view name, absl::string_view type,
            absl::string_view help, std::uint64_t value) {
  Head(text, name, type, help);
  absl::StrAppend(&text, name, " ", value, "\n");
}

struct WorkerFamily {
  const char* name;
  const char* type;
  const char* help;
  std::string (*value)(const WorkerMetrics& worker);
};

template <auto kMember>
std::string Number(const WorkerMetrics& worker) {
  return absl::StrCat(worker.*kMember);
}
template <auto kMember>
std::string Time(const WorkerMetrics& worker) {
  return Seconds(worker.*kMember);
}

using W = WorkerMetrics;
constexpr WorkerFamily kWorkerFamilies[] = {
    {"home_worker_polls_total", "counter", "Polls of tasks.", Number<&W::polls>},
    {"home_worker_tasks_completed_total", "counter", "Tasks that ended on the worker.",
     Number<&W::completed>},
    {"home_worker_tasks_spawned_total", "counter", "Tasks spawned on the worker.",
     Number<&W::spawned>},
    {"home_worker_steals_total", "counter", "Successful raids on other workers' queues.",
     Number<&W::steals>},
    {"home_worker_stolen_tasks_total", "counter", "Tasks taken from other workers' queues.",
     Number<&W::stolen>},
    {"home_worker_queue_overflows_total", "counter", "Times that the queue was full and grew.",
     Number<&W::overflows>},
    {"home_worker_parks_total", "counter", "Times that the worker went to sleep.",
     Number<&W::parks>},
    {"home_worker_unparks_total", "counter", "Times that another thread woke the worker.",
     Number<&W::unparks>},
    {"home_worker_noop_wakes_total", "counter",
     "Sleeps after which the worker slept again "
     "without a poll.",
     Number<&W::noop_wakes>},
    {"home_worker_budget_yields_total", "counter", "Polls that ran into the cooperative budget.",
     Number<&W::budget_yields>},
    {"home_worker_reactor_polls_total", "counter", "Looks at the reactor.",
     Number<&W::reactor_polls>},
    {"home_worker_reactor_events_total", "counter", "Readiness events found.",
     Number<&W::reactor_events>},
    {"home_worker_timers_fired_total", "counter", "Timers whose time had come.",
     Number<&W::timers_fired>},
    {"home_worker_handovers_total", "counter", "Times that another thread took the worker over.",
     Number<&W::handovers>},
    {"home_worker_long_polls_total", "counter", "Polls longer than the threshold.",
     Number<&W::long_polls>},
    {"home_worker_busy_seconds_total", "counter", "Time that the worker was not asleep.",
     Time<&W::busy>},
    {"home_worker_queue_depth", "gauge", "Tasks in the worker's queue.", Number<&W::queue_depth>},
    {"home_worker_longest_poll_seconds", "gauge", "The longest poll of a task, if known.",
     Time<&W::longest_poll>},
};

struct BlockingFamily {
  const char* name;
  const char* help;
  std::size_t BlockingClassMetrics::* member;
};

constexpr BlockingFamily kBlockingFamilies[] = {
    {"home_runtime_blocking_running", "Closures that block and run.",
     &BlockingClassMetrics::running},
    {"home_runtime_blocking_queue_depth", "Closures that block and wait for a thread.",
     &BlockingClassMetrics::queued},
    {"home_runtime_blocking_limit", "Closures that block and may run at once.",
     &BlockingClassMetrics::limit},
};

// A label's value, between its quotes.
std::string Escaped(absl::string_view value) {
  return absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

void AppendLongPolls(std::string& text, const std::vector<LongPoll>& polls) {
  if (polls.empty()) return;
  Head(text, "home_worker_long_poll_seconds", "gauge",
       "How long the worker's latest poll above the threshold took at least, or takes.");
  for (const LongPoll& poll : polls) {
    absl::StrAppend(&text, "home_worker_long_poll_seconds{worker=\"", poll.worker, "\",task=\"",
                    poll.task.id.value(), "\",name=\"",
                    Escaped(poll.task.name != nullptr ? poll.task.name : ""), "\",location=\"",
                    Escaped(poll.task.location.file_name()), ":", poll.task.location.line(),
                    "\",running=\"", poll.running ? "true" : "false", "\"} ",
                    Seconds(poll.duration), "\n");
  }
}

void AppendLockUses(std::string& text, const std::vector<LockUse>& uses) {
  if (uses.empty()) return;
  Head(text, "home_lock_use_seconds", "gauge",
       "For how long at most a primitive of home/sync is held, or waited for, in debug builds.");
  // One who holds it several times is one sample.
  std::map<std::string, absl::Duration> samples;
  for (const LockUse& use : uses) {
    absl::Duration& duration = samples[absl::StrCat(
        "{lock=\"", use.kind, "\",address=\"",
        absl::Hex(reinterpret_cast<std::uintptr_t>(use.lock)), "\",state=\"",
        use.holds ? "holds" : "waits", "\",task=\"", use.task.id, "\",name=\"",
        Escaped(use.task.name != nullptr ? use.task.name : ""), "\",location=\"",
        Escaped(use.location.file_name()), ":", use.location.line(), "\"}")];
    duration = std::max(duration, use.duration);
  }
  for (const auto& [labels, duration] : samples) {
    absl::StrAppend(&text, "home_lock_use_seconds", labels, " ", Seconds(duration), "\n");
  }
}

void AppendHistogram(std::string& text, absl::string_view name, absl::string_view help,
                     const Histogram& histogram) {
  constexpr std::uint64_t kFirstBound = std::uint64_t{1} << 7;
  constexpr std::uint64_t kLastBound = std::uint64_t{1} << 36;
  Head(text, name, "histogram", help);
  std::uint64_t bound = kFirstBound;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    count += histogram.bucket(i);
    if (Histogram::UpperBound(i) == bound && bound <= kLastBound) {
      absl::StrAppend(&text, name, "_bucket{le=\"",
                      Seconds(absl::Nanoseconds(static_cast<std::int64_t>(bound))), "\"} ", count,
                      "\n");
      bound *= 2;
    }
  }
  absl::StrAppend(&text, name, "_bucket{le=\"+Inf\"} ", count, "\n");
  absl::StrAppend(&text, name, "_sum ", Seconds(histogram.sum()), "\n");
  absl::StrAppend(&text, name, "_count ", count, "\n");
}

}  // namespace

std::string PrometheusText(const RuntimeMetrics& metrics) {
  std::string text;
  Single(text, "home_runtime_workers", "gauge", "Workers.", metrics.workers.size());
  Single(text, "home_runtime_tasks_spawned_total", "counter", "Tasks spawned.",
         metrics.tasks_spawned);
  Single(text, "home_runtime_tasks_completed_total", "counter", "Tasks that ended.",
         metrics.tasks_completed);
  Single(text, "home_runtime_tasks_alive", "gauge", "Tasks that have not ended.",
         metrics.tasks_alive);
  Single(text, "home_runtime_injected_tasks_total", "counter",
         "Tasks that came through the global queue.", metrics.injected);
  Single(text, "home_runtime_global_queue_depth", "gauge", "Tasks in the global queue.",
         metrics.injector_depth);
  Single(text, "home_runtime_stand_ins_total", "counter",
         "Times that all workers were in long polls and another thread stood in.",
         metrics.stand_ins);
  Single(text, "home_runtime_blocking_threads", "gauge", "Threads for closures that block.",
         metrics.blocking_threads);
  Single(text, "home_runtime_blocking_idle_threads", "gauge",
         "Threads for closures that block, without work.", metrics.blocking_idle);
  Single(text, "home_runtime_blocking_in_place_threads", "gauge", "Threads that block in place.",
         metrics.blocking_in_place);
  for (const BlockingFamily& family : kBlockingFamilies) {
    Head(text, family.name, "gauge", family.help);
    for (std::size_t i = 0; i < kBlockingClasses; ++i) {
      absl::StrAppend(&text, family.name, "{class=\"",
                      BlockingClassName(static_cast<BlockingClass>(i)), "\"} ",
                      metrics.blocking_classes[i].*family.member, "\n");
    }
  }
  for (const WorkerFamily& family : kWorkerFamilies) {
    Head(text, family.name, family.type, family.help);
    for (std::size_t i = 0; i < metrics.workers.size(); ++i) {
      absl::StrAppend(&text, family.name, "{worker=\"", i, "\"} ", family.value(metrics.workers[i]),
                      "\n");
    }
  }
  AppendLongPolls(text, metrics.long_polls);
  AppendLockUses(text, metrics.lock_uses);
  if (metrics.poll_time) {
    AppendHistogram(text, "home_runtime_poll_seconds", "How long polls of tasks took.",
                    *metrics.poll_time);
  }
  if (metrics.schedule_latency) {
    AppendHistogram(text, "home_runtime_schedule_latency_seconds",
                    "How long tasks waited from their wake-up to their poll.",
                    *metrics.schedule_latency);
  }
  return text;
}

}  // namespace home
