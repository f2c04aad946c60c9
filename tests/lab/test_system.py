"""The package on a machine with systemd: installed as the README says, left alone, broken, upgraded and removed.

One story on one machine, in this order: each test begins with what the one before left. `make test-system` prepares the image
and the packages; the lab of `make lab` does without.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Iterator

import pytest

from exchange import ExchangeStandIn
from machine import Machine
from process import MissingTool, wait_for
from smtp_client import Dialogue, SmtpClient
from test_docs import blocks

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
IMAGE = ROOT / "build-system/base"
SERVICES = ("watch", "sync", "failsafe", "report")
TABLES = "hash:/var/lib/postcensus/maps"
MAKEFILE_RUNS = "make deb"  # the one step that is not the machine's


def packages() -> list[Path]:
    """The package, and the same program with one more migration of the state, as a later version."""
    found = [*(ROOT / "build-deb").glob("postcensus_*.deb"), *(ROOT / "build-system").glob("postcensus_*.deb")]
    if len(found) != 2 or not IMAGE.is_dir():
        raise MissingTool("no image or no packages: make test-system makes them")
    return found


@pytest.fixture(scope="module")
def exchange(authority) -> Iterator[ExchangeStandIn]:
    with ExchangeStandIn(certificate=authority.self_signed("system-ex1", ["ex1.corp.example"])) as server:
        server.recipients |= {"postmaster@corp.example", "postmaster@mail.corp.example"}
        with ExchangeStandIn(address="192.0.2.1", hostname="ex2.corp.example",
                             certificate=authority.self_signed("system-ex2", ["ex2.corp.example"])) as other:
            other.recipients = server.recipients
            yield server


@pytest.fixture(scope="module")
def directory(domain_controller, exchange):
    """Two mailboxes, which Exchange has too."""
    for name in ("anna", "ben"):
        domain_controller.add_mailbox(name, f"{name}@corp.example")
        exchange.recipients |= {f"{name}@corp.example"}
    yield domain_controller
    domain_controller.reset()


@pytest.fixture(scope="module")
def machine(lab, directory) -> Iterator[Machine]:
    """A gateway before Postcensus: Postfix relays two domains to Exchange and knows no recipient. Its log is the journal."""
    folder = lab / "machine"
    folder.mkdir()
    try:
        [package, _] = packages()
        machine = Machine(folder, IMAGE)
    except MissingTool as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    (machine.root / "root/build-deb").mkdir()
    shutil.copy(package, machine.root / "root/build-deb")
    shutil.copy(directory.ca_file, machine.root / "usr/local/share/ca-certificates/corp.crt")
    machine.boot()
    machine.run("update-ca-certificates")
    machine.run("postconf -e 'myhostname = gateway.corp.example' 'relay_domains = corp.example mail.corp.example' "
                "'relay_transport = relay:[ex1.corp.example]:2525' 'mynetworks = 127.0.0.1/32' 'inet_interfaces = all' "
                "'inet_protocols = ipv4' 'smtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination' "
                "'mydestination = localhost' && systemctl restart postfix")
    yield machine
    machine.stop()


def says(recipient: str) -> Dialogue:
    """What Postfix tells a stranger."""
    client = SmtpClient("192.0.2.1", 25, "192.0.2.10")
    client.say("EHLO client.elsewhere.example")
    client.say("MAIL FROM:<sender@elsewhere.example>")
    client.say(f"RCPT TO:<{recipient}>")
    return client.quit()


def wait_for_answer(machine: Machine, recipient: str, code: str, seconds: float = 30) -> None:
    machine.wait_for(lambda: says(recipient).code == code, f"{recipient}: {code}", seconds)


def finds(machine: Machine, table: str, address: str) -> bool:
    """Whether Postfix's own lookup finds it. A table that it cannot read is an error."""
    done = machine.run(f"postmap -q {address} {TABLES}/{table}", check=False)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.returncode == 0


def edit_main_cf(machine: Machine, lines: list[str]) -> None:
    """As with an editor: what has the same name goes, the new lines come."""
    names = [line.split("=")[0].strip() for line in lines if not line.startswith(" ")]
    machine.run(f"postconf -X {' '.join(names)}")
    machine.write("/etc/postfix/main.cf", (machine.root / "etc/postfix/main.cf").read_text() + "\n".join(lines) + "\n")


def is_active(machine: Machine, unit: str) -> bool:
    return machine.run(f"systemctl is-active {unit}", check=False).stdout.strip() == "active"


@contextmanager
def drop_in(machine: Machine, unit: str, text: str) -> Iterator[None]:
    """As `systemctl edit` leaves it; the unit itself is for the caller to start anew."""
    folder = machine.root / "etc/systemd/system" / f"{unit}.d"
    folder.mkdir()
    (folder / "test.conf").write_text(text)
    machine.run("systemctl daemon-reload")
    try:
        yield
    finally:
        shutil.rmtree(folder)
        machine.run("systemctl daemon-reload")


@contextmanager
def stopped(machine: Machine, *units: str) -> Iterator[None]:
    machine.run(f"systemctl stop {' '.join(units)}")
    try:
        yield
    finally:
        machine.run(f"systemctl start {' '.join(units)}")


def apt(machine: Machine, words: str, check: bool = True):
    return machine.run(f"DEBIAN_FRONTEND=noninteractive apt {words}", check=check, seconds=300)


def main_pid(machine: Machine) -> int:
    return int(machine.property("postcensus-watch", "MainPID"))


def test_from_the_package_to_the_first_550_by_the_readme_alone(machine, directory, exchange):
    typed, edited, checks = [], [], []
    for lines in blocks(README, "Install"):
        if lines[0].startswith("[directory."):
            # One of the two domain controllers is there; the rest is as it stands.
            machine.write("/etc/postcensus/postcensus.conf", "\n".join(lines).replace(" ldaps://dc2.corp.example", "") + "\n")
            edited.append("postcensus.conf")
            continue
        for line in lines:
            if line == MAKEFILE_RUNS:
                typed.append(line)
                continue
            if line == "postfix check":
                [main_cf] = [block for block in blocks(README, "Postfix") if block[0].startswith("relay_recipient_maps")]
                edit_main_cf(machine, main_cf)
                edited.append("main.cf")
            if line.startswith("postcensus explain"):
                # Step 7, from outside.
                assert says("made-up@corp.example").code == "450 4.1.1"
                wait_for_answer(machine, "made-up@corp.example", "550 5.1.1")
                assert says("anna@corp.example").code == "250"
            done = machine.run(line.replace("apt install", "DEBIAN_FRONTEND=noninteractive apt install -y"),
                               f"{directory.password}\n" if "/dev/stdin" in line else None, check=not line == "postcensus check",
                               seconds=300)
            typed.append(line)
            if line == "postcensus check":
                checks.append(done.stdout)
            if line == "postcensus sync":
                assert "2 listed" in done.stdout, done.stdout
            if line.startswith("postcensus explain"):
                assert "reject" in done.stdout and "random" in done.stdout, done.stdout
    assert (len(typed), edited) == (10, ["postcensus.conf", "main.cf"]), typed
    # Before: what is missing is named, and how to go on. After: nothing fails.
    assert "not there yet" in checks[0] and "fail" in checks[0], checks[0]
    assert not re.search(r"^ *fail", checks[1], re.MULTILINE), checks[1]
    # The log was found where it is.
    assert "following the journal" in machine.journal("postcensus-watch")


def test_nothing_but_what_it_is_for(machine):
    """The units that are loaded, with all that systemd made of them."""
    for service in SERVICES:
        for unit in (f"postcensus-{service}.service", f"postcensus-{service}@branch.service"):
            said = machine.run(f"systemd-analyze security --no-pager {unit}").stdout
            level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)[1])
            assert level <= 1.5, said
    owner = machine.run(f"stat -c %U /proc/{main_pid(machine)} /var/lib/postcensus/state.db").stdout.split()
    assert owner == ["postcensus", "postcensus"]
    said = machine.run("systemd-analyze verify --man=no /lib/systemd/system/postcensus-*", check=False)
    assert not said.stdout + said.stderr


def test_what_was_missed_in_the_journal_is_learned(machine, exchange):
    exchange.recipients |= {"new@corp.example"}
    assert says("new@corp.example").code == "450 4.1.1"
    wait_for_answer(machine, "new@corp.example", "250")


def test_a_reading_that_fails_says_so_in_one_line(machine, directory):
    directory.stop()
    try:
        assert machine.run("systemctl start postcensus-sync", check=False).returncode != 0
        status = machine.run("systemctl status --no-pager postcensus-sync", check=False).stdout
        [line] = [line for line in status.splitlines() if line.strip().startswith("Status:")]
        assert "dc1.corp.example" in line and "cannot be reached" in line, status
        assert "status=69" in status, status
        assert says("anna@corp.example").code == "250"
    finally:
        directory.start()
    machine.run("systemctl start postcensus-sync")
    assert "2 listed" in machine.property("postcensus-sync", "StatusText")


def test_a_page_each_morning(machine):
    machine.run("systemctl enable --now postcensus-report.timer")
    path = machine.root / "var/lib/postcensus/report.html"
    with stopped(machine, "postcensus-watch"):
        assert machine.run("systemctl start postcensus-report", check=False).returncode != 0
        assert path.read_text().startswith("<!DOCTYPE html>") and "corp.example" in path.read_text()
        machine.wait_for(lambda: "`postcensus watch` does not run" in machine.journal("postcensus-report"), "what needs attention")
    # Whether or not root has written it meanwhile.
    machine.run("postcensus report --output /var/lib/postcensus/report.html")
    assert path.read_text().startswith("Postcensus report")
    machine.run("systemctl start postcensus-report", check=False)
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert machine.run("stat -c %U:%a /var/lib/postcensus/report.html").stdout == "postcensus:640\n"
    assert not list(path.parent.glob(".*"))


def test_a_new_configuration_is_taken_whole_or_not_at_all(machine):
    path = "/etc/postcensus/postcensus.conf"
    good = (machine.root / path[1:]).read_text()
    pid = main_pid(machine)
    try:
        machine.write(path, good + "unknown-expire = soon\n")
        machine.run("systemctl reload postcensus-watch")
        machine.wait_for(lambda: "the new configuration is not used" in machine.journal("postcensus-watch"), "the refusal")
    finally:
        machine.write(path, good + "unknown-expire = 30s\n")
    machine.run("systemctl reload postcensus-watch")
    # A lease of the new length shows that it is in use.
    def lease() -> str:
        return machine.run("postcensus check", check=False).stdout
    machine.wait_for(lambda: "before it was changed" not in lease(), "the new configuration in use")
    assert (main_pid(machine), machine.property("postcensus-watch", "NRestarts")) == (pid, "0")


def test_a_main_cf_with_a_typo_ends_watch_until_it_is_mended(machine):
    """Postfix itself goes on with what it had read before."""
    path = "/etc/postfix/main.cf"
    good = (machine.root / path[1:]).read_text()
    try:
        machine.write(path, good + "recipient_delimiter -\n")
        machine.run("systemctl reload postcensus-watch", check=False)
        machine.wait_for(lambda: machine.property("postcensus-watch", "SubState") == "auto-restart", "its end")
        assert machine.property("postcensus-watch", "ExecMainStatus") == "69"
        assert "mend main.cf (postfix check)" in machine.journal("postcensus-watch")
    finally:
        machine.write(path, good)
    machine.wait_for(lambda: is_active(machine, "postcensus-watch"), "another watch", 60)


def test_a_folder_of_secrets_that_is_missing_is_an_empty_one(machine):
    machine.run("mv /etc/postcensus/credentials /root")
    try:
        assert machine.run("systemctl restart postcensus-watch", check=False).returncode != 0
        status = machine.run("systemctl status --no-pager postcensus-watch", check=False).stdout
        assert "no password: " in status, status
    finally:
        machine.run("mv /root/credentials /etc/postcensus")
    machine.run("systemctl restart postcensus-watch")


def test_sigkill_is_survived(machine, exchange):
    pid = main_pid(machine)
    machine.run(f"kill -KILL {pid}")
    machine.wait_for(lambda: is_active(machine, "postcensus-watch") and main_pid(machine) not in (0, pid), "another watch", 60)
    exchange.recipients |= {"later@corp.example"}
    assert says("later@corp.example").code == "450 4.1.1"
    wait_for_answer(machine, "later@corp.example", "250")


def test_a_watch_that_hangs_is_replaced(machine):
    """The unit's minute is a few seconds here."""
    with drop_in(machine, "postcensus-watch.service", "[Service]\nWatchdogSec=4s\nTimeoutAbortSec=1s\nRestartSec=1s\n"):
        machine.run("systemctl restart postcensus-watch")
        pid = main_pid(machine)
        machine.run(f"kill -STOP {pid}")
        machine.wait_for(lambda: is_active(machine, "postcensus-watch") and main_pid(machine) not in (0, pid), "another watch", 60)
        assert "Watchdog timeout" in machine.journal("postcensus-watch")
    machine.run("systemctl restart postcensus-watch")


def test_what_nobody_tends_lapses(machine):
    says("made-up-2@corp.example")
    wait_for_answer(machine, "made-up-2@corp.example", "550 5.1.1")
    # A reading would decide itself, and withdraw it.
    with stopped(machine, "postcensus-watch", "postcensus-sync.timer"):
        # The lease of 30 s, a tenth, and the timer's minute.
        wait_for_answer(machine, "made-up-2@corp.example", "450 4.1.1", 120)
        assert "emptied /var/lib/postcensus/maps/unknown: it was good until" in machine.journal("postcensus-failsafe")
        assert says("anna@corp.example").code == "250"
    machine.wait_for(lambda: "failsafe had to step in" in machine.run("postcensus report --quiet", check=False).stdout, "its trace")


def test_a_full_var(machine, exchange):
    says("made-up-3@corp.example")
    wait_for_answer(machine, "made-up-3@corp.example", "550 5.1.1")
    machine.run("dd if=/dev/zero of=/var/full bs=1M status=none; dd if=/dev/zero of=/var/full2 bs=512 status=none", check=False)
    try:
        assert machine.run("touch /var/one && echo 1 > /var/one", check=False).returncode != 0, "it is full"
        # What was accepted stays; what was refused is not refused for longer than its lease, whatever restarts. Postfix itself
        # answers 452 to all as long as its queue has no room, so its tables are asked.
        machine.run("systemctl restart postcensus-watch", check=False)
        machine.wait_for(lambda: not finds(machine, "unknown", "made-up-3@corp.example"), "the end of the lease", 120)
        assert finds(machine, "directory", "anna@corp.example")
        machine.run("systemctl start postcensus-failsafe")
    finally:
        machine.run("rm -f /var/full /var/full2 /var/one")
    machine.wait_for(lambda: is_active(machine, "postcensus-watch"), "watch, now that there is room", 60)
    exchange.recipients |= {"room@corp.example"}
    says("room@corp.example")
    wait_for_answer(machine, "room@corp.example", "250", 60)


def test_a_reboot(machine):
    """After a time without power that outlasted the leases, and nobody there to tend them but the failsafe at the start."""
    says("made-up-4@corp.example")
    wait_for_answer(machine, "made-up-4@corp.example", "550 5.1.1")
    machine.run("systemctl disable postcensus-watch")
    machine.shut_down()
    table = machine.root / "var/lib/postcensus/maps/unknown"
    until = datetime.fromisoformat(re.search(r"# until: (\S+)", table.read_text())[1])
    wait_for(lambda: datetime.now(timezone.utc) > until, "the end of the lease", 60)
    machine.boot()
    machine.wait_for(lambda: says("made-up-4@corp.example").code, "Postfix")
    assert says("made-up-4@corp.example").code == "450 4.1.1"
    assert "emptied" in machine.run("journalctl --boot --no-pager --unit=postcensus-failsafe").stdout
    machine.run("systemctl enable --now postcensus-watch")
    for unit in ("postcensus-watch.service", "postcensus-sync.timer", "postcensus-failsafe.timer"):
        machine.wait_for(lambda: is_active(machine, unit), unit)
    for recipient in ("anna", "new", "later", "room"):
        assert says(f"{recipient}@corp.example").code == "250"
    wait_for_answer(machine, "made-up-4@corp.example", "550 5.1.1")


def test_without_a_configuration_it_says_what_to_do_and_stays_down(machine):
    machine.run("mv /etc/postcensus/postcensus.conf /root")
    try:
        assert machine.run("systemctl restart postcensus-watch", check=False).returncode != 0
        assert machine.property("postcensus-watch", "ActiveState") == "failed"
        status = machine.run("systemctl status --no-pager postcensus-watch", check=False).stdout
        assert "cannot read /etc/postcensus/postcensus.conf" in status and "postcensus.conf(5)" in status, status
        # No timer of a restart is set.
        assert machine.property("postcensus-watch", "SubState") == "failed"
        assert machine.property("postcensus-watch", "ExecMainStatus") == "78"
    finally:
        machine.run("mv /root/postcensus.conf /etc/postcensus")
    machine.run("systemctl start postcensus-watch")


def test_a_second_instance(machine):
    """Other domains, another state, tables of its own; the same secrets."""
    conf = (machine.root / "etc/postcensus/postcensus.conf").read_text().replace("domains = corp.example mail.corp.example", "domains = branch.example")
    machine.write("/etc/postcensus/branch.conf", "[general]\nstate = /var/lib/postcensus-branch/state.db\n"
                  f"maps = /var/lib/postcensus-branch/maps\n{conf}")
    machine.run("systemctl start postcensus-sync@branch && systemctl start postcensus-watch@branch")
    assert is_active(machine, "postcensus-watch@branch") and is_active(machine, "postcensus-watch")
    assert (machine.root / "var/lib/postcensus-branch/maps/directory.db").exists()
    machine.run("systemctl start postcensus-failsafe@branch && systemctl stop postcensus-watch@branch")


def test_the_timers_fire(machine):
    """Each by itself; that of the readings within the hour of its unit, and here sooner."""
    machine.wait_for(lambda: machine.property("postcensus-failsafe.timer", "LastTriggerUSec") not in ("", "n/a"), "failsafe", 90)
    due = machine.run("systemctl list-timers --no-legend postcensus-sync.timer").stdout
    assert re.search(r"\b([0-5]min )?[0-9]+s left", due), due

    def begun() -> str:
        return machine.property("postcensus-sync", "ExecMainStartTimestampMonotonic")
    before = begun()
    with drop_in(machine, "postcensus-sync.timer", "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nRandomizedDelaySec=0\n"):
        machine.run("systemctl restart postcensus-sync.timer")
        machine.wait_for(lambda: begun() != before, "a reading")
    machine.run("systemctl restart postcensus-sync.timer")
    machine.wait_for(lambda: not is_active(machine, "postcensus-sync"), "its end")
    assert machine.property("postcensus-sync", "Result") == "success" and machine.property("postcensus-sync", "StatusText")


def test_the_sandbox_lets_through_what_it_has_to(machine, exchange, directory):
    """A log that is a file of group adm, a folder of metrics, and Kerberos."""
    files = [machine.root / name for name in ("etc/postcensus/postcensus.conf", "etc/postfix/main.cf")]
    kept = [file.read_text() for file in files]
    machine.run("install -o root -g adm -m 0640 /dev/null /var/log/mail.log && "
                "install -d -o postcensus -g postcensus /var/lib/prometheus/node-exporter")
    _, keytab = directory.kerberos()
    shutil.copy(directory.krb5_conf(), machine.root / "etc/krb5.conf")
    (machine.root / "etc/krb5.conf").chmod(0o644)
    shutil.copy(keytab, machine.root / "root/corp.keytab")
    machine.run("install -o postcensus -g postcensus -m 0600 /root/corp.keytab /etc/postcensus/corp.keytab")
    conf = re.sub(r"uri = .*", "uri = ldap://dc1.corp.example\nbind = gssapi\nkeytab = /etc/postcensus/corp.keytab", kept[0])
    conf = re.sub(r"(bind-dn|password-file) = .*\n", "", conf)
    try:
        machine.write("/etc/postcensus/postcensus.conf",
                      f"[general]\nmetrics-dir = /var/lib/prometheus/node-exporter\n[log]\npath = /var/log/mail.log\nsource = file\n{conf}")
        machine.run("postconf -e maillog_file=/var/log/mail.log && postfix reload && systemctl restart postcensus-watch")
        exchange.recipients |= {"file@corp.example"}
        assert says("file@corp.example").code == "450 4.1.1"
        wait_for_answer(machine, "file@corp.example", "250")
        metrics = machine.root / "var/lib/prometheus/node-exporter"
        machine.wait_for(lambda: (metrics / "postcensus_watch.prom").exists(), "metrics")
        machine.run("systemctl start postcensus-sync")
        assert "2 listed" in machine.property("postcensus-sync", "StatusText") and (metrics / "postcensus_sync.prom").exists()
    finally:
        for file, text in zip(files, kept):
            file.write_text(text)
        machine.run("postfix reload && rm -rf /var/lib/prometheus /var/log/mail.log && systemctl restart postcensus-watch")
    assert "no metrics" not in machine.journal("postcensus-watch")


def test_an_upgrade_with_a_new_schema_and_the_way_back(machine):
    [package, later] = packages()
    copy = f"state.db.v{len(list((ROOT / 'sql/migrations').glob('*.sql')))}"
    wait_for_answer(machine, "made-up-4@corp.example", "550 5.1.1", 60)
    for file in (package, later):
        shutil.copy(file, machine.root / "root" / file.name)
    machine.run("systemctl start postcensus-watch@branch")  # one that runs, and is not enabled
    apt(machine, f"install -y ./{later.name}")
    for unit in ("postcensus-watch.service", "postcensus-watch@branch.service", "postcensus-sync.timer", "postcensus-failsafe.timer"):
        assert is_active(machine, unit), unit
    assert (machine.root / "var/lib/postcensus" / copy).exists()
    assert says("anna@corp.example").code == "250" and says("new@corp.example").code == "250"
    machine.run("systemctl stop postcensus-watch@branch")
    # Back: the old one does not touch what it does not know.
    apt(machine, f"install -y --allow-downgrades ./{package.name}", check=False)
    machine.wait_for(lambda: machine.property("postcensus-watch", "ExecMainStatus") == "75", "its refusal")
    assert copy in machine.journal("postcensus-watch")
    assert says("anna@corp.example").code == "250" and says("new@corp.example").code == "250"
    with stopped(machine, "postcensus-watch", "postcensus-sync.timer"):
        machine.run(f"cd /var/lib/postcensus && rm -f state.db-wal state.db-shm && cp -a {copy} state.db")
    assert says("anna@corp.example").code == "250" and says("new@corp.example").code == "250"


def test_an_upgrade_that_was_broken_off_is_gone_on_with(machine):
    """The script of the package ends in its middle; failsafe runs all the time."""
    script = machine.root / "var/lib/dpkg/info/postcensus.postinst"
    good = script.read_text()
    stop = "systemctl stop 'postcensus-watch*' 'postcensus-sync*' 'postcensus-report*' || true\n"
    assert stop in good
    script.write_text(good.replace(stop, f"{stop}        exit 9\n"))
    try:
        assert machine.run("dpkg-reconfigure -fnoninteractive postcensus", check=False).returncode != 0
        assert not is_active(machine, "postcensus-watch") and is_active(machine, "postcensus-failsafe.timer")
    finally:
        script.write_text(good)
    machine.run("dpkg-reconfigure -fnoninteractive postcensus")
    for unit in ("postcensus-watch.service", "postcensus-sync.timer", "postcensus-failsafe.timer"):
        assert is_active(machine, unit), unit


def test_nothing_is_removed_while_rejections_cannot_be_ended(machine):
    says("made-up-5@corp.example")
    wait_for_answer(machine, "made-up-5@corp.example", "550 5.1.1", 60)
    maps = "/var/lib/postcensus/maps"
    machine.run(f"mount --bind {maps} {maps} && mount -o remount,bind,ro {maps}")
    try:
        done = apt(machine, "remove -y postcensus", check=False)
        assert done.returncode != 0 and "it stays, for Postfix would go on refusing by them" in done.stdout + done.stderr, done
    finally:
        machine.run(f"umount {maps}")
    for unit in ("postcensus-watch.service", "postcensus-sync.timer", "postcensus-failsafe.timer"):
        machine.wait_for(lambda: is_active(machine, unit), unit, 60)


def test_removal_ends_all_rejections_and_names_the_lines(machine):
    says("made-up-5@corp.example")
    wait_for_answer(machine, "made-up-5@corp.example", "550 5.1.1", 60)
    done = apt(machine, "remove -y postcensus")
    for line in (f"relay_recipient_maps: {TABLES}/directory", f"relay_recipient_maps: {TABLES}/learned",
                 f"smtpd_recipient_restrictions: {TABLES}/unknown", f"smtpd_recipient_restrictions: {TABLES}/closed"):
        assert line in done.stdout, done.stdout
    assert says("made-up-5@corp.example").code == "450 4.1.1"
    assert says("anna@corp.example").code == "250"
    assert not machine.run("systemctl list-units --plain --no-legend 'postcensus*'").stdout


def test_who_comes_back_is_told_what_does_not_run(machine):
    """The links of `systemctl enable` outlast the package."""
    [package, _] = packages()
    done = apt(machine, f"install -y ./build-deb/{package.name}")
    assert "postcensus-watch.service is enabled, but does not run: systemctl start postcensus-watch.service" in done.stdout + done.stderr
    assert is_active(machine, "postcensus-failsafe.timer")
    apt(machine, "remove -y postcensus")


def test_purge_leaves_tables_that_postfix_asks(machine):
    """By whatever name, and where Postfix does not say; and what is only called alike."""
    main_cf = machine.root / "etc/postfix/main.cf"
    named = main_cf.read_text()
    main_cf.write_text(named.replace(TABLES, "$ours") + f"ours = {TABLES}\nbroken\n")
    (machine.root / "var/lib/postcensus-old").mkdir()
    done = apt(machine, "purge -y postcensus")
    assert "/var/lib/postcensus/maps stays, for Postfix still asks: (postconf does not say)" in done.stdout + done.stderr, done
    for folder in ("var/lib/postcensus", "var/lib/postcensus-branch"):
        assert os.listdir(machine.root / folder) == ["maps"]
    assert not (machine.root / "etc/postcensus").exists()
    assert machine.run("test -e /run/postcensus.ran", check=False).returncode == 1
    assert (machine.root / "var/lib/postcensus-old").exists()
    assert not machine.run("ls /var/lib/systemd/timers | grep postcensus", check=False).stdout
    main_cf.write_text(main_cf.read_text().removesuffix("broken\n"))
    assert says("anna@corp.example").code == "250"


def test_purge_asks_and_then_takes_all(machine):
    """Somebody at a terminal who answers yes."""
    [package, _] = packages()
    install = f"install -y ./build-deb/{package.name}"
    apt(machine, install)
    # What main.cf calls $ours.
    asked = machine.answer("DEBIAN_FRONTEND=teletype apt purge -y postcensus", "though main.cf still names them? [yes/no]", "yes\n")
    assert f"{TABLES}/directory" in asked, asked
    assert not (machine.root / "var/lib/postcensus").exists()
    # And where nothing names them, nobody is asked.
    machine.run("postconf -X relay_recipient_maps smtpd_recipient_restrictions && postfix reload")
    apt(machine, install)
    apt(machine, "purge -y postcensus")
    assert not (machine.root / "var/lib/postcensus").exists()
    assert not machine.run("ls /etc/systemd/system/*.wants | grep postcensus", check=False).stdout
