// Every operation of the completion layer, dropped at every point of its way, on every engine: one
// table. What holds whatever was dropped is the one test's; a row says what the operation works on
// and what is to be seen of it afterwards.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/box_future.h"
#include "home/future/map.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::OpenDescriptors;
using reactor_internal::ReadSome;
using reactor_internal::TcpListenerFd;
using reactor_internal::WriteByte;
using reactor_internal::WriteSome;

enum class Point {
  kUnpolled,
  kBeforeSubmission,  // polled, and the system has not heard of it
  kInFlight,          // the system has it
  kEndedUnseen,       // the system may be done with it, and the engine has not looked
  kCompletedUnread,   // the result is there, and nobody has fetched it
};

// What is to be seen of an operation that was dropped.
enum class Trace { kNone, kWhole, kEither };

// Memory of buffers, which outlives them: whoever writes to one that is gone is found out.
class BufferMemory {
 public:
  char* Lend(std::size_t size) {
    lent_.fetch_add(1);
    return blocks_.emplace_back(size, '\0').data();
  }
  // From any thread.
  void TakeBack(char* bytes, std::size_t size) {
    std::memset(bytes, kGone, size);
    lent_.fetch_sub(1);
  }
  [[nodiscard]] int lent() const { return lent_.load(); }
  // When nothing is lent.
  [[nodiscard]] bool Untouched() const {
    return std::all_of(blocks_.begin(), blocks_.end(), [](const std::string& block) {
      return block.find_first_not_of(kGone) == std::string::npos;
    });
  }

 private:
  static constexpr char kGone = '#';

  std::deque<std::string> blocks_;
  std::atomic<int> lent_{0};
};

class LentBuffer {
 public:
  LentBuffer(BufferMemory* memory, const std::string& bytes)
      : memory_(memory), bytes_(memory->Lend(bytes.size())), size_(bytes.size()) {
    std::memcpy(bytes_, bytes.data(), size_);
  }
  LentBuffer(LentBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_), size_(other.size_) {}
  LentBuffer& operator=(LentBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~LentBuffer() {
    if (memory_ != nullptr) memory_->TakeBack(bytes_, size_);
  }

  char* data() { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  BufferMemory* memory_;
  char* bytes_;
  std::size_t size_;
};

template <typename F>
BoxFuture<> Forgetful(F future) {
  return Map(std::move(future), [](auto&&) {});
}

// An operation and its surroundings.
struct Scene {
  // Nothing comes of it before `satisfy`.
  bool waits = false;
  // The first poll asks the system.
  bool asks_at_once = false;
  // So many operations of the engine end before the one whose result is the future's.
  std::uint32_t steps = 0;
  std::function<BoxFuture<>()> start;
  std::function<void()> satisfy = [] {};
  // When it has left the engine. Also does once more what would have satisfied it, or has another
  // operation do the same.
  std::function<void(Trace)> check = [](Trace) {};
};

class IoDropTest;

struct Row {
  const char* name;
  Scene (IoDropTest::*make)(Point point);
};

using DropCase = std::tuple<IoTestBackend, Row, Point>;

class IoDropTest : public IoFixture, public ::testing::TestWithParam<DropCase> {
 public:
  IoDropTest() : IoFixture(std::get<IoTestBackend>(GetParam()).backend) {}

  // -- The rows ---------------------------------------------------------------------

  Scene Read(Point) {
    return Takes(MakePipe(), [this] { return Forgetful(IoRead(file_, Buffer("0123456789"))); });
  }
  Scene ReadV(Point) {
    return Takes(MakePipe(), [this] { return Forgetful(IoReadV(file_, Buffers("01", "23456"))); });
  }
  Scene Recv(Point) {
    return Takes(MakeSocketPair(),
                 [this] { return Forgetful(IoRecv(file_, Buffer("0123456789"))); });
  }
  Scene RecvMsg(Point) {
    return Takes(MakeSocketPair(), [this] {
      return Forgetful(IoRecvMsg(file_, IoMessage<LentBuffer>(Buffers("01", "23456"))));
    });
  }
  Scene PollToRead(Point) {
    Scene scene =
        Takes(MakeSocketPair(), [this] { return Forgetful(IoPoll(file_, Direction::kRead)); });
    return OnlyLooks(std::move(scene));
  }

  Scene Write(Point) {
    return Gives(MakePipe(), [this] { return Forgetful(IoWrite(file_, Buffer("ab"))); });
  }
  Scene WriteV(Point) {
    return Gives(MakePipe(), [this] { return Forgetful(IoWriteV(file_, Buffers("a", "b"))); });
  }
  Scene Send(Point) {
    return Gives(MakeSocketPair(), [this] { return Forgetful(IoSend(file_, Buffer("ab"))); });
  }
  Scene SendMsg(Point) {
    return Gives(MakeSocketPair(), [this] {
      return Forgetful(IoSendMsg(file_, IoMessage<LentBuffer>(Buffers("a", "b"))));
    });
  }
  Scene PollToWrite(Point) {
    Scene scene = Gives(MakePipe(), [this] { return Forgetful(IoPoll(file_, Direction::kWrite)); });
    return OnlyLooks(std::move(scene));
  }

  Scene ReadFile(Point) {
    return OnFile([this] { return Forgetful(IoRead(file_, Buffer("0123456789"), 0)); });
  }
  Scene ReadVFile(Point) {
    return OnFile([this] { return Forgetful(IoReadV(file_, Buffers("01", "23456"), 0)); });
  }
  Scene WriteFile(Point) {
    return Grows(OnFile([this] { return Forgetful(IoWrite(file_, Buffer("ab"), kFileSize)); }));
  }
  Scene WriteVFile(Point) {
    return Grows(
        OnFile([this] { return Forgetful(IoWriteV(file_, Buffers("a", "b"), kFileSize)); }));
  }
  Scene Fsync(Point) {
    Scene scene = OnFile([this] { return Forgetful(IoFsync(file_)); });
    scene.asks_at_once = false;
    return scene;
  }
  Scene StatFile(Point) {
    Scene scene = OnFile([this] { return Forgetful(IoStat(file_)); });
    scene.asks_at_once = false;
    return scene;
  }

  Scene StatPath(Point) {
    Scene scene;
    scene.start = [this] { return Forgetful(IoStat(io_, Path("nothing"))); };
    return scene;
  }
  Scene Open(Point) {
    Scene scene;
    scene.start = [this] { return Forgetful(IoOpen(io_, Path("made"), O_RDWR | O_CREAT)); };
    scene.check = [this](Trace trace) {
      if (trace != Trace::kEither) {
        EXPECT_EQ(Exists(Path("made")), trace == Trace::kWhole);
      }
    };
    return scene;
  }
  Scene Close(Point) {
    Scene scene;
    FdPair pair = MakeSocketPair();
    peer_ = std::move(pair.b);
    closed_ = std::move(pair.a);
    scene.start = [this] { return Forgetful(IoClose(io_, std::move(closed_))); };
    // Whenever it is dropped.
    scene.check = [this](Trace) { AwaitEnd(peer_); };
    return scene;
  }

  Scene Accept(Point) {
    Scene scene;
    scene.waits = true;
    file_ = Attach(listening_.emplace().fd);
    scene.start = [this] { return Forgetful(IoAccept(file_)); };
    scene.satisfy = [this] {
      clients_.push_back(MakeTcpSocket());
      listening_->ConnectNow(clients_.back());
    };
    scene.check = [this, satisfy = scene.satisfy](Trace trace) {
      satisfy();
      // All are left for others, but for one that was accepted for nobody: that one is closed.
      const std::size_t left = clients_.size() - (trace == Trace::kNone ? 0 : 1);
      for (std::size_t i = 0; i < left; ++i) EXPECT_TRUE(Await(IoAccept(file_)).ok());
      if (trace == Trace::kWhole) AwaitEnd(clients_[0]);
    };
    return scene;
  }
  Scene Connect(Point point) {
    Scene scene;
    scene.asks_at_once = io_->name() != "io_uring";
    listening_.emplace();
    const IoAddress address(listening_->Address(), listening_->AddressSize());
    if (point == Point::kInFlight) {
      // There is no room for a second: it gets no answer.
      scene.waits = true;
      listening_->Listen(0);
      listening_->ConnectNow(clients_.emplace_back(MakeTcpSocket()));
    }
    UniqueFd fd = MakeTcpSocket();
    file_ = Attach(fd);
    scene.start = [this, address] { return Forgetful(IoConnect(file_, address)); };
    scene.check = [this, address, waits = scene.waits](Trace trace) {
      // In the middle, it leaves a socket that is good for nothing.
      if (waits || trace == Trace::kEither) return;
      if (trace == Trace::kNone) {
        EXPECT_TRUE(Await(IoConnect(file_, address)).ok());
      }
      EXPECT_TRUE(listening_->Accept());
    };
    return scene;
  }

  Scene Timeout(Point point) {
    Scene scene;
    using Time = std::chrono::steady_clock::time_point;
    scene.waits = point <= Point::kInFlight;
    const Time deadline = scene.waits ? Time::max() : Time::min();
    scene.start = [this, deadline] { return Forgetful(IoTimeout(io_, deadline)); };
    return scene;
  }

  // Where there are no splices, the result is that.
  Scene Splice(Point) {
    Scene scene;
    scene.waits = true;
    scene.steps = 2;  // it waits for data, and for room
    FdPair pipe = MakePipe();
    FdPair pair = MakeSocketPair();
    file_ = Attach(pair.a);
    to_ = Attach(pipe.b);
    peer_ = std::move(pair.b);
    end_ = std::move(pipe.a);
    scene.start = [this] { return Forgetful(IoSplice(file_, to_, 100)); };
    scene.satisfy = [this] { WriteByte(peer_); };
    scene.check = [this](Trace trace) {
      if (trace == Trace::kNone) WriteByte(peer_);
      // The byte is in one of two places.
      char byte;
      if (trace == Trace::kNone || ReadSome(end_, &byte, 1) != 1) {
        EXPECT_EQ(Receive(file_), "x");
      }
    };
    return scene;
  }

  // -- The test ---------------------------------------------------------------------

 protected:
  static Trace Expected(Point point, const Scene& scene) {
    switch (point) {
      case Point::kUnpolled:
        return Trace::kNone;
      case Point::kBeforeSubmission:
        return scene.asks_at_once ? Trace::kEither : Trace::kNone;
      case Point::kInFlight:
        return scene.waits ? Trace::kNone : Trace::kEither;
      case Point::kEndedUnseen:
        return Trace::kEither;
      case Point::kCompletedUnread:
        return Trace::kWhole;
    }
    return Trace::kEither;
  }

  // Has the operation come to that point.
  void Advance(BoxFuture<>& operation, const Scene& scene, Point point, CountingWaker& counter) {
    if (point == Point::kUnpolled) return;
    if (point == Point::kBeforeSubmission) pool_->Pause();
    // Whatever the result is, it is not handed out.
    home::Turn turn{.budget = scene.steps};
    const Waker waker = counter.Make();
    Context cx(waker, &turn);
    EXPECT_TRUE(operation.Poll(cx).pending());
    if (point == Point::kBeforeSubmission) return;
    pool_->AwaitBegun();
    if (point == Point::kInFlight && scene.waits) {
      TurnOnce(*reactor_);
      EXPECT_TRUE(operation.Poll(cx).pending());
      return;
    }
    if (point != Point::kCompletedUnread) io_->BeforeWait(/*blocking=*/false);
    if (point != Point::kInFlight) scene.satisfy();
    if (point != Point::kCompletedUnread) return;
    for (int wakes = 0;;) {
      TurnUntil(*reactor_, [&] {
        reactor_->Wake();  // not every end is an event
        return counter.wakes() > wakes;
      });
      if (turn.budget == 0) return;
      wakes = counter.wakes();
      EXPECT_TRUE(operation.Poll(cx).pending());
    }
  }

  // It has nothing left to do, and nothing comes.
  bool ReactorSleeps() {
    constexpr std::chrono::nanoseconds kLong = std::chrono::milliseconds(2);
    // What woke it before is forgotten, and what was asked to be cancelled has answered.
    for (int i = 0; i < 10; ++i) {
      const auto start = std::chrono::steady_clock::now();
      WakeList wakes;
      const std::size_t handled = reactor_->Poll(kLong.count(), wakes);
      if (handled == 0 && std::chrono::steady_clock::now() - start >= kLong) return true;
    }
    return false;
  }

  void ForgetSurroundings() {
    file_ = to_ = IoFile();
    peer_.Reset();
    end_.Reset();
    closed_.Reset();
    listening_.reset();
    clients_.clear();
  }

  BufferMemory memory_;
  IoFile file_;
  IoFile to_;

 private:
  static constexpr int kFileSize = 5;

  LentBuffer Buffer(const std::string& bytes) { return LentBuffer(&memory_, bytes); }
  std::vector<LentBuffer> Buffers(const std::string& first, const std::string& second) {
    std::vector<LentBuffer> buffers;
    buffers.push_back(Buffer(first));
    buffers.push_back(Buffer(second));
    return buffers;
  }

  void AwaitEnd(const UniqueFd& end) {
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      char byte;
      return ReadSome(end, &byte, 1) == 0;
    });
  }

  // It takes bytes, which are not there yet.
  template <typename Start>
  Scene Takes(FdPair pair, Start start) {
    file_ = Attach(pair.a);
    peer_ = std::move(pair.b);
    Scene scene;
    scene.waits = true;
    scene.start = start;
    scene.satisfy = [this] {
      WriteByte(peer_);
      ++written_;
    };
    scene.check = [this, satisfy = scene.satisfy](Trace trace) {
      satisfy();
      // What was taken for nobody is lost, and nothing else.
      const std::size_t most = written_ - (trace == Trace::kWhole ? 1 : 0);
      const std::size_t least = written_ - (trace == Trace::kNone ? 0 : 1);
      std::size_t read = 0;
      while (read < least) read += Await(IoRead(file_, std::string(10, '\0'))).count.value();
      EXPECT_LE(read, most);
    };
    return scene;
  }

  // It gives two bytes, for which there is no room yet.
  template <typename Start>
  Scene Gives(FdPair pair, Start start) {
    for (const std::size_t size : {65536, 1}) {
      const std::string block(size, 'x');
      for (;;) {
        const std::ptrdiff_t count = WriteSome(pair.b, block.data(), size);
        if (count <= 0) break;
        written_ += static_cast<std::size_t>(count);
      }
    }
    file_ = Attach(pair.b);
    peer_ = std::move(pair.a);
    Scene scene;
    scene.waits = true;
    scene.start = start;
    scene.satisfy = [this] {
      std::string bytes(65536, '\0');
      TurnUntilRead(bytes, [&] { return written_ == 0; });
    };
    scene.check = [this, satisfy = scene.satisfy](Trace trace) {
      satisfy();
      EXPECT_EQ(Await(IoWrite(file_, std::string("."))).count.value(), 1u);
      std::string all;
      std::string byte(1, '\0');
      while (all.empty() || all.back() != '.') {
        written_ = 1;
        TurnUntilRead(byte, [&] { return written_ == 0; });
        all += byte;
      }
      if (trace != Trace::kNone && all != ".") {
        EXPECT_EQ(all, "ab.");
      }
      if (trace != Trace::kEither) {
        EXPECT_EQ(all, trace == Trace::kNone ? "." : "ab.");
      }
    };
    return scene;
  }

  // Takes from the other end, of what was written, until `done()`.
  template <typename Done>
  void TurnUntilRead(std::string& bytes, Done done) {
    if (done()) return;
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      const std::ptrdiff_t count = ReadSome(peer_, bytes.data(), std::min(bytes.size(), written_));
      if (count > 0) written_ -= static_cast<std::size_t>(count);
      return done();
    });
  }

  template <typename Start>
  Scene OnFile(Start start) {
    UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
    file_ = Attach(fd);
    EXPECT_EQ(Await(IoWrite(file_, std::string(kFileSize, 'x'))).count.value(), kFileSize);
    Scene scene;
    scene.asks_at_once = AsksAtOnce();
    scene.start = start;
    return scene;
  }
  Scene Grows(Scene scene) {
    scene.check = [this](Trace trace) {
      const std::uint64_t grown = Await(IoStat(file_)).value().size - kFileSize;
      // In the middle it may be a part: Windows writes several buffers in turn.
      EXPECT_LE(grown, 2u);
      if (trace != Trace::kEither) {
        EXPECT_EQ(grown, trace == Trace::kNone ? 0u : 2u);
      }
    };
    return scene;
  }
  // It leaves no trace.
  static Scene OnlyLooks(Scene scene) {
    scene.check = [check = scene.check](Trace) { check(Trace::kNone); };
    return scene;
  }

  UniqueFd peer_;
  UniqueFd end_;
  UniqueFd closed_;
  std::optional<TcpListenerFd> listening_;
  std::vector<UniqueFd> clients_;
  std::size_t written_ = 0;
};

TEST_P(IoDropTest, LeavesNothingBehind) {
  const Point point = std::get<Point>(GetParam());
  TurnOnce(*reactor_);  // nobody sleeps in the poller: operations are queued
  const std::size_t descriptors = OpenDescriptors();
  // Each operation, and each file, has the engine.
  const long references = io_.use_count();
  {
    const Scene scene = (this->*std::get<Row>(GetParam()).make)(point);
    TurnOnce(*reactor_);
    const Trace expected = Expected(point, scene);
    const long files = (file_ ? 1 : 0) + (to_ ? 1 : 0);
    CountingWaker counter;
    BoxFuture<> dropped = scene.start();
    Advance(dropped, scene, point, counter);
    dropped = BoxFuture<>();
    // The waker goes at once, the buffers when the system says that it is done with them.
    if (expected == Trace::kNone) {
      EXPECT_EQ(counter.alive(), 0);
    }
    pool_->Resume();
    // A number that it has closed is given out anew, and is not closed again.
    const FdPair later = MakeSocketPair();
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      return io_.use_count() == references + files && memory_.lent() == 0 && counter.alive() == 0;
    });
    if (expected == Trace::kNone) {
      EXPECT_EQ(counter.wakes(), 0);
    }
    scene.check(expected);
    EXPECT_TRUE(memory_.Untouched());
    WriteByte(later.a);
    char byte;
    EXPECT_EQ(ReadSome(later.b, &byte, 1), 1);
  }
  ForgetSurroundings();
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    return io_.use_count() == references;
  });
  EXPECT_TRUE(ReactorSleeps());
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

constexpr Row kRows[] = {
    {"Read", &IoDropTest::Read},
    {"ReadV", &IoDropTest::ReadV},
    {"Recv", &IoDropTest::Recv},
    {"RecvMsg", &IoDropTest::RecvMsg},
    {"PollToRead", &IoDropTest::PollToRead},
    {"Write", &IoDropTest::Write},
    {"WriteV", &IoDropTest::WriteV},
    {"Send", &IoDropTest::Send},
    {"SendMsg", &IoDropTest::SendMsg},
    {"PollToWrite", &IoDropTest::PollToWrite},
    {"ReadFile", &IoDropTest::ReadFile},
    {"ReadVFile", &IoDropTest::ReadVFile},
    {"WriteFile", &IoDropTest::WriteFile},
    {"WriteVFile", &IoDropTest::WriteVFile},
    {"Fsync", &IoDropTest::Fsync},
    {"StatFile", &IoDropTest::StatFile},
    {"StatPath", &IoDropTest::StatPath},
    {"Open", &IoDropTest::Open},
    {"Close", &IoDropTest::Close},
    {"Accept", &IoDropTest::Accept},
    {"Connect", &IoDropTest::Connect},
    {"Timeout", &IoDropTest::Timeout},
    {"Splice", &IoDropTest::Splice},
};

const char* NameOf(Point point) {
  switch (point) {
    case Point::kUnpolled:
      return "Unpolled";
    case Point::kBeforeSubmission:
      return "BeforeSubmission";
    case Point::kInFlight:
      return "InFlight";
    case Point::kEndedUnseen:
      return "EndedUnseen";
    case Point::kCompletedUnread:
      return "CompletedUnread";
  }
  return "";
}

std::string NameOf(const ::testing::TestParamInfo<DropCase>& instance) {
  const auto& [backend, row, point] = instance.param;
  return backend.name + "_" + row.name + "_" + NameOf(point);
}

INSTANTIATE_TEST_SUITE_P(All, IoDropTest,
                         ::testing::Combine(::testing::ValuesIn(IoTestBackends()),
                                            ::testing::ValuesIn(kRows),
                                            ::testing::Values(Point::kUnpolled,
                                                              Point::kBeforeSubmission,
                                                              Point::kInFlight, Point::kEndedUnseen,
                                                              Point::kCompletedUnread)),
                         [](const auto& instance) { return NameOf(instance); });

}  // namespace
}  // namespace home::testing
