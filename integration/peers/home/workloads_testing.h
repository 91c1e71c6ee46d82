// What tests of the workloads have in common.

#ifndef HOME_INTEGRATION_PEERS_HOME_WORKLOADS_TESTING_H_
#define HOME_INTEGRATION_PEERS_HOME_WORKLOADS_TESTING_H_

#include <algorithm>
#include <string>

#include "gtest/gtest.h"
#include "home/integration/peers/measure.h"

namespace home::race_testing {

// A workload's name, as a test may have it.
inline std::string TestName(const ::testing::TestParamInfo<race::Workload>& workload) {
  std::string name = workload.param.name;
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '/' || c == '-'; }, '_');
  return name;
}

}  // namespace home::race_testing

#endif  // HOME_INTEGRATION_PEERS_HOME_WORKLOADS_TESTING_H_
