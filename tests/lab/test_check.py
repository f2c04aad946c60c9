"""`check`: a healthy gateway has no fault, and each fault that is made for real is found, with its remedy."""

from __future__ import annotations

import json
import os
import pty
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest

import habits
from process import command
from samba_ad import STAFF

ROUTE = {"domains": "corp.example", "callout": "127.0.0.1:2525"}
AREAS = {"postfix", "tables", "log", "directory", "callout", "state", "service"}


class Found:
    """What one `check --format json` said."""

    def __init__(self, census, seconds: float = 15, **arguments) -> None:
        self.done = census.run("check", "--format", "json", seconds=seconds, **arguments)
        assert self.done.returncode in (0, 1), self.done
        self.report = json.loads(self.done.stdout)
        self.findings = self.report["findings"]

    def failed(self) -> list[dict]:
        return [f for f in self.findings if f["level"] == "fail"]

    def has(self, level: str, subject: str, words: str, remedy: str = "") -> None:
        """There is such a finding; what is wrong has a remedy and, if it failed, the exit code says so."""
        for f in self.findings:
            if f["level"] == level and subject in f["subject"] and words in f["words"] and remedy in f["remedy"]:
                assert bool(f["remedy"]) == (level != "ok"), f
                assert level != "fail" or self.done.returncode == 1
                return
        shown = "\n".join(" | ".join(f.values()) for f in self.findings)
        raise AssertionError(f"no {level} of {subject!r} with {words!r} and {remedy!r} in\n{shown}")


@pytest.fixture
def census(postcensus, gateway, samba, exchange):
    """Read and published; no watch runs."""
    for name in ("anna", "ben", "postmaster"):
        samba.add_mailbox(name, f"{name}@corp.example")
    exchange.recipients = {"anna@corp.example", "ben@corp.example", "postmaster@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": ROUTE})
    assert postcensus.run("sync").returncode == 0
    return postcensus


@pytest.fixture
def watched(census):
    census.watch()
    yield census
    census.stop()


def change(gateway, **settings: str) -> dict[str, str]:
    """Changes main.cf; the daemons need not know. Returns what stood there."""
    before = {name: gateway.settings.get(name, "") for name in settings}
    gateway.settings.update(settings)
    gateway.write()
    return before


def files_of(*folders) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


# --- as it should be


def test_a_healthy_gateway(watched, gateway):
    found = Found(watched)
    assert found.failed() == [] and found.done.returncode == 0
    assert set(found.report) == {"findings", "worst"} and found.report["worst"] == "warn"  # the lab has a delimiter
    for f in found.findings:
        assert set(f) == {"level", "area", "subject", "words", "remedy"} and all(isinstance(v, str) for v in f.values())
        assert f["level"] in ("ok", "warn", "fail") and f["area"] in AREAS
        assert f["words"] and f["subject"] and bool(f["remedy"]) == (f["level"] != "ok"), f
    assert {f["area"] for f in found.findings} == AREAS
    for subject, words in (("relay_recipient_maps", "names directory and learned"), ("smtpd_recipient_restrictions", "asked first"),
                           ("unknown", "answers; 0 entries"), ("directory", "answers; 3 entries"), ("watch", "runs (process"),
                           ("corp ldaps://dc1.corp.example", "login and search work; 3 objects"),
                           ("127.0.0.1:2525", "refuses a made-up recipient"), ("postmaster@corp.example", "is deliverable"),
                           ("relay_destination_recipient_limit", "carries corp.example"), ("readings of corp", "3 addresses listed"),
                           ("mail.log", "can be read")):
        found.has("ok", subject, words)


def test_it_changes_nothing(census, gateway, exchange):
    folders = (census.state.parent, census.maps, gateway.etc)
    # An open WAL database has its two files beside it.
    before = {path: text for path, text in files_of(*folders).items() if not path.endswith(("-wal", "-shm"))}
    exchange.forget()
    Found(census)
    after = {path: text for path, text in files_of(*folders).items() if not path.endswith(("-wal", "-shm"))}
    assert after == before
    assert exchange.sessions == 1 and not exchange.said("DATA") and not exchange.mails


def test_text_and_colours(census):
    done = census.run("check")
    assert "\x1b" not in done.stdout and "\nfail  service   watch: does not run" in done.stdout, done.stdout
    assert "\n                -> systemctl enable --now postcensus-watch\n" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" fail")

    def on_a_terminal(**env: str) -> str:
        controller, terminal = pty.openpty()
        child = subprocess.Popen([census.binary, "--config", census.conf, "check"], stdout=terminal, stderr=terminal,
                                 env={**os.environ, **env})
        os.close(terminal)
        text = b""
        while True:
            try:
                block = os.read(controller, 65536)
            except OSError:  # the other end is closed
                block = b""
            if not block:
                break
            text += block
        child.wait()
        os.close(controller)
        return text.decode()
    assert "\x1b[31mfail\x1b[0m  service   watch" in on_a_terminal()
    assert "\x1b" not in on_a_terminal(NO_COLOR="1")


def test_mistakes_of_the_caller(census):
    assert census.run("check", "--format", "xml").returncode == 64
    census.conf.write_text("[nonsense]\n")
    done = census.run("check")
    assert done.returncode == 78 and "[nonsense]" in done.stderr
    census.conf.unlink()
    assert census.run("check").returncode == 78


def test_no_folder_for_the_state(postcensus, gateway):
    postcensus.configure({**gateway.sections(), "route.exchange": ROUTE}, general={"state": postcensus.folder / "later/state.db"})
    Found(postcensus).has("fail", "later", "there is no such folder", "install -d -o postcensus")


# --- main.cf and master.cf


def test_what_is_wrong_with_main_cf(census, gateway):
    maps = gateway.maps
    unknown, closed = f"check_recipient_access lmdb:{maps}/unknown", f"check_recipient_access lmdb:{maps}/closed"
    own = "permit_mynetworks, permit_sasl_authenticated"
    good = f"{unknown}, reject_unlisted_recipient, {own}, {closed}, reject_unauth_destination"
    both = f"lmdb:{maps}/directory, lmdb:{maps}/learned"
    lists = "smtpd_recipient_restrictions"
    faults = [
        ("fail", "relay_recipient_maps", "", "does not name directory, learned", f"relay_recipient_maps = {both}"),
        ("fail", "relay_recipient_maps", f"proxy:lmdb:{maps}/directory, lmdb:{maps}/learned", "proxy:", f"relay_recipient_maps = {both}"),
        ("fail", "relay_recipient_maps", f"hash:{maps}/directory, lmdb:{maps}/learned", "of the type lmdb", both),
        ("fail", "unknown_relay_recipient_reject_code", "550", "is 550", "unknown_relay_recipient_reject_code = 450"),
        ("fail", "info_log_address_format", "internal", "forge", "info_log_address_format = external"),
        ("warn", "soft_bounce", "yes", "is yes", "soft_bounce = no"),
        ("warn", "smtpd_reject_unlisted_sender", "yes", "is yes", "smtpd_reject_unlisted_sender = no"),
        ("fail", "relay_destination_recipient_limit", "50", "is 50 for the transport", "relay_destination_recipient_limit = 1"),
        ("fail", "relay_domains", "other.example", "does not have corp.example", "relay_domains = other.example corp.example"),
        ("fail", lists, "", "does not ask the table unknown", unknown),
        ("fail", lists, good.replace("lmdb:", "proxy:lmdb:", 1), "proxy:", f"    {unknown},\n"),
        ("fail", lists, f"reject_unlisted_recipient, {unknown}, {own}, {closed}, reject_unauth_destination",
         "behind reject_unlisted_recipient", f"    {unknown},\n    reject_unlisted_recipient,\n"),
        ("warn", lists, f"{own}, {good}", "unknown behind permit_mynetworks", unknown),
        ("warn", lists, f"check_policy_service inet:127.0.0.1:10023, {good}", "check_policy_service inet:127.0.0.1:10023 before",
         "reject_unauth_destination,\n    check_policy_service inet:127.0.0.1:10023"),
        ("warn", lists, f"{unknown}, reject_rbl_client zen.example, {good}", "a miss that it refuses", "zen.example"),
        ("fail", lists, f"reject_unverified_recipient, {good}", "no miss is ever logged", unknown),
        ("fail", lists, f"{unknown}, reject_unlisted_recipient, {closed}, {own}, reject_unauth_destination",
         "closed before permit_mynetworks", closed),
        ("fail", lists, f"{unknown}, reject_unlisted_recipient, {closed}, reject_unauth_destination", "no permit_mynetworks", own.split(",")[0]),
        ("warn", "smtpd_sender_restrictions", "reject_unknown_sender_domain", "a miss that it defers", "to the end of"),
        ("fail", "smtpd_client_restrictions", "reject_unverified_recipient", "no miss is ever logged", "take reject_unverified_recipient out"),
        ("warn", "smtpd_delay_reject", "no", "out of the log", "smtpd_delay_reject = yes"),
        ("fail", "syslog_name", "gateway", "does not cover", "syslog-name = postfix gateway"),
    ]
    for level, parameter, value, words, remedy in faults:
        before = change(gateway, **{parameter: value})
        Found(census).has(level, parameter, words, remedy)
        change(gateway, **before)
        if not before[parameter]:
            del gateway.settings[parameter]
    change(gateway)
    assert [f["subject"] for f in Found(census).failed()] == ["watch"], "all of it was mended"
    # A choice, not a fault.
    change(gateway, smtpd_recipient_restrictions=f"{unknown}, reject_unlisted_recipient, {own}, reject_unauth_destination")
    Found(census).has("ok", lists, "does not ask the table closed")


def test_the_lines_that_it_proposes_mend_main_cf(watched, gateway):
    change(gateway, relay_recipient_maps=f"hash:{gateway.etc}/other", smtpd_recipient_restrictions="permit_mynetworks, "
           "reject_unverified_recipient, check_policy_service inet:127.0.0.1:10023, reject_unauth_destination",
           unknown_relay_recipient_reject_code="550", soft_bounce="yes", recipient_delimiter="+")
    lines = {}
    for f in Found(watched).findings:
        if f["area"] == "postfix" and f["level"] != "ok":
            name, equals, value = f["remedy"].partition(" =")
            if equals and " " not in name:
                lines[name] = value.strip("\n") if "\n" in value else value.strip()
    assert {"relay_recipient_maps", "smtpd_recipient_restrictions", "soft_bounce", "recipient_delimiter"} <= set(lines)
    change(gateway, **lines)
    found = Found(watched)
    assert found.failed() == [] and found.done.returncode == 0
    assert [f["subject"] for f in found.findings if f["area"] == "postfix" and f["level"] == "warn"] == ["relay_domains"]
    found.has("warn", "relay_domains", "other.example", "[route.NAME]")


def test_master_cf(census, gateway):
    master = gateway.etc / "master.cf"
    text = master.read_text()
    door = "192.0.2.1:25 inet n - n - - smtpd\n"
    filtered = "127.0.0.1:10026 inet n - n - - smtpd\n  -o content_filter=\n"

    def write(more: str) -> None:
        assert door in text
        master.write_text(text.replace(door, more))
        os.utime(master, (time.time() - 10,) * 2)
    write(door + "  -o smtpd_recipient_restrictions=permit_mynetworks,reject\n")
    Found(census).has("fail", "192.0.2.1:25/inet smtpd_recipient_restrictions", "does not ask the table unknown",
                      "postconf -PX '192.0.2.1:25/inet/smtpd_recipient_restrictions'")
    write(door + filtered + "  -o smtpd_recipient_restrictions=permit_mynetworks,reject\n")
    found = Found(census)
    found.has("warn", "127.0.0.1:10026/inet", "checks its recipients again", "no_unknown_recipient_checks")
    [remedy] = [f["remedy"] for f in found.findings if f["subject"] == "127.0.0.1:10026/inet"]
    # The command works as it stands.
    subprocess.run(remedy.replace("postconf", f"postconf -c {gateway.etc}"), shell=True, check=True, capture_output=True)
    os.utime(master, (time.time() - 10,) * 2)
    Found(census).has("ok", "127.0.0.1:10026/inet", "without checking its recipients again")
    write(door + "submission inet n - n - - smtpd\n  -o syslog_name=strange/submission\n"
          "  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n")
    found = Found(census)
    found.has("fail", "syslog_name", "strange/submission", "syslog-name = postfix strange")
    assert not [f for f in found.findings if f["subject"].startswith("submission")]


def test_the_transport_that_carries_the_domain(census, gateway):
    change(gateway, transport_maps=gateway.table("lmdb", "transport", {"corp.example": "smtp:[127.0.0.1]:2525"}))
    Found(census).has("fail", "smtp_destination_recipient_limit", "carries corp.example", "smtp_destination_recipient_limit = 1")
    change(gateway, smtp_destination_recipient_limit="1")
    Found(census).has("ok", "smtp_destination_recipient_limit", "carries corp.example")


def test_relay_domains_in_tables(census, gateway):
    table = gateway.table("lmdb", "domains", {"corp.example": "x"})
    change(gateway, relay_domains=f"proxy:{table}")
    Found(census).has("ok", "relay_domains", "1 of 1")
    gateway.table("lmdb", "domains", {"elsewhere.example": "x"})
    Found(census).has("fail", "relay_domains", "does not have corp.example", "the table that relay_domains names: corp.example")
    (gateway.etc / "domains.lmdb").chmod(0o640)
    Found(census).has("fail", "relay_domains", "cannot ask", "usermod -aG postfix daemon")
    change(gateway, relay_domains="", mydestination="corp.example")
    Found(census).has("fail", "relay_domains", "stands in mydestination", "take corp.example out of mydestination")


def test_other_mx_hosts(census, dns):
    dns.mx("corp.example", ("gateway.corp.example", 10), ("mx2.corp.example", 20), ("mx3.corp.example", 30))
    dns.host("mx2.corp.example", "203.0.113.77")
    dns.host("mx3.corp.example", "192.0.2.1")  # an address of this machine
    dns.start()
    found = Found(census)
    found.has("warn", "MX", "mx2.corp.example takes mail for corp.example too", "[budget] relays")
    assert len([f for f in found.findings if f["subject"] == "MX"]) == 1
    dns.mx("corp.example", ("gateway.corp.example", 10))
    Found(census).has("ok", "MX", "no other host")


# --- the tables


def test_tables_that_are_not_well(census, gateway):
    maps = census.maps
    kept = {path: path.read_bytes() for path in maps.iterdir()}

    def restore() -> None:
        for path in maps.iterdir():
            path.unlink()
        # As they were published: each text before its index.
        for path in sorted(kept, key=lambda p: p.suffix == ".lmdb"):
            path.write_bytes(kept[path])
            path.chmod(0o644)
    (maps / "directory.lmdb").unlink()
    Found(census).has("fail", "directory", "directory.lmdb is missing: Postfix answers 451", "postcensus sync")
    restore()
    (maps / "learned").write_text("who@corp.example OK\n")
    os.utime(maps / "learned", (time.time() - 100,) * 2)
    Found(census).has("fail", "learned", "no head of Postcensus", "postcensus sync")
    restore()
    os.utime(maps / "directory.lmdb", (time.time() - 100,) * 2)
    Found(census).has("fail", "directory", "older than its text", "postcensus sync")
    restore()
    (maps / "closed.lmdb").write_bytes(b"no database")
    Found(census).has("fail", "closed", "postmap cannot look into closed", "postcensus sync")
    restore()
    (maps / "unknown.empty").unlink()
    Found(census).has("warn", "unknown.empty", "spare", "postcensus sync")
    restore()
    maps.chmod(0o700)
    Found(census).has("warn", str(maps), "may not enter", f"chmod a+x {maps}")
    maps.chmod(0o755)
    (maps / "directory.lmdb").chmod(0o600)
    shutil.chown(maps / "directory.lmdb", census.owner)
    Found(census).has("warn", "directory.lmdb", "may not read", "chmod a+r")
    restore()
    census.set("general", table_type="hash")
    found = Found(census)
    found.has("fail", "relay_recipient_maps", "the type hash", f"hash:{maps}/directory")
    found.has("fail", "smtpd_recipient_restrictions", "the type hash", f"hash:{maps}/unknown")
    assert "directory.db is missing" in found.done.stdout


def test_a_table_type_that_postfix_lacks(census, gateway):
    change(gateway, meta_directory=str(census.folder))  # as if postfix-lmdb were not installed
    Found(census).has("fail", "table-type", "has no tables of the type lmdb", "apt-get install postfix-lmdb")


def test_before_the_first_reading(postcensus, gateway, samba, exchange):
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": ROUTE})
    for path in gateway.maps.iterdir():
        path.unlink()
    found = Found(postcensus)
    found.has("fail", "relay_recipient_maps", "not there yet: Postfix answers 451", "postcensus sync")
    found.has("warn", "maps", "no tables yet", "postcensus sync")
    found.has("warn", "state.db", "no state yet", "postcensus sync")
    change(gateway, relay_recipient_maps="", smtpd_recipient_restrictions="")
    found = Found(postcensus)
    assert [f for f in found.failed() if f["area"] in ("postfix", "tables", "service")] == []
    found.has("warn", "relay_recipient_maps", "are not there yet", "postcensus sync")
    assert not postcensus.state.exists()


# --- log, state, services


def test_the_log(census, gateway):
    shutil.chown(gateway.log, "root", "root")
    gateway.log.chmod(0o640)
    Found(census).has("fail", "mail.log", "the user daemon cannot read it", "adduser daemon adm")
    gateway.log.chmod(0o644)
    os.utime(gateway.log, (time.time() - 2 * 86400,) * 2)
    Found(census).has("warn", "mail.log", "its last line came 2 d", "postconf maillog_file")
    census.set("log", path=census.folder / "other.log")
    found = Found(census)
    found.has("fail", "other.log", "is not there", "postconf maillog_file")
    found.has("warn", "maillog_file", f"Postfix writes its log to {gateway.log}", f"path = {gateway.log}")
    census.set("log", path=gateway.log, syslog_name="strange")
    Found(census).has("fail", "syslog_name", "does not cover", "syslog-name = strange postfix")


def test_the_journal(census, folder):
    journal = folder / "journal"
    journal.mkdir()
    census.set("log", source="journal", path=journal)
    found = Found(census)
    found.has("ok", "journal", "can be read in")
    found.has("ok", "RateLimitBurst", "10000 messages in 30 s")
    found.has("warn", "maillog_file", "[log] follows the journal", "source = file")
    secret = journal / "system.journal"
    secret.write_bytes(b"x")
    secret.chmod(0o600)
    Found(census).has("fail", "journal", "Permission denied", "adduser daemon systemd-journal")


def test_the_state(census):
    kept = census.state.read_bytes()

    def sql(*statements: str) -> None:
        db = sqlite3.connect(census.state)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()
    long_ago = int((time.time() - 3 * 86400) * 1000)
    sql(f"UPDATE reading SET ended = {long_ago}", f"UPDATE position SET at = {long_ago}")
    Found(census).has("warn", "readings of corp", "the last good one was 3 d", "sync corp")
    sql("UPDATE directory SET full_good = 0",
        "INSERT INTO reading (directory_id, kind, server, began, ended, began_seq, seq, objects, added, removed, outcome, good) "
        "SELECT directory_id, 'full', server, began, ended - 1, 0, 0, 0, 0, 0, 'broke off', 0 FROM reading LIMIT 1")
    Found(census).has("warn", "readings of corp", "the last full one was not applied: broke off", "sync corp")
    sql("INSERT INTO hold SELECT id, domain, 1, 'corp', 'cn=x', 'gate', 0, 0 FROM address LIMIT 1",
        f"INSERT INTO counter VALUES ({int(time.time()) // 3600}, 'misses-without-route', '', 5)",
        f"INSERT INTO question SELECT id, domain, 'miss', {long_ago}, 0, 0, 0, 2, 1, 0, '' FROM address LIMIT 1")
    found = Found(census)
    found.has("warn", "holds", "1 removals wait", "postcensus approve")
    found.has("warn", "misses without a route", "5 since yesterday", "[route.NAME]")
    found.has("warn", "questions", "1 questions stand in line", "TarpitInterval")
    sql("UPDATE domain SET accept_all = 1")
    Found(census).has("fail", "corp.example", "nobody there is ever proven unknown", "-AddressBookEnabled $true")
    sql("PRAGMA user_version = 999")
    found = Found(census)
    found.has("fail", "state.db", "newer", "operations.md")
    found.has("warn", "corp", "was not asked: only the state knows", "mend the state")
    for extra in census.state.parent.glob("state.db-*"):
        extra.unlink()
    census.state.write_bytes(b"this is no database at all" * 100)
    Found(census).has("fail", "state.db", "not a database", "operations.md")
    census.state.write_bytes(kept)
    census.set("directory.more", **{"uri": "ldaps://dc1.corp.example", "base": STAFF, "bind_dn": "CN=x",
                                    "password_file": census.secret("more", "x")})
    Found(census).has("warn", "readings of more", "never read", "postcensus sync more")


def test_the_services(watched):
    watched.conf.write_text(watched.conf.read_text() + "\n# changed\n")
    watched.set("general", publish_interval="2s")
    Found(watched).has("warn", "watch", "before it was changed", "systemctl reload postcensus-watch")
    another = watched.folder / "another.conf"
    another.write_text(watched.conf.read_text())
    watched.conf, kept = another, watched.conf
    Found(watched).has("warn", "watch", f"another configuration than {another}", f"--config {kept} check")
    watched.conf = kept
    assert watched.stop() == 0
    found = Found(watched)
    found.has("fail", "watch", "does not run", "systemctl enable --now postcensus-watch")
    found.has("warn", "failsafe", "no line of cron", "failsafe")


def test_the_timer_of_failsafe(census, folder):
    """A systemd is played by its folder and a systemctl: in the lab none runs."""
    programs = folder / "programs"
    programs.mkdir()
    systemctl = programs / "systemctl"
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def found(active: bool, maps: object, result: str = "success") -> Found:
        """As systemd 252 answers."""
        systemctl.write_text(f'''#!/bin/sh
case "$*" in
"is-active postcensus-failsafe.timer") exit {0 if active else 3} ;;
"show --property=ExecStart,Result postcensus-failsafe")
    echo "Result={result}"
    echo "ExecStart={{ path=/usr/sbin/postcensus ; argv[]=/usr/sbin/postcensus failsafe --maps {maps} ; ignore_errors=no ; status=0/0 }}" ;;
*) exit 4 ;;
esac
''')
        systemctl.chmod(0o755)
        return Found(census, env=env)

    command(["mount", "-t", "tmpfs", "none", "/run"])
    try:
        os.makedirs("/run/systemd/system")
        found(False, census.maps).has("warn", "postcensus-failsafe.timer", "is not active",
                                      "systemctl enable --now postcensus-failsafe.timer")
        for maps in (census.maps, f"{census.maps}/"):
            well = found(True, maps)
            well.has("ok", "postcensus-failsafe.timer", "is active", "")
            assert not [one for one in well.findings if one["subject"] == "postcensus-failsafe"]
        found(True, "/var/lib/postcensus/maps").has("fail", "postcensus-failsafe", f"nobody ends the rejections in {census.maps}",
                                                    f"failsafe --maps {census.maps}\nReadWritePaths={census.maps}")
        found(True, census.maps, "exit-code").has("fail", "postcensus-failsafe", "its last run failed", "journalctl -u postcensus-failsafe")
    finally:
        command(["umount", "/run"])


def test_a_lease_that_nobody_tends(watched, gateway, exchange):
    assert gateway.dialogue("nobody@corp.example").code == "450 4.1.1"
    watched.wait_for(lambda: watched.table("unknown"), "the rejection")
    watched.kill()
    text = (watched.maps / "unknown").read_text()
    [until] = [line for line in text.splitlines() if line.startswith("# until: ")]
    (watched.maps / "unknown").write_text(text.replace(until, "# until: 2020-01-01T00:00:00Z"))
    Found(watched).has("fail", "table unknown", "good until 2020-01-01T00:00:00Z", "postcensus failsafe")


# --- the directory


def test_directories_that_cannot_be_read(census, samba, authority):
    census.set("directory.corp", uri="ldaps://dc1.corp.example:6360")
    Found(census).has("fail", "corp ldaps://dc1.corp.example:6360", "is it up", "nc -vz dc1.corp.example 6360")
    census.set("directory.corp", uri="ldaps://dc1.corp.example ldaps://dc1.corp.example:6360")
    found = Found(census)
    found.has("ok", "corp ldaps://dc1.corp.example", "login and search work")
    found.has("warn", "corp ldaps://dc1.corp.example:6360", "is it up", "nc -vz")
    census.set("directory.corp", uri=samba.uri, base="OU=Services,DC=corp,DC=example")
    Found(census).has("fail", "corp", "no recipient is to be seen", "dsacls")
    census.set("directory.corp", base=samba.base, ca_file=authority.ca_file)
    Found(census).has("fail", "corp", "certificate fit the name", "openssl s_client -connect dc1.corp.example:636")


def test_a_refused_login_is_tried_once(census, samba):
    samba.set_lockout(3)
    census.set("directory.corp", uri=f"{samba.uri} ldaps://corp.example",
               password_file=census.secret("wrong", "Not-The-Password-1"))
    found = Found(census)
    found.has("fail", "corp", "wrong password", "password-file")
    assert len([f for f in found.failed() if f["area"] == "directory"]) == 1
    for _ in range(4):
        found = Found(census)
        found.has("fail", "corp", "not tried again", "password-file")
        assert "Not-The-Password-1" not in found.done.stdout + found.done.stderr
    # The account is not locked.
    census.set("directory.corp", uri=samba.uri, password_file=census.folder / "corp.password")
    Found(census).has("ok", "corp", "login and search work")


def test_rights_in_the_directory(census, samba):
    Found(census).has("warn", "corp deleted objects", "cannot be read", 'dsacls "CN=Deleted Objects,DC=corp,DC=example" /I:T')
    samba.allow_tombstones()
    try:
        Found(census).has("ok", "corp deleted objects", "can be read")
    finally:
        samba.forbid_tombstones()
    shared = samba.add_mailbox("shared", "shared@corp.example", msExchRecipientTypeDetails="4")
    samba.hide_addresses(shared)
    try:
        Found(census).has("warn", "corp ldaps", "1 mailboxes show no proxyAddresses to this account, for example CN=shared",
                          "RP;proxyAddresses")
    finally:
        samba.allow(shared)


def test_a_clock_that_is_wrong(census, wall_clock):
    wall_clock.set(600)
    Found(census, env=wall_clock.env).has("warn", "corp ldaps", "clock", "timedatectl")


def test_another_directory(postcensus, gateway, slapd, exchange):
    slapd.load([("anna", ["anna@corp.example"])])
    slapd.start()
    postcensus.configure({**gateway.sections(), "directory.open": slapd.section(postcensus.secret("slapd", slapd.password)),
                          "route.exchange": ROUTE})
    found = Found(postcensus)
    found.has("ok", "open ldap", "login and search work")
    assert "deleted objects" not in found.done.stdout


# --- the servers that are asked


@pytest.mark.parametrize("what, words, remedy", [
    ({"replies": habits.NO_ANONYMOUS}, "530 5.7.57", "-Bindings 0.0.0.0:2525 -RemoteIPRanges 127.0.0.1 -PermissionGroups AnonymousUsers"),
    ({"accept_all": True}, "accepts any recipient", "Set-RecipientFilterConfig -Enabled $true -RecipientValidationEnabled $true"),
    ({"replies": habits.BLOCKED}, "554 5.7.1", "allow 127.0.0.1 on 127.0.0.1:2525"),
    ({"foreign": {"corp.example"}}, "Unable to relay", "New-AcceptedDomain"),
    ({"replies": habits.BACK_PRESSURE}, "452 4.3.1", "nc -vz 127.0.0.1 2525"),
    ({"rcpt_replies": {f"{name}@corp.example": habits.NOT_FOUND for name in ("anna", "ben", "postmaster")}}, "known to exist", "control = ADDRESS@corp.example"),
])
def test_servers_that_prove_nothing(census, exchange, what, words, remedy):
    exchange.habits = habits.Habits(**what)
    Found(census).has("fail", "127.0.0.1:2525", words, remedy)


def test_a_server_that_is_away(census, exchange):
    census.set("route.exchange", callout="127.0.0.1:2525 127.0.0.1:2599")
    found = Found(census)
    found.has("ok", "127.0.0.1:2525", "refuses a made-up recipient")
    found.has("fail", "127.0.0.1:2599", "cannot connect", "nc -vz 127.0.0.1 2599")


def test_a_wanted_catch_all(census, exchange):
    exchange.habits = habits.Habits(accept_all=True)
    census.set("route.exchange", accept="@corp.example")
    Found(census).has("ok", "127.0.0.1:2525", "accept = @corp.example wants it")


def test_a_tarpit(census, exchange):
    exchange.habits = habits.Habits(tarpit=1.2)
    exchange.recipients.discard("postmaster@corp.example")
    found = Found(census)
    found.has("warn", "127.0.0.1:2525", "a refusal takes 1.2 s", "-TarpitInterval 00:00:00")
    found.has("fail", "postmaster@corp.example", "does not exist", "")


def test_a_tarpit_of_exchange(census, exchange):
    exchange.habits = habits.Habits(tarpit=5)
    begun = time.monotonic()
    found = Found(census)
    assert time.monotonic() - begun < 15
    found.has("warn", "127.0.0.1:2525", "0.6 unknown recipients a second", "-TarpitInterval 00:00:00")
    found.has("ok", "127.0.0.1:2525", "were not asked about")


def test_more_misses_than_answers(census, exchange):
    db = sqlite3.connect(census.state)
    hour = int(time.time()) // 3600 * 3600_000
    db.executemany("INSERT INTO address (local, domain) VALUES (?, 'corp.example')", [(f"x{i}",) for i in range(4000)])
    db.execute("INSERT INTO miss (address_id, at, client) SELECT id, ?, '' FROM address WHERE local LIKE 'x%'", (hour,))
    db.commit()
    db.close()
    exchange.habits = habits.Habits(tarpit=4)
    Found(census).has("warn", "127.0.0.1:2525", "the busiest hour of the last day missed 1.11 a second", "-MaxProtocolErrors unlimited")


def test_postmaster_and_what_is_accepted(census, gateway, exchange):
    exchange.recipients.discard("postmaster@corp.example")
    census.set("route.exchange", accept="gone@corp.example")
    found = Found(census)
    found.has("fail", "postmaster@corp.example", "does not exist at 127.0.0.1:2525", "an entry in virtual_alias_maps")
    found.has("warn", "gone@corp.example", "accepted here (accept), and does not exist", "take gone@corp.example out")
    found.has("warn", "recipient_delimiter", "accepted here and bounces there", "recipient_delimiter =")
    change(gateway, virtual_alias_maps=gateway.table("lmdb", "virtual", {"postmaster@corp.example": "anna@corp.example"}))
    Found(census).has("ok", "postmaster@corp.example", "is an alias")
    census.set("route.exchange", accept="postmaster@corp.example")
    change(gateway, virtual_alias_maps="", recipient_delimiter="")
    found = Found(census)
    found.has("warn", "postmaster@corp.example", "accepted here (accept), and does not exist", "take postmaster")
    assert "recipient_delimiter" not in found.done.stdout
    exchange.closed = {"postmaster@corp.example"}
    census.set("route.exchange", control="anna@corp.example", accept=None)
    Found(census).has("warn", "postmaster@corp.example", "refuses senders from outside", "-RequireSenderAuthenticationEnabled $false")


def test_each_domain_of_a_route(census, gateway, exchange):
    change(gateway, recipient_delimiter="", relay_domains="corp.example b.example c.example d.example")
    census.set("route.exchange", domains="corp.example b.example c.example d.example")
    exchange.recipients.add("postmaster@b.example")
    exchange.habits = habits.Habits(accept_domains={"c.example"}, foreign={"d.example"})
    found = Found(census)
    found.has("ok", "b.example", "refuses a made-up recipient of it")
    found.has("ok", "postmaster@b.example", "is deliverable")
    found.has("fail", "c.example", "accepts a made-up recipient of it", "Set-AcceptedDomain c.example -AddressBookEnabled $true")
    found.has("fail", "d.example", "Unable to relay", "New-AcceptedDomain -Name d.example")
    census.set("route.exchange", accept="@c.example")
    assert "accepts a made-up" not in Found(census).done.stdout


def test_no_known_good_recipient(postcensus, gateway, exchange):
    postcensus.configure({**gateway.sections(), "route.exchange": ROUTE})
    Found(postcensus).has("warn", "127.0.0.1:2525", "there is no known-good one", "[route.exchange]\ncontrol = ")


def test_the_host_that_postfix_names(census, gateway):
    census.set("route.exchange", callout="postfix")
    Found(census).has("ok", "127.0.0.1:2525", "refuses a made-up recipient")
    change(gateway, transport_maps="", relay_transport="error:nobody")
    Found(census).has("fail", "[route.exchange]", "name no host", "relay:[ex1.corp.example]:2525")


# --- what hangs


def test_everything_hangs_at_once(census, gateway, samba, exchange):
    exchange.habits = habits.Habits(hang={"BANNER"})
    with socket.create_server(("127.0.0.1", 9999)):  # accepts by itself, and nobody answers
        change(gateway, relay_domains="tcp:127.0.0.1:9999")
        samba.freeze()
        begun = time.monotonic()
        try:
            found = Found(census)
        finally:
            samba.thaw()
        assert time.monotonic() - begun < 15
    found.has("fail", "corp ldaps", "did not answer in time", "nc -vz dc1.corp.example 636")
    found.has("fail", "127.0.0.1:2525", "", "")
    found.has("fail", "relay_domains", "did not end within 13 s", "hangs")
    # What does not hang was tested all the same.
    found.has("ok", "smtpd_recipient_restrictions", "asked first")
    found.has("ok", "directory", "answers; 3 entries")


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT"])
def test_a_server_that_stops_answering(census, exchange, verb):
    exchange.habits = habits.Habits(hang={verb})
    Found(census).has("fail", "127.0.0.1:2525", "", "")
