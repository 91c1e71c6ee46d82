// A long life: runtimes that come and go, each with all kinds of work at once, until the time is
// up. What was asked for has to be done, and nothing may stay behind.
//
//   tools/test --test_env=HOME_SOAK_SECONDS=3600 --test_timeout=4000 //integration/tests:soak_test
//
// Without the variable it takes a few seconds; `.ci/run soak` gives it ten minutes. A failure
// names the life, which decides all that is drawn at random: HOME_SOAK_LIFE=N begins with it.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/future/sanitizer_testing.h"
#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"
#include "home/runtime.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"

namespace home {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr bool kSanitized = testing::kThreadSanitizer || testing::kAddressSanitizer;
constexpr int kRoundsOfALife = 10;
// Runtimes beside each other.
constexpr int kLivesAtOnce = 3;
// Lives until caches are full.
constexpr std::uint64_t kWarmUp = 30;
// What the heap may do besides, whatever the number of lives.
constexpr std::size_t kSlackBytes = std::size_t{24} << 20;

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return otherwise;
  std::uint64_t number = 0;
  EXPECT_TRUE(absl::SimpleAtoi(text, &number)) << name << "=" << text;
  return number;
}

std::size_t EntriesOf(const char* folder) {
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++entries;
  return entries;
}
std::size_t Descriptors() { return EntriesOf("/proc/self/fd"); }
std::size_t Threads() { return EntriesOf("/proc/self/task"); }

std::size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// What a life's tasks share. Outlives its runtime.
struct Life {
  std::atomic<int> alive{0};
  std::atomic<std::uint64_t> done{0};
};

// In a frame: counts it as long as it is alive.
class Alive {
 public:
  explicit Alive(Life& life) : life_(&life) { life_->alive.fetch_add(1); }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { life_->alive.fetch_sub(1); }

 private:
  Life* life_;
};

using Random = std::minstd_rand;

int Below(Random& random, int bound) {
  return static_cast<int>(random() % static_cast<unsigned>(bound));
}

// -- Kinds of work. Each says whether all went right. -------------------------------------------

Async<> Produce(Life& life, Sender<std::uint64_t> sender, std::uint64_t values) {
  const Alive alive(life);
  for (std::uint64_t i = 1; i <= values; ++i) {
    const absl::Status sent = co_await sender.Send(i);
    if (!sent.ok()) co_return;
  }
}
Async<std::uint64_t> Consume(Life& life, Receiver<std::uint64_t> receiver) {
  const Alive alive(life);
  std::uint64_t sum = 0;
  while (true) {
    const std::optional<std::uint64_t> value = co_await receiver.Recv();
    if (!value.has_value()) co_return sum;
    sum += *value;
  }
}

Async<bool> Channels(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  Random random(seed);
  constexpr std::uint64_t kValues = 200;
  const int producers = 1 + Below(random, 4);
  const int consumers = 1 + Below(random, 4);
  std::vector<JoinHandle<std::uint64_t>> sums;
  {
    auto [sender, receiver] =
        MakeChannel<std::uint64_t>(static_cast<std::size_t>(Below(random, 40)));
    for (int i = 0; i < producers; ++i) Spawn(Produce(life, sender, kValues)).Detach();
    for (int i = 0; i < consumers; ++i) sums.push_back(Spawn(Consume(life, receiver)));
  }
  std::uint64_t total = 0;
  for (JoinHandle<std::uint64_t>& sum : sums) {
    const absl::StatusOr<std::uint64_t> one = co_await sum;
    total += one.value_or(0);
  }
  co_return total == static_cast<std::uint64_t>(producers) * kValues*(kValues + 1) / 2;
}

Async<absl::Status> Echo(Life& life, TcpStream stream) {
  const Alive alive(life);
  co_await Try(Ready(stream.SetNoDelay(true)));
  char buffer[512];
  while (true) {
    const std::size_t n = co_await Try(stream.Read(absl::MakeSpan(buffer)));
    if (n == 0) co_return absl::OkStatus();
    co_await Try(stream.WriteAll(absl::string_view(buffer, n)));
  }
}
Async<absl::Status> Serve(Life& life, TcpListener listener) {
  const Alive alive(life);
  while (true) {
    TcpStream stream = co_await Try(listener.Accept());
    Spawn(Echo(life, std::move(stream))).Detach();
  }
}
Async<absl::Status> Talk(Life& life, SocketAddress server, std::uint32_t seed) {
  const Alive alive(life);
  Random random(seed);
  TcpStream stream = co_await Try(TcpStream::Connect(server));
  co_await Try(Ready(stream.SetNoDelay(true)));
  for (int i = 0; i < 5; ++i) {
    const std::string message(static_cast<std::size_t>(1 + Below(random, 3000)), 'm');
    co_await Try(stream.WriteAll(message));
    std::string answer(message.size(), '\0');
    std::size_t have = 0;
    while (have < answer.size()) {
      const std::size_t n = co_await Try(stream.Read(absl::MakeSpan(answer).subspan(have)));
      if (n == 0) co_return absl::DataLossError("the server went");
      have += n;
    }
    if (answer != message) co_return absl::DataLossError("the echo differs");
    // A wait that is cancelled in the middle of the conversation.
    char none[1];
    const absl::StatusOr<std::size_t> nothing =
        co_await Timeout(stream.Read(absl::MakeSpan(none)), absl::Microseconds(Below(random, 300)));
    if (!absl::IsDeadlineExceeded(nothing.status())) co_return absl::DataLossError("too much");
  }
  co_return absl::OkStatus();
}

Async<bool> Sockets(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  absl::StatusOr<TcpListener> listener = TcpListener::Bind(SocketAddress::IPv4Loopback(0));
  if (!listener.ok()) co_return false;
  const SocketAddress address = listener->local_address();
  JoinHandle<absl::Status> server = Spawn(Serve(life, *std::move(listener)));
  std::vector<JoinHandle<absl::Status>> clients;
  for (std::uint32_t i = 0; i < 4; ++i) clients.push_back(Spawn(Talk(life, address, seed + i)));
  bool right = true;
  for (JoinHandle<absl::Status>& client : clients) {
    const absl::Status status = co_await client;
    EXPECT_TRUE(status.ok()) << status;
    right = right && status.ok();
  }
  server.Abort();
  const absl::Status ended = co_await server;
  co_return right&& absl::IsCancelled(ended);
}

// Tasks that sleep, of which some are aborted at any time and the others are never early.
Async<bool> Sleepers(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  Random random(seed);
  std::vector<JoinHandle<bool>> sleepers;
  for (int i = 0; i < 50; ++i) {
    const auto nap = absl::Microseconds(Below(random, 4000));
    sleepers.push_back(Spawn([&life, nap]() -> Async<bool> {
      const Alive asleep(life);
      const Instant start = Clock::Real()->Now();
      co_await Sleep(nap);
      co_return Clock::Real()->Now() - start >= nap;
    }));
  }
  for (JoinHandle<bool>& sleeper : sleepers) {
    if (Below(random, 3) == 0) sleeper.Abort();
    if (Below(random, 10) == 0) co_await YieldNow();
  }
  bool right = true;
  for (JoinHandle<bool>& sleeper : sleepers) {
    const absl::StatusOr<bool> in_time = co_await sleeper;
    right = right && (in_time.ok() ? *in_time : absl::IsCancelled(in_time.status()));
  }
  co_return right;
}

Async<bool> Closures(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  Random random(seed);
  std::vector<JoinHandle<int>> closures;
  for (int i = 0; i < 8; ++i) {
    const auto blocking_class = static_cast<BlockingClass>(Below(random, kBlockingClasses));
    closures.push_back(SpawnBlocking(blocking_class, [i] { return i; }));
  }
  int sum = BlockInPlace([] { return 100; });
  for (JoinHandle<int>& closure : closures) {
    const absl::StatusOr<int> one = co_await closure;
    sum += one.value_or(0);
  }
  co_return sum == 128;
}

Async<int> Fib(int n) {
  if (n < 2) co_return n;
  auto other = Fork(Fib(n - 1));
  const int own = co_await Fib(n - 2);
  const int others = co_await other;
  co_return own + others;
}

// The first error of a group ends its siblings, which wait for ever, and nested groups.
Async<bool> Groups(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  auto scope = WithTaskGroup([&life, seed](TaskGroup& group) -> Async<absl::Status> {
    for (int i = 0; i < 5; ++i) {
      group.Spawn([&life]() -> Async<absl::Status> {
        const Alive child(life);
        auto inner = WithTaskGroup([&life](TaskGroup& nested) -> Async<absl::Status> {
          nested.Spawn([&life]() -> Async<> {
            const Alive grandchild(life);
            co_await PendingForever();
          });
          co_return absl::OkStatus();
        });
        co_return co_await inner;
      });
    }
    co_await Sleep(absl::Microseconds(seed % 500));
    co_return absl::AbortedError("enough");
  });
  const absl::Status status = co_await scope;
  const int fib = co_await Fib(12);
  co_return absl::IsAborted(status) && fib == 144;
}

// Who is aborted in the middle has had the lock or not; the count is that of those who had it.
Async<bool> Locks(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  Random random(seed);
  const auto counter = std::make_shared<Mutex<int>>(0);
  const auto permits = std::make_shared<Semaphore>(2);
  const auto counted = std::make_shared<std::atomic<int>>(0);
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < 16; ++i) {
    tasks.push_back(Spawn([&life, counter, permits, counted]() -> Async<> {
      const Alive task(life);
      for (int turn = 0; turn < 20; ++turn) {
        const auto permit = co_await permits->Acquire();
        auto guard = co_await counter->Lock();
        ++*guard;
        counted->fetch_add(1);
        if (turn % 4 == 0) co_await YieldNow();
      }
    }));
  }
  co_await YieldNow();
  for (JoinHandle<void>& task : tasks) {
    if (Below(random, 4) == 0) task.Abort();
  }
  for (JoinHandle<void>& task : tasks) {
    const absl::Status ended = co_await task;
    if (!ended.ok() && !absl::IsCancelled(ended)) co_return false;
  }
  co_return counter->Unguarded() == counted->load() && permits->available() == 2;
}

// A thread asks, a pinned task answers.
Async<bool> Outsiders(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  auto [asker, asked] = MakeOneshot<std::uint32_t>();
  std::thread other([ask = std::move(asker), seed]() mutable {
    static_cast<void>(std::move(ask).Send(std::uint32_t{seed}));
  });
  JoinHandle<std::uint32_t> pinned =
      SpawnLocal([&life, question = std::move(asked)]() mutable -> Async<std::uint32_t> {
        const Alive task(life);
        const absl::StatusOr<std::uint32_t> answer = co_await question;
        co_return answer.value_or(0);
      });
  const absl::StatusOr<std::uint32_t> answer = co_await pinned;
  BlockInPlace([&other] { other.join(); });
  co_return answer.ok() && *answer == seed;
}

// -- A life -------------------------------------------------------------------------------------

Async<bool> OneRound(Life& life, std::uint32_t seed) {
  const Alive alive(life);
  std::vector<JoinHandle<bool>> works;
  works.push_back(Spawn(Channels(life, seed)));
  works.push_back(Spawn(Sockets(life, seed)));
  works.push_back(Spawn(Sleepers(life, seed)));
  works.push_back(Spawn(Closures(life, seed)));
  works.push_back(Spawn(Groups(life, seed)));
  works.push_back(Spawn(Locks(life, seed)));
  works.push_back(Spawn(Outsiders(life, seed)));
  bool right = true;
  for (std::size_t i = 0; i < works.size(); ++i) {
    const absl::StatusOr<bool> one = co_await works[i];
    EXPECT_TRUE(one.ok() && *one) << "work " << i << ": " << one.status();
    right = right && one.ok() && *one;
  }
  life.done.fetch_add(1);
  co_return right;
}

// What the end of the runtime finds: tasks that sleep, run, and wait for each other.
void LeaveBehind(Life& life, Runtime& runtime) {
  for (int i = 0; i < 20; ++i) {
    runtime
        .Spawn([&life, i]() -> Async<> {
          const Alive alive(life);
          if (i % 3 == 0) co_await Sleep(absl::Hours(1));
          if (i % 3 == 1) co_await PendingForever();
          while (true) co_await YieldNow();
        })
        .Detach();
    runtime.Spawn(Channels(life, static_cast<std::uint32_t>(i))).Detach();
  }
}

void LiveOnce(std::uint64_t number) {
  SCOPED_TRACE(absl::StrCat("HOME_SOAK_LIFE=", number));
  Random random(static_cast<Random::result_type>(number * 2654435761u + 1));
  Life life;
  {
    RuntimeBuilder builder;
    const int workers = Below(random, 5);
    if (workers == 0) {
      builder.CurrentThread();
    } else {
      builder.WorkerThreads(static_cast<std::size_t>(workers));
    }
    constexpr IoBackend kBackends[] = {IoBackend::kBest, IoBackend::kReadiness, IoBackend::kUring};
    builder.Io(kBackends[Below(random, 3)]);
    builder.TaskBudget(static_cast<std::uint32_t>(1 + Below(random, 200)));
    builder.EventInterval(static_cast<std::uint32_t>(1 + Below(random, 100)));
    builder.GlobalQueueInterval(static_cast<std::uint32_t>(1 + Below(random, 60)));
    builder.TimeHistograms(Below(random, 2) == 0);
    builder.BlockingKeepAlive(absl::Milliseconds(Below(random, 3)));
    absl::StatusOr<Runtime> runtime = builder.Build();
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    for (int round = 0; round < kRoundsOfALife; ++round) {
      const auto seed = static_cast<std::uint32_t>(random());
      EXPECT_TRUE(
          runtime->BlockOn([&life, seed]() -> Async<bool> { return OneRound(life, seed); }));
    }
    LeaveBehind(life, *runtime);
    if (Below(random, 2) == 0) {
      EXPECT_TRUE(runtime->ShutdownTimeout(absl::InfiniteDuration()));
    }
  }
  EXPECT_EQ(life.alive.load(), 0);
  EXPECT_EQ(life.done.load(), static_cast<std::uint64_t>(kRoundsOfALife));
}

TEST(SoakTest, NothingIsLostAndNothingStays) {
  const std::uint64_t seconds = FromEnvironment("HOME_SOAK_SECONDS", 3);
  const std::uint64_t first = FromEnvironment("HOME_SOAK_LIFE", 0);
  const std::uint64_t warm = first + kWarmUp;
  // A sanitizer may start a thread of its own with the first of ours.
  std::thread([] {}).join();
  const std::size_t threads = Threads();
  std::size_t descriptors = 0;
  std::size_t resident = 0;
  const SteadyClock::time_point end = SteadyClock::now() + std::chrono::seconds(seconds);
  std::uint64_t life = first;
  while (life <= warm || SteadyClock::now() < end) {
    std::vector<std::thread> lives;
    for (int i = 0; i < kLivesAtOnce; ++i) lives.emplace_back(LiveOnce, life++);
    for (std::thread& one : lives) one.join();
    if (::testing::Test::HasFailure()) return;
    // Blocking threads end by themselves, a moment after they were waited for.
    while (Threads() > threads) std::this_thread::yield();
    if (life < warm || descriptors != 0) continue;
    descriptors = Descriptors();
    resident = ResidentBytes();
  }
  std::cout << life - first << " lives of " << kRoundsOfALife << " rounds; "
            << ResidentBytes() / 1024 << " KiB resident, " << resident / 1024
            << " KiB when the caches were full\n";
  EXPECT_EQ(Descriptors(), descriptors);
  // LeakSanitizer looks for itself.
  if (!kSanitized) {
    EXPECT_LT(ResidentBytes(), resident + kSlackBytes);
  }
}

}  // namespace
}  // namespace home
