// The text is read back by the rules of the exposition format 0.0.4, and told as the
// metrics that it came from.

#include "home/scheduler/prometheus.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/lock_watch.h"
#include "home/scheduler/histogram.h"
#include "home/scheduler/metrics.h"
#include "home/task/task_id.h"
#include "home/task/task_info.h"

namespace home {
namespace {

using scheduler_internal::HistogramCounter;

struct Sample {
  std::string name;
  std::string labels;  // what stands between the braces
  double value = 0;
};

struct Family {
  std::string type;
  bool has_help = false;
  std::vector<Sample> samples;
};

bool IsName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != ':') return false;
  }
  return true;
}

// Fails the test where the text breaks the format.
std::map<std::string, Family> ParseText(absl::string_view text) {
  std::map<std::string, Family> families;
  std::string current;
  EXPECT_TRUE(absl::EndsWith(text, "\n")) << "the last line must end, too";
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "#")) {
      const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
      if (words.size() != 4 || !IsName(words[2])) {
        ADD_FAILURE() << line;
        continue;
      }
      if (words[1] == "HELP") {
        EXPECT_TRUE(families.find(words[2]) == families.end()) << "two groups of " << words[2];
        current = words[2];
        families[current].has_help = true;
      } else {
        EXPECT_EQ(words[1], "TYPE") << line;
        EXPECT_EQ(words[2], current) << line;
        EXPECT_TRUE(families[current].type.empty()) << "a second TYPE of " << current;
        EXPECT_TRUE(words[3] == "counter" || words[3] == "gauge" || words[3] == "histogram")
            << line;
        families[current].type = words[3];
      }
      continue;
    }
    Sample sample;
    const std::size_t space = line.rfind(' ');
    if (space == absl::string_view::npos) {
      ADD_FAILURE() << line;
      continue;
    }
    EXPECT_TRUE(absl::SimpleAtod(line.substr(space + 1), &sample.value)) << line;
    absl::string_view name = line.substr(0, space);
    const std::size_t brace = name.find('{');
    if (brace != absl::string_view::npos) {
      EXPECT_TRUE(absl::EndsWith(name, "}")) << line;
      sample.labels = std::string(name.substr(brace + 1, name.size() - brace - 2));
      name = name.substr(0, brace);
    }
    EXPECT_TRUE(IsName(name)) << line;
    sample.name = std::string(name);
    // A sample belongs to the family whose lines came before it.
    Family& family = families[current];
    if (family.type == "histogram") {
      EXPECT_TRUE(name == current + "_bucket" || name == current + "_sum" ||
                  name == current + "_count")
          << line;
    } else {
      EXPECT_EQ(name, current);
      EXPECT_EQ(absl::EndsWith(name, "_total"), family.type == "counter") << line;
    }
    family.samples.push_back(std::move(sample));
  }
  for (const auto& [name, family] : families) {
    EXPECT_TRUE(family.has_help && !family.type.empty() && !family.samples.empty()) << name;
  }
  return families;
}

double Value(const Family& family, absl::string_view labels = "") {
  for (const Sample& sample : family.samples) {
    if (sample.labels == labels) return sample.value;
  }
  ADD_FAILURE() << "no sample with " << labels;
  return -1;
}

RuntimeMetrics SomeMetrics() {
  RuntimeMetrics metrics;
  metrics.workers.resize(2);
  metrics.workers[0].polls = 1'000'000'000'000'000;
  metrics.workers[1].polls = 11;
  metrics.workers[1].noop_wakes = 3;
  metrics.workers[1].busy = absl::Milliseconds(1500);
  metrics.workers[1].longest_poll = absl::Nanoseconds(1);
  metrics.workers[0].queue_depth = 4;
  metrics.tasks_alive = 5;
  metrics.blocking_classes[2].queued = 6;
  return metrics;
}

TEST(PrometheusTest, EveryFigureIsThere) {
  std::map<std::string, Family> families = ParseText(PrometheusText(SomeMetrics()));
  EXPECT_EQ(Value(families["home_runtime_workers"]), 2);
  EXPECT_EQ(Value(families["home_runtime_tasks_alive"]), 5);
  EXPECT_EQ(Value(families["home_runtime_blocking_queue_depth"], "class=\"dns\""), 6);
  EXPECT_EQ(Value(families["home_worker_polls_total"], "worker=\"0\""), 1e15);
  EXPECT_EQ(Value(families["home_worker_polls_total"], "worker=\"1\""), 11);
  EXPECT_EQ(Value(families["home_worker_noop_wakes_total"], "worker=\"1\""), 3);
  EXPECT_EQ(Value(families["home_worker_busy_seconds_total"], "worker=\"1\""), 1.5);
  EXPECT_EQ(Value(families["home_worker_longest_poll_seconds"], "worker=\"1\""), 1e-9);
  EXPECT_EQ(Value(families["home_worker_queue_depth"], "worker=\"0\""), 4);
  EXPECT_EQ(families["home_worker_queue_depth"].type, "gauge");
}

TEST(PrometheusTest, ALongPollIsThereWithItsTask) {
  RuntimeMetrics metrics = SomeMetrics();
  EXPECT_EQ(ParseText(PrometheusText(metrics)).count("home_worker_long_poll_seconds"), 0u);
  const std::source_location here = std::source_location::current();
  metrics.workers[1].long_polls = 2;
  metrics.long_polls.push_back(
      {1, TaskInfo(TaskId(17), "a \"\\\nb", here), absl::Milliseconds(250), /*running=*/true});
  std::map<std::string, Family> families = ParseText(PrometheusText(metrics));
  EXPECT_EQ(Value(families["home_worker_long_polls_total"], "worker=\"1\""), 2);
  EXPECT_EQ(families["home_worker_long_poll_seconds"].type, "gauge");
  EXPECT_EQ(Value(families["home_worker_long_poll_seconds"],
                  absl::StrCat("worker=\"1\",task=\"17\",name=\"a \\\"\\\\\\nb\",location=\"",
                               here.file_name(), ":", here.line(), "\",running=\"true\"")),
            0.25);
}

TEST(PrometheusTest, WhoHoldsAndAwaitsLocks) {
  RuntimeMetrics metrics = SomeMetrics();
  metrics.lock_uses.clear();
  EXPECT_EQ(ParseText(PrometheusText(metrics)).count("home_lock_use_seconds"), 0u);
  const std::source_location here = std::source_location::current();
  LockUse use{.kind = "mutex",
              .lock = reinterpret_cast<const void*>(0x2a0),
              .holds = true,
              .task = {.id = 17, .name = "a", .location = here, .poll = 1},
              .location = here,
              .duration = absl::Milliseconds(250)};
  metrics.lock_uses.push_back(use);
  use.duration = absl::Milliseconds(500);
  metrics.lock_uses.push_back(use);
  use.holds = false;
  use.task = {};
  metrics.lock_uses.push_back(use);
  std::map<std::string, Family> families = ParseText(PrometheusText(metrics));
  EXPECT_EQ(families["home_lock_use_seconds"].type, "gauge");
  const std::string place = absl::StrCat(here.file_name(), ":", here.line());
  EXPECT_EQ(Value(families["home_lock_use_seconds"],
                  absl::StrCat("lock=\"mutex\",address=\"2a0\",state=\"holds\",task=\"17\","
                               "name=\"a\",location=\"",
                               place, "\"")),
            0.5);
  EXPECT_EQ(Value(families["home_lock_use_seconds"],
                  absl::StrCat("lock=\"mutex\",address=\"2a0\",state=\"waits\",task=\"0\","
                               "name=\"\",location=\"",
                               place, "\"")),
            0.5);
}

TEST(PrometheusTest, HistogramsAreThereOnlyIfTheyAreKept) {
  std::map<std::string, Family> families = ParseText(PrometheusText(SomeMetrics()));
  EXPECT_EQ(families.count("home_runtime_poll_seconds"), 0u);
  EXPECT_EQ(families.count("home_runtime_schedule_latency_seconds"), 0u);
}

TEST(PrometheusTest, HistogramsAreCumulative) {
  HistogramCounter counter;
  const std::vector<std::int64_t> values = {1,    128,  129,           1024,
                                            1025, 1500, 1'000'000'000, INT64_C(3'000'000'000'000)};
  for (const std::int64_t value : values) counter.Record(value);
  RuntimeMetrics metrics = SomeMetrics();
  metrics.poll_time.emplace();
  counter.AddTo(*metrics.poll_time);
  metrics.schedule_latency.emplace();
  std::map<std::string, Family> families = ParseText(PrometheusText(metrics));
  const Family& family = families["home_runtime_poll_seconds"];
  double last_bound = 0;
  double last_count = 0;
  std::size_t buckets = 0;
  std::optional<double> infinite;
  for (const Sample& sample : family.samples) {
    if (!absl::EndsWith(sample.name, "_bucket")) continue;
    ++buckets;
    EXPECT_FALSE(infinite.has_value()) << "+Inf comes last";
    const std::string bound_text = sample.labels.substr(4, sample.labels.size() - 5);
    EXPECT_EQ(sample.labels, absl::StrCat("le=\"", bound_text, "\""));
    if (bound_text == "+Inf") {
      infinite = sample.value;
      continue;
    }
    double bound = 0;
    ASSERT_TRUE(absl::SimpleAtod(bound_text, &bound)) << bound_text;
    EXPECT_GT(bound, last_bound);
    EXPECT_GE(sample.value, last_count);
    double below = 0;
    for (const std::int64_t value : values) below += static_cast<double>(value) <= bound * 1e9;
    EXPECT_EQ(sample.value, below) << bound;
    last_bound = bound;
    last_count = sample.value;
  }
  EXPECT_EQ(buckets, 31u);
  ASSERT_TRUE(infinite.has_value());
  EXPECT_EQ(*infinite, static_cast<double>(values.size()));
  for (const Sample& sample : family.samples) {
    if (absl::EndsWith(sample.name, "_count")) {
      EXPECT_EQ(sample.value, *infinite);
    } else if (absl::EndsWith(sample.name, "_sum")) {
      EXPECT_NEAR(sample.value, 3001.000003807, 1e-12);
    }
  }
  EXPECT_EQ(families["home_runtime_schedule_latency_seconds"].samples.size(), 33u);
}

}  // namespace
}  // namespace home
