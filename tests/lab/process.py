"""Child processes of the lab, and the one way to wait for something.

A Process owns its child: it starts it, writes all it says into a log file and ends it by its pid.
Whoever starts one stops it (or leaves the `with` block). A child that ends too early or a wait
that takes too long raises LabError with the tail of the log.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence, TypeVar

T = TypeVar("T")


class LabError(Exception):
    """The lab itself failed (a server did not start, a deadline passed): no finding about the program."""


class MissingTool(LabError):
    """A program or module of the lab is not installed. Tests skip on it, visibly."""


def wait_for(condition: Callable[[], T], what: str, seconds: float = 10.0, hint: Callable[[], str] = str,
             every: float = 0.01) -> T:
    """Waits until condition() is true and returns its value. The only place of the lab that sleeps."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s in vain for: {what}\n{hint()}")
        time.sleep(every)


def accepts(address: str, port: int) -> bool:
    """Whether someone accepts connections there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def need(program: str, package: str) -> str:
    """The path of a program that the lab cannot do without."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/postfix/sbin")
    if not path:
        raise MissingTool(f"{program} is not installed (Debian package {package})")
    return path


def command(argv: Sequence[str | Path], text: str | None = None, check: bool = True,
            env: Mapping[str, str] | None = None, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; unless check is off, a failure raises LabError with all that it said."""
    done = subprocess.run([str(a) for a in argv], input=text, capture_output=True, text=True, timeout=seconds,
                          env={**os.environ, **(env or {})}, stdin=None if text is not None else subprocess.DEVNULL)
    if check and done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def tail(path: Path, lines: int = 30) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return str(error)


class Process:
    """One child. Its standard output and error are appended to `log`."""

    def __init__(self, argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None,
                 pass_fds: Sequence[int] = ()) -> None:
        self.argv = [str(a) for a in argv]
        self.log = log
        # A session of its own: Ctrl-C reaches only the lab, which then stops its children in order.
        with log.open("ab") as out:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env={**os.environ, **(env or {})}, pass_fds=pass_fds, start_new_session=True)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def alive(self) -> bool:
        return self.child.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
        """As wait_for(), and fails at once when the child ends."""
        def or_dead() -> T:
            value = condition()
            if not value and not self.alive:
                raise LabError(f"{self.argv[0]} ended ({self.child.returncode}) before: {what}\n{tail(self.log)}")
            return value
        return wait_for(or_dead, what, seconds, lambda: tail(self.log))

    def wait_for_line(self, text: str, seconds: float = 10.0) -> None:
        self.wait_for(lambda: text in self.output(), f"the line {text!r} in {self.log}", seconds)

    def wait_for_port(self, address: str, port: int, seconds: float = 10.0) -> None:
        self.wait_for(lambda: accepts(address, port), f"{self.argv[0]} on {address}:{port}", seconds)

    def wait(self, seconds: float = 10.0) -> int:
        """Waits for the child's own end; returns its exit code (negative: the signal that ended it)."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.argv[0]} did not end within {seconds:g} s\n{tail(self.log)}") from None

    def signal(self, number: int) -> None:
        if self.alive:
            self.child.send_signal(number)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and are still accepted by the kernel, but nobody answers."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self, seconds: float = 10.0) -> int:
        """SIGTERM, and SIGKILL when that is ignored. Returns the exit code."""
        self.thaw()
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        self.signal(signal.SIGKILL)
        return self.child.wait(10)

    def kill_group(self) -> int:
        """SIGKILL to the child and all that it started and that stayed in its process group."""
        if self.alive:
            os.killpg(self.pid, signal.SIGKILL)
        return self.child.wait(10)


class Server:
    """What all servers of the lab have in common: `process`, while they run."""

    process: Process | None = None

    def stop(self) -> None:
        """An outage: connections are refused."""
        if self.process:
            self.process.stop(30)
            self.process = None

    def freeze(self) -> None:
        """An outage of the worse kind: connections open, and no answer comes."""
        assert self.process
        self.process.freeze()

    def thaw(self) -> None:
        assert self.process
        self.process.thaw()
