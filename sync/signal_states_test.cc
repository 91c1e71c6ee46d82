// Tables of what is waited for, for states_testing.h: Event, AutoResetEvent, Notify, Barrier,
// WaitGroup.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "home/future/poll.h"
#include "home/sync/barrier.h"
#include "home/sync/event.h"
#include "home/sync/notify.h"
#include "home/sync/states_testing.h"
#include "home/sync/wait_group.h"

namespace home {
namespace {

using sync_testing::Done;
using sync_testing::Operations;
using sync_testing::Place;
using sync_testing::WalkTable;
using sync_testing::World;
using sync_testing::YesOrNo;

struct EventWorld : World {
  Event event;
  Place<Event::WaitFuture> waiter{*this};
};

// on, off: set, reset; w: one waits; w!: it was released, and has not been polled since.
TEST(SignalStatesTest, Event) {
  using W = EventWorld;
  const Operations<W> operations = {
      {"Set", Done<W>([](W& w) { w.event.Set(); })},
      {"Reset", Done<W>([](W& w) { w.event.Reset(); })},
      {"IsSet", [](W& w) { return YesOrNo(w.event.IsSet()); }},
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.event.Wait(); }); }},
      {"Poll", [](W& w) { return w.waiter.Poll(); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
         | Set               | Reset         | IsSet | Wait          | Poll        | Drop
  off    | done > on         | done          | no    | waits > off w |             |
  on     | done              | done > off    | yes   | ready         |             |
  off w  | done+wake > on w! | done          | no    | waits         | waits       | done > off
  on w!  | done              | done > off w! | yes   | ready         | ready > on  | done > on
  off w! | done > on w!      | done          | no    | waits         | ready > off | done > off
  )",
               operations);
}

struct AutoResetEventWorld : World {
  AutoResetEvent event;
  Place<AutoResetEvent::WaitFuture> waiter{*this};
};

TEST(SignalStatesTest, AutoResetEvent) {
  using W = AutoResetEventWorld;
  const Operations<W> operations = {
      {"Set", Done<W>([](W& w) { w.event.Set(); })},
      {"Reset", Done<W>([](W& w) { w.event.Reset(); })},
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.event.Wait(); }); }},
      {"Poll", [](W& w) { return w.waiter.Poll(); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
         | Set                | Reset         | Wait           | Poll        | Drop
  off    | done > on          | done          | waits > off w  |             |
  on     | done               | done > off    | ready > off    |             |
  off w  | done+wake > off w! | done          | waits          | waits       | done > off
  off w! | done > on w!       | done          | waits          | ready > off | done > on
  on w!  | done               | done > off w! | ready > off w! | ready > on  | done > on
  )",
               operations);
}

struct NotifyWorld : World {
  Notify notify;
  Place<Notify::WaitFuture> a{*this};
  Place<Notify::WaitFuture> b{*this};
};

// a, b: who waits, a before b; with ! it was notified alone, with * with all others, and it has not
// been polled since. kept: so is a notification.
TEST(SignalStatesTest, Notify) {
  using W = NotifyWorld;
  const Operations<W> operations = {
      {"One", Done<W>([](W& w) { w.notify.NotifyOne(); })},
      {"Last", Done<W>([](W& w) { w.notify.NotifyLast(); })},
      {"All", Done<W>([](W& w) { w.notify.NotifyAll(); })},
      {"TryWait", [](W& w) { return YesOrNo(w.notify.TryWait()); }},
      {"Wait",
       [](W& w) { return (w.a.taken() ? w.b : w.a).Ask([&w] { return w.notify.Wait(); }); }},
      {"PollA", [](W& w) { return w.a.Poll(); }},
      {"PollB", [](W& w) { return w.b.Poll(); }},
      {"DropA", [](W& w) { return w.a.Drop(); }},
      {"DropB", [](W& w) { return w.b.Drop(); }},
  };
  WalkTable<W>(R"(
          | One              | Last             | All                 | TryWait    | Wait
  none    | done > kept      | done > kept      | done                | no         | waits > a
  kept    | done             | done             | done                | yes > none | ready > none
  a       | done+wake > a!   | done+wake > a!   | done+wake > a*      | no         | waits > ab
  b       | done+wake > b!   | done+wake > b!   | done+wake > b*      | no         | waits > ...
  ab      | done+wake > a!b  | done+wake > ab!  | done+2 wakes > a*b* | no         | waits
  a!      | done > a! kept   | done > a! kept   | done                | no         | waits > a!b
  b!      | done > b! kept   | done > b! kept   | done                | no         | waits > ...
  a!b     | done+wake > a!b! | done+wake > a!b! | done+wake > ...     | no         | waits
  ab!     | done+wake > a!b! | done+wake > a!b! | done+wake > ...     | no         | waits
  a!b!    | done > ...       | done > ...       | done                | no         | waits
  a*      | done > ...       | done > ...       | done                | no         | waits > ...
  b*      | done > ...       | done > ...       | done                | no         | waits > ...
  a*b*    | done > ...       | done > ...       | done                | no         | waits
  a! kept | done             | done             | done                | yes > a!   | ready > a!
  b! kept | done             | done             | done                | yes > b!   | ready > b!

          | PollA        | PollB        | DropA          | DropB
  a       | waits        |              | done > none    |
  b       |              | waits        |                | done > none
  ab      | waits        | waits        | done > b       | done > a
  a!      | ready > none |              | done > kept    |
  b!      |              | ready > none |                | done > kept
  a!b     | ready > b    | waits        | done+wake > b! | done > a!
  ab!     | waits        | ready > a    | done > b!      | done+wake > a!
  a!b!    | ready > b!   | ready > a!   | done > b! kept | done > a! kept
  a*      | ready > none |              | done > none    |
  b*      |              | ready > none |                | done > none
  a*b*    | ready > b*   | ready > a*   | done > b*      | done > a*
  a! kept | ready > kept |              | done > kept    |
  b! kept |              | ready > kept |                | done > kept
  )",
               operations);
}

struct BarrierWorld : World {
  Barrier barrier{2};
  Place<Barrier::WaitFuture> waiter{*this};

  static std::string Take(Poll<bool>& leads) { return leads.value() ? "leads" : "follows"; }
};

// Of two. over: the round, and the first to come has not been polled since. Who comes then begins
// the next round, and takes its arrival back as it is dropped.
TEST(SignalStatesTest, Barrier) {
  using W = BarrierWorld;
  const Operations<W> operations = {
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.barrier.Wait(); }, W::Take); }},
      {"Poll", [](W& w) { return w.waiter.Poll(W::Take); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
       | Wait              | Poll           | Drop
  none | waits > one       |                |
  one  | leads+wake > over | waits          | done > none
  over | waits             | follows > none | done > none
  )",
               operations);
}

struct WaitGroupWorld : World {
  WaitGroup group;
  std::vector<WaitGroup::Member> members;
  Place<WaitGroup::WaitFuture> waiter{*this};
};

// The members; w: one waits; w!: it was released, and has not been polled since.
TEST(SignalStatesTest, WaitGroup) {
  using W = WaitGroupWorld;
  const Operations<W> operations = {
      {"Join", Done<W>([](W& w) { w.members.push_back(w.group.Join()); })},
      {"Leave", Done<W>([](W& w) { w.members.pop_back(); })},
      {"size", [](W& w) { return absl::StrCat(w.group.size()); }},
      {"Wait", [](W& w) { return w.waiter.Ask([&w] { return w.group.Wait(); }); }},
      {"Poll", [](W& w) { return w.waiter.Poll(); }},
      {"Drop", [](W& w) { return w.waiter.Drop(); }},
  };
  WalkTable<W>(R"(
      | Join       | Leave           | size | Wait       | Poll      | Drop
  0   | done > 1   |                 | 0    | ready      |           |
  1   | done > 2   | done > 0        | 1    | waits > 1w |           |
  2   | done > ... | done > 1        | 2    | waits > 2w |           |
  1w  | done > 2w  | done+wake > 0w! | 1    | waits      | waits     | done > 1
  2w  | done > ... | done > 1w       | 2    | waits      | waits     | done > 2
  0w! | done > 1w! |                 | 0    | ready      | ready > 0 | done > 0
  1w! | done > ... | done > 0w!      | 1    | waits      | ready > 1 | done > 1
  )",
               operations);
}

}  // namespace
}  // namespace home
