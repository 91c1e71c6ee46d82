// The vocabulary of readiness: Direction, Interest, ReadySet, ReadyEvent.
//
// A descriptor has two directions, one to read and one to write. Interest says
// which of them a registration watches; ReadySet says what the system reported;
// ReadyEvent is ReadySet together with the tick of the edge that it came from.
//
// Thread-safety: plain values.

#ifndef HOME_REACTOR_READY_H_
#define HOME_REACTOR_READY_H_

#include <cstdint>

namespace home {

// Which way data flows. Accepting and receiving signals are reads; the end of
// connecting is a write.
enum class Direction : std::uint8_t { kRead = 0, kWrite = 1 };

// What a registration watches. Errors, and that both directions hung up, are
// always reported: no system can be told to keep them to itself. So the last three
// are for a registration that wants nothing else: one that only has to learn that the
// peer is gone is not woken by data, nor by room for it.
class Interest {
 public:
  // Data to read; includes ReadHangUp().
  static constexpr Interest Read() { return Interest(kRead | kReadHangUp); }
  // Room to write; includes WriteHangUp().
  static constexpr Interest Write() { return Interest(kWrite | kWriteHangUp); }
  static constexpr Interest ReadWrite() { return Read() | Write(); }
  // Out-of-band data (EPOLLPRI), in addition to others.
  static constexpr Interest Priority() { return Interest(kPriority); }
  // The peer will send no more, though it may still read.
  static constexpr Interest ReadHangUp() { return Interest(kReadHangUp); }
  // Nothing can be sent any more.
  static constexpr Interest WriteHangUp() { return Interest(kWriteHangUp); }
  // An error that waits to be collected.
  static constexpr Interest Error() { return Interest(kError); }

  constexpr bool read() const { return Has(kRead); }
  constexpr bool write() const { return Has(kWrite); }
  constexpr bool priority() const { return Has(kPriority); }
  constexpr bool read_hang_up() const { return Has(kReadHangUp); }
  constexpr bool write_hang_up() const { return Has(kWriteHangUp); }
  constexpr bool error() const { return Has(kError); }

  friend constexpr Interest operator|(Interest a, Interest b) {
    return Interest(unsigned{a.bits_} | b.bits_);
  }

 private:
  enum Bit : std::uint8_t {
    kRead = 1 << 0,
    kWrite = 1 << 1,
    kPriority = 1 << 2,
    kReadHangUp = 1 << 3,
    kWriteHangUp = 1 << 4,
    kError = 1 << 5,
  };

  explicit constexpr Interest(unsigned bits) : bits_(static_cast<std::uint8_t>(bits)) {}
  constexpr bool Has(Bit bit) const { return (bits_ & bit) != 0; }

  std::uint8_t bits_;
};

// A set of conditions. Readiness is a hint: the operation may still say that
// it would block.
class ReadySet {
 public:
  enum Bit : std::uint8_t {
    kReadable = 1 << 0,
    kWritable = 1 << 1,
    kReadClosed = 1 << 2,   // the peer will send no more, or hung up
    kWriteClosed = 1 << 3,  // nothing can be sent any more
    kError = 1 << 4,        // an error waits to be collected by an operation
    kPriority = 1 << 5,     // out-of-band data
    kShutdown = 1 << 6,     // the reactor is gone: nothing will be reported again
  };
  static constexpr int kBitCount = 7;

  constexpr ReadySet() = default;
  explicit constexpr ReadySet(unsigned bits) : bits_(static_cast<std::uint8_t>(bits)) {}

  // All conditions that concern one direction.
  static constexpr ReadySet MaskOf(Direction direction) {
    return direction == Direction::kRead
               ? ReadySet(kReadable | kReadClosed | kError | kPriority | kShutdown)
               : ReadySet(kWritable | kWriteClosed | kError | kShutdown);
  }

  constexpr bool readable() const { return Has(kReadable); }
  constexpr bool writable() const { return Has(kWritable); }
  constexpr bool read_closed() const { return Has(kReadClosed); }
  constexpr bool write_closed() const { return Has(kWriteClosed); }
  constexpr bool error() const { return Has(kError); }
  constexpr bool priority() const { return Has(kPriority); }
  constexpr bool shutdown() const { return Has(kShutdown); }

  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::uint8_t bits() const { return bits_; }

  friend constexpr ReadySet operator|(ReadySet a, ReadySet b) {
    return ReadySet(unsigned{a.bits_} | b.bits_);
  }
  friend constexpr ReadySet operator&(ReadySet a, ReadySet b) {
    return ReadySet(unsigned{a.bits_} & b.bits_);
  }
  friend constexpr bool operator==(ReadySet a, ReadySet b) { return a.bits_ == b.bits_; }

 private:
  constexpr bool Has(Bit bit) const { return (bits_ & bit) != 0; }

  std::uint8_t bits_ = 0;
};

// Readiness as seen at one moment. `tick` names the last edge that is part of
// it; Registration::ClearReady() uses it to leave newer edges alone.
struct ReadyEvent {
  ReadySet ready;
  std::uint32_t tick = 0;
};

}  // namespace home

#endif  // HOME_REACTOR_READY_H_
