// A wheel beside a sorted map: the same operations on both, and what each must show after them.
//
// Which operations is for `Choices` to say: a generator of random numbers
// (wheel_property_test.cc), or the bytes of a fuzzer (wheel_fuzz.cc).
//
//   std::uint64_t Below(std::uint64_t bound);   // any number below it
//   bool done();                                // no more operations

#ifndef HOME_TIMER_WHEEL_MODEL_TESTING_H_
#define HOME_TIMER_WHEEL_MODEL_TESTING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/timer/wheel.h"

namespace home::testing {

inline constexpr std::uint64_t kWheelSpan = std::uint64_t{1} << 40;

struct ModelTimer : TimerEntry {
  std::uint64_t number = 0;     // of its insertion
  std::uint64_t effective = 0;  // its tick, or when it was inserted if that was past
  bool far = false;             // was beyond the wheel's span
  bool ordered = false;         // keeps its place among the entries of its tick
  std::size_t index = 0;        // in live_
};

template <typename Choices>
class WheelModel {
 public:
  WheelModel(Choices& choices, std::uint64_t start)
      : choices_(choices), wheel_(start), now_(start) {}
  WheelModel(const WheelModel&) = delete;
  WheelModel& operator=(const WheelModel&) = delete;
  ~WheelModel() {
    while (!live_.empty()) Remove(live_.size() - 1);
  }

  void Run() {
    while (!choices_.done() && !::testing::Test::HasFatalFailure()) {
      switch (Below(8)) {
        case 0:
        case 1:
        case 2:
          if (Below(128) == 0) {
            InsertCrowd();
          } else {
            Insert();
          }
          break;
        case 3:
        case 4:
          if (!live_.empty()) Remove(Below(live_.size()));
          break;
        case 5:
          Advance(now_ + Delta(), std::numeric_limits<std::size_t>::max());
          break;
        case 6:
          AdvanceToNext();
          break;
        default:
          Advance(now_ + Below(4), 1 + Below(5));
          break;
      }
      CheckNext();
    }
  }

  std::size_t fired() const { return fired_; }

 private:
  std::uint64_t Below(std::uint64_t bound) { return choices_.Below(bound); }
  // Every order of magnitude up to beyond the span is as likely.
  std::uint64_t Delta() { return Below(std::uint64_t{1} << Below(44)); }

  void Insert() {
    std::uint64_t tick = now_ + Delta();
    if (Below(16) == 0) tick = now_ - std::min(now_, Delta());  // past
    if (Below(8) == 0) tick = (tick | 0xff) + Below(3);         // around a block's edge
    if (Below(16) == 0) tick = (tick | 0xffffff) + Below(3);
    InsertAt(tick);
  }
  // More than are moved ahead in a few calls, due at about the same time: mostly around the start
  // of one of the next slots of level 2.
  void InsertCrowd() {
    const std::uint64_t tick =
        Below(4) == 0 ? now_ + Delta() : (now_ | 0xffff) + (Below(3) << 16) + Below(300);
    const std::uint64_t spread = 1 + Below(300);
    for (std::uint64_t left = 100 + Below(300); left != 0; --left) InsertAt(tick + Below(spread));
  }
  void InsertAt(std::uint64_t tick) {
    if (live_.size() > 2000) return;
    auto timer = std::make_unique<ModelTimer>();
    timer->number = ++inserted_;
    timer->effective = std::max(tick, wheel_.elapsed());
    timer->far = tick - std::min(tick, wheel_.elapsed()) >= kWheelSpan - (kWheelSpan >> 8);
    timer->ordered = !timer->far && !partial_;
    far_ += timer->far ? 1 : 0;
    timer->index = live_.size();
    wheel_.Insert(*timer, tick);
    by_tick_.emplace(std::pair(timer->effective, timer->number), timer.get());
    live_.push_back(std::move(timer));
    ASSERT_EQ(wheel_.size(), live_.size());
  }

  // Takes it out of the model.
  void Forget(ModelTimer& timer) {
    by_tick_.erase({timer.effective, timer.number});
    far_ -= timer.far ? 1 : 0;
    const std::size_t index = timer.index;
    std::swap(live_[index], live_.back());
    live_[index]->index = index;
    live_.pop_back();
  }

  void Remove(std::size_t index) {
    ModelTimer& timer = *live_[index];
    wheel_.Remove(timer);
    Forget(timer);
  }

  void Advance(std::uint64_t to, std::size_t budget) {
    to = std::max(to, now_);
    now_ = to;
    std::pair<std::uint64_t, std::uint64_t> last = {0, 0};
    while (TimerEntry* entry = wheel_.PopDue(to, budget)) {
      ModelTimer& timer = static_cast<ModelTimer&>(*entry);
      ASSERT_FALSE(timer.linked());
      ASSERT_LE(timer.tick(), to) << "early";
      ASSERT_EQ(timer.effective, by_tick_.begin()->first.first) << "not the earliest";
      if (timer.ordered) {
        const std::pair key(timer.effective, timer.number);
        ASSERT_LT(last, key) << "out of order";
        last = key;
      }
      ++fired_;
      Forget(timer);
    }
    partial_ = budget == 0;
    if (!partial_) {
      ASSERT_EQ(wheel_.elapsed(), to);
      if (!by_tick_.empty()) {
        ASSERT_GT(by_tick_.begin()->first.first, to) << "late";
      }
    }
    ASSERT_EQ(wheel_.size(), live_.size());
  }

  // What a driver does: sleeps until NextTick(), again and again.
  void AdvanceToNext() {
    if (live_.empty()) return;
    const std::uint64_t earliest = by_tick_.begin()->first.first;
    // A cascade a level, and the rest of one that had been stopped. With timers
    // beyond the span, every slot of the ring may hold some to sort in anew.
    std::uint64_t hops = 6;
    const std::uint64_t distance = earliest - std::min(earliest, wheel_.elapsed());
    if (far_ != 0) hops += 256 * (2 + distance / (kWheelSpan >> 1));
    const std::size_t before = fired_;
    while (fired_ == before) {
      ASSERT_GT(hops--, 0u) << "the next tick does not get nearer";
      const std::uint64_t next = wheel_.NextTick();
      ASSERT_LE(next, earliest);
      Advance(next, std::numeric_limits<std::size_t>::max());
      if (::testing::Test::HasFatalFailure()) return;
      if (now_ > earliest) break;  // it was in the past already
    }
  }

  void CheckNext() {
    const std::uint64_t next = wheel_.NextTick();
    if (by_tick_.empty()) {
      ASSERT_EQ(next, TimerWheel::kNever);
    } else {
      ASSERT_LE(next, by_tick_.begin()->first.first) << "sleeps too long";
      ASSERT_GE(next, wheel_.elapsed());
    }
  }

  Choices& choices_;
  TimerWheel wheel_;
  std::uint64_t now_;
  std::uint64_t inserted_ = 0;
  std::size_t fired_ = 0;
  std::size_t far_ = 0;   // live timers that were far
  bool partial_ = false;  // the last advance ran out of budget
  std::vector<std::unique_ptr<ModelTimer>> live_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, ModelTimer*> by_tick_;
};

}  // namespace home::testing

#endif  // HOME_TIMER_WHEEL_MODEL_TESTING_H_
