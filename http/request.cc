#include "home/http/request.h"

#include <cstddef>

namespace home::http {

absl::string_view Request::path() const {
  absl::string_view path = target_.substr(0, target_.find('?'));
  if (path.empty() || path[0] == '/') return path;
  const std::size_t scheme = path.find("://");
  if (scheme == absl::string_view::npos) return path;  // "*", or the authority of CONNECT
  const std::size_t slash = path.find('/', scheme + 3);
  return slash == absl::string_view::npos ? "/" : path.substr(slash);
}

absl::string_view Request::query() const {
  const std::size_t mark = target_.find('?');
  return mark == absl::string_view::npos ? absl::string_view() : target_.substr(mark + 1);
}

}  // namespace home::http
