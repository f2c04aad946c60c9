"""From evidence to acceptance: the tables that change, beside sorting and building everything anew (publish_bench.cpp)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from measure import row
from process import LabError, MissingTool
from postcensus import binary

SIZES = os.environ.get("BENCH_SIZES", "1000 100000 1000000").split()


def run(folder: Path) -> None:
    program = binary().with_name("publish_bench")
    if not program.exists():
        raise MissingTool(f"{program} does not exist: `make bench` builds it")
    for kind in ("lmdb", "btree", "hash", "cdb"):
        with subprocess.Popen([program, folder / kind, kind, *SIZES], stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                what, ours, peer, note = line.rstrip("\n").split("\t")
                row(f"{what} ({note})" if note else what, float(ours) * 1000, float(peer) * 1000, "ms")
        if child.returncode:
            raise LabError(f"{program} ended with {child.returncode}")
