#include "home/integration/examples/http_server/content_type.h"

#include <cstddef>

#include "absl/strings/match.h"

namespace home::http_server {
namespace {

struct Entry {
  absl::string_view extension;
  absl::string_view type;
};

constexpr Entry kEntries[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"wasm", "application/wasm"},
    {"pdf", "application/pdf"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tar", "application/x-tar"},
};

}  // namespace

absl::string_view ContentTypeOf(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot != absl::string_view::npos && dot != 0) {
    for (const Entry& entry : kEntries) {
      if (absl::EqualsIgnoreCase(name.substr(dot + 1), entry.extension)) return entry.type;
    }
  }
  return "application/octet-stream";
}

}  // namespace home::http_server
