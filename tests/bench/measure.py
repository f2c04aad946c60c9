"""What the benchmarks share: a command under measurement, and the rows.

A command that fails or takes too long is a LabError with all that it said: a failure is never measured.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from process import LabError  # noqa: E402

LIMIT = 300.0  # seconds that nothing here may take
TIMES = 3
ENOUGH = 40.0  # seconds in all, after which a measurement is not taken again: what disturbs it weighs little by then


@dataclass(frozen=True)
class Run:
    """Seconds; and KiB: the largest resident set of the command or of a child that it waited for, and its own alone."""

    seconds: float
    memory: int = 0
    alone: int = 0


def best(work: Callable[[], Run]) -> Run:
    """The least time of three runs (the others were disturbed by what else the machine does), and the most memory."""
    done: list[Run] = []
    begun = time.perf_counter()
    while len(done) < TIMES and time.perf_counter() - begun < ENOUGH:
        done.append(work())
    return Run(min(r.seconds for r in done), max(r.memory for r in done), max(r.alone for r in done))


def peak(pid: int) -> int:
    """The largest resident set of a living process so far, in KiB; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def cpu(pid: int) -> float:
    """Seconds of processor time that a living process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Command:
    """One that runs; finish() waits for its end. Output goes to `out`, or is kept for the error message."""

    def __init__(self, argv: Sequence[str | Path], out: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.argv = [str(a) for a in argv]
        self._said = tempfile.TemporaryFile("w+")
        self._late, self._alone, self._ended = False, 0, threading.Event()
        self._begun = time.perf_counter()
        with out.open("w") if out else os.fdopen(os.dup(self._said.fileno()), "w") as stdout:
            self._child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self._said,
                                           env={**os.environ, **(env or {})}, start_new_session=True)
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    @property
    def running(self) -> bool:
        return os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def finish(self, codes: Sequence[int] = (0,)) -> Run:
        """Its time counts up to this call's end: call it at once where time matters."""
        os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.perf_counter() - self._begun
        self._ended.set()
        self._sampler.join()
        _, status, usage = os.wait4(self._child.pid, 0)
        self._child.returncode = os.waitstatus_to_exitcode(status)
        self._said.seek(0)
        if self._late or self._child.returncode not in codes:
            end = f"not ended within {LIMIT:g} s" if self._late else f"exit {self._child.returncode}"
            raise LabError(f"{' '.join(self.argv)}: {end}\n{self._said.read()}")
        self._said.close()
        # Linux counts for a child what its parent had when it forked: as much as that says nothing about the child.
        floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Run(seconds, max(usage.ru_maxrss if usage.ru_maxrss > floor else 0, self._alone), self._alone)

    def _sample(self) -> None:
        """The process's own peak, which wait4 cannot tell from its children's."""
        while not self._ended.wait(0.005):
            self._alone = max(self._alone, peak(self._child.pid))
            if time.perf_counter() - self._begun > LIMIT:
                self._late = True
                os.killpg(self._child.pid, signal.SIGKILL)
                return


def measure(argv: Sequence[str | Path], out: Path | None = None, env: Mapping[str, str] | None = None) -> Run:
    return Command(argv, out, env).finish()


def seconds(work: Callable[[], object]) -> float:
    """The fastest of three runs."""
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


HEADER = "what | ours | peer | ratio"


def row(what: str, ours: float, peer: float | None = None, unit: str = "s") -> None:
    """A row without a peer has its two last columns empty."""
    digits = {"s": 3, "ms": 1, "MB": 0, "times": 1, "%": 1}[unit]
    cells = [what, f"{ours:.{digits}f} {unit}", *([f"{peer:.{digits}f} {unit}", f"{ours / peer:.2f}"] if peer else ["", ""])]
    print(" | ".join(cells).rstrip(), flush=True)
