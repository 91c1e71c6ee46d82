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
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/reactor/io_fault_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::OpenDescriptors;
using reactor_internal::TcpListenerFd;

// -- The reactor ----------------------------------------------------------------------

class ReactorFaultTest : public ::testing::Test {
 protected:
  ~ReactorFaultTest() override { ForgetFaults(); }
};

TEST_F(ReactorFaultTest, CreationFails) {
  const std::size_t before = OpenDescriptors();
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

// Sleeps in the reactor until it is woken.
class Sleeper {
 public:
  explicit Sleeper(Reactor& reactor)
      : thread_([&reactor] {
          WakeList wakes;
          reactor.Poll(-1, wakes);
          wakes.WakeAll();
        }) {
    // It is on its way into the system, and has said so.
    while (CallsOf(SystemCall::kEpollWait) == 0) std::this_thread::yield();
  }
  void AwaitEnd() { thread_.join(); }

 private:
  struct CountFromHere {
    CountFromHere() { FailNext(SystemCall::kEpollWait, 0, 0); }
  };

  CountFromHere count_from_here_;
  std::thread thread_;
};

// One wake-up is enough, although its write fails once.
TEST_F(ReactorFaultTest, WakeThatIsInterruptedOrFindsTheCounterFull) {
  const auto reactor = Reactor::Create().value();
  for (const int error : {EINTR, EAGAIN}) {
    Sleeper sleeper(*reactor);
    FailNext(SystemCall::kWrite, error);
    reactor->Wake();
    sleeper.AwaitEnd();
    EXPECT_EQ(FailuresLeft(SystemCall::kWrite), 0);
  }
}

// Pitfall: the write to the eventfd fails, and every later wake-up is coalesced away. The next
// one makes up for it.
TEST_F(ReactorFaultTest, WakeAfterAFailedNotification) {
  const auto reactor = Reactor::Create().value();
  Sleeper sleeper(*reactor);
  FailNext(SystemCall::kWrite, ENOMEM);
  reactor->Wake();
  EXPECT_EQ(FailuresLeft(SystemCall::kWrite), 0);
  reactor->Wake();
  sleeper.AwaitEnd();
}

// -- Both engines ---------------------------------------------------------------------

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
  const std::size_t before = OpenDescriptors();
  // A descriptor that is refused is closed.
  EXPECT_FALSE(IoFile::Attach(io_, UniqueFd(-1)).ok());
  if (GetParam().backend != IoBackend::kUring) {
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
  const std::size_t before = OpenDescriptors();
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
  EXPECT_EQ(reactor->io()->name(), "mixed");
}

TEST_P(UringFaultTest, RingsThatThePollerRefuses) {
  const std::size_t before = OpenDescriptors();
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

// The kernel takes nothing while somebody sleeps in the poller, who can not be told of it either:
// what is started next takes both along.
TEST_P(UringFaultTest, NeitherTheKernelNorTheSleeperHearsOfIt) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  CountingWaker counter;
  auto first = IoRecv(socket, std::string(1, '\0'));
  auto second = IoRecv(socket, std::string(1, '\0'));
  Sleeper sleeper(*reactor_);
  FailNext(SystemCall::kIoUringSubmit, ENOMEM);
  FailNext(SystemCall::kWrite, ENOMEM);
  EXPECT_TRUE(PollOnce(first, counter).pending());
  EXPECT_EQ(FailuresLeft(SystemCall::kIoUringSubmit), 0);
  EXPECT_EQ(FailuresLeft(SystemCall::kWrite), 0);
  EXPECT_TRUE(PollOnce(second, counter).pending());
  EXPECT_EQ(::send(pair.b.get(), "xy", 2, 0), 2);
  sleeper.AwaitEnd();
  EXPECT_EQ(Await(std::move(first)).count.value(), 1u);
  EXPECT_EQ(Await(std::move(second)).count.value(), 1u);
}

// Pitfalls: completion queue overflow, and connections that were accepted for nobody.
TEST_P(UringFaultTest, DroppedWithoutRoomForTheirCompletions) {
  constexpr std::size_t kMany = 30;
  Start(1);
  const std::size_t before = OpenDescriptors();
  const long references = io_.use_count();
  {
    TcpListenerFd listening;
    listening.Listen(kMany);
    const IoFile listener = Attach(listening.fd);
    CountingWaker counter;
    std::vector<decltype(IoAccept(listener))> accepts;
    for (std::size_t i = 0; i < kMany; ++i) {
      accepts.push_back(IoAccept(listener));
      EXPECT_TRUE(PollOnce(accepts.back(), counter).pending());
    }
    TurnOnce(*reactor_);
    std::vector<UniqueFd> clients;
    for (std::size_t i = 0; i < kMany; ++i) {
      clients.push_back(MakeTcpSocket());
      listening.ConnectNow(clients.back());
    }
    EXPECT_GE(OverflownCompletions(), kMany / 2);
    accepts.clear();
    EXPECT_EQ(counter.alive(), 0);
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      return io_.use_count() == references + 1;  // the listener's
    });
    EXPECT_EQ(OverflownCompletions(), 0u);
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

// Not every system has it.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UringFaultTest);
INSTANTIATE_TEST_SUITE_P(All, UringFaultTest, ::testing::ValuesIn(Only("io_uring")),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::testing
