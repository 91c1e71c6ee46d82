# shellcheck shell=bash
# Sourced by the scripts of this folder: where the repository is, how a script
# speaks, and how it calls Bazel.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
readonly SELF="tools/${0##*/}"

# Progress goes to standard error, results to standard output.
say() { printf '%s: %s\n' "$SELF" "$*" >&2; }

die() {
  printf '%s: error: %s\n' "$SELF" "$*" >&2
  exit 1
}

# The Bazel that tools/setup installs, whatever other one comes first in PATH,
# through the wrapper that keeps a foreign JDK away from it.
run_bazel() {
  (cd "$ROOT" && BAZEL_REAL=/usr/bin/bazel-4 tools/bazel "$@")
}
