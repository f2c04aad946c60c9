"""The audit: explain and report on a state of months, against grep and pflogsumm on the log of one day of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import large_state
import scan_bench
from measure import best, measure, row
from postcensus import ROOT, Postcensus
from postfix import Postfix
from process import LabError, need

SIZES = ((100_000, 1_000_000), (1_000_000, 10_000_000))  # addresses; rows of history and misses
DAY_OF_LOG = 200 / 14 / 2 / 1_000_000  # MB for each row: half are misses, of 14 days, some 200 bytes each
LARGEST_PAGE = 1_000_000  # bytes
EXPLAIN_GOAL, REPORT_GOAL = 0.05, 1.0  # seconds, on the largest state


def keeps_to(goal: float | None, what: str, taken: float) -> None:
    if goal is not None and taken > goal:
        raise LabError(f"{what} takes {taken:.3f} s: more than {goal:g} s")


def run(folder: Path) -> None:
    pflogsumm = need("pflogsumm", "pflogsumm")
    for addresses, rows in SIZES:
        # On a disk: the large one is more than a gigabyte.
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
            place = Path(name)
            place.chmod(0o755)
            postfix = Postfix(place / "postfix", "gateway.corp.example")
            (place / "empty.log").touch()
            census = Postcensus(place / "census")
            census.configure({"general": {"postfix-config": postfix.etc, "table-type": "hash"}, "log": {"path": place / "empty.log"},
                              "route.exchange": {"domains": "corp.example branch.example", "callout": "none"}})
            made = census.run("watch", "--once")
            if made.returncode != 0:
                raise LabError(made.stderr)
            large_state.fill(census.state, addresses, rows)
            for path in census.state.parent.iterdir():
                shutil.chown(path, census.owner)
            log = place / "day.log"
            scan_bench.write(log, max(1, round(rows * DAY_OF_LOG)))
            size = f"{addresses:,} addresses, {rows:,} rows"
            command = [census.binary, "--config", census.conf]
            known, page = f"made-up{addresses}@corp.example", place / "report.html"
            looked_up = best(lambda: measure(["grep", "-cF", "anna1@corp.example", log]))
            summed_up = best(lambda: measure([pflogsumm, log], out=place / "sum"))
            explained = best(lambda: measure([*command, "explain", known], out=place / "out"))
            row(f"explain; grep in a day's log ({size})", explained.seconds, looked_up.seconds)
            keeps_to(EXPLAIN_GOAL, "explain", explained.seconds)
            for arguments, what, goal in ((["--since", "24h"], "report", REPORT_GOAL),
                                          (["--since", "24h", "--format", "json"], "report as JSON", REPORT_GOAL),
                                          (["--since", "24h", "--format", "html"], "report as HTML", REPORT_GOAL),
                                          (["--since", "24h", "--domain", "branch.example"], "report of a domain", REPORT_GOAL),
                                          (["--since", "14d"], "report of 14 days", None)):
                done = best(lambda: measure([*command, "report", *arguments], out=page))
                row(f"{what}; pflogsumm of a day ({size})", done.seconds, summed_up.seconds)
                keeps_to(goal, what, done.seconds)
                if "html" in arguments and not 0 < page.stat().st_size < LARGEST_PAGE:
                    raise LabError(f"the page has {page.stat().st_size} bytes")
