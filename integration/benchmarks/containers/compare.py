#!/usr/bin/env python3
"""Runs our containers beside their peers, in turn, and writes the tables.

    compare.py --program PATH [--program PATH]... [options]

Called by tools/compare_containers, which builds the programs and knows what is missing.
../../figures.py says what a program prints and what the classes are. `PROGRAM WORKLOAD PEER N`
makes one measurement. A round runs every peer of every workload once, in an order that changes
from round to round, so that a noisy machine treats all alike.

Reported are medians, the middle half of the rounds, and the ratio to the best peer: the
median of the rounds' ratios.
"""

import argparse
import collections
import os
import random
import re
import statistics
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
import figures  # noqa: E402
from figures import in_class, median_of_ratios, number, quartiles, result_of  # noqa: E402

Workload = collections.namedtuple("Workload", "package name title n classes")

BOTH = ("kernel", "rr")
# One thread, or threads that are pinned: there is nothing to place.
ONE = ("rr",)

WORKLOADS = [
    Workload("limits", "limit_1", "1 thread", 2_000_000, ONE),
    Workload("limits", "limit_2", "2 threads, one word", 2_000_000, ONE),
    Workload("limits", "limit_line_2", "2 threads, pinned", 400_000, ONE),
    Workload("deque", "deque_1t_1", "push + pop", 4_000_000, ONE),
    Workload("deque", "deque_1t_1000", "bursts of 1,000", 4_000_000, ONE),
    Workload("deque", "deque_steal_1", "1 thief", 1_000_000, BOTH),
    Workload("deque", "deque_steal_3", "3 thieves", 1_000_000, BOTH),
    Workload("deque", "deque_drain_1", "drain, 1 thief", 1_000_000, BOTH),
    Workload("deque", "deque_drain_3", "drain, 3 thieves", 1_000_000, BOTH),
    Workload("queue", "queue_1t_1", "push + pop", 2_000_000, ONE),
    Workload("queue", "queue_1t_1000", "bursts of 1,000", 2_000_000, ONE),
    Workload("queue", "queue_1x1", "1x1", 1_000_000, BOTH),
    Workload("queue", "queue_2x2", "2x2", 1_000_000, BOTH),
    Workload("queue", "queue_4x4", "4x4", 1_000_000, BOTH),
    Workload("bounded", "bounded_1t_1", "push + pop", 4_000_000, ONE),
    Workload("bounded", "bounded_1t_1000", "bursts of 1,000", 4_000_000, ONE),
    Workload("bounded", "bounded_1x1", "1x1", 1_000_000, BOTH),
    Workload("bounded", "bounded_2x2", "2x2", 1_000_000, BOTH),
    Workload("mpsc", "mpsc_1x1", "1x1", 1_000_000, BOTH),
    Workload("mpsc", "mpsc_4x1", "4x1", 1_000_000, BOTH),
    Workload("parker", "ping_pong_1", "one processor", 20_000, BOTH),
    Workload("parker", "ping_pong_2", "two processors", 3_000, BOTH),
]

TITLES = {
    "limits": "What the machine takes (ns an operation)",
    "deque": "Work-stealing deques (ns an element)",
    "queue": "Unbounded queues, many to many (ns an element)",
    "bounded": "Bounded queues of 1,024 (ns an element)",
    "mpsc": "Queues with one consumer (ns an element)",
    "parker": "Ping-pong of two threads (ns a round trip)",
}

# What a package is compared with where that is one thing, not the best of many.
REFERENCE = {"parker": "bare_futex"}

# A measurement takes some 0.1 s. One that takes so long hangs.
TIMEOUT_SECONDS = 20


def is_ours(peer):
    return peer == "home" or peer.startswith("home_")


def list_peers(programs):
    """Kind -> {peer: program}. Of programs that know the same peer the last one counts."""
    peers = collections.defaultdict(dict)
    for program in programs:
        listing = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            kind, peer = line.split()
            peers[kind][peer] = program
    return peers


def kind_of(workload):
    return workload.rpartition("_")[0]


def measure(program, workload, peer, n, wanted_class, prefix, timeout=TIMEOUT_SECONDS):
    return result_of(in_class(wanted_class) + prefix + [program, workload, peer, str(n)], timeout)


def run_all(options, workloads, peers, classes):
    """(workload, class, peer) -> list of results, one a round (None where it was left out)."""
    jobs = []
    for workload in workloads:
        for wanted in workload.classes if len(classes) == 2 else classes:
            for peer, program in peers[kind_of(workload.name)].items():
                jobs.append((workload, wanted, peer, program))
    results = {(w.name, c, peer): [] for w, c, peer, _ in jobs}
    order = random.Random(1)
    for number in range(options.rounds):
        # Peers of one workload and class one after another, for the sake of the ratios.
        groups = collections.defaultdict(list)
        for job in jobs:
            groups[job[0].name, job[1]].append(job)
        for group in groups.values():
            order.shuffle(group)
            for workload, wanted, peer, program in group:
                taken = results[workload.name, wanted, peer]
                if figures.given_up(taken):
                    taken.append(None)
                    continue
                n = max(1, int(workload.n * options.scale))
                taken.append(
                    measure(program, workload.name, peer, n, wanted, options.run_under.split())
                )
        print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr, flush=True)
    return results


def summarize(workload, wanted, results):
    """Rows of one workload and class, the fastest first; the wrong ones last."""
    rows = []
    for (name, of_class, peer), taken in results.items():
        if name != workload.name or of_class != wanted:
            continue
        failures = figures.failures_in(taken)
        right = [r for r in taken if r and "failure" not in r]
        row = {"workload": name, "class": of_class, "peer": peer, "rounds": len(taken)}
        row["samples_ns"] = [r.get("ns") if r else None for r in taken]
        if failures:
            row["failures"] = failures
        if right:
            row["median_ns"] = statistics.median(r["ns"] for r in right)
            row["quartiles_ns"] = quartiles([r["ns"] for r in right])
            row["cpu_ns"] = statistics.median(r["cpu"] for r in right)
            if "stolen" in right[0]:
                row["stolen"] = statistics.median(r["stolen"] for r in right)
        rows.append(row)
    rows.sort(key=lambda row: ("failures" in row, row.get("median_ns", float("inf"))))
    reference = REFERENCE.get(workload.package)
    others = [
        row
        for row in rows
        if "failures" not in row
        and (row["peer"] == reference if reference else not is_ours(row["peer"]))
    ]
    if workload.package != "limits" and others:
        best = others[0]
        for row in rows:
            ratio = ratio_of(row, best)
            if ratio is not None:
                row["ratio"] = ratio
                row["ratio_to"] = best["peer"]
    return rows


def shown(row):
    """One peer's figure, with its name."""
    if "failures" in row:
        return "%s **%s**" % (row["peer"], figures.failures_shown(row["failures"], row["rounds"]))
    return "%s %s" % (row["peer"], number(row["median_ns"]))


def overview(package, workloads, tables):
    """The table of one package: a row for each workload, class and container of ours."""
    reference = REFERENCE.get(package, "best peer")
    if package == "limits":
        lines = ["| | |", "|---|---|"]
    else:
        lines = ["| | ours | ns | middle half | %s | ns | ratio | the others, ns |" % reference]
        lines.append("|---" * 8 + "|")
    for workload in workloads:
        for wanted in sorted({c for name, c in tables if name == workload.name}):
            title = workload.title + (", " + wanted if workload.classes == BOTH else "")
            rows = tables[workload.name, wanted]
            if package == "limits":
                each = ("%s (%s-%s)" % (shown(r), *map(number, r["quartiles_ns"])) for r in rows)
                lines.append("| %s | %s |" % (title, ", ".join(each)))
                continue
            ours = sorted((row for row in rows if is_ours(row["peer"])), key=lambda row: row["peer"])
            best = next((row for row in rows if row["peer"] == row.get("ratio_to")), None)
            others = ", ".join(shown(row) for row in rows if row not in ours and row is not best)
            for index, row in enumerate(ours):
                known = "failures" not in row
                lines.append(
                    "| %s | %s | %s | %s | %s | %s | %s | %s |"
                    % (
                        title if index == 0 else "",
                        row["peer"],
                        "**%s**" % number(row["median_ns"]) if known else shown(row),
                        "%s-%s" % tuple(number(v) for v in row["quartiles_ns"]) if known else "",
                        best["peer"] if best and index == 0 else "",
                        number(best["median_ns"]) if best and index == 0 else "",
                        "%.2f" % row["ratio"] if "ratio" in row else "",
                        others if index == 0 else "",
                    )
                )
    return lines


def ratio_of(row, other):
    return median_of_ratios(row["samples_ns"], other["samples_ns"])


def against_each(workloads, tables):
    """Our container's ratio to each peer: a row a peer, a column a workload and class."""
    columns = []
    peers = {}
    for workload in workloads:
        for wanted in sorted({c for name, c in tables if name == workload.name}):
            rows = {row["peer"]: row for row in tables[workload.name, wanted]}
            if "home" not in rows:
                continue
            title = workload.title + (", " + wanted if workload.classes == BOTH else "")
            columns.append((title, rows))
            for peer, row in rows.items():
                if not is_ours(peer) and "failures" not in row:
                    peers.setdefault(peer, []).append(ratio_of(rows["home"], row))
    lines = ["| home against | " + " | ".join(title for title, _ in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    # The hardest to beat first.
    for peer in sorted(peers, key=lambda peer: -statistics.median(peers[peer])):
        cells = []
        for _, rows in columns:
            known = peer in rows and "failures" not in rows[peer]
            cells.append("%.2f" % ratio_of(rows["home"], rows[peer]) if known else "")
        lines.append("| %s | %s |" % (peer, " | ".join(cells)))
    return lines


def details(workloads, tables):
    lines = ["| workload | class | peer | median ns | middle half | CPU ns | ratio | |"]
    lines.append("|---" * 8 + "|")
    for workload in workloads:
        for wanted in sorted({c for name, c in tables if name == workload.name}):
            for row in tables[workload.name, wanted]:
                known = "median_ns" in row
                notes = []
                if "stolen" in row:
                    notes.append("%.0f %% stolen" % (100 * row["stolen"]))
                if "failures" in row:
                    notes.append(figures.failures_shown(row["failures"], row["rounds"]))
                lines.append(
                    "| %s | %s | %s | %s | %s | %s | %s | %s |"
                    % (
                        workload.name,
                        wanted,
                        row["peer"],
                        number(row["median_ns"]) if known else "",
                        "%s-%s" % tuple(number(v) for v in row["quartiles_ns"]) if known else "",
                        number(row["cpu_ns"]) if known else "",
                        "%.2f" % row["ratio"] if "ratio" in row else "",
                        ", ".join(notes),
                    )
                )
    return lines


def self_test():
    """A wrong or failing peer is named and never the best; ratios are those of the rounds."""
    def sample(ns, failure=None):
        return {"ns": ns, "cpu": ns, "failure": failure} if failure else {"ns": ns, "cpu": ns}

    workload = Workload("queue", "queue_1x1", "1x1", 1, ONE)
    results = {
        ("queue_1x1", "rr", "home"): [sample(10), sample(30), sample(20)],
        ("queue_1x1", "rr", "slow"): [sample(20), sample(20), sample(20)],
        ("queue_1x1", "rr", "wrong"): [sample(1), sample(1, "wrong"), sample(1)],
        ("queue_1x1", "rr", "gone"): [{"failure": "hangs"}, {"failure": "crashes"}, None],
        ("queue_2x2", "rr", "other"): [sample(1)],
    }
    rows = {row["peer"]: row for row in summarize(workload, "rr", results)}
    alone = {key: taken for key, taken in results.items() if key[2] in ("home", "wrong")}
    text = "\n".join(overview("queue", [workload], {("queue_1x1", "rr"): list(rows.values())}))
    each = "\n".join(against_each([workload], {("queue_1x1", "rr"): list(rows.values())}))
    text += "\n".join(details([workload], {("queue_1x1", "rr"): list(rows.values())}))
    checks = [
        ("four rows, the failed ones last", list(rows)[:2] == ["home", "slow"] and len(rows) == 4),
        ("the best peer is right", rows["home"]["ratio_to"] == "slow"),
        ("no best peer if all are wrong", "ratio" not in summarize(workload, "rr", alone)[0]),
        ("the median of the ratios", rows["home"]["ratio"] == 1.0),
        ("a wrong sample is left out of the median", rows["wrong"]["median_ns"] == 1),
        ("a wrong peer is named", "wrong **wrong in 1 of 3**" in text),
        ("ours against each", "| slow | 1.00 |" in each and "wrong" not in each),
        ("one that failed always is named", "hangs in 1 of 3, crashes in 1 of 3" in text),
        ("a hang is noticed", "failure" in measure("/bin/sh", "-c", "exec sleep 9", 1, "kernel", [], 0.2)),
        ("a crash is noticed", measure("/bin/sh", "-c", "kill -SEGV $$", 1, "kernel", []) == {"failure": "crashes"}),
        ("wrong is noticed", measure("/bin/sh", "-c", "echo w p 1 1 2.5 cpu=3 check=wrong", 1, "kernel", [])
         == {"ns": 2.5, "cpu": 3.0, "failure": "wrong"}),
    ]
    return figures.report(checks)


def main():
    parser = argparse.ArgumentParser(
        prog="tools/compare_containers", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--package", action="append", choices=sorted(TITLES), help="only these tables")
    parser.add_argument("--only", default="", metavar="REGEX", help="only workloads that match")
    parser.add_argument("--class", dest="classes", action="append", choices=BOTH)
    parser.add_argument("--run-under", default="", metavar="COMMAND", help="before each measurement")
    figures.add_options(parser)
    options = parser.parse_args()
    if options.self_test:
        sys.exit(self_test())
    if not options.program:
        parser.error("--program is missing")

    skipped = list(options.skipped)
    classes = figures.allowed_classes(options.classes or list(BOTH), skipped)
    peers = list_peers(options.program)
    for kind, known in peers.items():
        peers[kind] = {peer: program for peer, program in known.items() if re.search(options.peers, peer)}
    workloads = [
        w
        for w in WORKLOADS
        if (not options.package or w.package in options.package)
        and re.search(options.only, w.name)
        and peers.get(kind_of(w.name))
    ]
    if not workloads:
        sys.exit("nothing to measure")

    results = run_all(options, workloads, peers, classes)
    tables = {}
    for workload in workloads:
        for wanted in {c for name, c, _ in results if name == workload.name}:
            tables[workload.name, wanted] = summarize(workload, wanted, results)

    machine = figures.machine_of(options, skipped)
    lines = figures.heading("Containers beside their peers", machine)
    for package, title in TITLES.items():
        chosen = [w for w in workloads if w.package == package]
        if chosen:
            lines += ["", "## " + title, ""] + overview(package, chosen, tables)
            if package != "limits":
                lines += [""] + against_each(chosen, tables)
    if not options.brief:
        lines += ["", "## Every row", ""] + details(workloads, tables)
    rows = [row for w in workloads for key, table in tables.items() if key[0] == w.name for row in table]
    figures.write_tables(options, lines, {"machine": machine}, rows)


if __name__ == "__main__":
    main()
