#include "home/http/headers.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace home::http {
namespace {

constexpr std::array<bool, 256> MakeTokenTable() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned char c :
       {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    table[c] = true;
  return table;
}
constexpr std::array<bool, 256> kTokenTable = MakeTokenTable();

}  // namespace

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kTokenTable[static_cast<std::uint8_t>(c)];
  });
}

bool IsFieldValue(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

bool ListHasToken(absl::string_view value, absl::string_view token) {
  while (true) {
    const std::size_t comma = value.find(',');
    const absl::string_view element = absl::StripAsciiWhitespace(value.substr(0, comma));
    if (absl::EqualsIgnoreCase(element, token)) return true;
    if (comma == absl::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

std::optional<absl::string_view> HeaderView::Find(absl::string_view name) const {
  for (const HeaderField& field : fields_) {
    if (absl::EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

absl::string_view HeaderView::Get(absl::string_view name) const {
  return Find(name).value_or(absl::string_view());
}

void HeaderBlock::Add(absl::string_view name, absl::string_view value) {
  if (!IsToken(name) || !IsFieldValue(value)) {
    valid_ = false;
    return;
  }
  text_.reserve(text_.size() + name.size() + value.size() + 4);
  text_.append(name.data(), name.size());
  text_.append(": ", 2);
  text_.append(value.data(), value.size());
  text_.append("\r\n", 2);
}

std::optional<absl::string_view> HeaderBlock::Find(absl::string_view name) const {
  absl::string_view rest = text_;
  while (!rest.empty()) {
    const absl::string_view line = rest.substr(0, rest.find("\r\n"));
    if (line.size() > name.size() && line[name.size()] == ':' &&
        absl::EqualsIgnoreCase(line.substr(0, name.size()), name)) {
      return line.substr(name.size() + 2);
    }
    rest.remove_prefix(line.size() + 2);
  }
  return std::nullopt;
}

}  // namespace home::http
