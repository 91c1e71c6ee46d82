"""Peers that a machine may lack.

A peer is a library in a system package. `--define=peer_NAME=1` says that it is there;
tools/compare_containers says so for each that it finds. Without it the peer's file is
not compiled, and no other target ever needs it.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")

PEERS = ["atomic_queue", "boost", "libcds", "moodycamel", "tbb", "urcu", "xenium"]

def peer(name, linkopts = []):
    """The library of peer_NAME.cc, and the setting that asks for it."""
    native.config_setting(
        name = "has_" + name,
        values = {"define": "peer_%s=1" % name},
    )
    cc_library(
        name = "peer_" + name,
        srcs = ["peer_%s.cc" % name],
        alwayslink = True,
        linkopts = linkopts,
        tags = ["manual"],
        deps = [":harness"],
    )

def peers_found():
    """The peers that were asked for, as dependencies."""
    found = []
    for name in PEERS:
        found = found + select({
            ":has_" + name: [":peer_" + name],
            "//conditions:default": [],
        })
    return found
