#include "home/process/main.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "home/future/ready.h"
#include "home/process/signal.h"

namespace home::process_internal {
namespace {

constexpr int kOfSignal = 128;
constexpr int kFailed = 1;

// The signal that came, or 0. Of the process, as signals are.
std::atomic<int> received{0};

Async<> CancelOnSignal(SignalListener signals, CancellationToken stop) {
  auto next = signals.Next();
  const absl::StatusOr<int> signal = co_await next;
  if (!signal.ok()) co_return;  // the runtime is going down
  // relaxed: ordered by the cancellation, which is why it is asked for.
  received.store(*signal, std::memory_order_relaxed);
  stop.Cancel();
  // The listener stays: it is what ends the process at the second signal.
  co_await PendingForever<void>();
}

}  // namespace

MainScope::MainScope(int argc, char** argv)
    : argc_(argc), argv_(argv), arguments_(argv, argv + argc) {
  received.store(0, std::memory_order_relaxed);  // relaxed: no signal is listened to yet
}

absl::Status MainScope::ObeySignals() {
  absl::StatusOr<SignalListener> signals = SignalListener::CreateForExit({SIGINT, SIGTERM});
  if (!signals.ok()) return signals.status();
  Spawn(CancelOnSignal(*std::move(signals), stop_), "signals of Main").Detach();
  return absl::OkStatus();
}

int MainScope::Report(const absl::Status& status) const {
  if (status.ok()) return 0;
  // relaxed: see CancelOnSignal().
  const int signal = received.load(std::memory_order_relaxed);
  if (absl::IsCancelled(status) && signal != 0) return kOfSignal + signal;
  std::string_view program = arguments_.empty() ? "main" : arguments_.front();
  program.remove_prefix(program.rfind('/') + 1);
  const std::string message = status.message().empty() ? absl::StatusCodeToString(status.code())
                                                       : std::string(status.message());
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(),
               message.c_str());
  return kFailed;
}

}  // namespace home::process_internal
