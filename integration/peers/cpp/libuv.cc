// The workloads of the race, for libuv: a loop with callbacks, on one thread whatever the
// number of workers. It has no tasks; a sleep is a timer with its callback.

#include <uv.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

Sample Timers(std::uint64_t n, std::size_t) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::vector<uv_timer_t> armed(n);
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    uv_timer_init(&loop, &armed[i]);
    uv_timer_start(&armed[i], [](uv_timer_t*) {}, FarMillis(i), 0);
  }
  const double arming = watch.Stop(n, true).wall;
  for (uv_timer_t& timer : armed) uv_timer_stop(&timer);
  Sample sample = watch.Stop(n, uv_loop_alive(&loop) == 0);
  sample.more.emplace_back("arm", arming / static_cast<double>(n));
  sample.more.emplace_back("cancel", (sample.wall - arming) / static_cast<double>(n));
  return sample;
}

struct Sleeper {
  uv_timer_t timer;
  std::uint64_t due_ns;
  std::int64_t late = -1;
};

Sample Sleeps(std::uint64_t n, std::size_t) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::vector<Sleeper> sleepers(n);
  const Watch watch;
  for (std::uint64_t i = 0; i < n; ++i) {
    Sleeper& sleeper = sleepers[i];
    const std::uint64_t micros = SleepMicros(i);
    sleeper.due_ns = uv_hrtime() + micros * 1000;
    uv_timer_init(&loop, &sleeper.timer);
    sleeper.timer.data = &sleeper;
    // A tick is a millisecond, and the time that it counts from is rounded down: two more
    // than whole ones, so that no sleep is too short.
    uv_update_time(&loop);
    uv_timer_start(
        &sleeper.timer,
        [](uv_timer_t* timer) {
          auto* fired = static_cast<Sleeper*>(timer->data);
          const std::uint64_t now = uv_hrtime();
          fired->late = static_cast<std::int64_t>(now - fired->due_ns);
        },
        micros / 1000 + 2, 0);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  Sample sample = watch.Stop(n, true);
  std::vector<std::uint32_t> late_us;
  for (const Sleeper& sleeper : sleepers) {
    sample.correct = sample.correct && sleeper.late >= 0;
    late_us.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(sleeper.late, 0) / 1000));
  }
  AddLateness(late_us, sample);
  return sample;
}

constexpr Workload kWorkloads[] = {
    {"timers", Timers},
    {"sleeps", Sleeps},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "libuv", home::race::kWorkloads);
}
