// The program's command line.
//
// Absl's flags end a program with 1 after a mistake; ours promises 2 for a
// mistake on the command line and 1 for a failure to serve, so that scripts can
// tell them apart. Hence this small parser.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_COMMAND_LINE_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_COMMAND_LINE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "home/net/socket_address.h"

namespace home::http_server {

struct CommandLine {
  std::string root;
  SocketAddress address = SocketAddress::IPv4Loopback(8080);
  std::size_t workers = 0;  // 0: one a processor
  bool help = false;
};

extern const absl::string_view kUsage;

// `arguments` without the program's name; "--name value" and "--name=value".
// kInvalidArgument says what is wrong.
absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const char* const> arguments);

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_COMMAND_LINE_H_
