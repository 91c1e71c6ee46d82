"""What the comparisons of this folder share: statistics, and what machine this is."""

import os
import platform
import re
import statistics


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    cuts = statistics.quantiles(values, n=4, method="inclusive")
    return cuts[0], cuts[2]


def median_of_ratios(mine, others):
    """The median of the rounds' ratios, of those in which both gave a figure (not None)."""
    ratios = [a / b for a, b in zip(mine, others) if a is not None and b is not None]
    return statistics.median(ratios) if ratios else None


def number(value):
    return "{:,.0f}".format(value) if value >= 99.5 else "%.1f" % value


def may_use_rr():
    """Whether this process may ask for real-time scheduling."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return True
    except PermissionError:
        return False


def cpu_model():
    with open("/proc/cpuinfo") as file:
        match = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    return match.group(1) if match else platform.machine()
