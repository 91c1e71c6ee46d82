// The reactor's operations on files (home/reactor/io.h) in tasks, with io_uring and with the
// pool of blocking threads.

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/unique_fd.h"
#include "home/scheduler/blocking_class.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

std::string Path(const std::string& name) {
  const char* folder = ::getenv("TEST_TMPDIR");
  return std::string(folder != nullptr ? folder : "/tmp") + "/" + name + std::to_string(::getpid());
}

// Writes `text` into the file and reads it again; what was read, or the error.
Async<std::string> WriteAndRead(std::string path, std::string text) {
  const std::shared_ptr<IoEngine> io = Reactor::Current()->io();
  absl::StatusOr<UniqueFd> fd = co_await IoOpen(io, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (!fd.ok()) co_return fd.status().ToString();
  absl::StatusOr<IoFile> file = IoFile::Attach(io, *std::move(fd));
  if (!file.ok()) co_return file.status().ToString();
  IoResult<std::string> written = co_await IoWrite(*file, std::move(text), 0);
  if (!written.count.ok()) co_return written.count.status().ToString();
  IoResult<std::string> read = co_await IoRead(*file, std::string(100, '\0'), 0);
  if (!read.count.ok()) co_return read.count.status().ToString();
  co_return read.buffer.substr(0, *read.count);
}

TEST(BlockingIoTest, FilesInTasks) {
  const std::string path = Path("blocking_io");
  for (const IoBackend backend : {IoBackend::kBest, IoBackend::kReadiness, IoBackend::kUring}) {
    for (const bool threads : {false, true}) {
      RuntimeBuilder builder;
      builder.CurrentThread();
      if (threads) builder.WorkerThreads(2);
      Runtime runtime = *builder.Io(backend).Build();
      EXPECT_EQ(runtime.BlockOn(WriteAndRead(path, "hello")), "hello");
      EXPECT_EQ(*runtime.BlockOn(runtime.Spawn(WriteAndRead(path, "task"))), "task");
    }
  }
  ::unlink(path.c_str());
}

Async<bool> OpensForWriting(std::string path) {
  const absl::StatusOr<UniqueFd> fd =
      co_await IoOpen(Reactor::Current()->io(), std::move(path), O_WRONLY);
  co_return fd.ok();
}

TEST(BlockingIoTest, FilesOfTheReadinessEngineAreClosuresOfTheirClass) {
  const std::string path = Path("blocking_io_fifo");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  Runtime runtime = *RuntimeBuilder().WorkerThreads(1).Io(IoBackend::kReadiness).Build();
  // Blocks until somebody reads.
  JoinHandle<bool> opens = runtime.Spawn(OpensForWriting(path));
  const auto file_class = static_cast<std::size_t>(BlockingClass::kFile);
  while (runtime.Metrics().blocking_classes[file_class].running != 1) std::this_thread::yield();
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_TRUE(*runtime.BlockOn(std::move(opens)));
  ::unlink(path.c_str());
}

Async<void> ReadsForEver(int fd, std::atomic<bool>* started) {
  const IoFile file = IoFile::Attach(Reactor::Current()->io(), UniqueFd(fd)).value();
  started->store(true);
  static_cast<void>(co_await IoRead(file, std::string(1, '\0')));
}

TEST(BlockingIoTest, OperationsUnderWayEndWithTheRuntime) {
  for (const IoBackend backend : {IoBackend::kBest, IoBackend::kReadiness, IoBackend::kUring}) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const UniqueFd writer(fds[1]);
    std::atomic<bool> started{false};
    {
      Runtime runtime = *RuntimeBuilder().WorkerThreads(2).Io(backend).Build();
      const JoinHandle<void> reading = runtime.Spawn(ReadsForEver(fds[0], &started));
      while (!started.load()) std::this_thread::yield();
    }
    // Nobody has it any more.
    EXPECT_EQ(::fcntl(fds[0], F_GETFD), -1);
  }
}

}  // namespace
}  // namespace home
