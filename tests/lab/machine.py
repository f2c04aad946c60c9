"""A gateway with an init of its own: Debian booted by systemd-nspawn, in the network of the lab.

A Machine owns a copy of the image that tests/system-image makes, with /var as a file system of a size of its own, and the
container's process. Commands are run inside by nsenter(1), as an administrator's shell would run them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from pathlib import Path

from process import LabError, Process, command, need, tail, wait_for

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine:
    """gateway.corp.example; root's files lie in `root`."""

    def __init__(self, folder: Path, base: Path, var_size: str = "1g") -> None:
        for program, package in (("systemd-nspawn", "systemd-container"), ("nsenter", "util-linux")):
            need(program, package)
        self.root, self.log = folder / "root", folder / "console.log"
        self.process: Process | None = None
        command(["cp", "-a", "--reflink=auto", base, self.root])
        aside = folder / "var"
        (self.root / "var").rename(aside)
        (self.root / "var").mkdir()
        command(["mount", "-t", "tmpfs", "-o", f"mode=755,size={var_size}", "var", self.root / "var"])
        command(["cp", "-a", f"{aside}/.", self.root / "var"])
        (self.root / "etc/hosts").write_text(Path("/etc/hosts").read_text())
        (self.root / "etc/hostname").write_text("gateway\n")
        # A container's consoles and the network are the lab's own.
        for unit in ("console-getty.service", "systemd-resolved.service", "systemd-networkd.service"):
            (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")

    def boot(self) -> None:
        """Returns when systemd says that it is up."""
        # Where systemd runs outside too, its sockets would lead out of the lab.
        if not Path("/run/systemd/system").is_dir() or command(["mountpoint", "-q", "/run/systemd"], check=False).returncode:
            Path("/run/systemd").mkdir(exist_ok=True)
            command(["mount", "-t", "tmpfs", "run", "/run/systemd"])
        self.process = Process(["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--directory", self.root,
                                "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
                                "--capability=CAP_NET_ADMIN"], self.log)
        self.process.wait_for(lambda: self._init() and self.run("systemctl is-system-running", check=False).stdout.strip() in
                              ("running", "degraded"), "the machine to be up", 90)

    def shut_down(self) -> None:
        """As by its power button."""
        if not self.process:
            return
        self.run("systemctl poweroff", check=False)
        wait_for(lambda: not self.process.alive, "the machine to be down", 60, lambda: tail(self.log))
        self.process = None

    def stop(self) -> None:
        """Whatever its state."""
        if self.process:
            self.process.kill()
            self.process = None

    def run(self, line: str, text: str | None = None, check: bool = True, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """A line of bash, as root, in root's home."""
        done = command(self._argv(line), text, False, seconds=seconds)
        if check and done.returncode:
            raise LabError(f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def answer(self, line: str, question: str, answer: str, seconds: float = 120) -> str:
        """As run(), at a terminal: somebody who waits for the question. Returns all that was on the screen."""
        child = subprocess.Popen(self._argv(f"script -qec {shlex.quote(line)} /dev/null"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        watchdog = threading.Timer(seconds, child.kill)
        watchdog.start()
        screen, asked = b"", False
        while chunk := os.read(child.stdout.fileno(), 4096):
            screen += chunk
            if not asked and question in " ".join(screen.decode(errors="replace").split()):
                child.stdin.write(answer.encode())
                child.stdin.flush()
                asked = True
        watchdog.cancel()
        if child.wait() or not asked:
            raise LabError(f"{line}: exit {child.returncode}, asked: {asked}\n{screen.decode(errors='replace')}")
        return screen.decode(errors="replace")

    def write(self, path: str, text: str) -> None:
        (self.root / path.lstrip("/")).write_text(text)

    def property(self, unit: str, name: str) -> str:
        """systemctl show, one value."""
        return self.run(f"systemctl show --property={shlex.quote(name)} --value {shlex.quote(unit)}").stdout.strip()

    def journal(self, unit: str = "", since: str = "") -> str:
        options = (f" --unit={unit}" if unit else "") + (f" --since={shlex.quote(since)}" if since else "")
        return self.run(f"journalctl --no-pager --output=cat{options}").stdout

    def wait_for(self, condition, what: str, seconds: float = 30):
        """Each look is a process or a session of its own: not too often."""
        return wait_for(condition, what, seconds, self._why, every=0.2)

    def _argv(self, line: str) -> list[str]:
        init = self._init()
        if not init:
            raise LabError(f"the machine is down\n{tail(self.log)}")
        return ["nsenter", "--target", str(init), "--mount", "--uts", "--ipc", "--pid", "--net", "--root", "--wdns=/root",
                "env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "bash", "-c", line]

    def _why(self) -> str:
        if not self._init():
            return tail(self.log)
        return self.run("journalctl --no-pager --lines=40 --unit='postcensus*'; journalctl --no-pager --lines=15", check=False).stdout

    def _init(self) -> int:
        """The process that is 1 inside."""
        if not self.process or not self.process.alive:
            return 0
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0
