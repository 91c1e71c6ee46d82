// A system that refuses, interrupts and does things by halves: nothing hangs, nothing
// leaks, and what can not be done is a Status that names it.

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/reactor/fault_testing.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::TcpListenerFd;

int OpenDescriptors() {
  int count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

// -- The reactor ----------------------------------------------------------------------

class ReactorFaultTest : public ::testing::Test {
 protected:
  ~ReactorFaultTest() override { ForgetFaults(); }
};

TEST_F(ReactorFaultTest, CreationFails) {
  const int before = OpenDescriptors();
  for (const auto& [call, name] : {std::pair(SystemCall::kEpollCreate1, "epoll_create1"),
                                   std::pair(SystemCall::kEventfd, "eventfd"),
                                   std::pair(SystemCall::kEpollCtl, "epoll_ctl")}) {
    for (const int error : {EMFILE, ENOMEM}) {
      FailNext(call, error);
      const absl::Status status = Reactor::Create().status();
      EXPECT_EQ(status.code(), absl::ErrnoToStatus(error, "").code());
      EXPECT_NE(status.message().find(name), std::string::npos) << status;
    }
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(ReactorFaultTest, RegistrationFails) {
  const auto reactor = Reactor::Create().value();
  const reactor_internal::FdPair pipe = MakePipe();
  FailNext(SystemCall::kEpollCtl, ENOSPC);
  const absl::Status full = reactor->Register(pipe.a.get(), Interest::Read()).status();
  EXPECT_EQ(full.code(), absl::ErrnoToStatus(ENOSPC, "").code());
  EXPECT_NE(full.message().find("register descriptor"), std::string::npos) << full;
  EXPECT_TRUE(reactor->Register(pipe.a.get(), Interest::Read()).ok());
}

TEST_F(ReactorFaultTest, WaitsAreInterrupted) {
  const auto reactor = Reactor::Create().value();
  const reactor_internal::FdPair pipe = MakePipe();
  auto registration = reactor->Register(pipe.a.get(), Interest::Read()).value();
  WakeList wakes;
  // For a time, and for ever.
  for (const auto& [call, timeout] : {std::pair(SystemCall::kEpollPwait2, kHangGuardNanos),
                                      std::pair(SystemCall::kEpollWait, std::int64_t{-1})}) {
    FailNext(call, EINTR, 5);
    reactor_internal::WriteByte(pipe.b);
    EXPECT_EQ(reactor->Poll(timeout, wakes), 1u);
    EXPECT_EQ(FailuresLeft(call), 0);
  }
}

// Kernels before 5.11, and some sandboxes.
TEST_F(ReactorFaultTest, WaitsWithoutPwait2) {
  for (const int error : {ENOSYS, EPERM}) {
    const auto reactor = Reactor::Create().value();
    FailNext(SystemCall::kEpollPwait2, error);
    WakeList wakes;
    for (int i = 0; i < 2; ++i) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_EQ(reactor->Poll(300'000, wakes), 0u);
      EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::microseconds(300));
    }
    EXPECT_EQ(CallsOf(SystemCall::kEpollPwait2), 1);  // it is not asked again
  }
}

TEST_F(ReactorFaultTest, NotificationsAreInterruptedOrFindTheCounterFull) {
  auto poller = reactor_internal::CreatePoller().value();
  std::array<reactor_internal::Poller::Event, 4> events;
  for (const int error : {EINTR, EAGAIN}) {
    FailNext(SystemCall::kWrite, error, 3);
    EXPECT_TRUE(poller->Notify());
    EXPECT_EQ(FailuresLeft(SystemCall::kWrite), 0);
    EXPECT_EQ(poller->Wait(-1, absl::MakeSpan(events)), 0u);
  }
  FailNext(SystemCall::kWrite, EBADF);
  EXPECT_FALSE(poller->Notify());
}

// Pitfall: the write to the eventfd fails, and every later wake-up is coalesced away.
TEST_F(ReactorFaultTest, WakeAfterAFailedNotification) {
  const auto reactor = Reactor::Create().value();
  FailNext(SystemCall::kWrite, ENOMEM);
  std::atomic<bool> returned{false};
  std::thread sleeper([&] {
    WakeList wakes;
    reactor->Poll(-1, wakes);
    returned.store(true);
  });
  // The first that meets a sleeper fails; one of the next succeeds.
  while (!returned.load()) {
    reactor->Wake();
    std::this_thread::yield();
  }
  sleeper.join();
}

// -- Both engines ---------------------------------------------------------------------

// The engine of this name, if the system has it.
std::vector<IoTestBackend> Only(const std::string& name) {
  std::vector<IoTestBackend> backends = IoTestBackends();
  std::erase_if(backends, [&](const IoTestBackend& backend) { return backend.name != name; });
  return backends;
}

class IoFaultTest : public IoTest {
 protected:
  ~IoFaultTest() override { ForgetFaults(); }
};

// No number is left: real, as the system has it.
TEST_P(IoFaultTest, NoDescriptorsLeft) {
  TcpListenerFd listening;
  const IoAddress address(listening.Address(), listening.AddressSize());
  const IoFile listener = Attach(listening.fd);
  UniqueFd fd = MakeTcpSocket();
  const IoFile client = Attach(fd);
  EXPECT_TRUE(Await(IoConnect(client, address)).ok());
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status open = Await(IoOpen(io_, "/dev/null", O_RDONLY)).status();
  const absl::Status accept = Await(IoAccept(listener)).status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(open.code(), absl::StatusCode::kResourceExhausted) << open;
  EXPECT_EQ(accept.code(), absl::StatusCode::kResourceExhausted) << accept;
  EXPECT_NE(accept.message().find("accept from descriptor"), std::string::npos) << accept;
  // The connection was not lost.
  EXPECT_TRUE(Await(IoAccept(listener)).ok());
}

TEST_P(IoFaultTest, FullDisk) {
  UniqueFd fd = Await(IoOpen(io_, "/dev/full", O_WRONLY)).value();
  const IoFile file = Attach(fd);
  const absl::Status full = Await(IoWrite(file, std::string("x"))).count.status();
  EXPECT_EQ(full.code(), absl::ErrnoToStatus(ENOSPC, "").code());
  EXPECT_NE(full.message().find("write to descriptor"), std::string::npos) << full;
}

TEST_P(IoFaultTest, AttachingFails) {
  const int before = OpenDescriptors();
  // A descriptor that is refused is closed.
  EXPECT_FALSE(IoFile::Attach(io_, UniqueFd(-1)).ok());
  if (GetParam().backend == IoBackend::kReadiness) {
    FdPair pair = MakeSocketPair();
    FailNext(SystemCall::kEpollCtl, ENOMEM);
    EXPECT_EQ(IoFile::Attach(io_, std::move(pair.a)).status().code(),
              absl::ErrnoToStatus(ENOMEM, "").code());
    char byte;
    EXPECT_EQ(::read(pair.b.get(), &byte, 1), 0);
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(All, IoFaultTest, ::testing::ValuesIn(IoTestBackends()),
                         [](const auto& backend) { return backend.param.name; });

// -- io_uring -------------------------------------------------------------------------

class UringFaultTest : public IoFaultTest {};

TEST_P(UringFaultTest, KernelsWithoutIoUring) {
  const int before = OpenDescriptors();
  for (const auto& [call, error] :
       {std::pair(SystemCall::kIoUringSetup, ENOSYS), std::pair(SystemCall::kIoUringSetup, EPERM),
        std::pair(SystemCall::kIoUringSetup, ENOMEM), std::pair(SystemCall::kIoUringSetup, EMFILE),
        std::pair(SystemCall::kIoUringProbe, ENOSYS)}) {
    const auto reactor = Reactor::Create().value();
    FailNext(call, error);
    const std::shared_ptr<IoEngine> io = reactor->io();
    EXPECT_EQ(io->name(), "readiness");
    FdPair pair = MakeSocketPair();
    const IoFile socket = IoFile::Attach(io, std::move(pair.a)).value();
    EXPECT_EQ(BlockOn(*reactor, IoSend(socket, std::string("x"))).count.value(), 1u);
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

// Neither multishot nor rings of buffers: sources start one operation after the other.
TEST_P(UringFaultTest, KernelsWithoutMultishot) {
  for (const bool old : {true, false}) {
    old_kernel.store(old);
    Start(256);
    EXPECT_EQ(io_->name(), "io_uring");
    EXPECT_EQ(io_->multishot(), !old);
    TcpListenerFd listening;
    const IoFile listener = Attach(listening.fd);
    IoAcceptSource connections = IoAcceptAll(listener);
    // Or the kernel has no memory for a ring of buffers.
    if (!old) FailNext(SystemCall::kIoUringRegisterBuffers, ENOMEM);
    const IoBufferPool pool = IoBufferPool::Create(io_, 2, 4).value();
    EXPECT_EQ(pool.group()->kernel_id(), reactor_internal::IoBufferGroup::kOurs);
    for (int i = 0; i < 3; ++i) {
      CountingWaker counter;
      UniqueFd fd = MakeTcpSocket();
      const IoFile client = Attach(fd);
      const IoAddress address(listening.Address(), listening.AddressSize());
      EXPECT_TRUE(Await(IoConnect(client, address)).ok());
      absl::StatusOr<UniqueFd> connection = Await(Next(connections)).value();
      const IoFile server = Attach(*connection);
      IoRecvSource source = IoReceiveAll(server, pool);
      EXPECT_EQ(Await(IoSend(client, std::string("abcdefghij"))).count.value(), 10u);
      std::string got;
      std::vector<IoChunk> held;
      while (got.size() < 8) {
        absl::StatusOr<IoChunk> chunk = Await(Next(source)).value();
        got += std::string(chunk->view());
        held.push_back(*std::move(chunk));
      }
      // All are held: it waits for one.
      {
        auto next = Next(source);
        EXPECT_TRUE(PollOnce(next, counter).pending());
      }
      held.clear();
      got += std::string(Await(Next(source)).value().value().view());
      EXPECT_EQ(got, "abcdefghij");
      {
        // Dropped with a buffer in flight, which comes back.
        auto next = Next(source);
        EXPECT_TRUE(PollOnce(next, counter).pending());
        TurnOnce(*reactor_);
      }
    }
  }
}

// No buffer is left, and the reactor is gone: the source ends, and waits for no buffer.
TEST_P(UringFaultTest, EmptyPoolsAfterTheReactor) {
  for (const bool old : {true, false}) {
    old_kernel.store(old);
    Start(256);
    FdPair pair = MakeSocketPair();
    const IoFile socket = Attach(pair.a);
    const IoBufferPool pool = IoBufferPool::Create(io_, 1, 4).value();
    IoRecvSource source = IoReceiveAll(socket, pool);
    reactor_internal::WriteByte(pair.b);
    const IoChunk held = Await(Next(source)).value().value();
    IoRecvSource late = IoReceiveAll(socket, pool);
    reactor_.reset();
    auto next = Next(late);
    auto item = PollOnce(next);
    ASSERT_TRUE(item.ready());
    EXPECT_EQ((**item).status().code(), absl::StatusCode::kCancelled);
  }
}

// How many completions the kernel keeps because they have no room in the ring.
std::size_t OverflownCompletions() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fdinfo");
  while (const dirent* entry = ::readdir(folder)) {
    std::ifstream info(std::string("/proc/self/fdinfo/") + entry->d_name);
    bool list = false;
    for (std::string line; std::getline(info, line);) {
      if (list && line.find("user_data") != std::string::npos) ++count;
      if (line.rfind("CqOverflowList", 0) == 0) list = true;
    }
  }
  ::closedir(folder);
  return count;
}

// Pitfall: completion queue overflow. All of many end at once, in a ring with room for two.
TEST_P(UringFaultTest, CompletionsThatHaveNoRoomAreKept) {
  constexpr std::size_t kMany = 100;
  Start(1);
  FdPair pipe = MakePipe();
  const IoFile reader = Attach(pipe.a);
  CountingWaker counter;
  std::vector<decltype(IoRead(reader, std::string()))> reads;
  for (std::size_t i = 0; i < kMany; ++i) {
    reads.push_back(IoRead(reader, std::string(1, '\0')));
    EXPECT_TRUE(PollOnce(reads.back(), counter).pending());
  }
  TurnOnce(*reactor_);
  const std::string bytes(kMany, 'x');
  ASSERT_EQ(::write(pipe.b.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(kMany));
  EXPECT_GE(OverflownCompletions(), kMany / 2);
  // More are started meanwhile, and dropped.
  for (int i = 0; i < 10; ++i) {
    auto dropped = IoRead(reader, std::string(1, '\0'));
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
  }
  for (auto& read : reads) EXPECT_EQ(Await(std::move(read)).buffer, "x");
  EXPECT_EQ(OverflownCompletions(), 0u);
  EXPECT_EQ(counter.alive(), 0);
}

// Before 5.18 a flag is unknown.
TEST_P(UringFaultTest, OlderKernels) {
  const auto reactor = Reactor::Create().value();
  FailNext(SystemCall::kIoUringSetup, EINVAL);
  EXPECT_EQ(reactor->io()->name(), "io_uring");
}

TEST_P(UringFaultTest, RingsThatThePollerRefuses) {
  const int before = OpenDescriptors();
  {
    const auto reactor = Reactor::Create().value();
    FailNext(SystemCall::kEpollCtl, ENOSPC);
    EXPECT_EQ(reactor->io()->name(), "readiness");
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

// The kernel takes nothing for a while: what was started is submitted when it does.
TEST_P(UringFaultTest, SubmissionsAreRefused) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  for (const int error : {EAGAIN, EBUSY, ENOMEM, EINTR}) {
    FailNext(SystemCall::kIoUringSubmit, error, 4);
    EXPECT_EQ(Await(IoSend(socket, std::string("x"))).count.value(), 1u);
    EXPECT_EQ(FailuresLeft(SystemCall::kIoUringSubmit), 0);
  }
}

// More than the ring holds, and none of it is accepted at first.
TEST_P(UringFaultTest, TheQueueIsFullAndNothingIsAccepted) {
  Start(2);
  FdPair pipe = MakePipe();
  const IoFile reader = Attach(pipe.a);
  FailNext(SystemCall::kIoUringSubmit, EBUSY, 20);
  constexpr int kMany = 100;
  std::vector<decltype(IoRead(reader, std::string()))> reads;
  CountingWaker counter;
  for (int i = 0; i < kMany; ++i) {
    reads.push_back(IoRead(reader, std::string(1, '\0')));
    EXPECT_TRUE(PollOnce(reads.back(), counter).pending());
  }
  const std::string bytes(kMany, 'x');
  ASSERT_EQ(::write(pipe.b.get(), bytes.data(), bytes.size()), kMany);
  for (auto& read : reads) EXPECT_EQ(Await(std::move(read)).buffer, "x");
}

// The question whether an operation may be cancelled finds no room.
TEST_P(UringFaultTest, CancellationsAreRefused) {
  Start(1);
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  using Receiving = decltype(IoRecv(socket, CountedBuffer(1, &alive)));
  std::vector<Receiving> receiving;
  for (int i = 0; i < 10; ++i) {
    receiving.push_back(IoRecv(socket, CountedBuffer(1, &alive)));
    EXPECT_TRUE(PollOnce(receiving.back()).pending());
  }
  TurnOnce(*reactor_);
  FailNext(SystemCall::kIoUringSubmit, EAGAIN, 20);
  receiving.clear();
  EXPECT_EQ(alive.load(), 10);
  TurnUntilFreed(alive);
}

TEST_P(UringFaultTest, TheReactorEndsWhileSubmissionsAreRefused) {
  Start(1);
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  {
    const IoFile socket = Attach(pair.a);
    using Receiving = decltype(IoRecv(socket, CountedBuffer(1, &alive)));
    std::vector<Receiving> receiving;
    for (int i = 0; i < 5; ++i) {
      receiving.push_back(IoRecv(socket, CountedBuffer(1, &alive)));
      EXPECT_TRUE(PollOnce(receiving.back()).pending());
      TurnOnce(*reactor_);
    }
    FailNext(SystemCall::kIoUringSubmit, EBUSY, 5);
    reactor_.reset();
  }
  EXPECT_EQ(alive.load(), 0);
}

// Not every system has it.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UringFaultTest);
INSTANTIATE_TEST_SUITE_P(All, UringFaultTest, ::testing::ValuesIn(Only("io_uring")),
                         [](const auto& backend) { return backend.param.name; });

// -- Readiness ------------------------------------------------------------------------

class ReadinessFaultTest : public IoFaultTest {};

// A system call that is interrupted is repeated, and one that would block although the
// descriptor was ready waits for the next edge.
TEST_P(ReadinessFaultTest, InterruptedAndNotReadyAfterAll) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  reactor_internal::WriteByte(pair.b);
  FailNext(SystemCall::kRecv, EINTR, 3);
  EXPECT_EQ(Receive(socket), "x");

  reactor_internal::WriteByte(pair.b);
  FailNext(SystemCall::kRecv, EAGAIN);
  auto receive = IoRecv(socket, std::string(10, '\0'));
  CountingWaker counter;
  static_cast<void>(PollOnce(receive, counter));
  reactor_internal::WriteByte(pair.b);
  EXPECT_GE(Await(std::move(receive)).count.value(), 1u);

  FailNext(SystemCall::kSend, EINTR, 3);
  EXPECT_EQ(Await(IoSend(socket, std::string("x"))).count.value(), 1u);
  FailNext(SystemCall::kPread, EINTR, 3);
  UniqueFd fd = Await(IoOpen(io_, "/dev/zero", O_RDONLY)).value();
  EXPECT_EQ(Await(IoRead(Attach(fd), std::string(10, '\0'), 0)).count.value(), 10u);
}

TEST_P(ReadinessFaultTest, Partial) {
  FdPair pair = MakeSocketPair();
  const IoFile a = Attach(pair.a);
  const IoFile b = Attach(pair.b);
  transfer_limit.store(3);
  EXPECT_EQ(Await(IoSend(a, std::string("abcdef"))).count.value(), 3u);
  EXPECT_EQ(Await(IoSend(a, std::string("def"))).count.value(), 3u);
  EXPECT_EQ(Receive(b), "abc");
  EXPECT_EQ(Receive(b), "def");
  UniqueFd fd = Await(IoOpen(io_, "/dev/zero", O_RDONLY)).value();
  EXPECT_EQ(Await(IoRead(Attach(fd), std::string(10, '\0'), 0)).count.value(), 3u);
}

TEST_P(ReadinessFaultTest, ErrorsAreTheOperations) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  FailNext(SystemCall::kSend, ENOMEM);
  EXPECT_EQ(Await(IoSend(socket, std::string("x"))).count.status().code(),
            absl::ErrnoToStatus(ENOMEM, "").code());
  FailNext(SystemCall::kOpenat, ENOMEM);
  EXPECT_EQ(Await(IoOpen(io_, "/dev/null", O_RDONLY)).status().code(),
            absl::ErrnoToStatus(ENOMEM, "").code());
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  FailNext(SystemCall::kFsync, EIO);
  const absl::Status lost = Await(IoFsync(Attach(fd)));
  EXPECT_EQ(lost.code(), absl::ErrnoToStatus(EIO, "").code());
  EXPECT_NE(lost.message().find("flush descriptor"), std::string::npos) << lost;
  // And the next one is as if nothing had been.
  EXPECT_EQ(Await(IoSend(socket, std::string("x"))).count.value(), 1u);
}

// Also one that would block although there is room and data: it is tried again.
TEST_P(ReadinessFaultTest, Splices) {
  FdPair pipe = MakePipe();
  FdPair pair = MakeSocketPair();
  const IoFile writer = Attach(pipe.b);
  const IoFile socket = Attach(pair.a);
  ASSERT_EQ(::write(pair.b.get(), "abcdefghi", 9), 9);
  transfer_limit.store(3);
  for (const int error : {EINTR, EAGAIN}) {
    FailNext(SystemCall::kSplice, error, 3);
    EXPECT_EQ(Await(IoSplice(socket, writer, 6)).value(), 3u);
    EXPECT_EQ(FailuresLeft(SystemCall::kSplice), 0);
  }
  FailNext(SystemCall::kSplice, ENOMEM);
  EXPECT_EQ(Await(IoSplice(socket, writer, 6)).status().code(),
            absl::ErrnoToStatus(ENOMEM, "").code());
}

// A pool that closes drops what it was given.
TEST_P(ReadinessFaultTest, ThePoolRunsNothing) {
  pool_->Pause();
  CountingWaker counter;
  auto open = IoOpen(io_, Path("made"), O_RDWR | O_CREAT);
  EXPECT_TRUE(PollOnce(open, counter).pending());
  pool_->DropAll();
  EXPECT_EQ(counter.wakes(), 1);
  auto cancelled = PollOnce(open, counter);
  ASSERT_TRUE(cancelled.ready());
  EXPECT_EQ((*cancelled).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(Exists(Path("made")));
}

// A connection that is gone before it was accepted, and a system that has no memory for it.
TEST_P(ReadinessFaultTest, AcceptFails) {
  TcpListenerFd listening;
  const IoAddress address(listening.Address(), listening.AddressSize());
  const IoFile listener = Attach(listening.fd);
  UniqueFd fd = MakeTcpSocket();
  const IoFile client = Attach(fd);
  EXPECT_TRUE(Await(IoConnect(client, address)).ok());
  for (const int error : {ECONNABORTED, ENOMEM}) {
    FailNext(SystemCall::kAccept4, error);
    EXPECT_EQ(Await(IoAccept(listener)).status().code(), absl::ErrnoToStatus(error, "").code());
  }
  EXPECT_TRUE(Await(IoAccept(listener)).ok());
}

INSTANTIATE_TEST_SUITE_P(All, ReadinessFaultTest, ::testing::ValuesIn(Only("readiness")),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::testing
