"""Metrics for node_exporter's textfile collector: what a gateway at work writes, and what stops nothing."""

from __future__ import annotations

import shutil
import subprocess
import sqlite3
import time
from pathlib import Path

import pytest

from disk import Disk
from gateway import STRANGER
from postcensus import ROOT
from process import wait_for
from prometheus import promtool, read_series

@pytest.fixture
def census(census):
    census.set("general", metrics_dir=census.folder / "metrics")
    return census


def path_of(census, writer: str) -> Path:
    return census.folder / "metrics" / f"postcensus_{writer}.prom"


def read(census, writer: str) -> dict[str, float]:
    return read_series(path_of(census, writer).read_text())


def check(census, writer: str) -> None:
    done = promtool("check", "metrics", text=path_of(census, writer).read_text())
    assert done.returncode == 0 and done.stdout + done.stderr == "", done


def answer(gateway, rcpt: str) -> str:
    return gateway.dialogue(rcpt, client_ip=STRANGER).code


def test_the_metrics_follow_the_work(census, gateway, exchange):
    assert census.run("sync", "--dry-run").returncode == 0
    assert not path_of(census, "sync").exists()
    assert census.run("sync").returncode == 0
    check(census, "sync")
    sync = read(census, "sync")
    assert sync["postcensus_sync_exit_code"] == 0
    assert sync['postcensus_directory_addresses{directory="corp"}'] == 3
    assert sync['postcensus_directory_readings_total{directory="corp",outcome="applied"}'] == 1
    assert sync['postcensus_directory_good_read_timestamp_seconds{directory="corp"}'] > 1.7e9
    assert path_of(census, "sync").stat().st_mode & 0o777 == 0o644 and path_of(census, "sync").owner() == census.owner

    census.watch()
    exchange.recipients |= {"new@corp.example"}
    for rcpt, expected in (("new@corp.example", "250"), ("made-up@corp.example", "550 5.1.1")):
        answer(gateway, rcpt)
        wait_for(lambda: answer(gateway, rcpt) == expected, f"{rcpt}: {expected}", 5)
    learned = 'postcensus_callouts_total{class="deliverable",target="127.0.0.1:2525"}'
    census.wait_for(lambda: read(census, "watch").get(learned) == 1 and
                    read(census, "watch").get('postcensus_table_entries{table="unknown",domain="corp.example"}') == 1,
                    "the metrics to follow", 20)
    check(census, "watch")
    watch = read(census, "watch")
    assert watch['postcensus_callouts_total{class="unknown",target="127.0.0.1:2525"}'] == 1
    assert watch['postcensus_table_entries{table="directory",domain="corp.example"}'] == 3
    assert watch['postcensus_table_entries{table="learned",domain="corp.example"}'] == 1
    assert watch["postcensus_removals_held"] == 0 and watch["postcensus_objects_unseen"] == 0
    assert watch["postcensus_misses_total"] >= 2 and watch["postcensus_waiting_recipients"] == 0
    assert watch["postcensus_learn_seconds_count"] == 1 and watch['postcensus_learn_seconds_bucket{le="+Inf"}'] == 1
    assert watch['postcensus_learn_seconds_bucket{le="86400"}'] == 1 and watch["postcensus_learn_seconds_sum"] < 10
    assert watch['postcensus_callouts_stopped{target="127.0.0.1:2525",domain=""}'] == 0
    assert watch["postcensus_log_lag_seconds"] == 0 and watch["postcensus_log_present"] == 1
    assert watch['postcensus_addresses{answer="accept",reason="listed"}'] == 3
    assert watch['postcensus_table_lease_end_timestamp_seconds{table="unknown"}'] > watch["postcensus_watch_written_timestamp_seconds"]
    assert not set(watch) & set(sync)

    # Counters live in the state: a killed watch takes none with it.
    census.kill()
    path_of(census, "watch").unlink()
    census.watch()
    census.wait_for(path_of(census, "watch").exists, "the metrics of the next watch", 20)
    again = read(census, "watch")
    assert again[learned] == 1 and again["postcensus_misses_total"] >= watch["postcensus_misses_total"]
    assert again["postcensus_learn_seconds_count"] == 1
    assert sorted(p.name for p in path_of(census, "watch").parent.iterdir()) == ["postcensus_sync.prom", "postcensus_watch.prom"]


def test_a_stopped_server_and_a_failed_sync_show(census, gateway, exchange, samba):
    assert census.run("sync").returncode == 0
    exchange.stop()
    census.watch()
    answer(gateway, "new@corp.example")
    stopped = 'postcensus_callouts_stopped{target="127.0.0.1:2525",domain=""}'
    census.wait_for(lambda: path_of(census, "watch").exists() and read(census, "watch").get(stopped) == 1, "the breaker", 40)
    assert "callouts to 127.0.0.1:2525 are stopped" in census.run("report").stdout
    assert census.run("report", "--quiet").returncode == 1
    census.stop()
    gone = census.run("report").stdout  # without a watch nobody tries it again, and nobody knows
    assert "are stopped" not in gone and "`postcensus watch` does not run" in gone
    assert "was stopped: 127.0.0.1:2525 since" in gone
    before = read(census, "sync")
    census.set("directory.corp", base="OU=nowhere,DC=corp,DC=example")
    assert census.run("sync", "--full").returncode != 0
    after = read(census, "sync")
    assert after["postcensus_sync_exit_code"] > 0
    assert after['postcensus_directory_readings_total{directory="corp",outcome="failed"}'] == 1
    good = 'postcensus_directory_good_read_timestamp_seconds{directory="corp"}'
    assert after[good] == before[good] and after['postcensus_directory_full_read_failed{directory="corp"}'] == 1
    check(census, "sync")


def test_a_wanted_catch_all_is_no_alarm(census):
    """The domain's mark stays in the state when nobody is asked about it any more."""
    assert census.run("sync").returncode == 0
    with sqlite3.connect(census.state) as state:
        state.execute("UPDATE domain SET accept_all = 1 WHERE domain = 'corp.example'")
    state.close()
    for accept, marked in ((None, 1), ("@corp.example", 0)):
        census.set("route.exchange", accept=accept)
        path_of(census, "watch").unlink(missing_ok=True)
        census.watch()
        census.wait_for(path_of(census, "watch").exists, "the metrics", 20)
        assert read(census, "watch")["postcensus_accept_all"] == marked
        assert ("accepts every recipient" in census.run("report", "--quiet").stdout) == bool(marked)
        assert census.stop() == 0


def test_a_log_that_is_not_there_shows(census):
    log = census.folder / "elsewhere.log"
    census.set("log", path=log)
    assert census.run("sync").returncode == 0
    census.watch()
    census.wait_for(lambda: path_of(census, "watch").exists() and read(census, "watch")["postcensus_log_present"] == 0, "the metrics", 20)
    assert "has not been there" not in census.run("report", "--quiet").stdout  # it may be about to be rotated
    with sqlite3.connect(census.state) as state:
        state.execute("UPDATE meta SET value = value - 600000 WHERE key = 'log-missing'")
    state.close()
    assert "the log of Postfix has not been there for 10 min" in census.run("report", "--quiet").stdout
    log.touch()
    census.wait_for(lambda: "has not been there" not in census.run("report").stdout, "the log to be found", 20)


def test_a_folder_that_cannot_be_written_stops_nothing(census, gateway):
    metrics = census.folder / "metrics"
    shutil.rmtree(metrics)
    done = census.run("sync")
    assert done.returncode == 0 and done.stderr.count("no metrics:") == 1 and "metrics-dir" in done.stderr
    census.watch()
    census.wait_for(lambda: "no metrics:" in census.log.read_text(), "the warning")
    answer(gateway, "made-up@corp.example")
    wait_for(lambda: answer(gateway, "made-up@corp.example") == "550 5.1.1", "the answer", 5)
    # It comes back by itself; a leftover of a killed writer goes.
    metrics.mkdir()
    (metrics / ".postcensus_watch.999999999").write_text("half")
    shutil.chown(metrics, census.owner)
    census.wait_for(path_of(census, "watch").exists, "the metrics", 20)
    assert not (metrics / ".postcensus_watch.999999999").exists()
    assert "metrics are written again" in census.log.read_text() and census.log.read_text().count("no metrics:") == 1
    assert census.stop() == 0


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_takes_nothing_stops_nothing(census, gateway, trouble):
    disk = Disk(census.folder / "disk")
    shutil.chown(disk.folder, census.owner)
    census.set("general", metrics_dir=disk.folder)
    if trouble == "full":
        disk.fill()
    else:
        disk.remount("ro")
    try:
        done = census.run("sync")
        assert done.returncode == 0 and done.stderr.count("no metrics:") == 1, done.stderr
        census.watch()
        census.wait_for(lambda: "no metrics:" in census.log.read_text(), "the warning")
        answer(gateway, "made-up@corp.example")
        wait_for(lambda: answer(gateway, "made-up@corp.example") == "550 5.1.1", "the answer", 5)
        assert not list(disk.folder.glob(".postcensus*")) and not list(disk.folder.glob("*.prom"))
        if trouble == "full":
            disk.free()
        else:
            disk.remount("rw")
        census.wait_for((disk.folder / "postcensus_watch.prom").exists, "the metrics", 20)
        assert census.log.read_text().count("no metrics:") == 1
        assert census.stop() == 0
    finally:
        census.kill()
        disk.unmount()


def test_a_sync_without_a_state_shows(census):
    assert census.run("sync").returncode == 0
    with sqlite3.connect(census.state) as state:
        state.execute("PRAGMA user_version = 1000")  # of a later version
    state.close()
    shutil.chown(census.state, census.owner)
    failed = census.run("sync")
    assert failed.returncode == 75, failed.stderr
    check(census, "sync")
    assert set(read(census, "sync")) == {f"postcensus_sync_{name}" for name in
                                         ("timestamp_seconds", "duration_seconds", "exit_code")}
    assert read(census, "sync")["postcensus_sync_exit_code"] == 75


def test_a_reader_never_sees_half_a_file(census, gateway):
    assert census.run("sync").returncode == 0
    for _ in range(5):
        writer = subprocess.Popen([str(census.binary), "--config", str(census.conf), "sync"], stdout=subprocess.DEVNULL)
        while writer.poll() is None:
            assert path_of(census, "sync").read_text().splitlines()[-1].startswith("postcensus_directory_readings_total{")
        assert writer.returncode == 0


def test_hostile_labels_stay_within_their_quotes(census):
    assert census.run("sync").returncode == 0
    with sqlite3.connect(census.state) as state:
        state.execute("INSERT INTO total VALUES ('callout-retry', ?, 3, ?)", ('ex1"} 1\nevil{x="\\', int(time.time()) // 3600))
        state.execute("INSERT INTO total VALUES ('readings-failed', ?, 3, 0)", ('a"} 1\nevil{x="\\',))
        state.execute("INSERT INTO breaker VALUES (?, 'a\"b', 0, 'x')", ("ex\u202e\x00",))
    state.close()
    shutil.chown(census.state, census.owner)
    census.watch()
    census.wait_for(path_of(census, "watch").exists, "the metrics", 20)
    check(census, "watch")
    assert census.run("sync").returncode == 0
    check(census, "sync")
    for writer in ("watch", "sync"):
        assert not any(line.startswith("evil") for line in path_of(census, writer).read_text().splitlines())
        read(census, writer)
    assert sum("callouts_total" in series for series in read(census, "watch")) == 1
