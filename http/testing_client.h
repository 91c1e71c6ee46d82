// A blocking HTTP client for tests: sends what it is told, right or wrong, and
// reads responses back.
//
// Reads give up after a guard of some 20 seconds, so that a test which would
// hang fails instead.

#ifndef HOME_HTTP_TESTING_CLIENT_H_
#define HOME_HTTP_TESTING_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace home::http::testing {

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  // The body ended as its head had announced.
  bool complete = false;
};

class Client {
 public:
  // Not connected yet.
  Client();
  explicit Client(std::uint16_t port) : Client() { Connect(port); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { Close(); }

  // To the loopback address. False if it is refused.
  bool Connect(std::uint16_t port);
  // False if the connection is gone.
  bool Send(absl::string_view bytes);
  // "GET <target>" with a Host.
  bool Get(absl::string_view target, absl::string_view more_headers = "");
  // Tells the server that no more will come.
  void ShutdownWrite();
  // Closes with a reset.
  void Reset();
  void Close();
  // Makes the window for what the server sends small. Before Connect().
  void LimitReceiveBuffer();

  // The next response; nothing if the connection ends before its first byte.
  // `to_head`: the request was a HEAD.
  std::optional<ClientResponse> ReadResponse(bool to_head = false);
  // True if the server closes, orderly or not, without sending more.
  bool ReadsEnd();
  // Reads at least one more byte into the buffer. False at the end.
  bool ReadMore();
  // What was read and is not part of a response that was returned.
  const std::string& buffered() const { return buffer_; }

 private:
  bool ReadUntil(std::size_t size);
  std::optional<std::string> TakeLine();
  bool TakeBytes(std::size_t size, std::string& out);

  int fd_;
  std::string buffer_;
};

}  // namespace home::http::testing

#endif  // HOME_HTTP_TESTING_CLIENT_H_
