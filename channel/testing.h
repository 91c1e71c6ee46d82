// Helpers for tests of channels: values that count, and values of both ways to store them where all
// receivers get each.

#ifndef HOME_CHANNEL_TESTING_H_
#define HOME_CHANNEL_TESTING_H_

#include <cstdint>
#include <string>
#include <type_traits>

namespace home::channel_testing {

// A value that stands for a number: one is stored as it is, a text is shared by its receivers.
template <typename T>
T ValueOf(std::uint64_t number) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::to_string(number);
  } else {
    return static_cast<T>(number);
  }
}
inline std::uint64_t NumberOf(std::uint64_t value) { return value; }
inline std::uint64_t NumberOf(const std::string& value) { return std::stoull(value); }

// A move-only value that knows how many of its kind there are.
class Counted {
 public:
  Counted(int value, int* alive) : value_(value), alive_(alive) { ++*alive_; }
  Counted(Counted&& other) noexcept : value_(other.value_), alive_(other.alive_) { ++*alive_; }
  Counted& operator=(Counted&& other) noexcept {
    value_ = other.value_;
    return *this;
  }
  ~Counted() { --*alive_; }
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
  int* alive_;
};

}  // namespace home::channel_testing

#endif  // HOME_CHANNEL_TESTING_H_
