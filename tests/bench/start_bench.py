"""From the start of `watch` to READY=1 on a state of many addresses, beside the start of Postfix until it greets."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Callable

import large_state
from measure import LIMIT, TIMES, row
from postcensus import ROOT, Postcensus
from postfix import Postfix
from process import LabError

SIZES = (100_000, 1_000_000)
GOAL = 1.0  # seconds


def to_ready(census: Postcensus, kill: bool) -> float:
    """Starts a watch, and ends it once it is ready."""
    path = census.folder / "notify"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, census.log.open("ab") as log:
        notices.bind(str(path))
        path.chmod(0o777)
        notices.settimeout(LIMIT)
        begun = time.perf_counter()
        child = subprocess.Popen([census.binary, "--config", census.conf, "watch"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**os.environ, "NOTIFY_SOCKET": str(path)})
        try:
            while b"READY=1" not in notices.recv(65536):
                pass
            taken = time.perf_counter() - begun
        except TimeoutError:
            raise LabError(f"not ready\n{census.log.read_text()}") from None
        finally:
            child.kill() if kill else child.terminate()
            child.wait(30)
    return taken


def leave_a_log(state: Path, addresses: int) -> None:
    """As one that was killed: much that is written stands in the WAL alone."""
    child = os.fork()
    if child == 0:
        try:
            db = sqlite3.connect(state)
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("UPDATE address SET asked_at = 1 WHERE id <= ?", (addresses // 10,))
            db.commit()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def make(census: Postcensus, addresses: int) -> None:
    """All decided and published."""
    with closing(sqlite3.connect(census.state)) as state:
        policies = state.execute("SELECT domain, policy FROM domain").fetchall()
    large_state.fill(census.state, addresses, addresses)
    with closing(sqlite3.connect(census.state)) as state, state:
        state.executemany("UPDATE domain SET policy = ? WHERE domain = ?", [(policy, domain) for domain, policy in policies])
    for path in census.state.parent.iterdir():
        shutil.chown(path, census.owner)
    published = census.run("watch", "--once", seconds=LIMIT)
    if published.returncode != 0 or len(census.table("directory")) < addresses / 2:
        raise LabError(published.stderr)


def forget_pages(census: Postcensus) -> None:
    """As after a reboot: nothing of the state and the tables is in memory."""
    for path in (*census.state.parent.iterdir(), *census.maps.iterdir()):
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def postfix_start(postfix: Postfix) -> float:
    begun = time.perf_counter()
    postfix.start()
    with socket.create_connection((postfix.address, postfix.port), LIMIT) as client:
        if not client.recv(4096).startswith(b"220"):
            raise LabError("Postfix does not greet")
    taken = time.perf_counter() - begun
    postfix.kill()
    return taken


def fastest(work: Callable[[], float]) -> float:
    return min(work() for _ in range(TIMES))


def run(folder: Path) -> None:
    for addresses in SIZES:
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:  # on a disk
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
            make(census, addresses)
            peer = fastest(lambda: postfix_start(postfix))
            stopped = fastest(lambda: to_ready(census, kill=False))

            def after_kill() -> float:
                to_ready(census, kill=True)
                leave_a_log(census.state, addresses)
                return to_ready(census, kill=True)

            def after_reboot() -> float:
                forget_pages(census)
                return to_ready(census, kill=False)

            def after_broken_publication() -> float:
                """All tables are newer than the state: who stands in them is looked up, one by one."""
                with closing(sqlite3.connect(census.state)) as state, state:
                    state.execute("UPDATE publication SET generation = generation - 1")
                return to_ready(census, kill=True)
            rows = (("", stopped), (" after a SIGKILL", fastest(after_kill)), (" after a reboot", fastest(after_reboot)))
            for what, taken in rows:
                row(f"start of watch to READY{what}; of Postfix to its greeting ({addresses:,} addresses)", taken, peer)
                if taken > GOAL:
                    raise LabError(f"{taken:.2f} s to READY: more than {GOAL:g} s")
            row(f"  after a publication that was broken off ({addresses:,} addresses)", fastest(after_broken_publication), peer)
