// Main: a program's main in one line.
//
//   home::Async<absl::Status> AsyncMain(home::Arguments arguments, home::CancellationToken stop) {
//     auto serving = home::RunUntilCancelled(stop, Serve(arguments));
//     absl::Status status = co_await serving;
//     co_return absl::IsCancelled(status) ? CleanUp() : status;
//   }
//
//   int main(int argc, char** argv) { return home::Main(argc, argv, AsyncMain); }
//
// Main starts a runtime, runs the body inside its BlockOn, shuts the runtime down, and
// returns the program's exit code. The body is a function or a closure that returns a
// future, an Async usually, of
//
//   absl::Status   OK: exit code 0. kCancelled after a signal: 128 + its number, as a
//                  shell says of a program that the signal has ended. Any other: 1, and
//                  the message on standard error, after the program's name.
//   int            the exit code
//   void           exit code 0
//
// and takes one of
//
//   (Arguments, CancellationToken)   (int argc, char** argv, CancellationToken)
//   (CancellationToken)              ()
//
// SIGINT and SIGTERM cancel the token; what the body does then, and how long it takes, is
// its own affair. The second signal, whichever of the two, ends the process at once, with
// exit code 128 + its number, even if no thread of the program can react any more: nothing
// is flushed, no destructor runs. A body that takes no token is not told of the first
// signal, and so is not ended by it either, which is seldom wanted.
//
// An exception of the body comes out of Main.
//
// Thread-safety: one Main at a time, on a thread that works for no runtime.

#ifndef HOME_PROCESS_MAIN_H_
#define HOME_PROCESS_MAIN_H_

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "home/future/async.h"
#include "home/future/future.h"
#include "home/scheduler/runtime.h"
#include "home/sync/cancellation_token.h"

namespace home {

// The command line, the program's name first if there is one. Valid as long as Main runs.
using Arguments = absl::Span<const std::string_view>;

namespace process_internal {

// What is the same for all bodies.
class MainScope {
 public:
  MainScope(int argc, char** argv);
  MainScope(const MainScope&) = delete;
  MainScope& operator=(const MainScope&) = delete;

  [[nodiscard]] int argc() const { return argc_; }
  [[nodiscard]] char** argv() const { return argv_; }
  [[nodiscard]] Arguments arguments() const { return arguments_; }
  [[nodiscard]] const CancellationToken& stop() const { return stop_; }

  // Turns signals into the cancellation, from a task of the current runtime.
  [[nodiscard]] absl::Status ObeySignals();
  // The exit code; says on standard error what went wrong.
  [[nodiscard]] int Report(const absl::Status& status) const;

 private:
  int argc_;
  char** argv_;
  std::vector<std::string_view> arguments_;
  CancellationToken stop_;
};

template <typename Body>
decltype(auto) CallMainBody(Body& body, const MainScope& scope) {
  if constexpr (std::invocable<Body&, Arguments, CancellationToken>) {
    return body(scope.arguments(), scope.stop());
  } else if constexpr (std::invocable<Body&, int, char**, CancellationToken>) {
    return body(scope.argc(), scope.argv(), scope.stop());
  } else if constexpr (std::invocable<Body&, CancellationToken>) {
    return body(scope.stop());
  } else {
    static_assert(std::invocable<Body&>, "Main: see home/process/main.h for what a body takes");
    return body();
  }
}

}  // namespace process_internal

// The same on a runtime of `builder`'s.
template <typename Body>
int Main(int argc, char** argv, const RuntimeBuilder& builder, Body&& body) {
  process_internal::MainScope scope(argc, argv);
  absl::StatusOr<Runtime> runtime = builder.Build();
  if (!runtime.ok()) return scope.Report(runtime.status());
  return runtime->BlockOn([&scope, &body]() -> Async<int> {
    absl::Status obeying = scope.ObeySignals();
    if (!obeying.ok()) co_return scope.Report(obeying);
    auto running = process_internal::CallMainBody(body, scope);
    using Result = FutureOutput<decltype(running)>;
    if constexpr (std::is_void_v<Result>) {
      co_await running;
      co_return 0;
    } else if constexpr (std::same_as<Result, int>) {
      const int code = co_await running;
      co_return code;
    } else {
      static_assert(std::same_as<Result, absl::Status>,
                    "Main: the body's future yields a Status, an int or nothing");
      const absl::Status status = co_await running;
      co_return scope.Report(status);
    }
  });
}

// Runs `body` on a multi-thread runtime with the defaults of RuntimeBuilder. See the top.
template <typename Body>
int Main(int argc, char** argv, Body&& body) {
  return Main(argc, argv, RuntimeBuilder(), std::forward<Body>(body));
}

}  // namespace home

#endif  // HOME_PROCESS_MAIN_H_
