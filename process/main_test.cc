// Main as its users see it: real processes, real signals.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace {

constexpr char kProgram[] = "process/main_test_program";

// Appends what comes next. False at the end.
bool ReadSome(int fd, std::string& text) {
  char bytes[512];
  ssize_t count;
  do {
    count = ::read(fd, bytes, sizeof(bytes));
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  text.append(bytes, static_cast<std::size_t>(count));
  return true;
}

class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int output[2];
    int errors[2];
    if (::pipe(output) != 0 || ::pipe(errors) != 0) std::abort();
    for (const int* ends : {output, errors}) {
      ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
      ::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    }
    arguments.insert(arguments.begin(), kProgram);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
      ::dup2(output[1], STDOUT_FILENO);
      ::dup2(errors[1], STDERR_FILENO);
      ::execv(kProgram, argv.data());
      ::_exit(127);
    }
    ::close(output[1]);
    ::close(errors[1]);
    output_fd_ = output[0];
    errors_fd_ = errors[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      static_cast<void>(WaitForExit());
    }
    ::close(output_fd_);
    ::close(errors_fd_);
  }

  // Waits until the child has written `line`.
  void WaitFor(const std::string& line) {
    while (output_.find(line + "\n") == std::string::npos) {
      ASSERT_TRUE(ReadSome(output_fd_, output_))
          << "ended before it wrote " << line << ": " << output_;
    }
  }
  void Signal(int number) { ::kill(pid_, number); }

  // The exit code, or minus the signal that has ended it.
  int WaitForExit() {
    while (ReadSome(output_fd_, output_)) {
    }
    while (ReadSome(errors_fd_, errors_)) {
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  const std::string& output() const { return output_; }
  const std::string& errors() const { return errors_; }

 private:
  pid_t pid_ = -1;
  int output_fd_ = -1;
  int errors_fd_ = -1;
  std::string output_;
  std::string errors_;
};

// The exit code, with what it wrote to standard error.
std::pair<int, std::string> OutcomeOf(std::vector<std::string> arguments) {
  Child child(std::move(arguments));
  const int code = child.WaitForExit();
  return {code, child.errors()};
}

using Outcome = std::pair<int, std::string>;

TEST(MainTest, ExitCodesOfStatuses) {
  EXPECT_EQ(OutcomeOf({"ok"}), Outcome(0, ""));
  EXPECT_EQ(OutcomeOf({"error"}),
            Outcome(1, "main_test_program: open /etc/none: No such file or directory\n"));
  EXPECT_EQ(OutcomeOf({"nameless error"}), Outcome(1, "main_test_program: DATA_LOSS\n"));
  EXPECT_EQ(OutcomeOf({"cancelled by itself"}), Outcome(1, "main_test_program: gave up\n"));
}

TEST(MainTest, OtherResultsAndOtherArguments) {
  EXPECT_EQ(OutcomeOf({"int"}), Outcome(7, ""));
  EXPECT_EQ(OutcomeOf({"void"}), Outcome(0, ""));
  EXPECT_EQ(OutcomeOf({"closure"}), Outcome(7, ""));
  EXPECT_EQ(OutcomeOf({"twice"}), Outcome(14, ""));
  EXPECT_EQ(OutcomeOf({"exception"}), Outcome(45, ""));
}

TEST(MainTest, ARuntimeThatCannotStartIsReported) {
  const auto [code, errors] = OutcomeOf({"no runtime"});
  EXPECT_EQ(code, 1);
  EXPECT_NE(errors.find("WorkerThreads must be 1 to 1024"), std::string::npos) << errors;
}

TEST(MainTest, TheBodyGetsTheCommandLine) {
  Child child({"arguments", "--flag", "", "two words"});
  EXPECT_EQ(child.WaitForExit(), 0);
  EXPECT_EQ(child.output(), "[arguments][--flag][][two words]");
}

TEST(MainTest, ASignalCancelsTheToken) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Child child({"graceful"});
    child.WaitFor("ready");
    child.Signal(signal);
    EXPECT_EQ(child.WaitForExit(), 0);
    EXPECT_EQ(child.output(), "ready\nstopping\n");
    EXPECT_EQ(child.errors(), "");
  }
}

TEST(MainTest, CancelledAfterASignalIsItsExitCode) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Child child({"cancelled"});
    child.WaitFor("ready");
    child.Signal(signal);
    EXPECT_EQ(child.WaitForExit(), 128 + signal);
    EXPECT_EQ(child.errors(), "");
  }
}

TEST(MainTest, TheSecondSignalEndsTheProcess) {
  Child child({"stubborn"});
  child.WaitFor("ready");
  child.Signal(SIGTERM);
  child.WaitFor("stopping");
  child.Signal(SIGINT);
  EXPECT_EQ(child.WaitForExit(), 128 + SIGINT);
}

TEST(MainTest, TheSecondSignalEndsAProcessThatReactsToNothing) {
  Child child({"stuck"});
  child.WaitFor("ready");
  // Each is pending until the handler runs: two of one number might count as one.
  child.Signal(SIGINT);
  child.Signal(SIGTERM);
  const int code = child.WaitForExit();
  EXPECT_TRUE(code == 128 + SIGINT || code == 128 + SIGTERM) << code;
}

TEST(MainTest, OtherSignalsDoWhatTheyAlwaysDo) {
  Child child({"graceful"});
  child.WaitFor("ready");
  child.Signal(SIGHUP);
  EXPECT_EQ(child.WaitForExit(), -SIGHUP);
}

}  // namespace
