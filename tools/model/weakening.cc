#include "home/tools/model/weakening.h"

#include <cstddef>
#include <cstring>

namespace home::model {
namespace {

std::string_view NameOf(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

std::string_view NameOf(Access access) {
  switch (access) {
    case Access::kLoad:
      return "load";
    case Access::kStore:
      return "store";
    case Access::kRmw:
      return "read-modify-write";
    case Access::kFence:
      return "fence";
  }
  return "?";
}

// Whether `signature`, a compiler's name for a function, is that of `name`.
bool IsIn(std::string_view signature, std::string_view name) {
  // The template arguments that follow may hold the names of other functions.
  signature = signature.substr(0, signature.find(" ["));
  for (std::size_t at = signature.find(name); at != std::string_view::npos;
       at = signature.find(name, at + 1)) {
    const std::string_view after = signature.substr(at + name.size());
    const char before = at == 0 ? ' ' : signature[at - 1];
    if ((before == ':' || before == ' ' || before == '*' || before == '&') &&
        (after.starts_with('(') || after.starts_with('<'))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string Describe(const Weakening& weakening) {
  std::string text(NameOf(weakening.access));
  text.append(" in ").append(weakening.function);
  if (!weakening.type.empty()) text.append(" of a ").append(weakening.type);
  return text.append(", ")
      .append(NameOf(weakening.from))
      .append(" to ")
      .append(NameOf(weakening.to));
}

namespace model_internal {

std::memory_order ActiveWeakening::ApplyTo(Access access, std::string_view type,
                                           std::memory_order order,
                                           const std::source_location& where) {
  if (access != weakening_.access || order != weakening_.from ||
      type.find(weakening_.type) == std::string_view::npos ||
      !IsIn(where.function_name(), weakening_.function)) {
    return order;
  }
  for (auto& [file, line] : lines_) {
    if (file != nullptr && (line != where.line() || std::strcmp(file, where.file_name()) != 0)) {
      continue;
    }
    file = where.file_name();
    line = where.line();
    break;
  }
  return weakening_.to;
}

std::set<std::string> ActiveWeakening::Lines() const {
  std::set<std::string> lines;
  for (const auto& [file, line] : lines_) {
    if (file != nullptr) lines.insert(std::string(file) + ":" + std::to_string(line));
  }
  return lines;
}

}  // namespace model_internal
}  // namespace home::model
