# shellcheck shell=bash
# Sourced by the scripts of this folder: where the repository is, how a script
# speaks, how it calls Bazel, and how it gets Debian's packages.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
readonly SELF="tools/${0##*/}"

# A script that calls install_packages sets this to a folder of its own, for logs.
scratch=

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

# Prints those of its arguments that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      printf '%s\n' "$package"
    fi
  done
}

# Runs a command as root, its output kept in $scratch/log for the case that it
# fails.
as_root() {
  local command=(env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@")
  if [[ $EUID -ne 0 ]]; then command=(sudo "${command[@]}"); fi
  "${command[@]}" >"$scratch/log" 2>&1 </dev/null
}

# Installs those of its arguments that are missing, or ends the script.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [[ ${#missing[@]} -eq 0 ]]; then return; fi

  if [[ $EUID -ne 0 ]]; then
    local by_hand="these packages are missing and only root can install them:
  apt-get install --no-install-recommends ${missing[*]}"
    command -v sudo >/dev/null || die "$by_hand"
    # Without a terminal sudo cannot ask for a password.
    if [[ -t 0 ]]; then
      sudo -v || die "$by_hand"
    else
      sudo -n true 2>/dev/null || die "$by_hand"
    fi
  fi

  say "installing ${#missing[@]} packages with apt (minutes on a fresh machine): ${missing[*]}"
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  # An installation that was interrupted before is finished first.
  as_root dpkg --configure -a || { tail -n 30 "$scratch/log" >&2; die "dpkg --configure -a failed"; }
  # A list of somebody else's that can't be fetched does not stop us: what
  # counts is whether the packages can be installed.
  as_root "${apt[@]}" update ||
    { tail -n 5 "$scratch/log" >&2; say "apt-get update failed; trying with the lists that are there"; }
  as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
    { tail -n 30 "$scratch/log" >&2; die "apt-get could not install: ${missing[*]}"; }

  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -eq 0 ]] || die "still not installed: ${missing[*]}"
  say "packages installed"
}

# A Debian package's version without Debian's revision.
version_of() {
  dpkg-query -W -f='${Version}' "$1" | sed 's/^[0-9]*://; s/[+~-].*//'
}
