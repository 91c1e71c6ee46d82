#include "home/integration/examples/http_server/server_process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace home::http_server {
namespace {

constexpr char kProgram[] = "integration/examples/http_server/http_server";

// Appends what comes next. False at the end.
bool ReadSome(int fd, std::string& text) {
  char bytes[4096];
  ssize_t count;
  do {
    count = ::read(fd, bytes, sizeof(bytes));
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  text.append(bytes, static_cast<std::size_t>(count));
  return true;
}

}  // namespace

ServerProcess::ServerProcess(std::vector<std::string> arguments, unsigned descriptors) {
  int output[2];
  int errors[2];
  if (::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(errors, O_CLOEXEC) != 0) std::abort();
  arguments.insert(arguments.begin(), kProgram);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    ::dup2(errors[1], STDERR_FILENO);
    if (descriptors != 0) {
      rlimit limit;
      limit.rlim_cur = limit.rlim_max = descriptors;
      ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    ::execv(kProgram, argv.data());
    std::perror(kProgram);
    ::_exit(127);
  }
  ::close(output[1]);
  ::close(errors[1]);
  output_fd_ = output[0];
  errors_fd_ = errors[0];
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    WaitForExit();
  }
  ::close(output_fd_);
  ::close(errors_fd_);
}

std::uint16_t ServerProcess::WaitForPort() {
  while (output_.find('\n') == std::string::npos) {
    if (!ReadSome(output_fd_, output_)) return 0;
  }
  if (output_.rfind("listening on http://127.0.0.1:", 0) != 0) return 0;
  return static_cast<std::uint16_t>(std::atoi(output_.c_str() + output_.rfind(':') + 1));
}

void ServerProcess::Signal(int number) { ::kill(pid_, number); }

std::string ServerProcess::ReadErrorLine() {
  const std::size_t begin = errors_.size();
  while (errors_.find('\n', begin) == std::string::npos) {
    if (!ReadSome(errors_fd_, errors_)) break;
  }
  return errors_.substr(begin);
}

int ServerProcess::WaitForExit() {
  while (ReadSome(output_fd_, output_)) {
  }
  while (ReadSome(errors_fd_, errors_)) {
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace home::http_server
