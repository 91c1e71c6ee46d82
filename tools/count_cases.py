#!/usr/bin/env python3
"""Counts the test cases of one `bazel test`, from its build event file.

  tools/count_cases.py EVENTS [--max-logs=N]

Prints the ends of the logs of failed tests, then one line:

  PASSED passed, FAILED failed in TARGETS targets (CACHED cached)

The file names exactly the tests of that invocation, cached ones included, where
a look through bazel-testlogs would also find what an earlier run left there. A
case is a `testcase` of a target's test.xml. A target that has none to show for
its failure (it did not build, it crashed, it ran out of time) is one failed
case. Exits with 1 if a case failed or none ran.
"""

import json
import pathlib
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

LOG_LINES = 120


def path_of(uri):
    return pathlib.Path(urllib.parse.unquote(urllib.parse.urlparse(uri).path))


def count_xml(path):
    """Returns (passed, failed) of one test.xml."""
    passed = failed = 0
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return 0, 0
    for case in root.iter("testcase"):
        # GoogleTest lists disabled cases and marks those it skipped; neither ran.
        if case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
            continue
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        else:
            passed += 1
    return passed, failed


class Run:
    """What the events say about one invocation."""

    def __init__(self):
        self.passed = self.failed = self.cached = 0
        self.targets = set()
        self.broken = {}  # label -> log path or None

    def read(self, path):
        results = {}  # (label, run, shard) -> last attempt
        unbuilt = set()
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                identity = event.get("id", {})
                if "testResult" in identity and "testResult" in event:
                    key = identity["testResult"]
                    results[(key["label"], key.get("run"), key.get("shard"))] = event["testResult"]
                elif event.get("aborted", {}).get("reason") == "SKIPPED":
                    pass  # for another platform, and says so itself
                elif "targetCompleted" in identity and not event.get("completed", {}).get("success"):
                    unbuilt.add(identity["targetCompleted"]["label"])
        for (label, _, _), result in results.items():
            self.add(label, result)
        # A test that failed is "completed"; what is left here did not build.
        for label in unbuilt - self.targets:
            self.failed += 1
            self.broken[label] = None

    def add(self, label, result):
        self.targets.add(label)
        outputs = {out["name"]: path_of(out["uri"])
                   for out in result.get("testActionOutput", []) if "uri" in out}
        passed, failed = count_xml(outputs.get("test.xml", ""))
        status = result.get("status")
        # FLAKY means that a later attempt passed: that is a failure here.
        if status != "PASSED" and failed == 0:
            failed = 1
        if result.get("cachedLocally") or result.get("executionInfo", {}).get("cachedRemotely"):
            self.cached += 1
        self.passed += passed
        self.failed += failed
        if failed:
            self.broken[label] = outputs.get("test.log")


def print_log(label, log):
    if log is None:
        print(f"==== {label}: did not build or was not run")
        return
    print(f"==== {label}")
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        print(f"  (no log: {error})")
        return
    if len(lines) > LOG_LINES:
        print(f"  ... {len(lines) - LOG_LINES} lines before")
    print("\n".join("  " + line for line in lines[-LOG_LINES:]))


def main(arguments):
    max_logs = 0
    paths = []
    for argument in arguments:
        if argument.startswith("--max-logs="):
            max_logs = int(argument.partition("=")[2])
        else:
            paths.append(argument)
    if len(paths) != 1:
        sys.exit(__doc__)
    run = Run()
    run.read(paths[0])
    for label in sorted(run.broken)[:max_logs]:
        print_log(label, run.broken[label])
    print(f"{run.passed} passed, {run.failed} failed in {len(run.targets)} targets "
          f"({run.cached} cached)")
    for label in sorted(run.broken):
        print(f"  failed: {label}")
    return 0 if run.failed == 0 and run.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
