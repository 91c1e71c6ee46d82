// Runs the program in a process of its own, for tests.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_SERVER_PROCESS_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace home::http_server {

class ServerProcess {
 public:
  // Starts it. `descriptors`: how many it may have, 0 for what we may have.
  explicit ServerProcess(std::vector<std::string> arguments, unsigned descriptors = 0);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  // Kills it if it still runs.
  ~ServerProcess();

  // Waits for the line that tells the port; 0 if the program ends without it.
  std::uint16_t WaitForPort();
  void Signal(int number);
  // Waits for a line on its standard error.
  std::string ReadErrorLine();
  // Waits for its end. 128 + the signal's number if one ended it.
  int WaitForExit();
  // What it has written until its end.
  const std::string& output() const { return output_; }
  const std::string& errors() const { return errors_; }

 private:
  pid_t pid_ = -1;
  int output_fd_ = -1;
  int errors_fd_ = -1;
  std::string output_;
  std::string errors_;
};

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_SERVER_PROCESS_H_
