#include "home/scheduler/metrics.h"

#include <algorithm>

namespace home {

WorkerMetrics& WorkerMetrics::operator+=(const WorkerMetrics& other) {
  polls += other.polls;
  completed += other.completed;
  spawned += other.spawned;
  steals += other.steals;
  stolen += other.stolen;
  overflows += other.overflows;
  parks += other.parks;
  unparks += other.unparks;
  noop_wakes += other.noop_wakes;
  budget_yields += other.budget_yields;
  reactor_polls += other.reactor_polls;
  reactor_events += other.reactor_events;
  timers_fired += other.timers_fired;
  handovers += other.handovers;
  long_polls += other.long_polls;
  queue_depth += other.queue_depth;
  busy += other.busy;
  longest_poll = std::max(longest_poll, other.longest_poll);
  return *this;
}

}  // namespace home
