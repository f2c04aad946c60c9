"""Exchange played by Exim: a server that we did not write, with replies and limits of its own.

`make deps` unpacks it into build/exim, as the installed package would exclude Postfix. An Exim owns its folder and its
daemon; it verifies recipients by a router and takes no mail.
"""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import Iterable

from process import MissingTool, Process, Server, command

BINARY = Path(__file__).resolve().parents[2] / "build" / "exim" / "usr" / "sbin" / "exim4"
USER = "Debian-exim"

CONF = """\
primary_hostname = ex1.corp.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = 2525
spool_directory = {folder}/spool
log_file_path = {folder}/exim-%s.log
pid_file_path = {folder}/exim.pid
log_selector = +smtp_connection +smtp_protocol_error +smtp_syntax_error
keep_environment =
acl_smtp_rcpt = recipients
acl_smtp_predata = nobody
{settings}
begin acl
recipients:
  require message = relay not permitted
          domains = {domains}
  require verify = recipient
  accept
nobody:
  deny message = This server takes no mail

begin routers
known:
  driver = accept
  local_parts = lsearch;{folder}/recipients
  transport = nowhere
{more_routers}
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
"""

# What many operators have behind all others, in the place of Exim's own "Unrouteable address".
SAYS_UNKNOWN = """\
unknown:
  driver = redirect
  allow_fail
  data = :fail: Unknown user
"""


class Exim(Server):
    """ex1.corp.example on 127.0.0.1:2525, with Exim's own limits but for the settings that are named. TLS: tls_advertise_hosts="*"."""

    def __init__(self, folder: Path, recipients: Iterable[str] = (), domains: Iterable[str] = ("corp.example",),
                 more_routers: str = "", **settings: object) -> None:
        if not BINARY.exists():
            raise MissingTool(f"{BINARY} does not exist (make deps unpacks the Debian package exim4-daemon-light)")
        self.folder = folder
        (folder / "spool").mkdir(parents=True)
        self.log = folder / "exim-main.log"
        self.conf = folder / "exim.conf"
        self.conf.write_text(CONF.format(
            folder=folder, domains=":".join(domains), more_routers=more_routers,
            settings="\n".join(f"{name} = {value}" for name, value in {"tls_advertise_hosts": "", **settings}.items())))
        self.set_recipients(recipients)
        _make_user(folder)

    def set_recipients(self, local_parts: Iterable[str]) -> None:
        (self.folder / "recipients").write_text("".join(f"{name}\n" for name in local_parts))

    def start(self) -> None:
        command(["chown", f"{USER}:{USER}", self.folder, self.folder / "spool"])
        self.process = Process([BINARY, "-C", self.conf, "-bdf"], self.folder / "exim.log")
        self.process.wait_for_port("127.0.0.1", 2525)

    def logged(self, text: str) -> int:
        """How many lines of Exim's log have it. Its port is open before it makes that log. Exim also writes one of what it refuses."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return sum(text in line for line in lines)


def _make_user(folder: Path) -> None:
    """Exim wants its user and group by name: the lab has them in files of its own, the machine does not."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        for name, line in (("passwd", f"{USER}:x:65533:65533::/nonexistent:/usr/sbin/nologin\n"), ("group", f"{USER}:x:65533:\n")):
            (folder / name).write_text(Path("/etc", name).read_text() + line)
            command(["mount", "--bind", folder / name, Path("/etc", name)])
