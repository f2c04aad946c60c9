"""A Postfix instance of its own: folder, queue, log, addresses. Base of the gateway and of an Exchange stand-in.

A Postfix owns its folder and its master process. It runs as root inside the lab; nothing of it is
chrooted. Its tables are plain files that tests may replace at any time.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Iterable

from process import Process, Server, accepts, command, need, tail, wait_for
from smtp_client import Dialogue, SmtpClient

DAEMONS = "/usr/lib/postfix/sbin"

# No chroot, no wake-up faster than needed; each listener comes from master_services().
MASTER = """\
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
proxywrite unix - - n -     1 proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
  -o syslog_name=${multi_instance_name?{$multi_instance_name}:{postfix}}/$service_name
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
local     unix  - n n -     - local
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


QUEUE = [("pid", 0o755, "root", "root"), ("public", 0o2710, "postfix", "postdrop"),
         ("maildrop", 0o1730, "postfix", "postdrop")] + [
    (name, 0o700, "postfix", "root") for name in (
        "incoming", "active", "hold", "corrupt", "bounce", "private", "deferred", "defer", "trace", "saved", "flush")]


class Postfix(Server):
    """`folder` holds etc/ (main.cf, master.cf), queue/, data/ and mail.log (`log`)."""

    def __init__(self, folder: Path, hostname: str, address: str = "127.0.0.1", port: int = 25) -> None:
        need("postmap", "postfix")
        need("master", "postfix")
        self.folder, self.hostname, self.address, self.port = folder, hostname, address, port
        self.etc, self.log = folder / "etc", folder / "mail.log"
        folder.mkdir(parents=True)
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        for name in ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d"):
            if Path("/etc/postfix", name).exists():
                os.symlink(Path("/etc/postfix", name), self.etc / name)
        self.settings: dict[str, str] = {
            "compatibility_level": "3.6", "myhostname": hostname, "mydestination": "",
            "queue_directory": str(folder / "queue"), "data_directory": str(folder / "data"), "maillog_file": str(self.log), "maillog_file_prefixes": str(folder),
            "inet_interfaces": "all", "inet_protocols": "ipv4", "alias_maps": "", "alias_database": "",
            "local_recipient_maps": "", "local_transport": "error:no local mail here",
            # Without these the lab would be slow for reasons that have nothing to do with what it tests.
            "in_flow_delay": "0", "smtpd_client_connection_rate_limit": "0", "smtpd_client_connection_count_limit": "0",
            "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "1000", "smtpd_soft_error_limit": "1000",
            "disable_dns_lookups": "yes", "smtp_host_lookup": "native", "smtpd_peername_lookup": "no",
            "minimal_backoff_time": "2s", "queue_run_delay": "2s", "biff": "no", "smtpd_tls_security_level": "none",
            "smtp_tls_security_level": "may", "smtputf8_enable": "yes",
        }
        self._write_main()  # postmap reads it too, before the first start

    def master_services(self) -> str:
        """The lines of master.cf that listen."""
        return f"{self.address}:{self.port} inet n - n - - smtpd\n"

    def write(self) -> None:
        """Writes main.cf and master.cf from `settings`; reload() makes a running instance read them."""
        self._write_main()
        (self.etc / "master.cf").write_text(self.master_services() + MASTER)

    def start(self) -> None:
        self.write()
        self._make_queue()
        self._make_log()
        self.process = Process([f"{DAEMONS}/master", "-c", self.etc, "-d"], self.folder / "master.log")
        self.process.wait_for_port(self.address, self.port)

    def kill(self) -> None:
        """SIGKILL to the master and all its daemons: a crash, and the fast end of a test (stop takes a second)."""
        if self.process:
            self.process.kill_group()
            self.process = None
            # The daemons' share of the port ends a moment after the master.
            wait_for(lambda: not accepts(self.address, self.port), f"{self.address}:{self.port} given up")

    def reload(self, **settings: str) -> None:
        """Changes settings and makes the daemons read them, as `postfix reload` does; ends when all new sessions meet them.

        A session that is still open keeps its smtpd, and this waits for it in vain: quit it first.
        """
        self.settings.update(settings)
        self.write()
        self._hang_up()

    def rotate_log(self) -> Path:
        """As logrotate with `create 0644`: a new log, and the daemons told; returns where the old one is."""
        old = self.log.with_name(f"{self.log.name}.1")
        self.log.rename(old)
        self._make_log()
        self._hang_up()
        return old

    def _make_log(self) -> None:
        """Postlogd by itself would make a file that only root can read."""
        self.log.touch()
        self.log.chmod(0o644)

    def _hang_up(self) -> None:
        assert self.process
        # An idle smtpd learns of the reload a moment later than the master and may take one more session before.
        # And postlogd writes into the old file until it ends.
        old = self._daemons("smtpd") | self._daemons("postlogd")
        before = self._reloads()
        self.process.signal(signal.SIGHUP)
        self.process.wait_for(lambda: self._reloads() > before, "Postfix to reload")
        self.process.wait_for(lambda: not old & (self._daemons("smtpd") | self._daemons("postlogd")),
                              "the old smtpd and postlogd to end")

    def flush(self) -> None:
        command(["postqueue", "-c", self.etc, "-f"])

    def table(self, kind: str, name: str, entries: dict[str, str]) -> str:
        """Makes a lookup table by postmap, swapped in by rename, and returns its name for main.cf."""
        path, aside = self.etc / name, self.etc / f".{name}.new"
        make_table(kind, path, entries, aside, self.etc)
        return f"{kind}:{path}"

    def postmap_query(self, table: str, key: str) -> str | None:
        """What Postfix finds there; None: nothing. `table` is TYPE:PATH. Noise on standard error is a LabError."""
        done = command(["postmap", "-c", self.etc, "-q", key, table], check=False)
        if done.stderr:
            command(["false", done.stderr])
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def postmap_find(self, table: str, keys: Iterable[str]) -> set[str]:
        """Those of these keys that Postfix finds there."""
        found = command(["postmap", "-c", self.etc, "-q", "-", table], text="".join(f"{key}\n" for key in keys), check=False)
        return {line.split("\t")[0] for line in found.stdout.splitlines()}

    def logged(self, text: str) -> list[str]:
        """The lines of the log that hold this text by now. A daemon's line may come later than its reply: wait_logged()."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if text in line]

    def wait_logged(self, text: str, count: int = 1, seconds: float = 10) -> list[str]:
        """Waits until so many lines hold this text, and returns them."""
        wait_for(lambda: len(self.logged(text)) >= count, f"{text!r} in {self.log}", seconds, lambda: tail(self.log))
        return self.logged(text)

    def dialogue(self, rcpt: str, sender: str = "sender@elsewhere.example", client_ip: str = "192.0.2.10") -> Dialogue:
        """A session of its own up to RCPT, then QUIT. The client is a stranger unless told otherwise."""
        client = self.client(client_ip)
        if client.say(f"MAIL FROM:<{sender}>"):
            client.say(f"RCPT TO:<{rcpt}>")
        return client.quit()

    def send(self, rcpts: list[str] | str, sender: str = "sender@elsewhere.example", client_ip: str = "192.0.2.10",
             text: str = "Subject: lab\n\nHello.\n") -> Dialogue:
        """As dialogue(), with DATA if a recipient was accepted."""
        client = self.client(client_ip)
        client.say(f"MAIL FROM:<{sender}>")
        accepted = [client.say(f"RCPT TO:<{r}>")[:1] for r in ([rcpts] if isinstance(rcpts, str) else rcpts)]
        if "2" in accepted:
            client.data(text)
        return client.quit()

    def client(self, client_ip: str = "192.0.2.10", helo: str = "client.elsewhere.example") -> SmtpClient:
        """A session after EHLO."""
        client = SmtpClient(self.address, self.port, client_ip)
        client.say(f"EHLO {helo}")
        return client

    def _reloads(self) -> int:
        logs = (self.log, self.log.with_name(f"{self.log.name}.1"))
        return sum(log.read_text(errors="replace").count(": reload -- version") for log in logs if log.exists())

    def _daemons(self, name: str) -> set[int]:
        """The pids of the master's children of that name."""
        found = set()
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                before, _, after = path.read_text().rpartition(") ")
            except OSError:
                continue  # ended meanwhile
            if self.process and int(after.split()[1]) == self.process.pid and before.endswith(f"({name}"):
                found.add(int(before.split()[0]))
        return found

    def _write_main(self) -> None:
        path = self.etc / "main.cf"
        path.write_text("".join(f"{name} = {value}\n" for name, value in self.settings.items()))
        # Postfix reads a file that is younger than a second again and again, until it is older: each program waits.
        os.utime(path, (time.time() - 10,) * 2)

    def _make_queue(self) -> None:
        """The folders and owners that `postfix set-permissions` would make, in a moment instead of seconds."""
        for name, mode, owner, group in QUEUE:
            path = self.folder / "queue" / name
            path.mkdir(exist_ok=True)
            shutil.chown(path, owner, group)
            path.chmod(mode)


def make_table(kind: str, path: Path, entries: dict[str, str], aside: Path | None = None, etc: Path | None = None) -> None:
    """Text and index of one table, built aside by postmap and renamed: text first, then index."""
    ends = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
    aside = aside or path.with_name(f".{path.name}.new")
    aside.write_text("".join(f"{key} {value}\n" for key, value in entries.items()))
    command(["postmap", *(["-c", etc] if etc else []), f"{kind}:{aside}"])
    os.replace(aside, path)
    os.replace(f"{aside}{ends[kind]}", f"{path}{ends[kind]}")
