// The searches that a model test runs, and what it expects of them.
//
//   struct OneThief {
//     static constexpr int kThreads = 2;
//     void Before() { deque.Push(1); }           // optional, before the threads
//     void Thread(int index) { ... }             // on each thread
//     void After() { Expect(taken == 1, "..."); }  // optional, after them
//     WorkStealingDeque<int, ModelPolicy> deque;
//   };
//   TEST(DequeModelTest, OneThief) { CheckExhaustively<OneThief>(); }
//   TEST(DequeModelTest, OneThiefRandomly) { CheckRandomly<OneThief>(100'000); }
//   TEST(DequeModelTest, OneThiefNeedsRelease) {
//     ExpectFound<OneThief>(Exhaustively(), {.function = "Push", ...});
//   }
//
// A search runs the scenario again and again, each time with another interleaving of its
// threads and other values returned by their loads. It fails on a data race, a use or double
// free of freed memory, a leak (memory, atomics, data), an uninitialised read, a deadlock, a
// livelock and an Expect() that does not hold, and shows the run that led there, access by
// access.
//
// A scenario is constructed and destroyed in every run; what it allocates it has to free. It
// must do the same every time but for what the model's atomics and Choose() return: no other
// randomness, no decision by addresses. GoogleTest's macros don't belong inside of it.

#ifndef HOME_TOOLS_MODEL_CHECKER_H_
#define HOME_TOOLS_MODEL_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/relacy.h"
#include "home/tools/model/weakening.h"

namespace home::model {

// How to search.
struct Search {
  rl::scheduler_type_e scheduler;
  std::uint64_t iterations = 0;
  unsigned preemptions = 0;
};

// Every interleaving and every value. For two threads with some ten accesses together.
inline Search Exhaustively() { return {.scheduler = rl::sched_full}; }

// As many runs as said, chosen at random, the same ones each time.
inline Search Randomly(std::uint64_t iterations) {
  return {.scheduler = rl::sched_random, .iterations = iterations};
}

// Every run in which threads are interrupted up to `preemptions` times altogether. Most errors
// need two.
inline Search WithPreemptions(unsigned preemptions) {
  return {.scheduler = rl::sched_bound, .preemptions = preemptions};
}

// What a search found.
struct Outcome {
  bool ok;
  rl::test_result_e result;
  std::uint64_t iterations;  // Until the error, if there is one.
  std::string trace;         // What led to the error.
};

namespace model_internal {

// A scenario as Relacy wants it.
template <typename Scenario>
struct Suite : rl::test_suite<Suite<Scenario>, Scenario::kThreads> {
  void before() {
    if constexpr (requires { scenario.Before(); }) scenario.Before();
  }
  void thread(unsigned index) { scenario.Thread(static_cast<int>(index)); }
  void after() {
    if constexpr (requires { scenario.After(); }) scenario.After();
  }
  Scenario scenario;
};

// Steps of one run that count as a livelock.
inline constexpr unsigned kMaxSteps = 5'000;

// Bytes of a trace that are shown. A livelock has a long one.
inline constexpr std::size_t kMaxTrace = 20'000;

template <typename Scenario>
Outcome RunSearch(const Search& search) {
  // Relacy's own streams: they don't allocate from the memory that it watches.
  rl::ostringstream output;
  rl::ostringstream progress;
  rl::test_params params;
  params.search_type = search.scheduler;
  params.iteration_count = search.iterations;
  params.context_bound = search.preemptions;
  params.execution_depth_limit = kMaxSteps;
  params.output_stream = &output;
  params.progress_stream = &progress;
  const bool ok = rl::simulate<Suite<Scenario>>(params);
  return {ok, params.test_result, static_cast<std::uint64_t>(params.stop_iteration),
          std::string(output.view())};
}

template <typename Scenario>
void Check(const Search& search) {
  const Outcome outcome = RunSearch<Scenario>(search);
  EXPECT_TRUE(outcome.ok) << "found in run " << outcome.iterations << ":\n"
                          << outcome.trace.substr(0, kMaxTrace);
  std::cout << outcome.iterations << " runs\n";
}

}  // namespace model_internal

// Fails with the trace if there is an error in any run of the scenario.
template <typename Scenario>
void CheckExhaustively() {
  model_internal::Check<Scenario>(Exhaustively());
}
template <typename Scenario>
void CheckRandomly(std::uint64_t iterations) {
  model_internal::Check<Scenario>(Randomly(iterations));
}
template <typename Scenario>
void CheckWithPreemptions(unsigned preemptions) {
  model_internal::Check<Scenario>(WithPreemptions(preemptions));
}

// Passes if the search finds an error, as it must in a scenario that is wrong on purpose.
template <typename Scenario>
void ExpectFound(const Search& search) {
  const Outcome outcome = model_internal::RunSearch<Scenario>(search);
  EXPECT_FALSE(outcome.ok) << "no error in " << outcome.iterations << " runs";
  if (!outcome.ok) {
    std::cout << rl::test_result_str(outcome.result) << " in run " << outcome.iterations << "\n";
  }
}

// A mutation test: passes if the search finds an error once `weakening` is in force, and if
// that names exactly one line of source.
template <typename Scenario>
void ExpectFound(const Search& search, const Weakening& weakening) {
  SCOPED_TRACE(Describe(weakening));
  const model_internal::ActiveWeakening active(weakening);
  ExpectFound<Scenario>(search);
  const std::set<std::string> lines = active.Lines();
  EXPECT_EQ(lines.size(), 1u) << "the weakening has to name one access: "
                              << ::testing::PrintToString(lines);
}

// The opposite, to pin down what this checker can't see: the weakening is in force, names one
// line, and no error is found. Whoever uses it says why the order is there all the same.
template <typename Scenario>
void ExpectUnseen(const Search& search, const Weakening& weakening) {
  SCOPED_TRACE(Describe(weakening));
  const model_internal::ActiveWeakening active(weakening);
  model_internal::Check<Scenario>(search);
  const std::set<std::string> lines = active.Lines();
  EXPECT_EQ(lines.size(), 1u) << "the weakening has to name one access: "
                              << ::testing::PrintToString(lines);
}

}  // namespace home::model

#endif  // HOME_TOOLS_MODEL_CHECKER_H_
