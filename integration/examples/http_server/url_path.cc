#include "home/integration/examples/http_server/url_path.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"

namespace home::http_server {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::StatusOr<std::string> Decode(absl::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return absl::InvalidArgumentError("the URL has a broken escape");
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

}  // namespace

absl::StatusOr<UrlPath> ResolveUrlPath(absl::string_view path) {
  if (path.empty() || path[0] != '/') return absl::InvalidArgumentError("the URL has no path");
  UrlPath resolved;
  while (!path.empty()) {
    path.remove_prefix(1);  // a '/'
    const std::size_t end = std::min(path.find('/'), path.size());
    absl::StatusOr<std::string> part = Decode(path.substr(0, end));
    if (!part.ok()) return part.status();
    path.remove_prefix(end);
    if (part->find('\0') != std::string::npos) {
      return absl::InvalidArgumentError("the URL contains a NUL");
    }
    if (*part == ".." || part->find('/') != std::string::npos) {
      return absl::NotFoundError("the URL leads out of its directory");
    }
    resolved.is_directory = part->empty() || *part == ".";
    if (resolved.is_directory) continue;
    if (!resolved.file.empty()) resolved.file.push_back('/');
    resolved.file += *part;
  }
  if (resolved.file.empty()) resolved.file.push_back('.');
  return resolved;
}

std::string EncodeUrlPath(absl::string_view file) {
  constexpr absl::string_view kPlain = "-._~/!$&'()*+,;=:@";
  constexpr absl::string_view kHex = "0123456789ABCDEF";
  std::string encoded = "/";
  for (const char c : file) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || kPlain.find(c) != absl::string_view::npos) {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 15]);
    }
  }
  return encoded;
}

}  // namespace home::http_server
