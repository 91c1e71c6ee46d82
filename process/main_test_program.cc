// What main_test.cc runs: its first argument says what this program's main does.

#include <cstdio>
#include <string_view>

#include "absl/status/status.h"
#include "home/future/async.h"
#include "home/process/main.h"

namespace home {
namespace {

// For the test, which waits for it before it sends a signal.
void Say(const char* what) {
  std::printf("%s\n", what);
  std::fflush(stdout);
}

Async<absl::Status> Statuses(Arguments arguments, CancellationToken stop) {
  const std::string_view mode = arguments[1];
  if (mode == "ok") co_return absl::OkStatus();
  if (mode == "error") co_return absl::NotFoundError("open /etc/none: No such file or directory");
  if (mode == "nameless error") co_return absl::Status(absl::StatusCode::kDataLoss, "");
  if (mode == "cancelled by itself") co_return absl::CancelledError("gave up");
  if (mode == "arguments") {
    for (const std::string_view argument : arguments.subspan(1)) {
      std::printf("[%.*s]", static_cast<int>(argument.size()), argument.data());
    }
    co_return absl::OkStatus();
  }
  if (mode == "stuck") {
    // On one thread: not even the signals' task gets a turn.
    Say("ready");
    const volatile bool stuck = true;
    while (stuck) {
    }
  }
  Say("ready");
  auto stopped = stop.Cancelled();
  co_await stopped;
  Say("stopping");
  if (mode == "cancelled") co_return absl::CancelledError("stopped");
  if (mode == "stubborn") {
    auto never = CancellationToken().Cancelled();
    co_await never;
  }
  co_return absl::OkStatus();
}

Async<int> Code(int argc, char** argv, CancellationToken stop) {
  co_return stop.IsCancelled() || argv[argc] != nullptr ? 99 : argc + 5;
}

Async<> Nothing() { co_return; }

int Dispatch(int argc, char** argv) {
  const std::string_view mode = argv[1];
  if (mode == "int") return Main(argc, argv, Code);
  if (mode == "void") return Main(argc, argv, Nothing);
  if (mode == "no runtime") return Main(argc, argv, RuntimeBuilder().WorkerThreads(0), Nothing);
  if (mode == "closure") {
    const int seven = 7;
    return Main(argc, argv, RuntimeBuilder().CurrentThread(),
                [seven](CancellationToken) -> Async<int> { co_return seven; });
  }
  if (mode == "stuck") return Main(argc, argv, RuntimeBuilder().CurrentThread(), Statuses);
  if (mode == "twice") {
    const int first = Main(argc, argv, Code);
    return first + Main(argc, argv, Code);
  }
  if (mode == "exception") {
    try {
      return Main(argc, argv, []() -> Async<> {
        throw 5;
        co_return;
      });
    } catch (int thrown) {
      return 40 + thrown;
    }
  }
  return Main(argc, argv, RuntimeBuilder().WorkerThreads(2), Statuses);
}

}  // namespace
}  // namespace home

int main(int argc, char** argv) { return home::Dispatch(argc, argv); }
