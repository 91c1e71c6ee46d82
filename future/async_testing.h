// Helpers for tests of coroutines: a leaf that is opened by hand, and a variable
// that tells when it dies.

#ifndef HOME_FUTURE_ASYNC_TESTING_H_
#define HOME_FUTURE_ASYNC_TESTING_H_

#include <string>
#include <utility>
#include <vector>

#include "home/future/future.h"
#include "home/future/waker.h"

namespace home::testing {

// A leaf that is opened by hand.
class Gate {
 public:
  class Wait {
   public:
    using Output = int;
    explicit Wait(Gate& gate) : gate_(gate) {}
    Wait(const Wait&) = delete;
    ~Wait() { gate_.waker_ = Waker(); }
    home::Poll<int> Poll(Context& cx) {
      ++gate_.polls_;
      if (gate_.opened_) return gate_.value_;
      UpdateWaker(gate_.waker_, cx.waker());
      return kPending;
    }

   private:
    Gate& gate_;
  };

  Gate() = default;
  void Open(int value) {
    value_ = value;
    opened_ = true;
    std::move(waker_).Wake();
  }
  void Close() { opened_ = false; }
  bool has_waker() const { return static_cast<bool>(waker_); }
  int polls() const { return polls_; }

 private:
  bool opened_ = false;
  int value_ = 0;
  int polls_ = 0;
  Waker waker_;
};

// Records the order in which it dies.
class Tracked {
 public:
  Tracked(std::vector<std::string>* log, std::string name) : log_(log), name_(std::move(name)) {}
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() { log_->push_back(name_); }

 private:
  std::vector<std::string>* log_;
  std::string name_;
};

}  // namespace home::testing

#endif  // HOME_FUTURE_ASYNC_TESTING_H_
