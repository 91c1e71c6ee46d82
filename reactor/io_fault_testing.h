// The fixture of tests of the completion layer in which system calls fail.

#ifndef HOME_REACTOR_IO_FAULT_TESTING_H_
#define HOME_REACTOR_IO_FAULT_TESTING_H_

#include <string>
#include <vector>

#include "home/reactor/fault_testing.h"
#include "home/reactor/io_testing.h"

namespace home::testing {

// The engine of this name, if the system has it.
inline std::vector<IoTestBackend> Only(const std::string& name) {
  std::vector<IoTestBackend> backends = IoTestBackends();
  std::erase_if(backends, [&](const IoTestBackend& backend) { return backend.name != name; });
  return backends;
}

class IoFaultTest : public IoTest {
 protected:
  ~IoFaultTest() override { ForgetFaults(); }
};

}  // namespace home::testing

#endif  // HOME_REACTOR_IO_FAULT_TESTING_H_
