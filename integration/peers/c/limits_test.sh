#!/usr/bin/env bash
# limits_test RACE_LIMITS: what each workload counts adds up, on one worker and on two.

set -euo pipefail

for workload in $("$1" --list); do
  for threads in 1 2; do
    said=$("$1" "$workload" 2000 "$threads")
    if [[ $said != "$workload limit 2000 $threads "*" check=ok" ]]; then
      echo "$workload, $threads: $said"
      exit 1
    fi
  done
done
