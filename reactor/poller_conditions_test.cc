// What every Poller reports of hang-ups, resets, errors and out-of-band data, and
// to whom.

#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/poller_testing.h"
#include "home/reactor/ready.h"

namespace home::reactor_internal {
namespace {

constexpr ReadySet kReadClosed(ReadySet::kReadClosed);
constexpr ReadySet kWriteClosed(ReadySet::kWriteClosed);
constexpr ReadySet kBothClosed(ReadySet::kReadClosed | ReadySet::kWriteClosed);
constexpr ReadySet kError(ReadySet::kError);

// Makes the close of `fd` a reset of its connection.
void CloseByReset(UniqueFd& fd) {
  const linger reset = {.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
  fd.Reset();
}

TEST_P(PollerTest, HalfClose) {
  for (const FdPair& pair : {MakeSocketPair(), MakeTcpPair()}) {
    ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
    EXPECT_EQ(Wait(kHangGuard)[1], ReadySet(ReadySet::kWritable));
    ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
    EXPECT_FALSE(WaitFor(1, kReadClosed).write_closed());
    // The other direction goes on.
    WriteByte(pair.a);
    poller_->Remove(pair.a.get());
  }
}

TEST_P(PollerTest, HalfCloseOfOnesOwn) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  ASSERT_EQ(::shutdown(pair.a.get(), SHUT_RD), 0);
  EXPECT_FALSE(WaitFor(1, kReadClosed).write_closed());
}

TEST_P(PollerTest, HalfCloseAfterHalfCloseClosesBothDirections) {
  const FdPair pair = MakeTcpPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
  WaitFor(1, kReadClosed);
  ASSERT_EQ(::shutdown(pair.a.get(), SHUT_WR), 0);
  WaitFor(1, kBothClosed);
}

TEST_P(PollerTest, HangUpClosesBothDirections) {
  FdPair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  pair.b.Reset();
  WaitFor(1, kBothClosed);
}

// What was sent before the hang-up is still there to be read.
TEST_P(PollerTest, HangUpLeavesDataReadable) {
  FdPair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::Read(), 1).ok());
  WriteByte(pair.b);
  pair.b.Reset();
  WaitFor(1, ReadySet(ReadySet::kReadable) | kBothClosed);
  char byte;
  EXPECT_EQ(::read(pair.a.get(), &byte, 1), 1);
  EXPECT_EQ(::read(pair.a.get(), &byte, 1), 0);
}

TEST_P(PollerTest, HangUpBeforeTheRegistrationIsReported) {
  FdPair pair = MakeSocketPair();
  pair.b.Reset();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::Read(), 1).ok());
  WaitFor(1, kBothClosed);
}

TEST_P(PollerTest, ResetIsAnErrorInBothDirections) {
  FdPair pair = MakeTcpPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  CloseByReset(pair.b);
  WaitFor(1, kBothClosed | kError);
}

TEST_P(PollerTest, PipeWithoutWriterIsReadClosed) {
  FdPair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 1).ok());
  pipe.b.Reset();
  WaitFor(1, kReadClosed);
}

// What no reader means, an error or the end, is the system's to say.
TEST_P(PollerTest, PipeWithoutReaderIsReported) {
  FdPair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.b.get(), Interest::Write(), 1).ok());
  Wait(kHangGuard);
  pipe.a.Reset();
  WaitForAny(1, kError | kWriteClosed);
}

TEST_P(PollerTest, ConnectionIsReportedAsWritable) {
  TcpListenerFd listener;
  const UniqueFd client = MakeTcpSocket();
  listener.Connect(client);
  ASSERT_TRUE(poller_->Add(client.get(), Interest::Write(), 1).ok());
  const ReadySet ready = WaitFor(1, ReadySet(ReadySet::kWritable));
  EXPECT_FALSE(ready.error());
  EXPECT_FALSE(ready.write_closed());
}

TEST_P(PollerTest, RefusedConnectionIsAnError) {
  TcpListenerFd listener;
  listener.fd.Reset();
  const UniqueFd client = MakeTcpSocket();
  listener.Connect(client);
  ASSERT_TRUE(poller_->Add(client.get(), Interest::Write(), 1).ok());
  WaitFor(1, kError | kWriteClosed);
}

// -- Interest -------------------------------------------------------------------

TEST_P(PollerTest, OutOfBandDataIsForThoseWhoAskForIt) {
  const FdPair pair = MakeTcpPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::Read() | Interest::Priority(), 1).ok());
  ASSERT_EQ(::send(pair.b.get(), "!", 1, MSG_OOB), 1);
  WaitFor(1, ReadySet(ReadySet::kPriority));
  const UniqueFd twin(::dup(pair.a.get()));
  ASSERT_TRUE(poller_->Add(twin.get(), Interest::Read(), 2).ok());
  EXPECT_FALSE(Wait()[2].priority());
}

TEST_P(PollerTest, PriorityAloneIsNotWokenByData) {
  const FdPair pair = MakeTcpPair();
  const UniqueFd twin(::dup(pair.a.get()));
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::Priority(), 1).ok());
  ASSERT_TRUE(poller_->Add(twin.get(), Interest::Read(), 2).ok());
  WriteByte(pair.b);
  EXPECT_EQ(WaitFor(2, ReadySet(ReadySet::kReadable)), ReadySet(ReadySet::kReadable));
  EXPECT_TRUE(Wait().empty());
  ASSERT_EQ(::send(pair.b.get(), "!", 1, MSG_OOB), 1);
  EXPECT_EQ(WaitFor(1, ReadySet(ReadySet::kPriority)), ReadySet(ReadySet::kPriority));
}

TEST_P(PollerTest, WritersAreNotToldOfAHalfClose) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::Write(), 1).ok());
  Wait(kHangGuard);
  ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
  EXPECT_FALSE(Wait()[1].read_closed());
}

TEST_P(PollerTest, ReadHangUpIsNotWokenByData) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadHangUp(), 1).ok());
  WriteByte(pair.b);
  EXPECT_TRUE(Wait().empty());
  ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
  EXPECT_EQ(WaitFor(1, kReadClosed), kReadClosed);
}

TEST_P(PollerTest, WriteHangUpIsNotWokenByDataRoomOrAHalfClose) {
  FdPair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::WriteHangUp(), 1).ok());
  WriteByte(pair.b);
  ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
  EXPECT_TRUE(Wait().empty());
  pair.b.Reset();
  WaitFor(1, kWriteClosed);
}

TEST_P(PollerTest, ErrorIsNotWokenByRoom) {
  FdPair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.b.get(), Interest::Error(), 1).ok());
  EXPECT_TRUE(Wait().empty());
  pipe.a.Reset();
  WaitForAny(1, kError | kWriteClosed);
}

// Whatever is asked for, nobody waits for ever on a connection that is gone.
TEST_P(PollerTest, ErrorsAndHangUpsReachEveryInterest) {
  for (const Interest interest : {Interest::Read(), Interest::Write(), Interest::Priority(),
                                  Interest::ReadHangUp(), Interest::WriteHangUp()}) {
    FdPair pair = MakeTcpPair();
    ASSERT_TRUE(poller_->Add(pair.a.get(), interest, 1).ok());
    CloseByReset(pair.b);
    WaitFor(1, kBothClosed | kError);
    poller_->Remove(pair.a.get());
  }
}

}  // namespace
}  // namespace home::reactor_internal
