"""What the documents tell people to type is typed here, at a gateway that is set up as they say.

The lines are taken from the documents themselves; only paths become those of the lab.
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

import gateway as gateway_module
from gateway import STRANGER, TRUSTED
from postcensus import binary
from process import need, wait_for

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/man").glob("*.scd"))]


def blocks(path: Path, below: str = "") -> list[list[str]]:
    """The code blocks of a document, or of its section under a heading: between fences, or indented by four blanks."""
    found: list[list[str]] = []
    fenced = inside = False
    section = not below
    for line in path.read_text().splitlines():
        if line.startswith("#") and not fenced and below:
            section = line.lstrip("#").strip() == below
        if line.startswith("```"):
            fenced = inside = not fenced
            if fenced and section:
                found.append([])
            continue
        code = fenced or (path.suffix == ".md" and line.startswith("    "))
        if code and section:
            if not inside and not fenced:
                found.append([])
            found[-1].append(line if fenced else line[4:])
        inside = code or (inside and not line and not fenced)
    return found


def block(document: str, below: str, containing: str) -> str:
    """The one block of a section that contains a text."""
    [lines] = [lines for lines in blocks(ROOT / document, below) if containing in "\n".join(lines)]
    return "\n".join(lines) + "\n"


class Shell:
    """bash, in which `postcensus` is the program with the lab's configuration and the documents' paths are the lab's."""

    def __init__(self, census, gateway, folder: Path) -> None:
        self.folder = folder / "typed"
        self.folder.mkdir()
        program = self.folder / "bin" / "postcensus"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {census.binary} --config {census.conf} "$@"\n')
        program.chmod(0o755)
        shutil.copy(gateway.log, self.folder / "mail.log")
        for number in (1, 2):
            with gzip.open(self.folder / f"mail.log.{number}.gz", "wb") as old:
                old.write(gateway.log.read_bytes())
        self.paths = {"hash:/var/lib/postcensus/maps": f"{gateway.kind}:{census.maps}", "/var/lib/postcensus/maps": census.maps, "/var/lib/postcensus/state.db": census.state,
                      "/etc/postcensus/branch.conf": census.conf, "/etc/postfix/relay_recipients": self.folder / "relay_recipients",
                      "/var/log/mail.log": self.folder / "mail.log", "/var/backups": self.folder}
        self.env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "MAIL_CONFIG": str(gateway.etc)}

    def __call__(self, text: str) -> subprocess.CompletedProcess[str]:
        for path, here in self.paths.items():
            text = text.replace(path, str(here))
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", text], cwd=self.folder, env=self.env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


@pytest.fixture
def shell(census, gateway, folder) -> Shell:
    """After the first reading."""
    assert census.run("sync").returncode == 0
    return Shell(census, gateway, folder)


def synopsis() -> dict[str, str]:
    """Command -> its arguments, from the manual, without emphasis."""
    found = {}
    for line in (ROOT / "docs/man/postcensus.8.scd").read_text().splitlines():
        if match := re.match(r"\*postcensus\* \*([a-z]+)\*(.*?)(\+\+)?$", line):
            found[match[1]] = re.sub(r"[*_]", "", match[2]).strip()
    return found


def test_the_synopsis_is_the_programs_own():
    def helped(*words: str) -> str:
        return subprocess.run([binary(), *words, "--help"], text=True, capture_output=True, check=True).stdout

    commands = re.findall(r"^  ([a-z]+) +\S", helped().split("Commands:")[1].split("Options:")[0], re.MULTILINE)
    manual = synopsis()
    assert sorted(manual) == sorted(commands)
    for command in commands:
        usage, _, rest = helped(command).partition("\n")
        assert usage == f"Usage: postcensus [--config FILE] [--log-level LEVEL] {command} {manual[command]}".rstrip()
        assert set(re.findall(r"^  (--[a-z-]+)", rest, re.MULTILINE)) == set(re.findall(r"--[a-z-]+", manual[command])) | {"--help"}


def test_the_messages_that_are_explained_are_the_programs_own():
    """Between "…" and words in capitals, which stand for what is different each time."""
    sources = "".join(path.read_text() for folder in ("src", "cmd") for path in sorted((ROOT / folder).rglob("*.cpp")))
    sources = re.sub(r"(^|\s)//.*", "", sources)  # without comments
    sources = re.sub(r'"\s*"', "", sources).replace('\\"', '"')
    rows = (ROOT / "docs/operations.md").read_text().split("## What the errors mean")[1].split("\n## ")[0].splitlines()
    messages = [span for row in rows if row.startswith("| `") for span in re.findall("`([^`]+)`", row.split(" | ")[0])]
    assert len(messages) > 30
    for message in messages:
        for part in re.split(r"…(?:[a-z.]+conf)?|\b[A-Z]+\b(?::[A-Z]+)?", message):
            words = part.strip(" :,")
            assert words in sources or words == os.strerror(errno.EACCES), f"{message}: nothing says {words!r}"


def test_each_command_line_can_be_typed(shell, exchange):
    """In the order of the documents. Two of them find an address that nobody has."""
    typed = 0
    for path in DOCUMENTS:
        for line in (line for lines in blocks(path) for line in lines):
            if not re.search(r"^(postcensus|postmap) |\| postcensus ", line):
                continue
            done = shell(line)
            typed += 1
            negative = re.match(r"postcensus (--config \S+ )?(check|probe)|postmap -q nobody", line)
            assert done.returncode in ((0, 1) if negative else (0,)), f"{path.name}: {line}\n{done.stdout}{done.stderr}"
            assert "--help" not in done.stderr, f"{path.name}: {line}\n{done.stderr}"
    assert typed >= 12


def test_the_lists_of_a_script_and_of_ours(shell, census, exchange):
    """What only the script has is asked about, and accepted where it exists."""
    exchange.recipients |= {"info@corp.example"}
    (shell.folder / "relay_recipients").write_text("# by cron\nAnna@Corp.Example OK\nben@corp.example OK\n\n"
                                                   "info@corp.example OK\nleft.long.ago@corp.example OK\n")
    done = shell(block("docs/operations.md", "From a script", "comm -13"))
    assert done.returncode == 0, done.stderr
    assert (shell.folder / "only-theirs").read_text().split() == ["info@corp.example", "left.long.ago@corp.example"]
    assert done.stdout.split() == ["anna.smith@corp.example"]
    assert shell("postcensus probe --record $(cat only-theirs)").returncode == 1
    assert {"info@corp.example\tOK"} <= {*census.table("directory"), *census.table("learned")}
    assert not [line for name in ("directory", "learned", "unknown") for line in census.table(name) if "left.long.ago" in line]
    (shell.folder / "addresses").write_text("info@corp.example\nleft.long.ago@corp.example\n")
    assert shell("postmap -q - hash:/var/lib/postcensus/maps/directory < addresses").stdout.split() == ["info@corp.example", "OK"]


def test_the_copy_of_the_state(shell, census):
    need("sqlite3", "sqlite3")
    census.watch()
    assert shell(block("docs/operations.md", "Backup, restore, lost state", ".backup")).returncode == 0
    with sqlite3.connect(shell.folder / "postcensus.db") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_greylisting_where_it_is_said_to_go(shell, census, gateway):
    restrictions = block("docs/operations.md", "Greylisting", "check_policy_service")
    for path, here in shell.paths.items():
        restrictions = restrictions.replace(path, str(here))
    gateway.reload(smtpd_recipient_restrictions=restrictions.partition("=")[2].rstrip())
    said = census.run("check").stdout
    assert re.search(r"ok +postfix +smtpd_recipient_restrictions:", said), said
    assert gateway.dialogue("nobody@corp.example", client_ip=STRANGER).code == "450 4.1.1"


def test_a_content_filter_hands_back_whom_the_tables_have_lost(postcensus, make_gateway, samba, exchange,
                                                               monkeypatch):
    services = block("docs/operations.md", "Content filters", "no_unknown_recipient_checks")
    monkeypatch.setattr(gateway_module, "REINJECTION", services.replace(" n - y ", " n - n "))  # the lab has no chroot
    gateway = make_gateway(content_filter=True)
    exchange.recipients = {"anna@corp.example"}
    samba.add_mailbox("anna", "anna@corp.example")
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    assert postcensus.run("sync").returncode == 0
    assert "takes mail back from the content filter without checking its recipients again" in " ".join(postcensus.run("check").stdout.split())
    assert gateway.dialogue("nobody@corp.example", client_ip=STRANGER).code == "450 4.1.1"
    gateway.reload(defer_transports="smtp")  # the filter is slow, and anna leaves meanwhile
    gateway.send("anna@corp.example", client_ip=STRANGER)
    gateway.publish("directory", {})
    wait_for(lambda: gateway.dialogue("anna@corp.example", client_ip=STRANGER).code == "450 4.1.1", "anna to be gone", 5)
    asked = len(exchange.asked("anna@corp.example"))
    gateway.reload(defer_transports="")
    gateway.flush()
    wait_for(lambda: len(exchange.asked("anna@corp.example")) > asked, "the mail behind the filter", 10)


def test_callouts_without_a_directory(postcensus, gateway, exchange):
    """As day one says: sync has nothing to read, `watch --once` makes the tables."""
    shutil.rmtree(postcensus.maps)
    postcensus.maps.mkdir()
    shutil.chown(postcensus.maps, postcensus.owner)
    exchange.recipients = {"anna@corp.example"}
    postcensus.configure({**gateway.sections(), "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525",
                                                                   "control": "anna@corp.example"}})
    assert "there are no tables yet" in postcensus.run("check").stdout
    refused = postcensus.run("sync")
    assert refused.returncode == 78 and "nothing to read" in refused.stderr
    assert postcensus.run("watch", "--once").returncode == 0
    for name in ("directory", "learned", "unknown", "closed", "unknown.empty", "closed.empty"):
        assert (postcensus.maps / name).exists() and (postcensus.maps / f"{name}.lmdb").exists()
    assert postcensus.table("directory") == []


def test_a_keytab_of_root_serves_no_command_by_hand(census, samba, folder, monkeypatch):
    """It is found with root's rights, and read without."""
    env, keytab = samba.kerberos()
    samba.krb5_conf().chmod(0o644)
    monkeypatch.setenv("KRB5_CONFIG", env["KRB5_CONFIG"])
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    shutil.copy(keytab, credentials / "corp.keytab")
    census.set("directory.corp", uri="ldap://dc1.corp.example", bind="gssapi", keytab=credentials / "corp.keytab",
               bind_dn="", password_file="")
    done = census.run("sync")
    assert done.returncode == 69 and "no Kerberos ticket with the keytab" in done.stderr, done.stderr


def test_an_alias_waits_for_the_lease_or_for_forget(census, gateway):
    """Aliases: one that is made while its address is refused."""
    assert census.run("sync").returncode == 0
    census.watch()
    assert gateway.dialogue("sales@corp.example", client_ip=STRANGER).code == "450 4.1.1"
    wait_for(lambda: gateway.dialogue("sales@corp.example", client_ip=STRANGER).code == "550 5.1.1", "the rejection", 5)
    gateway.reload(virtual_alias_maps=gateway.table(gateway.kind, "virtual2", {"sales@corp.example": "anna@corp.example"}))
    assert gateway.dialogue("sales@corp.example", client_ip=STRANGER).code == "550 5.1.1"
    assert census.run("forget", "sales@corp.example").returncode == 0
    assert gateway.dialogue("sales@corp.example", client_ip=STRANGER).code == "250"
    assert gateway.dialogue("sales@corp.example", client_ip=TRUSTED).code == "250"
