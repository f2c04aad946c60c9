"""`make bench`: one row per measurement, `what | ours | peer | ratio`, each pair measured in the same run.

Runs inside the lab (tests/lab/run). The machine's own speed does not matter: the ratio does, and how it grows with the input.
The lab's folder is memory, where fsync is free; LAB_DIR=/some/folder puts all files on a disk. Names of benches as arguments: only those.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import HEADER, LabError
import ask_bench
import audit_bench
import flood_bench
import learn_bench
import publish_bench
import scan_bench
import start_bench
import sync_bench

BENCHES = {"ask": ask_bench.run, "audit": audit_bench.run, "flood": flood_bench.run, "learn": learn_bench.run,
           "publish": publish_bench.run, "scan": scan_bench.run, "start": start_bench.run, "sync": sync_bench.run}


def main(names: list[str]) -> int:
    os.umask(0o022)
    print(HEADER, flush=True)
    for name in names or BENCHES:
        with tempfile.TemporaryDirectory(dir=os.environ["LAB_DIR"]) as folder:
            Path(folder).chmod(0o755)
            try:
                BENCHES[name](Path(folder))
            except LabError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
