#include "home/integration/examples/http_server/command_line.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace home::http_server {
namespace {

constexpr int kMaxWorkers = 1024;

absl::StatusOr<int> ParseNumber(absl::string_view name, absl::string_view text, int min, int max) {
  int value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < min || value > max) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be a number from ", min, " to ", max, ", not '", text, "'"));
  }
  return value;
}

absl::StatusOr<SocketAddress> ParseAddress(const std::string& host, int port) {
  const std::string text = absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                                        : absl::StrCat(host, ":", port);
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--host must be an IPv4 or IPv6 address, not '", host, "'"));
  }
  return address;
}

}  // namespace

const absl::string_view kUsage =
    "usage: http_server --root DIR [--host ADDRESS] [--port PORT] [--workers N]\n"
    "\n"
    "Serves the files below DIR over HTTP/1.1, and the runtime's metrics for\n"
    "Prometheus at /metrics and as JSON at /metrics.json.\n"
    "\n"
    "  --root DIR      the directory to serve (required)\n"
    "  --host ADDRESS  the IPv4 or IPv6 address to listen on (127.0.0.1)\n"
    "  --port PORT     the port to listen on; 0: any free one (8080)\n"
    "  --workers N     worker threads (one a processor)\n"
    "  --help          print this and exit\n"
    "\n"
    "Prints 'listening on http://ADDRESS:PORT' when it is ready. SIGTERM or SIGINT\n"
    "ends it once the requests in flight are answered; a second one ends it at\n"
    "once. Exit codes: 0 after a clean end, 1 if it can't serve, 2 for a mistake on\n"
    "the command line.\n";

absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const char* const> arguments) {
  CommandLine line;
  std::string host = "127.0.0.1";
  int port = 8080;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      line.help = true;
      return line;
    }
    const std::size_t equals = argument.find('=');
    const absl::string_view name = argument.substr(0, equals);
    if (name != "--root" && name != "--host" && name != "--port" && name != "--workers") {
      return absl::InvalidArgumentError(absl::StrCat("unknown argument '", argument, "'"));
    }
    absl::string_view value;
    if (equals != absl::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    }
    if (name == "--root") {
      line.root = std::string(value);
    } else if (name == "--host") {
      host = std::string(value);
    } else if (name == "--port") {
      absl::StatusOr<int> number = ParseNumber(name, value, 0, 65535);
      if (!number.ok()) return number.status();
      port = *number;
    } else {
      absl::StatusOr<int> number = ParseNumber(name, value, 1, kMaxWorkers);
      if (!number.ok()) return number.status();
      line.workers = static_cast<std::size_t>(*number);
    }
  }
  if (line.root.empty()) return absl::InvalidArgumentError("--root is required");
  absl::StatusOr<SocketAddress> address = ParseAddress(host, port);
  if (!address.ok()) return address.status();
  line.address = *address;
  return line;
}

}  // namespace home::http_server
