// The workloads of the race, for libuv: a loop with callbacks, on one thread whatever the
// number of workers. It has no tasks; a sleep is a timer with its callback.

#include <netinet/in.h>
#include <uv.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
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

// What an echo server's connection is: its socket first, so that one is the other.
struct Connection {
  uv_tcp_t socket;
  uv_write_t write;
  std::unique_ptr<char[]> rest;
};

std::size_t buffer_size = 0;

void Close(uv_stream_t* stream) {
  uv_close(reinterpret_cast<uv_handle_t*>(stream),
           [](uv_handle_t* handle) { delete reinterpret_cast<Connection*>(handle); });
}

// One loop, and what was read is sent before the next read: one buffer serves all. Only
// what cannot be sent at once is copied, and meanwhile nothing is read.
void GiveBuffer(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  static const auto shared = std::make_unique<char[]>(buffer_size);
  *buffer = uv_buf_init(shared.get(), static_cast<unsigned>(buffer_size));
}

void EchoOne(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  if (size < 0) return Close(stream);
  if (size == 0) return;
  uv_buf_t data = uv_buf_init(buffer->base, static_cast<unsigned>(size));
  const int tried = uv_try_write(stream, &data, 1);
  if (tried == size) return;
  if (tried < 0 && tried != UV_EAGAIN) return Close(stream);
  const std::size_t sent = tried < 0 ? 0 : static_cast<std::size_t>(tried);
  const std::size_t left = static_cast<std::size_t>(size) - sent;
  auto* connection = reinterpret_cast<Connection*>(stream);
  connection->rest = std::make_unique_for_overwrite<char[]>(left);
  std::copy_n(buffer->base + sent, left, connection->rest.get());
  uv_read_stop(stream);
  uv_buf_t rest = uv_buf_init(connection->rest.get(), static_cast<unsigned>(left));
  uv_write(&connection->write, stream, &rest, 1, [](uv_write_t* write, int status) {
    if (status != 0) return Close(write->handle);
    uv_read_start(write->handle, GiveBuffer, EchoOne);
  });
}

void AcceptOne(uv_stream_t* listener, int status) {
  if (status != 0) return;
  auto* connection = new Connection;
  auto* stream = reinterpret_cast<uv_stream_t*>(&connection->socket);
  uv_tcp_init(listener->loop, &connection->socket);
  if (uv_accept(listener, stream) != 0) return Close(stream);
  uv_tcp_nodelay(&connection->socket, 1);
  uv_read_start(stream, GiveBuffer, EchoOne);
}

// Serves until the process is killed.
Sample ServeEcho(std::uint64_t n, std::size_t) {
  buffer_size = n;
  uv_loop_t loop;
  uv_loop_init(&loop);
  uv_tcp_t listener;
  uv_tcp_init(&loop, &listener);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 1024, AcceptOne) != 0) return Sample{};
  int size = sizeof(address);
  uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  uv_run(&loop, UV_RUN_DEFAULT);
  return Sample{};
}

constexpr Workload kWorkloads[] = {
    {"timers", Timers},
    {"sleeps", Sleeps},
    {"serve_echo", ServeEcho},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "libuv", home::race::kWorkloads);
}
