"""The program under test: its binary, a configuration of its own, and `watch` as a child with a notify socket.

A Postcensus owns its folder (configuration, state, maps, secrets) and the watch that it started.
The binary comes from the environment (POSTCENSUS), else from build/ of this source tree.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Callable, Mapping

from process import LabError, MissingTool, Process, wait_for

Sections = Mapping[str, Mapping[str, object]]
ROOT = Path(__file__).resolve().parents[2]


def binary() -> Path:
    path = Path(os.environ.get("POSTCENSUS", ROOT / "build" / "postcensus"))
    if not path.exists():
        raise MissingTool(f"{path} does not exist: build it, or name it by POSTCENSUS=…")
    return path


class Watch(Process):
    """`postcensus watch`, and all that it told its service manager."""

    def __init__(self, argv: list[str], log: Path, socket_path: Path, env: Mapping[str, str]) -> None:
        socket_path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(socket_path))
        socket_path.chmod(0o777)  # the daemon may run as another user
        self.messages: list[str] = []  # `READY=1`, `STATUS=…`, `WATCHDOG=1` in order
        # A thread, for the kernel keeps few datagrams: an unread socket would block the daemon.
        threading.Thread(target=self._listen, daemon=True).start()
        super().__init__(argv, log, {**env, "NOTIFY_SOCKET": str(socket_path)})

    @property
    def statuses(self) -> list[str]:
        return [m.removeprefix("STATUS=") for m in list(self.messages) if m.startswith("STATUS=")]

    def wait_ready(self, seconds: float = 15) -> "Watch":
        self.wait_for(lambda: "READY=1" in self.messages, "READY=1", seconds)
        return self

    def reload(self, seconds: float = 15) -> None:
        """SIGHUP; returns when it is ready again."""
        before = self.messages.count("READY=1")
        self.signal(signal.SIGHUP)
        self.wait_for(lambda: self.messages.count("READY=1") > before, "READY=1 after SIGHUP", seconds)

    def _listen(self) -> None:
        while True:
            try:
                self.messages += self._socket.recv(65536).decode("utf-8", "replace").splitlines()
            except OSError:
                return


class Postcensus:
    """`folder`/postcensus.conf, state/state.db, secrets. What configure() is not told has values that suit the lab."""

    def __init__(self, folder: Path, maps: Path | None = None, owner: str = "daemon") -> None:
        self.binary = binary()
        self.folder, self.maps, self.owner = folder, maps or folder / "maps", owner
        self.conf, self.state = folder / "postcensus.conf", folder / "state" / "state.db"
        self.log = folder / "watch.log"
        self.process: Watch | None = None
        self.sections: dict[str, dict[str, object]] = {}
        for path in (self.state.parent, self.maps, folder / "metrics"):
            path.mkdir(parents=True, exist_ok=True)
            # The program becomes the owner of the state's folder: the lab runs it as a real system does.
            shutil.chown(path, owner)

    def configure(self, sections: Sections | None = None, **more: Mapping[str, object]) -> Path:
        """Writes the configuration: the given sections over the lab's own. A value None leaves its key out."""
        self.sections = {"general": {"state": self.state, "maps": self.maps}, "log": {"source": "file"}}
        for name, values in {**(sections or {}), **more}.items():
            self.sections.setdefault(name, {}).update(values)
        lines: list[str] = []
        for name, values in self.sections.items():
            lines += ["", f"[{name}]"] + [f"{key} = {value}".rstrip() for key, value in values.items() if value is not None]
        self.conf.write_text("\n".join(lines[1:]) + "\n")
        return self.conf

    def set(self, section: str, **values: object) -> None:
        """Changes single keys (poll_interval is poll-interval) and writes the file again."""
        self.sections.setdefault(section, {}).update({key.replace("_", "-"): value for key, value in values.items()})
        self.configure(dict(self.sections))

    def secret(self, name: str, text: str) -> Path:
        """A password file that only its owner can read."""
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def run(self, *arguments: str | Path, text: str | None = None, seconds: float = 60,
            env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end and returns it, whatever its exit code."""
        argv = [str(self.binary), "--config", str(self.conf), *(str(a) for a in arguments)]
        try:
            return subprocess.run(argv, input=text, stdin=None if text is not None else subprocess.DEVNULL, text=True,
                                  capture_output=True, timeout=seconds, env={**os.environ, **(env or {})})
        except subprocess.TimeoutExpired as late:
            raise LabError(f"{' '.join(argv)} did not end within {seconds:g} s\n{late.stdout}{late.stderr}") from None

    def watch(self, *arguments: str, ready: bool = True, log_level: str = "debug",
              env: Mapping[str, str] | None = None) -> Watch:
        """Starts `watch`; returns when it is READY=1, unless told not to wait."""
        argv = [str(self.binary), "--config", str(self.conf), "--log-level", log_level, "watch", *arguments]
        self.process = Watch(argv, self.log, self.folder / "notify", env or {})
        return self.process.wait_ready() if ready else self.process

    def stop(self) -> int:
        """SIGTERM to the watch, if one runs; returns its exit code."""
        process, self.process = self.process, None
        return process.stop() if process else 0

    def kill(self) -> None:
        """SIGKILL: no chance to write anything."""
        process, self.process = self.process, None
        if process:
            process.kill()

    def table(self, name: str) -> list[str]:
        """The lines of a published table's text, without its header."""
        path = self.maps / name
        return [line for line in path.read_text().splitlines() if line and not line.startswith("#")] if path.exists() else []

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 10) -> None:
        """Waits for an effect of the watch; its log tells the rest when it does not come."""
        if self.process:
            self.process.wait_for(condition, what, seconds)
        else:
            wait_for(condition, what, seconds)
