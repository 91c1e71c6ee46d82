#!/usr/bin/env python3
"""The report of tools/demo's load.

  tools/demo_report.py WRK_OUTPUT METRICS_BEFORE METRICS_AFTER

Reads what `wrk --latency` printed and the server's /metrics.json from before and
after. Exits with 1 if an answer was an error or none came.
"""

import json
import re
import sys


def fact(name, value):
    print(f"   {name:<38} {value}")


def totals(path):
    """The numbers in a JSON file by key. Where a key occurs at several depths, the
    shallowest counts (a total); at one depth (workers in a list) they are added up."""
    sums = {}
    with open(path, encoding="utf-8") as text:
        level = [("", json.load(text))]
    while level:
        here, below = {}, []
        for key, value in level:
            if isinstance(value, dict):
                below += value.items()
            elif isinstance(value, list):
                below += [(key, child) for child in value]
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                here[key] = here.get(key, 0) + value
        sums = {**here, **sums}
        level = below
    return sums


def main(wrk_path, before_path, after_path):
    with open(wrk_path, encoding="utf-8") as text:
        wrk = text.read()
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", wrk, re.M)
    total = re.search(r"^\s*(\d+) requests in ([\d.]+\w+)", wrk, re.M)
    if not rate or not total or int(total.group(1)) == 0:
        print("no request was answered", file=sys.stderr)
        return 1
    fact("requests", f"{int(total.group(1)):,} in {total.group(2)}")
    fact("requests a second", f"{float(rate.group(1)):,.0f}")
    for percent in ("50", "90", "99"):
        latency = re.search(rf"^\s+{percent}%\s+(\S+)", wrk, re.M)
        fact(f"latency, p{percent}", latency.group(1) if latency else "?")

    before, after = totals(before_path), totals(after_path)
    for name, keys in (("tasks run", METRIC_TASKS), ("steals", METRIC_STEALS),
                       ("parks", METRIC_PARKS)):
        key = next((key for key in keys if key in after), None)
        if key is None:
            print(f"/metrics.json does not tell {name}", file=sys.stderr)
            return 1
        fact(name, f"{after[key] - before.get(key, 0):,}")

    errors = re.findall(r"Non-2xx.*|Socket errors.*", wrk)
    for error in errors:
        print(error.strip(), file=sys.stderr)
    return 1 if errors else 0


METRIC_TASKS = ("polls",)
METRIC_STEALS = ("steals",)
METRIC_PARKS = ("parks",)

if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
