// What kqueue's events mean to a registration. (That kqueue sends such events is the business
// of the conformance suite, where there is a kqueue.)

#include "home/reactor/kqueue_events.h"

#include "gtest/gtest.h"
#include "home/reactor/ready.h"

namespace home::reactor_internal {
namespace {

constexpr ReadySet kNothing;
constexpr ReadySet kReadable(ReadySet::kReadable);
constexpr ReadySet kWritable(ReadySet::kWritable);
constexpr ReadySet kReadClosed(ReadySet::kReadClosed);
constexpr ReadySet kWriteClosed(ReadySet::kWriteClosed);
constexpr ReadySet kError(ReadySet::kError);

constexpr Interest kEveryInterest[] = {
    Interest::Read(),       Interest::Write(),       Interest::ReadWrite(), Interest::Priority(),
    Interest::ReadHangUp(), Interest::WriteHangUp(), Interest::Error()};

constexpr KqueueEvent kData{.filter = KqueueFilter::kRead, .has_data = true};
constexpr KqueueEvent kRoom{.filter = KqueueFilter::kWrite};
constexpr KqueueEvent kReadEof{.filter = KqueueFilter::kRead, .eof = true};
constexpr KqueueEvent kReadEofBehindData{
    .filter = KqueueFilter::kRead, .eof = true, .has_data = true};
constexpr KqueueEvent kWriteEof{.filter = KqueueFilter::kWrite, .eof = true};
constexpr KqueueEvent kReadReset{.filter = KqueueFilter::kRead, .eof = true, .error = true};
constexpr KqueueEvent kWriteReset{.filter = KqueueFilter::kWrite, .eof = true, .error = true};
constexpr KqueueEvent kOutOfBand{.filter = KqueueFilter::kExcept, .out_of_band = true};

TEST(KqueueEventsTest, EveryRegistrationWatchesTheHangUpsOfBothDirections) {
  for (const Interest interest : kEveryInterest) {
    EXPECT_EQ(KqueueWatchOf(interest, KqueueFilter::kRead),
              interest.read() ? KqueueWatch::kAll : KqueueWatch::kHangUp);
    EXPECT_EQ(KqueueWatchOf(interest, KqueueFilter::kWrite),
              interest.write() ? KqueueWatch::kAll : KqueueWatch::kHangUp);
    EXPECT_EQ(KqueueWatchOf(interest, KqueueFilter::kExcept),
              interest.priority() ? KqueueWatch::kAll : KqueueWatch::kNone);
  }
}

TEST(KqueueEventsTest, DataAndRoomAreForThoseWhoAsk) {
  for (const Interest interest : kEveryInterest) {
    EXPECT_EQ(ReadySetOfKqueue(kData, interest), interest.read() ? kReadable : kNothing);
    EXPECT_EQ(ReadySetOfKqueue(kRoom, interest), interest.write() ? kWritable : kNothing);
  }
}

// A datagram of no bytes, or an error that leaves the socket as it is (an ICMP answer): the
// operation finds out.
TEST(KqueueEventsTest, AnEventWithoutDataAndWithoutEofIsReadable) {
  EXPECT_EQ(ReadySetOfKqueue({.filter = KqueueFilter::kRead}, Interest::Read()), kReadable);
}

TEST(KqueueEventsTest, HalfACloseIsForReadersAndThoseWhoAsk) {
  for (const Interest interest : kEveryInterest) {
    EXPECT_EQ(ReadySetOfKqueue(kReadEof, interest),
              interest.read_hang_up() ? kReadClosed : kNothing);
  }
}

TEST(KqueueEventsTest, DataBeforeTheEndIsReadableStill) {
  EXPECT_EQ(ReadySetOfKqueue(kReadEofBehindData, Interest::Read()), kReadable | kReadClosed);
  EXPECT_EQ(ReadySetOfKqueue(kReadEofBehindData, Interest::ReadHangUp()), kReadClosed);
}

TEST(KqueueEventsTest, ThatNothingCanBeSentIsForEverybody) {
  for (const Interest interest : kEveryInterest) {
    EXPECT_EQ(ReadySetOfKqueue(kWriteEof, interest), kWriteClosed);
  }
}

TEST(KqueueEventsTest, AnErrorIsForEverybodyAndClosesBothDirections) {
  for (const Interest interest : kEveryInterest) {
    EXPECT_EQ(ReadySetOfKqueue(kReadReset, interest), kReadClosed | kError);
    EXPECT_EQ(ReadySetOfKqueue(kWriteReset, interest), kWriteClosed | kError);
  }
}

TEST(KqueueEventsTest, OutOfBandDataIsForThoseWhoAsk) {
  for (const Interest interest : kEveryInterest) {
    EXPECT_EQ(ReadySetOfKqueue(kOutOfBand, interest),
              interest.priority() ? ReadySet(ReadySet::kPriority) : kNothing);
  }
}

// The kernel writes the socket's error over the note of out-of-band data.
TEST(KqueueEventsTest, TheErrorOfAnEofIsNotTakenForOutOfBandData) {
  EXPECT_EQ(ReadySetOfKqueue(
                {.filter = KqueueFilter::kExcept, .eof = true, .error = true, .out_of_band = true},
                Interest::Priority()),
            kNothing);
}

}  // namespace
}  // namespace home::reactor_internal
