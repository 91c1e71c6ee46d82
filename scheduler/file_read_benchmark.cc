// Pages of a file, read at random by tasks of a runtime: at once if they are in memory, by the
// reactor's operations, or by closures on blocking threads: what does a server of files do best?

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/unique_fd.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 4096;
constexpr std::size_t kTasks = 16;

enum class Way { kAtOnce, kOperation, kClosure };

// A file of kPages pages, in memory and on the disk.
UniqueFd MakeFile() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder == nullptr ? "/tmp" : folder) + "/file_read_XXXXXX";
  UniqueFd fd(::mkstemp(path.data()));
  ::unlink(path.c_str());
  const std::string page(kPage, 'x');
  for (std::size_t i = 0; i < kPages; ++i) {
    if (::write(fd.get(), page.data(), kPage) != static_cast<ssize_t>(kPage)) std::abort();
  }
  if (::fsync(fd.get()) != 0) std::abort();
  return fd;
}

// Every kTasks-th page, in an order that no reading ahead foresees.
Async<> ReadPages(Way way, int fd, IoFile file, std::size_t first) {
  std::string buffer(kPage, '\0');
  for (std::size_t i = first; i < kPages; i += kTasks) {
    const std::size_t page = i * 1237 % kPages;
    const auto offset = static_cast<std::int64_t>(page * kPage);
    std::size_t count = 0;
    if (way == Way::kAtOnce) {
      const iovec part = {.iov_base = buffer.data(), .iov_len = kPage};
      count = static_cast<std::size_t>(::preadv2(fd, &part, 1, offset, RWF_NOWAIT));
    } else if (way == Way::kOperation) {
      auto reading = IoRead(file, std::move(buffer), offset);
      IoResult<std::string> read = co_await std::move(reading);
      buffer = std::move(read.buffer);
      count = read.count.value();
    } else {
      auto reading = SpawnBlocking(BlockingClass::kFile, [fd, offset] {
        std::string bytes(kPage, '\0');
        if (::pread(fd, bytes.data(), kPage, offset) != static_cast<ssize_t>(kPage)) std::abort();
        return bytes;
      });
      absl::StatusOr<std::string> bytes = co_await std::move(reading);
      count = bytes->size();
    }
    if (count != kPage) std::abort();
  }
}

Async<> ReadAll(Way way, int fd, UniqueFd duplicate) {
  const IoFile file = IoFile::Attach(Reactor::Current()->io(), std::move(duplicate)).value();
  std::vector<JoinHandle<void>> tasks;
  tasks.reserve(kTasks);
  for (std::size_t i = 0; i < kTasks; ++i) tasks.push_back(Spawn(ReadPages(way, fd, file, i)));
  for (JoinHandle<void>& task : tasks) {
    const absl::Status joined = co_await std::move(task);
    if (!joined.ok()) std::abort();
  }
}

// range(0): workers; range(1): whether the pages are in memory.
void Run(benchmark::State& state, Way way) {
  Runtime runtime =
      *RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(state.range(0))).Build();
  const UniqueFd fd = MakeFile();
  // As a server of many files has it.
  if (::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM) != 0) std::abort();
  for (auto _ : state) {
    if (state.range(1) == 0) {
      state.PauseTiming();
      if (::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED) != 0) std::abort();
      state.ResumeTiming();
    }
    UniqueFd duplicate(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    JoinHandle<void> all = runtime.Spawn(ReadAll(way, fd.get(), std::move(duplicate)));
    if (!runtime.BlockOn(std::move(all)).ok()) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPages));
}

void BM_ReadAtOnce(benchmark::State& state) { Run(state, Way::kAtOnce); }
BENCHMARK(BM_ReadAtOnce)->ArgsProduct({{1, 2}, {1}})->UseRealTime()->Iterations(2);
void BM_ReadByOperation(benchmark::State& state) { Run(state, Way::kOperation); }
BENCHMARK(BM_ReadByOperation)->ArgsProduct({{1, 2}, {1, 0}})->UseRealTime()->Iterations(2);
void BM_ReadByClosure(benchmark::State& state) { Run(state, Way::kClosure); }
BENCHMARK(BM_ReadByClosure)->ArgsProduct({{1, 2}, {1, 0}})->UseRealTime()->Iterations(2);

}  // namespace
}  // namespace home
