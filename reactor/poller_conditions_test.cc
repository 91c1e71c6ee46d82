// What every Poller reports of hang-ups, resets, errors and out-of-band data, and
// to whom.

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

// What the close of the other end of MakeSocketPair() is.
ReadySet HangUp() { return ClosingEndsBothDirections() ? kBothClosed : kReadClosed; }

TEST_P(PollerTest, HalfClose) {
  for (const FdPair& pair : {MakeSocketPair(), MakeTcpPair()}) {
    ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
    EXPECT_EQ(Wait(kHangGuard)[1], ReadySet(ReadySet::kWritable));
    CloseWriting(pair.b);
    EXPECT_FALSE(WaitFor(1, kReadClosed).write_closed());
    // The other direction goes on.
    WriteByte(pair.a);
    poller_->Remove(pair.a.get());
  }
}

TEST_P(PollerTest, HangUpIsReported) {
  FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  pair.b.Reset();
  WaitFor(1, HangUp());
}

// What was sent before the hang-up is still there to be read.
TEST_P(PollerTest, HangUpLeavesDataReadable) {
  FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::Read(), 1).ok());
  WriteByte(pair.b);
  pair.b.Reset();
  const ReadySet before = WaitFor(1, ReadySet(ReadySet::kReadable));
  char byte;
  EXPECT_EQ(ReadSome(pair.a, &byte, 1), 1);
  // Some systems tell of the end when it is reached.
  poller_->Rearm(pair.a.get(), Direction::kRead);
  if (!((before & HangUp()) == HangUp())) WaitFor(1, HangUp());
  EXPECT_EQ(ReadSome(pair.a, &byte, 1), 0);
}

TEST_P(PollerTest, HangUpBeforeTheRegistrationIsReported) {
  FdPair pair = MakeSocketPair();
  pair.b.Reset();
  ASSERT_TRUE(Add(pair.a.get(), Interest::Read(), 1).ok());
  WaitFor(1, HangUp());
}

TEST_P(PollerTest, ResetIsAnErrorInBothDirections) {
  FdPair pair = MakeTcpPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  CloseByReset(pair.b);
  WaitFor(1, kBothClosed | kError);
}

TEST_P(PollerTest, ConnectionIsReportedAsWritable) {
  TcpListenerFd listener;
  const UniqueFd client = MakeTcpSocket();
  listener.Connect(client);
  ASSERT_TRUE(Add(client.get(), Interest::Write(), 1).ok());
  const ReadySet ready = WaitFor(1, ReadySet(ReadySet::kWritable));
  EXPECT_FALSE(ready.error());
  EXPECT_FALSE(ready.write_closed());
}

TEST_P(PollerTest, RefusedConnectionIsAnError) {
  TcpListenerFd listener;
  listener.fd.Reset();
  const UniqueFd client = MakeTcpSocket();
  listener.Connect(client);
  ASSERT_TRUE(Add(client.get(), Interest::Write(), 1).ok());
  WaitFor(1, kError | kWriteClosed);
}

// -- Interest -------------------------------------------------------------------

TEST_P(PollerTest, OutOfBandDataIsForThoseWhoAskForIt) {
  const FdPair pair = MakeTcpPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::Read() | Interest::Priority(), 1).ok());
  WriteUrgentByte(pair.b);
  WaitFor(1, ReadySet(ReadySet::kPriority));
  const UniqueFd twin = Duplicate(pair.a.get());
  ASSERT_TRUE(Add(twin.get(), Interest::Read(), 2).ok());
  EXPECT_FALSE(Wait()[2].priority());
}

TEST_P(PollerTest, PriorityAloneIsNotWokenByData) {
  const FdPair pair = MakeTcpPair();
  const UniqueFd twin = Duplicate(pair.a.get());
  ASSERT_TRUE(Add(pair.a.get(), Interest::Priority(), 1).ok());
  ASSERT_TRUE(Add(twin.get(), Interest::Read(), 2).ok());
  WriteByte(pair.b);
  EXPECT_EQ(WaitFor(2, ReadySet(ReadySet::kReadable)), ReadySet(ReadySet::kReadable));
  EXPECT_TRUE(Wait().empty());
  WriteUrgentByte(pair.b);
  EXPECT_EQ(WaitFor(1, ReadySet(ReadySet::kPriority)), ReadySet(ReadySet::kPriority));
}

TEST_P(PollerTest, WritersAreNotToldOfAHalfClose) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::Write(), 1).ok());
  Wait(kHangGuard);
  CloseWriting(pair.b);
  EXPECT_FALSE(Wait()[1].read_closed());
}

TEST_P(PollerTest, ReadHangUpIsNotWokenByData) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadHangUp(), 1).ok());
  WriteByte(pair.b);
  EXPECT_TRUE(Wait().empty());
  CloseWriting(pair.b);
  // Some systems tell of the end when it is reached.
  char byte;
  EXPECT_EQ(ReadSome(pair.a, &byte, 1), 1);
  EXPECT_EQ(WaitFor(1, kReadClosed), kReadClosed);
}

TEST_P(PollerTest, WriteHangUpIsNotWokenByDataRoomOrAHalfClose) {
  FdPair pair = MakeTcpPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::WriteHangUp(), 1).ok());
  WriteByte(pair.b);
  CloseWriting(pair.b);
  EXPECT_TRUE(Wait().empty());
  CloseByReset(pair.b);
  WaitFor(1, kWriteClosed);
}

// Whatever is asked for, nobody waits for ever on a connection that is gone.
TEST_P(PollerTest, ErrorsAndHangUpsReachEveryInterest) {
  for (const Interest interest : {Interest::Read(), Interest::Write(), Interest::Priority(),
                                  Interest::ReadHangUp(), Interest::WriteHangUp()}) {
    FdPair pair = MakeTcpPair();
    ASSERT_TRUE(Add(pair.a.get(), interest, 1).ok());
    CloseByReset(pair.b);
    WaitFor(1, kBothClosed | kError);
    poller_->Remove(pair.a.get());
  }
}

}  // namespace
}  // namespace home::reactor_internal
