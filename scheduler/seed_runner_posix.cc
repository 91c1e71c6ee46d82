#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "home/future/fatal.h"
#include "home/scheduler/platform.h"
#include "home/scheduler/seed_runner.h"

namespace home::testing {
namespace {

// Of what a seed has written, this much of either end is shown.
constexpr std::size_t kShown = 16 << 10;
constexpr std::size_t kMaxBatch = 64;

[[noreturn]] void DieOf(const char* operation) {
  Fatal(absl::StrCat("RunSeeds: ", operation, ": ", std::strerror(errno)).c_str());
}

// A process that works on a batch.
class Child {
 public:
  Child(SeedRange seeds, unsigned limit_seconds, const std::function<bool(std::uint64_t seed)>& run)
      : output_(std::tmpfile()) {
    int ends[2];
    if (output_ == nullptr) DieOf("tmpfile");
    if (pipe(ends) != 0) DieOf("pipe");
    // What is buffered is the caller's to write, once.
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ < 0) DieOf("fork");
    if (pid_ == 0) {
      close(ends[0]);
      Work(seeds, limit_seconds, run, ends[1]);
    }
    // No later child inherits it, so it hangs up when this one ends.
    close(ends[1]);
    progress_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // Kills it if it runs.
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      static_cast<void>(Wait());
    }
    close(progress_);
    std::fclose(output_);
  }

  // Hangs up when the child has ended.
  [[nodiscard]] int progress() const { return progress_; }

  // After its end. Nothing: all its seeds have passed.
  [[nodiscard]] std::optional<SeedFailure> Result(unsigned limit_seconds) {
    // Not const: the macros of some systems take its address.
    int status = Wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
    SeedFailure failure;
    // It has told the seeds that it began; the last one is to blame.
    std::uint64_t seed = 0;
    while (read(progress_, &seed, sizeof(seed)) == sizeof(seed)) failure.seed = seed;
    if (WIFEXITED(status)) {
      failure.how = absl::StrCat("exit status ", WEXITSTATUS(status));
    } else if (WTERMSIG(status) == SIGALRM) {
      failure.how = absl::StrCat("it took more than ", limit_seconds, " s");
    } else {
      failure.how =
          absl::StrCat("signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
    }
    failure.output = Output();
    return failure;
  }

 private:
  [[noreturn]] void Work(SeedRange seeds, unsigned limit_seconds,
                         const std::function<bool(std::uint64_t seed)>& run, int progress) {
    const int output = fileno(output_);
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) DieOf("dup2");
    signal(SIGALRM, SIG_DFL);
    for (std::uint64_t seed = seeds.first;; ++seed) {
      if (write(progress, &seed, sizeof(seed)) != sizeof(seed)) DieOf("write");
      // Only what belongs to this seed is kept.
      std::fflush(nullptr);
      if (ftruncate(output, 0) != 0 || lseek(output, 0, SEEK_SET) != 0) DieOf("ftruncate");
      alarm(limit_seconds);
      const bool passed = run(seed);
      std::fflush(nullptr);
      // Without the caller's exit handlers and destructors.
      if (!passed) _exit(1);
      if (seed == seeds.last) _exit(0);
    }
  }

  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0) {
      if (errno != EINTR) DieOf("waitpid");
    }
    pid_ = -1;
    return status;
  }

  std::string Output() {
    std::fseek(output_, 0, SEEK_END);
    const long end = std::ftell(output_);
    const std::size_t size = end > 0 ? static_cast<std::size_t>(end) : 0;
    if (size <= 2 * kShown) return Read(0, size);
    return absl::StrCat(Read(0, kShown), "\n[", size - 2 * kShown, " bytes are left out]\n",
                        Read(size - kShown, kShown));
  }
  std::string Read(std::size_t from, std::size_t size) {
    std::string text(size, '\0');
    std::fseek(output_, static_cast<long>(from), SEEK_SET);
    text.resize(std::fread(text.data(), 1, size, output_));
    return text;
  }

  std::FILE* output_;
  pid_t pid_ = -1;
  int progress_ = -1;
};

// The index of a child that has ended.
std::size_t AwaitOne(const std::vector<std::unique_ptr<Child>>& children) {
  std::vector<pollfd> ends;
  for (const auto& child : children) {
    // No events: only the hang-up is reported.
    ends.push_back({.fd = child->progress(), .events = 0, .revents = 0});
  }
  while (true) {
    if (poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) DieOf("poll");
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].revents != 0) return i;
    }
  }
}

}  // namespace

std::optional<SeedFailure> RunSeeds(SeedRange seeds, const SeedRunnerOptions& options,
                                    const std::function<bool(std::uint64_t seed)>& run) {
  const std::size_t jobs = scheduler_internal::AvailableProcessors();
  const std::uint64_t rest = seeds.last - seeds.first;
  const std::uint64_t batch = options.batch != 0
                                  ? options.batch
                                  : std::clamp<std::uint64_t>(rest / (4 * jobs), 1, kMaxBatch);
  std::vector<std::unique_ptr<Child>> children;
  for (std::optional<std::uint64_t> next = seeds.first; next || !children.empty();) {
    if (next && children.size() < jobs) {
      const std::uint64_t last = std::min(seeds.last - *next, batch - 1) + *next;
      children.push_back(std::make_unique<Child>(SeedRange{.first = *next, .last = last},
                                                 options.limit_seconds, run));
      next = last == seeds.last ? std::nullopt : std::optional(last + 1);
      continue;
    }
    const std::size_t ended = AwaitOne(children);
    std::optional<SeedFailure> failure = children[ended]->Result(options.limit_seconds);
    if (failure) return failure;
    std::swap(children[ended], children.back());
    children.pop_back();
  }
  return std::nullopt;
}

}  // namespace home::testing
