// Helpers for tests of channels: values that count.

#ifndef HOME_CHANNEL_TESTING_H_
#define HOME_CHANNEL_TESTING_H_

namespace home::channel_testing {

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
