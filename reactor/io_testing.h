// The fixture of the conformance suite of the completion layer, and what its tests are
// made of. The suite runs on every engine that the system has (io_engine.h).

#ifndef HOME_REACTOR_IO_TESTING_H_
#define HOME_REACTOR_IO_TESTING_H_

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/io.h"
#include "home/reactor/poller_testing.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"

namespace home::testing {

// A thread for closures that block. Its destruction runs what is left.
class OffloadThread {
 public:
  OffloadThread() : thread_([this] { Run(); }) {}
  ~OffloadThread() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ = true;
      paused_ = false;
    }
    changed_.notify_all();
    thread_.join();
  }

  IoOffload offload() {
    return [this](absl::AnyInvocable<void()&&> closure) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        closures_.push_back(std::move(closure));
      }
      changed_.notify_all();
    };
  }
  // What comes now is not begun before Resume().
  void Pause() {
    const std::lock_guard<std::mutex> lock(mutex_);
    paused_ = true;
  }
  // Returns when it has begun all that it was given.
  void AwaitBegun() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return closures_.empty(); });
  }
  // Drops what was not begun.
  void DropAll() {
    std::deque<absl::AnyInvocable<void() &&>> dropped;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::swap(dropped, closures_);
    }
  }
  void Resume() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      paused_ = false;
    }
    changed_.notify_all();
  }

 private:
  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return done_ || (!paused_ && !closures_.empty()); });
      if (closures_.empty()) return;
      absl::AnyInvocable<void() &&> closure = std::move(closures_.front());
      closures_.pop_front();
      changed_.notify_all();
      lock.unlock();
      std::move(closure)();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<absl::AnyInvocable<void() &&>> closures_;
  bool paused_ = false;
  bool done_ = false;
  std::thread thread_;
};

// Bytes that count, in `*alive`, how many of their kind there are.
class CountedBuffer {
 public:
  CountedBuffer(std::size_t size, std::atomic<int>* alive)
      : bytes_(std::make_unique<char[]>(size)), size_(size), alive_(alive) {
    alive_->fetch_add(1);
  }
  CountedBuffer(CountedBuffer&& other) noexcept
      : bytes_(std::move(other.bytes_)),
        size_(std::exchange(other.size_, 0)),
        alive_(std::exchange(other.alive_, nullptr)) {}
  CountedBuffer& operator=(CountedBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(alive_, other.alive_);
    return *this;
  }
  ~CountedBuffer() {
    if (alive_ != nullptr) alive_->fetch_sub(1);
  }

  char* data() { return bytes_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
  std::atomic<int>* alive_;
};

struct IoTestBackend {
  std::string name;
  IoBackend backend;
};

// All engines that this system has.
inline std::vector<IoTestBackend> IoTestBackends() {
  std::vector<IoTestBackend> backends;
  for (const IoBackend backend : {IoBackend::kReadiness, IoBackend::kUring, IoBackend::kBest}) {
    IoOptions options;
    options.backend = backend;
    const auto reactor = Reactor::Create(std::move(options)).value();
    std::string name(reactor->io()->name());
    const bool known = std::any_of(backends.begin(), backends.end(),
                                   [&](const auto& other) { return other.name == name; });
    if (!known) backends.push_back({name, backend});
  }
  return backends;
}

// A reactor with an engine of that kind, and what tests do with it.
class IoFixture {
 protected:
  using FdPair = reactor_internal::FdPair;

  explicit IoFixture(IoBackend backend) : backend_(backend) { Start(256); }

  // Anew, with a ring of another size.
  void Start(unsigned ring_entries) {
    io_.reset();
    reactor_ = Reactor::Create(IoOptions{.backend = backend_,
                                         .offload = pool_ ? pool_->offload() : nullptr,
                                         .ring_entries = ring_entries})
                   .value();
    io_ = reactor_->io();
  }

  IoFile Attach(UniqueFd& fd) { return IoFile::Attach(io_, std::move(fd)).value(); }
  template <typename F>
  FutureOutput<F> Await(F&& future) {
    return BlockOn(*reactor_, std::forward<F>(future));
  }
  // Receives what is there, which is less than 100 bytes.
  std::string Receive(const IoFile& socket) {
    IoResult<std::string> result = Await(IoRecv(socket, std::string(100, '\0')));
    if (!result.count.ok()) return result.count.status().ToString();
    return result.buffer.substr(0, *result.count);
  }
  // Turns the reactor until no buffer that counts in `alive` is left.
  void TurnUntilFreed(const std::atomic<int>& alive) {
    TurnUntil(*reactor_, [&] {
      if (alive.load() == 0) return true;
      reactor_->Wake();  // not every end is an event
      return false;
    });
  }
  std::string Path(const std::string& name) {
    for (int i = 0; folder_.empty(); ++i) {
      const std::filesystem::path folder =
          std::filesystem::path(::testing::TempDir()) / ("io_test_" + std::to_string(i));
      if (std::filesystem::create_directory(folder)) folder_ = folder.string();
    }
    return folder_ + "/" + name;
  }
  bool Exists(const std::string& path) { return std::filesystem::exists(path); }

  // Whether the system is asked by whoever starts an operation, and not by whoever polls.
  bool AsksAtOnce() { return io_->name() == "iocp"; }
  // Whether what was detached may be attached once more; handles of Windows keep their port.
  bool CanAttachAgain() { return io_->name() != "iocp"; }

  // Last to go: the reactor is woken by the pool's thread.
  std::unique_ptr<Reactor> reactor_;
  std::shared_ptr<IoEngine> io_;
  std::optional<OffloadThread> pool_{std::in_place};

 private:
  const IoBackend backend_;
  std::string folder_;
};

class IoTest : public IoFixture, public ::testing::TestWithParam<IoTestBackend> {
 protected:
  IoTest() : IoFixture(GetParam().backend) {}
};

}  // namespace home::testing

#endif  // HOME_REACTOR_IO_TESTING_H_
