"""Who else is on the machine: local users, signals, another Postfix, a disk without room, hands that remove what is ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from crash import read_index
from disk import Disk
from process import Process, wait_for
from test_stays_right import PEOPLE, answer, becomes, census, learn_and_refuse, rows  # noqa: F401 (fixtures)

DEPRECATED = ("postmap: warning: hash/btree support is deprecated. Please switch to cdb or lmdb.\n"
              "postmap: warning: See https://www.postfix.org/NON_BERKELEYDB_README.html for details.")


@pytest.fixture
def postmap(folder) -> Path:
    """A folder for the PATH. Its postmap is the real one, once `before.sh` beside it has run."""
    path = folder / "bin"
    path.mkdir()
    (path / "postmap").write_text(f"#!/bin/sh\n. {path}/before.sh\nexec /usr/sbin/postmap \"$@\"\n")
    (path / "postmap").chmod(0o755)
    (path / "before.sh").write_text("")
    return path


def through(postmap: Path) -> dict[str, str]:
    return {"PATH": f"{postmap}:{os.environ['PATH']}"}


# --- Postfix 3.11 ---

@pytest.mark.parametrize("table_type", ["hash", "btree"])
def test_a_postmap_that_warns_of_its_types(census, gateway, slapd, exchange, postmap, table_type):
    (postmap / "before.sh").write_text(f"cat >&2 <<'END'\n{DEPRECATED}\nEND\n")
    census.set("route.exchange", domains="postfix")
    exchange.recipients.add("carl@corp.example")
    slapd.add("carl", ["carl@corp.example"])
    done = census.run("sync", "--full", env=through(postmap))
    assert done.returncode == 0, done
    assert answer(gateway, "carl@corp.example") == "250"
    census.watch(env=through(postmap))
    learn_and_refuse(gateway)
    exchange.recipients -= {"ben@corp.example"}
    slapd.delete(f"cn=ben,{PEOPLE}")
    assert census.run("sync", "--full", env=through(postmap)).returncode == 0
    becomes(gateway, "ben@corp.example", "450 4.1.1")
    assert census.stop() == 0
    findings = json.loads(census.run("check", "--format", "json", env=through(postmap)).stdout)["findings"]
    [kind] = [f for f in findings if f["subject"] == "table-type"]
    assert kind["level"] == "warn" and "deprecated" in kind["words"], kind
    assert "table-type = lmdb" in kind["remedy"] and f"lmdb: instead of {table_type}:" in kind["remedy"], kind
    assert not [f for f in findings if f["level"] == "fail" and f["area"] == "tables"]


@pytest.mark.parametrize("table_type", ["cdb"])
def test_a_postmap_that_builds_another_type(census, gateway, slapd, postmap):
    """non_bdb_migration_level = enable-redirect: main.cf names hash, and cdb is what there is."""
    census.set("general", table_type="hash")
    (postmap / "postmap").write_text(f"""#!/bin/sh
for word; do case $word in hash:*) echo "postmap: redirecting $word to cdb:${{word#hash:}}" >&2;; esac; done
exec /usr/sbin/postmap $(echo "$@" | sed 's/hash:/cdb:/')
""")
    slapd.add("carl", ["carl@corp.example"])
    assert census.run("sync", "--full", env=through(postmap)).returncode == 0
    assert answer(gateway, "carl@corp.example") == "250"
    findings = json.loads(census.run("check", "--format", "json", env=through(postmap)).stdout)["findings"]
    [kind] = [f for f in findings if f["subject"] == "table-type"]
    assert kind["level"] == "warn" and "redirecting hash:" in kind["words"], kind
    assert not [f for f in findings if f["level"] == "fail" and f["area"] == "tables"], findings


def test_what_postmap_says_of_lines_stops_a_table(census, gateway, slapd, postmap):
    (postmap / "before.sh").write_text("echo 'postmap: warning: unknown, line 3: skipping this entry' >&2\n")
    slapd.add("carl", ["carl@corp.example"])
    assert census.run("sync", "--full", env=through(postmap)).returncode == 73
    assert answer(gateway, "anna@corp.example") == "250"
    assert answer(gateway, "carl@corp.example") == "450 4.1.1"


def test_programs_get_no_descriptor_of_ours(census, gateway, postmap):
    (postmap / "before.sh").write_text(f"ls -l /proc/$$/fd > {postmap}/seen.$$\n")
    postmap.chmod(0o777)
    census.watch(env=through(postmap))
    learn_and_refuse(gateway)  # sockets to the directory and to Exchange are open by then
    census.wait_for(lambda: census.table("unknown"), "a publication")
    assert census.stop() == 0
    seen = list(postmap.glob("seen.*"))
    assert len(seen) > 3
    for one in seen:
        # From 10 on a shell has its own.
        assert {int(number) for number in re.findall(r" (\d+) -> ", one.read_text())} - set(range(10, 16)) == {0, 1, 2}, one.read_text()
        assert "socket:" not in one.read_text()


# --- a stall is no work ---

def test_a_build_that_was_held_up_delays_no_removal(census, gateway, slapd, exchange, postmap):
    """Four seconds of a stopped postmap used to mean forty in which a leaver gets 250."""
    hold, held = postmap / "hold", postmap / "held"
    postmap.chmod(0o777)
    (postmap / "before.sh").write_text(
        f"case \"$*\" in *-q*) ;; */directory) [ -e {hold} ] && touch {held} && while [ -e {hold} ]; do sleep 0.05; done;; esac\n")
    census.set("directory.corp", poll_interval="1s")
    census.watch(env=through(postmap))
    exchange.recipients.add("carl@corp.example")
    slapd.add("carl", ["carl@corp.example"])
    assert census.run("sync", "--full").returncode == 0
    becomes(gateway, "carl@corp.example", "250")
    hold.touch()
    exchange.recipients.discard("ben@corp.example")
    slapd.delete(f"cn=ben,{PEOPLE}")
    assert census.run("sync", "--full").returncode in (0, 75)
    census.wait_for(held.exists, "the build to hang", 20)
    until = time.monotonic() + 4
    wait_for(lambda: time.monotonic() > until, "the stall")
    hold.unlink()
    becomes(gateway, "ben@corp.example", "450 4.1.1")
    exchange.recipients.discard("carl@corp.example")
    slapd.delete(f"cn=carl,{PEOPLE}")
    assert census.run("sync", "--full").returncode in (0, 75)
    becomes(gateway, "carl@corp.example", "450 4.1.1", 5)
    assert census.stop() == 0


# --- signals ---

def test_an_end_behind_a_reload_is_an_end(census):
    shutil.chown(census.folder / "corp.password", census.owner)
    for _ in range(20):
        watch = census.watch()
        watch.signal(signal.SIGHUP)
        watch.signal(signal.SIGTERM)
        assert watch.wait(15) == 0
    # While it reloads.
    for _ in range(10):
        watch = census.watch()
        before = watch.messages.count("READY=1")
        watch.signal(signal.SIGHUP)
        watch.wait_for(lambda: any(m.startswith("RELOADING") for m in watch.messages), "a reload")
        watch.signal(signal.SIGTERM)
        assert watch.wait(15) == 0 and before
    census.process = None


def test_an_end_at_the_start_is_an_end(census):
    def holds_signals(pid: int) -> bool:
        blocked = int(re.search(r"^SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1], 16)
        return bool(blocked >> (signal.SIGTERM - 1) & 1)
    for _ in range(10):
        watch = census.watch(ready=False)
        watch.wait_for(lambda: holds_signals(watch.pid), "that it holds them")
        watch.signal(signal.SIGHUP)
        watch.signal(signal.SIGTERM)
        assert watch.wait(15) == 0
    census.process = None


# --- locks ---

LOCK_ALL = """
import fcntl, os, sys
held = []
for path in sys.argv[1:]:
    for mode in (os.O_RDWR, os.O_RDONLY):
        try:
            fd = os.open(path, mode)
        except OSError:
            continue
        for take in (fcntl.flock, fcntl.lockf):
            try:
                take(fd, (fcntl.LOCK_EX if mode == os.O_RDWR or take is fcntl.flock else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except OSError:
                pass
        held.append(fd)
print("locked", len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def stranger(census, folder):
    """A local user without any right locks all that he can open, but the indexes, which are Postfix's."""
    def everything() -> list[Path]:
        folders = [census.maps, census.state.parent]
        files = [path for one in folders for path in one.iterdir() if path.suffix not in (".lmdb", ".db", ".cdb") or one != census.maps]
        return folders + files
    started: list[subprocess.Popen] = []

    def lock() -> None:
        child = subprocess.Popen([sys.executable, "-c", LOCK_ALL, *map(str, everything())], user="nobody", group="nogroup",
                                 extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert re.match(r"locked [1-9]", child.stdout.readline())
    yield lock
    for child in started:
        child.communicate()


def test_a_local_user_locks_what_he_can_open(census, gateway, slapd, stranger):
    for path in (census.state.parent, census.maps):
        path.chmod(0o755)  # as the package has them
    watch = census.watch()
    shutil.chown(census.folder / "corp.password", census.owner)
    learn_and_refuse(gateway)
    stranger()
    watch.reload()
    watch.reload()
    slapd.add("carl", ["carl@corp.example"])
    becomes(gateway, "carl@corp.example", "250", 20)
    assert census.stop() == 0
    stranger()
    slapd.add("dora", ["dora@corp.example"])
    assert census.run("sync").returncode == 0
    assert answer(gateway, "dora@corp.example") == "250"
    census.watch()
    assert census.stop() == 0
    assert (census.maps / ".publisher").stat().st_mode & 0o777 == 0o600
    assert (census.state.parent / "decider").stat().st_mode & 0o777 == 0o600
    assert census.run("failsafe", "--maps", census.maps, "--now").returncode == 0
    assert (census.maps / ".publisher").exists()


def test_the_locks_are_held_over_a_reload(census):
    """Commands that wait for them get none."""
    watch = census.watch()
    shutil.chown(census.folder / "corp.password", census.owner)

    def holders() -> set[tuple[str, int]]:
        inodes = {str((census.maps / ".publisher").stat().st_ino), str((census.state.parent / "decider").stat().st_ino)}
        lines = Path("/proc/locks").read_text().splitlines()
        return {(m[2], int(m[1])) for line in lines if (m := re.search(r"FLOCK .* (\d+) \S+:(\d+) 0 EOF", line)) and m[2] in inodes}
    before = holders()
    assert len(before) == 2 and {pid for _, pid in before} == {watch.pid}
    taken = Process([sys.executable, "-c", "import fcntl, sys\nfor path in sys.argv[1:]:\n    fcntl.flock(open(path, 'r+'), fcntl.LOCK_EX)\n"
                     "    print('taken', flush=True)\n", census.maps / ".publisher", census.state.parent / "decider"],
                    census.folder / "taker.log")
    with taken:
        for _ in range(5):
            watch.reload()
        assert taken.alive and taken.output() == ""
        assert holders() >= before
        taken.kill()
    assert census.stop() == 0


def test_two_publishers_of_one_folder_exclude_each_other(census, folder):
    census.watch()
    other = census.folder / "other.conf"
    state = census.folder / "other"
    state.mkdir()
    shutil.chown(state, census.owner)
    other.write_text(census.conf.read_text().replace(str(census.state), str(state / "state.db")))
    done = census.run("--config", other, "sync")
    assert done.returncode == 75 and "give each its own [general] maps" in done.stderr, done
    assert census.stop() == 0
    assert census.run("--config", other, "sync").returncode == 0


# --- the folder of the tables ---

def test_a_folder_of_tables_that_is_removed_is_made_again(census, gateway):
    census.watch()
    learn_and_refuse(gateway)
    shutil.chown(census.maps.parent, census.owner)  # as /var/lib/postcensus is the service's
    lines = len(census.log.read_text().splitlines())
    shutil.rmtree(census.maps)
    for rcpt, expected in (("anna@corp.example", "250"), ("later@corp.example", "250"), ("made-up@corp.example", "550 5.1.1")):
        becomes(gateway, rcpt, expected, 25)
    assert census.maps.stat().st_mode & 0o777 == 0o755 and census.maps.owner() == census.owner
    assert {"unknown.empty", "closed.empty", ".publisher"} <= {path.name for path in census.maps.iterdir()}
    said = census.log.read_text().splitlines()[lines:]
    assert sum("was removed; it is made again" in line for line in said) == 1, said
    assert len([line for line in said if "debug" not in line]) < 30, said
    # And once more; and nobody else publishes there.
    shutil.rmtree(census.maps)
    becomes(gateway, "anna@corp.example", "250", 25)
    assert census.stop() == 0
    assert not [row for row in rows(census, "SELECT name FROM command") if row == ("failsafe",)]


def test_a_folder_of_tables_that_cannot_be_made_is_said_once(census, gateway):
    census.watch(log_level="info")
    learn_and_refuse(gateway)
    shutil.rmtree(census.maps)
    census.maps.mkdir()  # root's
    lines = len(census.log.read_text().splitlines())
    census.wait_for(lambda: "give it to this user" in census.log.read_text(), "the trouble", 20)
    until = time.monotonic() + 12
    wait_for(lambda: time.monotonic() > until, "two more tries", 20)
    said = census.log.read_text().splitlines()[lines:]
    assert sum("give it to this user" in line for line in said) == 1 and len(said) < 10, said
    shutil.chown(census.maps, census.owner)
    becomes(gateway, "anna@corp.example", "250", 20)
    assert census.stop() == 0


# --- a disk without room ---

@pytest.fixture
def small_disk(folder, postcensus):
    disk = Disk(folder / "disk", "12m")
    postcensus.state, postcensus.maps = disk.folder / "state" / "state.db", disk.folder / "maps"
    for path in (postcensus.state.parent, postcensus.maps):
        path.mkdir()
        shutil.chown(path, postcensus.owner)
    yield disk
    postcensus.kill()
    disk.unmount()


@pytest.mark.parametrize("left", [0, 16, 64], ids="{} KB left".format)
def test_a_watch_that_starts_on_a_full_disk(small_disk, postcensus, slapd, exchange, left):
    slapd.load([("anna", ["anna@corp.example"])])
    slapd.start()
    exchange.recipients = {"anna@corp.example", "real@corp.example"}
    log = postcensus.folder / "mail.log"
    log.touch()
    etc = postcensus.folder / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = gateway.corp.example\n")
    (etc / "master.cf").touch()
    postcensus.configure({"general": {"table-type": "lmdb", "postfix-config": etc}, "log": {"source": "file", "path": log},
                          "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "unknown-expire": "8s"}})
    assert postcensus.run("sync").returncode == 0
    postcensus.watch()
    stamp = time.strftime("%b %e %H:%M:%S")
    with log.open("a") as out:
        out.write(f"{stamp} mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from client.test[192.0.2.10]: 450 4.1.1 <made-up@corp.example>: "
                  "Recipient address rejected: User unknown in relay recipient table; from=<a@b.test> to=<made-up@corp.example> "
                  "proto=ESMTP helo=<client.test>\n")
    postcensus.wait_for(lambda: rows(postcensus, "SELECT entries FROM publication WHERE name = 'unknown' AND entries = 1"),
                        "a rejection, noted")
    postcensus.kill()
    before = {name: (small_disk.folder / "maps" / name).read_bytes() for name in ("directory", "learned", "closed")}
    small_disk.fill(left * 1024)
    watch = postcensus.watch(ready=False)
    if left == 0:
        postcensus.wait_for(lambda: re.search("No space left|disk is full", postcensus.log.read_text()), "the trouble to be told")
        postcensus.wait_for(lambda: any("disk is full" in status for status in watch.statuses), "the status")
    postcensus.wait_for(lambda: not read_index("lmdb", postcensus.maps / "unknown"), "the rejection to end", 25)
    assert watch.alive
    assert before == {name: (small_disk.folder / "maps" / name).read_bytes() for name in before}
    small_disk.free()
    postcensus.wait_for(lambda: "following" in " ".join(watch.statuses[-1:]), "a real start", 20)
    exchange.recipients.add("carl@corp.example")
    slapd.add("carl", ["carl@corp.example"])
    assert postcensus.run("sync").returncode == 0
    assert any(line.startswith("carl@") for line in postcensus.table("learned") + postcensus.table("directory"))
    assert not [row for row in rows(postcensus, "SELECT name, words FROM command") if row[0] == "failsafe"]
    assert postcensus.stop() == 0


def test_a_full_disk_at_the_start_can_be_ended(small_disk, postcensus, slapd, exchange):
    etc = postcensus.folder / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = gateway.corp.example\n")
    (etc / "master.cf").touch()
    (postcensus.folder / "mail.log").touch()
    postcensus.configure({"general": {"table-type": "lmdb", "postfix-config": etc},
                          "log": {"source": "file", "path": postcensus.folder / "mail.log"},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    small_disk.fill()
    watch = postcensus.watch(ready=False)
    postcensus.wait_for(lambda: any("disk is full" in status for status in watch.statuses), "the status")
    watch.signal(signal.SIGHUP)
    watch.signal(signal.SIGTERM)
    assert watch.wait(10) == 0


def test_check_says_what_room_is_needed(small_disk, postcensus, slapd, exchange):
    etc = postcensus.folder / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = gateway.corp.example\n")
    (etc / "master.cf").touch()
    (postcensus.folder / "mail.log").touch()
    slapd.load_many(500)
    slapd.start()
    postcensus.configure({"general": {"table-type": "lmdb", "postfix-config": etc},
                          "log": {"source": "file", "path": postcensus.folder / "mail.log"},
                          "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "none"}})
    assert postcensus.run("sync").returncode == 0

    def said() -> tuple[str, str]:
        findings = json.loads(postcensus.run("check", "--format", "json").stdout)["findings"]
        [one] = [f for f in findings if f["area"] == "state" and f["subject"] == str(postcensus.state.parent)]
        return one["level"], one["words"]
    # Far below 20 MB all is written.
    level, words = said()
    assert level == "warn" and re.fullmatch(r"\d+ MB are free", words), words
    slapd.add("new", ["new@corp.example"])
    assert postcensus.run("sync").returncode == 0
    base = (postcensus.maps / "directory").stat().st_size + (postcensus.maps / "directory.lmdb").stat().st_size
    small_disk.fill(1024 * 1024 + base // 2)
    level, words = said()
    assert level == "fail" and "the next directory needs" in words, words
    small_disk.free()
    small_disk.fill(64 * 1024)
    level, words = said()
    assert level == "fail" and "KB are free" in words, words


# --- who emptied a table ---

def test_what_the_decider_empties_is_not_laid_on_failsafe(census, gateway):
    census.watch()
    backup = census.folder / "backup.db"
    with closing(sqlite3.connect(census.state)) as state, closing(sqlite3.connect(backup)) as copy:
        state.backup(copy)
    learn_and_refuse(gateway)
    census.kill()
    for path in census.state.parent.glob("state.db*"):
        path.unlink()
    shutil.copy(backup, census.state)
    shutil.chown(census.state, census.owner)
    census.watch()
    becomes(gateway, "made-up@corp.example", "450 4.1.1")
    becomes(gateway, "made-up@corp.example", "550 5.1.1")
    assert census.stop() == 0
    done = rows(census, "SELECT name, user, words FROM command")
    assert done == [("decider", "itself", "emptied the table unknown: it was newer than this state")]
    report = census.run("report").stdout
    assert "failsafe had to step in" not in report and "emptied the table unknown: it was newer than this state" in report


def test_a_failed_withdrawal_is_not_laid_on_failsafe(census, gateway, postmap):
    census.watch(env=through(postmap))
    learn_and_refuse(gateway)
    (postmap / "before.sh").write_text("case \"$*\" in *-q*) ;; *unknown) echo 'postmap: fatal: no' >&2; exit 1;; esac\n")
    census.run("forget", "made-up@corp.example")
    census.wait_for(lambda: not read_index("lmdb", census.maps / "unknown"), "the withdrawal")
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    until = time.monotonic() + 6
    wait_for(lambda: time.monotonic() > until, "another try")
    (postmap / "before.sh").write_text("")
    census.wait_for(lambda: "# Empty" not in (census.maps / "unknown").read_text(), "a publication", 25)
    assert census.stop() == 0
    done = rows(census, "SELECT name, words FROM command WHERE name <> 'forget'")
    assert len(done) == 1 and done[0][0] == "decider" and "it could not be written" in done[0][1], done
    assert "failsafe had to step in" not in census.run("report").stdout


# --- secrets ---

def test_who_talks_to_no_directory_reads_no_secret(census, gateway):
    census.watch()
    learn_and_refuse(gateway)
    assert census.stop() == 0
    secret = census.folder / "corp.password"
    secret.unlink()
    for words in (["report"], ["report", "--format", "json"], ["explain", "anna@corp.example"], ["forget", "made-up@corp.example"],
                  ["failsafe"], ["scan", str(gateway.log)], ["probe", "anna@corp.example"], *([name, "--help"] for name in (
                      "approve", "sync", "watch", "check", "report", "forget"))):
        for user in (None, census.owner):
            done = subprocess.run([str(census.binary), "--config", str(census.conf), *words], capture_output=True, text=True,
                                  user=user, group=user, extra_groups=[] if user else None)
            readable = user is None or words[0] != "scan"
            assert done.returncode == 0 or not readable, (words, user, done)
            assert "password" not in done.stderr
    for words in (["sync"], ["watch"], ["approve"], ["check"]):
        done = census.run(*words)
        assert done.returncode == 78 and "corp.password" in done.stderr, (words, done)
