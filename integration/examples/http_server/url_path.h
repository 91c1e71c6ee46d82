// From the path of a URL to the path of a file below some root.
//
//   ResolveUrlPath("/docs/a%20b.html")->file   // "docs/a b.html"
//
// What could mean something else to a file system than to whoever wrote the
// URL is refused here, before any file is touched; the file system then refuses
// once more what links could do (file_tree.h).
//
// Thread-safety: functions of their arguments.

#ifndef HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_URL_PATH_H_
#define HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_URL_PATH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace home::http_server {

struct UrlPath {
  // Relative, without empty, "." and ".." parts; "." for the root itself.
  std::string file;
  // The URL ended in "/": it names a directory.
  bool is_directory = false;
};

// `path` starts with '/', is percent-encoded and has no query. Errors:
// kInvalidArgument (a broken escape, a NUL), kNotFound (a "..", or a slash in
// disguise: there is no such file).
absl::StatusOr<UrlPath> ResolveUrlPath(absl::string_view path);

// The URL path of a file, percent-encoded, with a leading '/'. Never starts with
// "//", which a browser would take for another host.
std::string EncodeUrlPath(absl::string_view file);

}  // namespace home::http_server

#endif  // HOME_INTEGRATION_EXAMPLES_HTTP_SERVER_URL_PATH_H_
