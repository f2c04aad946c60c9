"""The audit: what report and explain say of a gateway at work, and that looking at it disturbs nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from conftest import tools
from gateway import STRANGER
from postcensus import binary
from process import MissingTool, command, wait_for

ROOT = Path(__file__).resolve().parents[2]
ROUTE = {"domains": "corp.example xn--bcher-kva.example", "callout": "127.0.0.1:2525", "confirmation-interval": "1s"}


@pytest.fixture
def make_gateway_domains():
    return ("corp.example", "xn--bcher-kva.example")


@pytest.fixture
def gateway(make_gateway, make_gateway_domains):
    return make_gateway(domains=make_gateway_domains)


@pytest.fixture
def census(postcensus, gateway, samba, exchange):
    """A gateway that has learned one, refused one, and is unsure of one."""
    samba.add_mailbox("anna", "anna@corp.example", ["anna.smith@corp.example"])
    samba.add_mailbox("ben", "ben@corp.example")
    exchange.recipients = {"anna@corp.example", "anna.smith@corp.example", "ben@corp.example", "new@corp.example"}
    exchange.closed = {"inside@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          # All strangers of the lab are of one network, and ask until they are answered.
                          "route.exchange": ROUTE, "budget": {"network": "1000/m"}})
    assert postcensus.run("sync").returncode == 0
    postcensus.watch()
    for rcpt, expected in (("new@corp.example", "250"), ("made-up@corp.example", "550 5.1.1"),
                           ("inside@corp.example", "550 5.7.1")):
        assert answer(gateway, rcpt) == "450 4.1.1"
        wait_for(lambda: answer(gateway, rcpt) == expected, f"{rcpt}: {expected}", 5)
    return postcensus


def answer(gateway, rcpt: str, client_ip: str = STRANGER) -> str:
    return gateway.dialogue(rcpt, client_ip=client_ip).code


def valid(name: str, text: str) -> dict:
    """What the program printed, as its schema says."""
    jsonschema = pytest.importorskip("jsonschema") if os.environ.get("CI") != "true" else __import__("jsonschema")
    schema = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(text)
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


def explained(census, address: str) -> dict:
    done = census.run("explain", address, "--format", "json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return valid("explain", done.stdout)


def reported(census, *arguments: str) -> dict:
    done = census.run("report", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return valid("report", done.stdout)


def kinds(lines: list[dict]) -> list[str]:
    return [line["kind"] for line in lines]


@pytest.mark.parametrize("kind", ["ordinary", "one", "large", "empty"])
def test_the_schema_knows_all_that_a_report_may_have(kind):
    """Lists that a short run of the lab leaves empty: tests/unit/audit/sample_report.h fills them."""
    with tools():
        program = binary().with_name("html_sample")
        if not program.exists():
            raise MissingTool(f"{program} does not exist: build it (BUILD_TESTING)")
    report = valid("report", command([program, kind, "json"]).stdout)
    if kind != "empty":
        assert all(value["first"] for value in report.values() if isinstance(value, dict) and "first" in value), report


def test_a_report_is_what_happened(census):
    # The table of what was learned is counted once it is noted.
    census.wait_for(lambda: reported(census)["tables"][2]["entries"] >= 2, "the publication to be noted")
    report = reported(census)
    [corp] = [domain for domain in report["domains"] if domain["domain"] == "corp.example"]
    assert corp["accepted"] == 5 and corp["listed"] == 3 and corp["learned"] == 2 and corp["closed"] == 1
    assert corp["unknown"] == 1 and corp["missed"] == 3 and corp["refused"] == 1 and corp["came"] == 2
    assert report["learned"]["count"] == 2 and 0 <= report["learned"]["median_seconds"] < 5
    assert report["callouts"]["unknown"] == 1 and report["callouts"]["deliverable"] == 1
    [target] = report["targets"]["first"]
    assert target["target"] == "127.0.0.1:2525" and target["callouts"] == report["callouts"] and report["stops"]["total"] == 0
    assert {gap["address"] for gap in report["gaps"]["first"]} == {"new@corp.example", "inside@corp.example"}
    assert [reading["kind"] for reading in report["readings"]["first"]][-1] == "full"
    assert report["directories"][0]["directory"] == "corp" and report["directories"][0]["listed"] == 3
    assert report["attention"] == [] and report["counters"]["misses"] >= 3
    changes = {change["address"]: change for change in report["changes"]["first"]}
    assert changes["new@corp.example"]["to"] == "accept" and "callout" in changes["new@corp.example"]["cause"]
    assert changes["made-up@corp.example"]["to"] == "reject"
    assert sum(step["refused"] for step in report["steps"]) == 1 and len(report["sizes"]) >= 1

    one = reported(census, "--domain", "bücher.example")
    assert [domain["domain"] for domain in one["domains"]] == ["xn--bcher-kva.example"]
    assert one["changes"]["total"] == 0
    # What is not counted by domain is not nought.
    assert one["counters"] is None and one["elsewhere"] is None and one["steps"][-1]["misses"] is None
    assert one["domain_ended"] is False and one["networks"] == []
    early = reported(census, "--since", "2020-01-01", "--until", "2020-01-02T00:00:00Z")
    assert early["changes"]["total"] == 0 and early["callouts"] == {} and early["since"] == "2020-01-01T00:00:00Z"

    rows = list(csv.DictReader(io.StringIO(census.run("report", "--format", "csv").stdout)))
    assert {row["address"]: row["to"] for row in rows} == {
        "new@corp.example": "accept", "made-up@corp.example": "reject", "inside@corp.example": "closed"}
    assert float(rows[0]["waited_seconds"]) >= 0 and rows[0]["at"].endswith("Z")
    assert "Nothing needs attention." in census.run("report").stdout


def test_a_domain_that_has_ended(census):
    assert census.stop() == 0
    census.set("route.exchange", domains="xn--bcher-kva.example")
    ended = reported(census, "--domain", "corp.example")
    assert ended["domain_ended"] is True and ended["domains"][0]["came"] == 2 and ended["changes"]["total"] == 3
    assert "no route names this domain any more" in census.run("report", "--domain", "corp.example").stdout
    rows = list(csv.DictReader(io.StringIO(census.run("report", "--format", "csv", "--domain", "corp.example").stdout)))
    assert len(rows) == 3
    for form in ("csv", "text"):
        foreign = census.run("report", "--domain", "foreign.example", "--format", form)
        assert foreign.returncode == 64 and foreign.stdout == "" and "the state knows nothing of it" in foreign.stderr


def test_explain_says_who_decided_on_what(census, gateway):
    new = explained(census, "NEW@Corp.Example")
    assert new["address"] == "new@corp.example" and new["answer"] == "accept" and new["table"] == "learned"
    assert new["rule"] == 2 and new["reason"] == "proven" and new["warnings"] == []
    [callout] = [line for line in new["evidence"] if line["kind"] == "callout"]
    assert callout["class"] == "deliverable" and callout["target"] == "127.0.0.1:2525" and "random" in callout["controls"]
    [misses] = [line for line in new["evidence"] if line["kind"] == "misses"]
    assert STRANGER in misses["clients"]
    assert new["history"][0]["to"] == "accept" and kinds(new["next"]) == ["question"]
    assert new["postfix"] == {"directory": False, "learned": "OK", "closed": False, "unknown": False}

    anna = explained(census, "anna@corp.example")
    assert anna["table"] == "directory" and anna["reason"] == "listed" and anna["postfix"]["directory"] == "OK"
    [listing] = [line for line in anna["evidence"] if line["kind"] == "listing"]
    assert (listing["directory"], listing["server"]) == ("corp", "ldaps://dc1.corp.example")
    assert re.fullmatch(r"CN=anna,.*DC=corp,DC=example", listing["dn"]), listing
    assert "first reading" in anna["history"][0]["what"] and anna["history_more"] == 0

    made_up = explained(census, "made-up@corp.example")
    assert (made_up["answer"], made_up["table"], made_up["rule"]) == ("reject", "unknown", 3)
    assert made_up["postfix"]["unknown"].startswith("550 5.1.1") and "expires" in kinds(made_up["next"])
    inside = explained(census, "inside@corp.example")
    assert (inside["answer"], inside["table"], inside["reason"]) == ("closed", "closed", "closed-callout")
    assert inside["postfix"]["closed"].startswith("550 5.7.1") and inside["postfix"]["learned"] == "OK"

    stranger = explained(census, "never-seen@corp.example")
    assert (stranger["answer"], stranger["table"], stranger["rule"]) == ("unsure", None, 4)
    assert set(stranger["postfix"].values()) == {False} and stranger["history"] == []
    foreign = explained(census, "a@foreign.example")
    assert foreign["reason"] == "not-relayed" and "no route names" in foreign["warnings"][0]
    for wrong in ("no-address", "@", "a@b@", "@no domain", ""):
        done = census.run("explain", wrong)
        assert done.returncode == 64 and "is not a" in done.stderr, done


def test_explain_answers_as_postfix_does(census, gateway, exchange):
    """Extensions, catch-alls and both forms of a domain."""
    delimiter = explained(census, "anna+news@corp.example")
    assert (delimiter["answer"], delimiter["table"], delimiter["through"]) == ("accept", "directory", "anna@corp.example")
    assert delimiter["postfix"]["directory"] == "OK" and delimiter["warnings"] == []
    assert answer(gateway, "anna+news@corp.example") == "250"
    refused = explained(census, "made-up+x@corp.example")
    assert (refused["answer"], refused["through"]) == ("reject", "made-up@corp.example")
    assert answer(gateway, "made-up+x@corp.example") == "550 5.1.1"
    assert "made-up@corp.example" in census.run("explain", "made-up+x@corp.example").stdout

    nobody = explained(census, "@corp.example")
    assert (nobody["answer"], nobody["table"]) == ("unsure", None) and "census" in kinds(nobody["evidence"])
    assert nobody["words"].startswith("no catch-all is configured") and nobody["next"] == []
    assert "450" not in census.run("explain", "@corp.example").stdout
    assert census.stop() == 0
    census.set("route.exchange", accept="@xn--bcher-kva.example")
    census.watch()
    census.wait_for(lambda: any(line.startswith("@xn--") for line in census.table("learned")), "the catch-all")
    assert answer(gateway, "anyone@xn--bcher-kva.example") == "250", census.table("learned")
    for domain in ("bücher.example", "xn--bcher-kva.example", "BÜCHER.example"):
        catch_all = explained(census, "@" + domain)
        assert (catch_all["address"], catch_all["answer"], catch_all["table"], catch_all["rule"]) == (
            "@xn--bcher-kva.example", "accept", "learned", 1)
        assert catch_all["postfix"]["learned"] == "OK"
        anyone = explained(census, "anyone@" + domain)
        assert (anyone["answer"], anyone["through"], anyone["warnings"]) == ("accept", "@xn--bcher-kva.example", [])


def test_explain_warns_where_postfix_differs(census, gateway):
    census.stop()
    gateway.publish("learned", {"someone@corp.example": "OK"})
    lost = explained(census, "new@corp.example")
    assert lost["answer"] == "accept" and lost["postfix"]["learned"] is False
    assert "the tables say something else" in lost["warnings"][0]
    assert "Warning:" in census.run("explain", "new@corp.example").stdout
    for path in census.maps.glob("closed*"):
        path.unlink()
    unread = explained(census, "anna@corp.example")
    assert unread["postfix"]["closed"] is None and "closed" in unread["warnings"][0]
    assert unread["postfix"]["directory"] == "OK"


def test_hostile_names_stay_inert(census, gateway):
    names = ['"=HYPERLINK(1)"@corp.example', "=1+1@corp.example", '"a\\"b,c"@corp.example', '"<script>x</script>"@corp.example']
    for name in names:
        gateway.dialogue(name, sender="=cmd|x@evil.example")
    census.wait_for(lambda: reported(census)["changes"]["total"] == 7, "their answers")
    text = census.run("report", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 7 and all(row["to"] for row in rows)
    assert not any(value[:1] in "=+-@" and value for row in rows for value in row.values()), text
    assert "'=1+1@corp.example" in text
    override = census.run("explain", "\u202eevil@corp.example")
    assert override.returncode == 64 and "\u202e" not in override.stderr
    assert explained(census, names[3])["answer"] == "reject"
    for change in reported(census)["changes"]["first"]:
        assert explained(census, change["address"])["history"][0]["to"] == change["to"], change


def test_quiet_is_for_cron(census, folder):
    silent = census.run("report", "--quiet")
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    with sqlite3.connect(census.state) as state:
        state.execute("INSERT INTO hold SELECT id, domain, 1, 'corp', 'CN=anna', 'gate', 0, 0 FROM address WHERE local = 'anna'")
    state.close()
    loud = census.run("report", "--quiet")
    assert loud.returncode == 1 and "1 removal waits for `postcensus approve`" in loud.stdout
    assert "hold 1: anna@corp.example" in loud.stdout
    assert census.run("report").returncode == 0
    target = folder / "report.json"
    both = census.run("report", "--quiet", "--format", "json", "--output", str(target))
    assert both.returncode == 1 and both.stdout.splitlines() == ["1 removal waits for `postcensus approve`"]
    assert valid("report", target.read_text())["attention"][0]["what"] == "held"
    before = target.read_text()
    census.stop()
    alone = census.run("report", "--quiet", "--output", "/dev/null")
    assert alone.returncode == 1 and "`postcensus watch` does not run" in alone.stdout.splitlines()[0]
    census.state.rename(census.state.with_suffix(".away"))
    failed = census.run("report", "--output", str(target))
    assert failed.returncode != 0 and target.read_text() == before  # what was there is not lost
    census.state.with_suffix(".away").rename(census.state)
    assert census.run("report", "--output", str(target)).returncode == 0
    assert target.read_text().startswith("Postcensus report")
    nowhere = census.run("report", "--output", "/nonexistent/report")
    assert nowhere.returncode == 73 and "/nonexistent/report" in nowhere.stderr
    with open("/dev/full", "w") as full:
        argv = [str(census.binary), "--config", str(census.conf), "report"]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 73 and "No space left" in done.stderr


@pytest.mark.parametrize("arguments", [
    ["--since", "yesterday"], ["--until", "x"], ["--since", "1h", "--until", "2h"], ["--format", "pdf"],
    ["--domain", "foreign.example"], ["--domain", "no domain"], ["--since", "-1h"]])
def test_a_wrong_period_is_a_usage_error(census, arguments):
    done = census.run("report", *arguments)
    assert done.returncode == 64 and done.stdout == "" and len(done.stderr.splitlines()) <= 2, done


def test_a_reader_that_takes_his_time_holds_nothing(census):
    """`report | less` left open: the state's WAL can be checkpointed to its end, whatever the format."""
    census.stop()
    with sqlite3.connect(census.state) as state:
        # More than a pipe holds, and several pages of changes.
        state.executescript(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO event "
            "(address_id, seq, at, from_answer, to_answer, reason, cause) SELECT (SELECT min(id) FROM address), i, "
            f"{int(time.time() * 1000) - 100000} + i, 'unsure', 'reject', 'proven-unknown', 'x' FROM n")
    state.close()
    for form in ("csv", "json"):
        argv = [str(census.binary), "--config", str(census.conf), "report", "--format", form]
        out, full = os.pipe()
        report = subprocess.Popen(argv, stdout=full)
        # One write of the report is more than the pipe takes: once that is full, it stands still in the midst of it.
        wait_for(lambda: not select.select([], [full], [], 0)[1], "the report to fill the pipe", 10)
        state = sqlite3.connect(census.state)
        state.execute("CREATE TABLE IF NOT EXISTS x (y)")
        state.execute("INSERT INTO x VALUES (1)")
        state.commit()
        busy, in_wal, done = state.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, in_wal) == (0, 0)
        state.execute("DROP TABLE x")
        state.commit()
        state.close()
        os.close(full)
        with open(out, "rb") as pipe:
            text = pipe.read()
        assert report.wait(30) == 0 and len(text) > 100000
        if form == "csv":
            assert text.count(b"\r\n") == 12000 + 3 + 1
    # One who has had enough is no fault.
    for form in ("csv", "json", "text"):
        argv = [str(census.binary), "--config", str(census.conf), "report", "--format", form]
        reader = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert reader.stdout is not None and reader.stderr is not None and reader.stdout.read(1)
        reader.stdout.close()
        assert reader.wait(30) == 0 and reader.stderr.read() == b""


def on_terminal(census, *arguments: str, **env: str) -> str:
    ours, theirs = pty.openpty()
    argv = [str(census.binary), "--config", str(census.conf), *arguments]
    done = subprocess.Popen(argv, stdout=theirs, env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **env})
    os.close(theirs)
    text = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other side has closed it
            break
        if not chunk:
            break
        text += chunk
    os.close(ours)
    assert done.wait(30) == 0
    return text.decode()


def test_colours_are_for_terminals(census):
    for arguments in (["report"], ["explain", "anna@corp.example"]):
        assert "\x1b[1m" in on_terminal(census, *arguments)
        assert "\x1b" not in on_terminal(census, *arguments, NO_COLOR="1")
        assert "\x1b" not in census.run(*arguments).stdout
    assert "\x1b" not in on_terminal(census, "report", "--format", "json")


def test_root_leaves_nothing_of_its_own(census):
    for arguments in (["report"], ["explain", "anna@corp.example"]):
        assert census.run(*arguments).returncode == 0
    assert {path.owner() for path in census.state.parent.iterdir()} == {census.owner}
