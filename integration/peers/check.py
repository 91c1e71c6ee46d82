"""The race's regression guard: ratios of now beside recorded ones, never absolute times.

A record says, for each row (workload, workers, class), what multiple ours is of each
peer. A row's change is the median, over the peers that both know, of the ratio now by
the ratio recorded: that one peer got slower or faster moves it little. A row whose change
is above LOST is measured again by the caller, and has lost only if it is so once more.
"""

import json
import statistics

LOST = 1.15


def key_of(workload, threads, wanted):
    return "%s %d %s" % (workload, threads, wanted)


def ratios_of(tables, ours, apart):
    """Key -> {peer: ours as a multiple of it}, of those that gave right results and are not `apart`."""
    ratios = {}
    for row, table in tables.items():
        of_row = {
            peer: round(entry["ours_to_it"], 3)
            for peer, entry in table.items()
            if peer != ours and peer not in apart and not entry["failures"]
            and entry.get("ours_to_it") is not None
        }
        ratios[key_of(*row)] = {} if table.get(ours, {}).get("failures") else of_row
    return ratios


def write(path, machine, ratios):
    kept = {"machine": machine, "ratios": {key: of for key, of in ratios.items() if of}}
    with open(path, "w") as file:
        json.dump(kept, file, indent=1, sort_keys=True)
        file.write("\n")


def read(path):
    """The ratios, and at which scale they were measured."""
    with open(path) as file:
        record = json.load(file)
    return record["ratios"], record["machine"]["scale"]


def change(now, recorded):
    """Of one row. Infinite if ours gave no right result; None if no peer is known to both."""
    if not now:
        return float("inf")
    both = [now[peer] / recorded[peer] for peer in now if peer in recorded]
    return statistics.median(both) if both else None


def changes(now, recorded):
    """Key -> change, of the rows that both have and that can be compared."""
    each = {key: change(now[key], recorded[key]) for key in now if key in recorded}
    return {key: value for key, value in each.items() if value is not None}


def lost(changed):
    return sorted(key for key, value in changed.items() if value > LOST)


def self_test():
    """(what, whether it holds)"""
    recorded = {"a 1 rr": {"tokio": 0.5, "go": 0.4, "asio": 1.0}, "b 1 rr": {"tokio": 1.0}}
    same = {"a 1 rr": {"tokio": 0.55, "go": 0.41, "asio": 0.9}, "b 1 rr": {"tokio": 1.14}}
    worse = {"a 1 rr": {"tokio": 0.6, "go": 0.5, "asio": 1.0}, "b 1 rr": {"tokio": 1.16}}
    one_peer = {"a 1 rr": {"tokio": 5.0, "go": 0.4, "asio": 1.0}}
    return [
        ("what stays has not lost", lost(changes(same, recorded)) == []),
        ("more than 15 % is lost", lost(changes(worse, recorded)) == ["a 1 rr", "b 1 rr"]),
        ("one peer alone proves nothing", lost(changes(one_peer, recorded)) == []),
        ("wrong results are lost", lost(changes({"b 1 rr": {}}, recorded)) == ["b 1 rr"]),
        ("what is not recorded is left out", changes({"c 1 rr": {"tokio": 9.0}}, recorded) == {}),
        ("nor what has no peer in common", changes({"b 1 rr": {"go": 9.0}}, recorded) == {}),
    ]
