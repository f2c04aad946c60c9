"""`report --output FILE`: a file is whole or as it was, and who owns the state cannot make root write elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import time
from pathlib import Path

import pytest

from disk import Disk
from faults import Faults
from process import wait_for

FORMATS = {"text": "Postcensus report", "json": "{", "csv": "at,address,", "html": "<!DOCTYPE html>"}
CHANGES = 12000


@pytest.fixture
def census(postcensus, folder):
    """A state with a few thousand changes: more than a page of CSV, and than a pipe takes."""
    (folder / "mail.log").touch()
    postcensus.configure({"general": {"table-type": "lmdb"}, "log": {"path": folder / "mail.log"},
                          "route.exchange": {"domains": "corp.example", "callout": "none"}})
    assert postcensus.run("watch", "--once").returncode == 0
    with sqlite3.connect(postcensus.state) as state:
        state.executescript(
            "INSERT INTO address (local, domain) VALUES ('anna', 'corp.example');"
            f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CHANGES}) INSERT INTO event "
            "(address_id, seq, at, from_answer, to_answer, reason, cause) SELECT 1, i, "
            f"{int(time.time() * 1000) - 100000} + i, 'unsure', 'reject', 'proven-unknown', 'x' FROM n")
    state.close()
    return postcensus


@pytest.fixture
def place(folder) -> Path:
    """A folder that only root may write."""
    path = folder / "reports"
    path.mkdir()
    return path


def report(census, target: Path | str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return census.run("report", "--output", target, *arguments, **options)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def is_whole(target: Path, form: str) -> bool:
    text = target.read_text()
    ends = {"json": "}\n", "html": "</html>\n"}.get(form, "\n")
    return text.startswith(FORMATS[form]) and text.endswith(ends) and (form != "csv" or text.count("\n") == CHANGES + 1)


def facts(path: Path) -> tuple[int, str, str]:
    return stat.S_IMODE(path.lstat().st_mode), path.owner(), path.group()


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_whole_or_as_it_was(census, place, form):
    for folder, owner in ((place, "root"), (census.state.parent, census.owner)):
        target = folder / "report"
        around = names(folder)
        away = census.state.with_suffix(".away")
        for before in (None, "yesterday\n"):
            if before is not None:
                target.write_text(before)
            census.state.rename(away)
            failed = report(census, target, "--format", form)
            away.rename(census.state)
            assert failed.returncode != 0 and "state.db" in failed.stderr, failed
            assert (target.read_text() if target.exists() else None) == before
        target.unlink()
        assert names(folder) == around
        done = report(census, target, "--format", form)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert is_whole(target, form) and facts(target)[:2] == (0o640, owner)
        assert names(folder) == around | {"report"}


def test_what_is_no_report_leaves_nothing(census, place):
    for arguments in (["--domain", "foreign.example"], ["--since", "x"], ["--format", "pdf"]):
        assert report(census, place / "report", *arguments).returncode == 64
    assert names(place) == set()
    assert report(census, place).returncode == 73
    nowhere = report(census, place / "nowhere" / "report")
    assert nowhere.returncode == 73 and "nowhere/report: No such file" in nowhere.stderr


def test_a_file_keeps_its_mode_and_owner(census, place):
    for folder in (place, census.state.parent):
        target = folder / "report"
        target.write_text("yesterday\n")
        target.chmod(0o4604)
        shutil.chown(target, census.owner if folder == place else "root", "mail" if folder == place else None)
        assert report(census, target).returncode == 0 and is_whole(target, "text")
        # In the state's folder its owner writes: he may replace root's file, and cannot give his own to root.
        assert facts(target) == (0o604, census.owner, "mail" if folder == place else facts(census.state)[2])


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o2775])
def test_a_strangers_file_in_a_common_folder_does_not_become_the_report(census, place, mode):
    place.chmod(mode)
    target = place / "report"
    target.write_text("waiting\n")
    target.chmod(0o666)
    shutil.chown(target, "nobody", "mail")
    with open(target) as held:
        assert report(census, target).returncode == 0 and is_whole(target, "text")
        # Where its user may write, root is that user.
        assert facts(target)[0] == 0o640 and facts(target)[1] in ("root", census.owner)
        assert held.read() == "waiting\n"
    assert names(place) == {"report"}


def test_root_first_then_the_timer(census):
    target = census.state.parent / "report.html"
    target.write_text("of an older version\n")  # root's
    argv = [str(census.binary), "--config", str(census.conf), "report", "--format", "html", "--output", str(target)]
    for user in (census.owner, None, census.owner):
        done = subprocess.run(argv, capture_output=True, text=True, user=user, group=user, extra_groups=[] if user else None)
        assert done.returncode == 0, done.stderr
        assert is_whole(target, "html") and target.owner() == census.owner
    assert {path.owner() for path in census.state.parent.iterdir()} == {census.owner}


@pytest.mark.parametrize("way", ["link", "link to a pipe", "pipe", "folder", "link of root's", "device"])
def test_the_states_owner_cannot_lead_root_elsewhere(census, place, way):
    state = census.state.parent
    prey = place / "passwd"
    prey.write_text("root\n")
    target = state / "report.html"
    if way == "link":
        target.symlink_to(prey)
    elif way == "link to a pipe":
        os.mkfifo(state / "pipe")
        target.symlink_to("pipe")
    elif way == "pipe":
        os.mkfifo(target)
    elif way == "folder":
        (state / "daily").symlink_to(place)
        target = state / "daily" / "passwd"
    elif way == "link of root's":
        # Root wants it in the state's folder, and its owner wants it elsewhere.
        target.symlink_to(prey)
        target = place / "report.html"
        target.symlink_to(state / "report.html")
    elif way == "device":
        target.symlink_to("/dev/null")
    for path in state.iterdir():
        os.chown(path, census.state.stat().st_uid, -1, follow_symlinks=False)
    around = names(place)
    done = report(census, target, "--format", "html", seconds=20)
    assert prey.read_text() == "root\n" and facts(prey)[1] == "root" and names(place) == around
    if way in ("folder", "link of root's"):
        assert done.returncode == 73 and "Permission denied" in done.stderr, done
    else:
        assert done.returncode == 0 and not target.is_symlink() and is_whole(target, "html"), done
        assert target.owner() == census.owner
    assert not [name for name in names(state) if name.startswith(".")]


def test_a_common_folder_is_not_roots_own(census, folder):
    """As /tmp: its links are those of whom they belong to."""
    common = folder / "common"
    common.mkdir()
    common.chmod(0o1777)
    prey = folder / "prey"
    prey.write_text("root\n")
    (common / "report").symlink_to(prey)
    os.chown(common / "report", census.state.stat().st_uid, -1, follow_symlinks=False)
    assert report(census, common / "report").returncode == 0
    assert prey.read_text() == "root\n" and not (common / "report").is_symlink()
    # What root has there already nobody else can turn.
    (common / "mine").write_text("yesterday\n")
    assert report(census, common / "mine").returncode == 0
    assert is_whole(common / "mine", "text") and (common / "mine").owner() == "root"


def test_pipes_devices_and_links_of_roots_own(census, place, folder):
    assert report(census, "/dev/null").returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    full = report(census, "/dev/full")
    assert full.returncode == 73 and "No space left" in full.stderr
    assert report(census, "/dev/stdout").stdout.startswith("Postcensus report")
    argv = [str(census.binary), "--config", str(census.conf), "report", "--output"]
    with open(folder / "redirected", "w") as out:
        assert subprocess.run([*argv, "/dev/stdout"], stdout=out).returncode == 0
    assert is_whole(folder / "redirected", "text") and Path("/dev/stdout").is_symlink()

    os.mkfifo(place / "pipe")
    with subprocess.Popen([*argv, str(place / "pipe"), "--format", "csv"]) as writer:
        text = (place / "pipe").read_text()
    assert writer.returncode == 0 and text.count("\n") == CHANGES + 1
    (folder / "real").write_text("yesterday, " * 1000)
    (place / "link").symlink_to(folder / "real")
    assert report(census, place / "link").returncode == 0
    assert (place / "link").is_symlink() and is_whole(folder / "real", "text")


@pytest.mark.parametrize("owner", ["root", "daemon"])
def test_a_full_disk_leaves_yesterdays_file(census, folder, owner):
    disk = Disk(folder / "disk", "1m")
    try:
        shutil.chown(disk.folder, owner)
        target = disk.folder / "report"
        for form in FORMATS:
            target.write_text("yesterday\n")
            disk.fill(left=8192)
            before = names(disk.folder)
            # What a format writes is more than that, but for the text.
            done = report(census, target, "--format", form)
            if form == "text":
                assert done.returncode == 0 and is_whole(target, form)
            else:
                assert done.returncode == 73 and "No space left" in done.stderr, done
                assert target.read_text() == "yesterday\n"
            assert names(disk.folder) == before
            disk.free()
        assert report(census, target, "--format", "csv").returncode == 0 and is_whole(target, "csv")
    finally:
        disk.unmount()


def test_readers_never_see_a_part(census, place):
    target = place / "report.csv"
    assert report(census, target, "--format", "csv").returncode == 0
    with subprocess.Popen([str(census.binary), "--config", str(census.conf), "report", "--format", "csv", "--output",
                           str(target)]) as writer:
        rounds = 0
        while writer.poll() is None or not rounds:
            assert is_whole(target, "csv")
            rounds += 1
    assert writer.returncode == 0


@pytest.mark.parametrize("named", [False, True])
def test_killed_at_each_step(census, place, folder, named):
    """Also where no file can be without a name."""
    faults = Faults(folder / "faults", place)
    env = {**faults.env, **({"FAULT_NO_TMPFILE": "1"} if named else {})}
    target = place / "report"
    argv = [str(census.binary), "--config", str(census.conf), "report", "--format", "json", "--output", str(target)]
    assert subprocess.run(argv, env={**os.environ, **env}).returncode == 0
    steps = faults.names()
    assert any("rename" in step for step in steps) and any("linkat" in step for step in steps) != named, steps
    assert names(place) == {"report"}
    for step in range(1, len(steps) + 1):
        for path in place.iterdir():
            path.unlink()
        target.write_text("yesterday\n")
        faults.kill(step)
        died = subprocess.Popen(argv, env={**os.environ, **env}, start_new_session=True)
        wait_for(lambda: died.poll() is not None, "its end", 20)
        # The child cannot take the part of it that is root with it.
        assert died.returncode in (-9, 70)
        assert target.read_text() == "yesterday\n" or json.loads(target.read_text())
        # Between two names, or where it needs one from the start, it may stay behind.
        left = names(place) - {"report"}
        assert not left or ((named or "rename" in steps[step - 1]) and left.pop().startswith(".postcensus-")), steps[step - 1]
    # A failure, however, is no kill.
    for step in range(1, len(steps) + 1):
        for path in place.iterdir():
            path.unlink()
        target.write_text("yesterday\n")
        faults.full(step)
        failed = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True)
        assert failed.returncode in (0, 73) and names(place) == {"report"}, (steps[step - 1], failed)
        assert (target.read_text() == "yesterday\n") == (failed.returncode == 73), steps[step - 1]
