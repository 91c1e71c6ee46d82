#include "home/http/testing_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace home::http::testing {

Client::Client() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
  timeval guard = {};
  guard.tv_sec = 20;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof(guard));
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool Client::Connect(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

bool Client::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool Client::Get(absl::string_view target, absl::string_view more_headers) {
  return Send(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: test\r\n", more_headers, "\r\n"));
}

void Client::ShutdownWrite() { ::shutdown(fd_, SHUT_WR); }

void Client::Reset() {
  linger value = {};
  value.l_onoff = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
  Close();
}

void Client::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Client::LimitReceiveBuffer() {
  const int size = 4096;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

bool Client::ReadMore() {
  char bytes[16384];
  while (true) {
    const ssize_t count = ::recv(fd_, bytes, sizeof(bytes), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      std::fprintf(stderr, "the server neither answered nor closed; read so far: %s\n",
                   buffer_.c_str());
      std::abort();
    }
    if (count <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }
}

bool Client::ReadUntil(std::size_t size) {
  while (buffer_.size() < size) {
    if (!ReadMore()) return false;
  }
  return true;
}

std::optional<std::string> Client::TakeLine() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!ReadMore()) return std::nullopt;
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

bool Client::TakeBytes(std::size_t size, std::string& out) {
  const bool all = ReadUntil(size);
  const std::size_t taken = all ? size : buffer_.size();
  out.append(buffer_, 0, taken);
  buffer_.erase(0, taken);
  return all;
}

std::optional<ClientResponse> Client::ReadResponse(bool to_head) {
  std::optional<std::string> line = TakeLine();
  if (!line.has_value()) return std::nullopt;
  ClientResponse response;
  if (line->substr(0, 9) != "HTTP/1.1 ") return response;
  response.status = std::atoi(line->c_str() + 9);
  while ((line = TakeLine()).has_value() && !line->empty()) {
    const std::size_t colon = line->find(':');
    if (colon == std::string::npos) return response;
    response.headers[absl::AsciiStrToLower(line->substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(absl::string_view(*line).substr(colon + 1)));
  }
  if (!line.has_value()) return response;
  if (to_head || response.status < 200 || response.status == 204 || response.status == 304) {
    response.complete = true;
  } else if (response.headers.count("transfer-encoding") != 0) {
    while ((line = TakeLine()).has_value()) {
      const std::size_t size = std::strtoul(line->c_str(), nullptr, 16);
      if (!TakeBytes(size, response.body)) return response;
      if (!TakeLine().has_value()) return response;
      if (size == 0) {
        response.complete = true;
        return response;
      }
    }
  } else if (response.headers.count("content-length") != 0) {
    response.complete = TakeBytes(
        std::strtoul(response.headers["content-length"].c_str(), nullptr, 10), response.body);
  } else {
    while (ReadMore()) {
    }
    response.body = std::exchange(buffer_, std::string());
    response.complete = true;
  }
  return response;
}

bool Client::ReadsEnd() { return buffer_.empty() && !ReadMore(); }

}  // namespace home::http::testing
