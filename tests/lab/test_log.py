"""The log of the real Postfix: what strangers can make of it, what scan says of it, and what watch learns."""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from collections import Counter
from datetime import datetime

import pytest

from gateway import STRANGER
from postcensus import ROOT
from process import need, wait_for


MISS = ("NOQUEUE: reject: RCPT from unknown[192.0.2.10]: 450 4.1.1 <nobody@corp.example>: Recipient address rejected: User unknown in "
        "relay recipient table; from=<a@b.test> to=<nobody@corp.example> proto=ESMTP helo=<x>")
JOURNAL_WRITER = "/lib/systemd/systemd-journal-remote"

VICTIM = "victim@corp.example"
REJECT = (f"{VICTIM}>: Recipient address rejected: User unknown in relay recipient table; from=<a@b.test> to=<{VICTIM}> "
          "proto=ESMTP helo=<x>")
SENT = f"{VICTIM}>, relay=ex1[192.0.2.10]:25, dsn=2.0.0, status=sent (250 ok)"

# HELO, sender and recipient as the client gives them, and the one event that may come of it.
HOSTILE = [
    ("client.test", "a@b.test", "plain@corp.example", "plain@corp.example"),
    ("client.test", "a@b.test", "Upper.Case@CORP.Example", "upper.case@corp.example"),
    ("client.test", "a@b.test", '"j smith"@corp.example', '"j smith"@corp.example'),
    ("client.test", "a@b.test", '"a\\"b"@corp.example', '"a\\"b"@corp.example'),
    ("client.test", "a@b.test", f'"x> to=<{VICTIM}"@corp.example', None),  # Postfix relays no address within an address
    ("client.test", "a@b.test", '"x> to=<victim"@corp.example', '"x> to=<victim"@corp.example'),
    ("client.test", "a@b.test", f'"{REJECT}"@corp.example', None),
    ("client.test", "a@b.test", '"x>: Recipient address rejected: User unknown; from=<a> to=<v"@corp.example', None),
    ("client.test", "a@b.test", '"v>: Recipient address rejected: User unknown"@corp.example',
     '"v>: recipient address rejected: user unknown"@corp.example'),
    ("client.test", "a@b.test", f'"{SENT}"@corp.example', None),
    ("client.test", "a@b.test", f'"{VICTIM}>: Recipient address rejected: User unknown; from=<a@b.test> to=<{VICTIM}>"@corp.example', None),
    ("client.test", f'"x> to=<{VICTIM}> proto=SMTP helo=<x>"@b.test', "one@corp.example", "one@corp.example"),
    ("client.test", f'"; from=<x> to=<{VICTIM}>"@b.test', "two@corp.example", None),
    ("client.test", f'"{"S" * 500}"@b.test', "three@corp.example", "three@corp.example"),
    ("client.test", f'"{"S" * 1000}"@b.test', "long@corp.example", None),
    (f"x> to=<{VICTIM}> proto=ESMTP helo=<y", "a@b.test", "four@corp.example", "four@corp.example"),
    ("client.test", "a@b.test", '""@corp.example', None),
    ("client.test", "a@b.test", "@corp.example", None),
    ("client.test", "a@b.test", "*@corp.example", "*@corp.example"),
    ("client.test", "a@b.test", "a#012b@corp.example", None),
    ("client.test", "a@b.test", '"ctrl\x01char"@corp.example', None),
    ("client.test", "a@b.test", '"esc\x1b[31m"@corp.example', None),
    ("client.test", "a@b.test", "ärger@corp.example", "ärger@corp.example"),
    ("client.test", "a@b.test", '"right\u202eleft"@corp.example', None),
    ("client.test", "a@b.test", "L" * 65 + "@corp.example", "l" * 65 + "@corp.example"),
    ("client.test", "a@b.test", '"' + "A" * 1200 + '"@corp.example', None),
    ("client.test", "a@b.test", "#comment@corp.example", "#comment@corp.example"),
    ("client.test", "a@b.test", "user%victim@corp.example@corp.example", None),
    ("client.test", "", "five@corp.example", "five@corp.example"),
]


def parse_time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def scan(postcensus, *arguments, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Without any configuration, as on a machine that has none."""
    return subprocess.run([str(postcensus.binary), "scan", *map(str, arguments)], input=text, text=True, capture_output=True,
                          stdin=None if text is not None else subprocess.DEVNULL, timeout=60)


def events(postcensus, *files) -> list[dict]:
    done = scan(postcensus, "--events", *files)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_strangers_write_makes_no_event_for_another(postcensus, gateway):
    for helo, sender, rcpt, _ in HOSTILE:
        client = gateway.client(STRANGER, helo)
        smtputf8 = "" if (sender + rcpt).isascii() else " SMTPUTF8"
        if client.say(f"MAIL FROM:<{sender}>{smtputf8}").startswith("2"):
            client.say(f"RCPT TO:<{rcpt}>")
        client.quit()
    gateway.dialogue("last@corp.example")
    gateway.wait_logged("to=<last@corp.example>")
    found = Counter(event["recipient"] for event in events(postcensus, gateway.log))
    assert found == Counter([expected for *_, expected in HOSTILE if expected] + ["last@corp.example"])
    assert VICTIM not in found

    shown = json.loads(scan(postcensus, "--format", "json", gateway.log).stdout)
    assert shown["events"]["miss"] == len([1 for *_, expected in HOSTILE if expected]) + 1
    assert shown["dropped"]["hostile"] >= 2 and shown["dropped"]["invalid"] >= 2 and shown["dropped"]["cut"] >= 1
    text = scan(postcensus, gateway.log).stdout
    assert "\x1b" not in text and "\u202e" not in text


# Accepted, as anna is: the one way for a stranger to have words of his in the line of a delivery.
HOSTILE_EXTENSION = '"anna+>, relay=x, status=sent (to=<gone"@corp.example'


@pytest.fixture
def mailed(postcensus, gateway, exchange):
    """A gateway that accepts four recipients; Exchange refuses one at RCPT TO, and one after DATA."""
    gateway.publish("directory", ["anna@corp.example", "gone@corp.example", "info@corp.example"])
    gateway.publish("unknown", {"spam@corp.example": "550 5.1.1 User unknown: there is no such recipient here"})
    exchange.recipients = {"anna@corp.example", "info@corp.example"}
    gateway.dialogue("nobody@corp.example")
    gateway.dialogue("spam@corp.example")
    gateway.send("anna@corp.example")
    gateway.send("gone@corp.example")
    gateway.send("alias@corp.example")
    gateway.send(HOSTILE_EXTENSION)
    gateway.wait_logged("status=sent", 2)
    gateway.wait_logged("status=bounced", 2)
    return postcensus


def test_scan_tells_misses_bounces_deliveries_and_used_rejections(mailed, gateway, folder):
    found = {(event["event"], event["recipient"]): event for event in events(mailed, gateway.log)}
    assert set(found) >= {("miss", "nobody@corp.example"), ("asked", "spam@corp.example"), ("delivered", "anna@corp.example"),
                          ("bounced", "gone@corp.example"), ("delivered", "info@corp.example")}
    assert found["bounced", HOSTILE_EXTENSION]["host"].endswith(":2525") and ("delivered", "gone@corp.example") not in found
    bounced = found["bounced", "gone@corp.example"]
    assert bounced["code"] == 550 and "RecipientNotFound" in bounced["reply"] and bounced["host"].endswith(":2525")
    assert found["miss", "nobody@corp.example"]["client"] == STRANGER
    lines = gateway.log.read_text().splitlines()
    for event in found.values():
        assert event["recipient"] in lines[event["line"] - 1], event
    assert not any(domain in event["recipient"] for event in found.values() for domain in ("elsewhere.example", "b.test"))

    text = scan(mailed, gateway.log).stdout
    for words in ("1 misses", "1 rejections of ours", "2 bounces", "nobody@corp.example", "gone@corp.example: 550 5.1.10",
                  "backscatter", "With Postcensus"):
        assert words in text, text

    # Compressed, twice, and from standard input it is the same log.
    content = gateway.log.read_text()
    compressed = folder / "mail.log.2.gz"
    compressed.write_bytes(gzip.compress(content.encode()))
    whole = json.loads(scan(mailed, "--format", "json", gateway.log, compressed, "-", text=content).stdout)
    once = json.loads(scan(mailed, "--format", "json", gateway.log).stdout)
    assert whole["files"] == 3 and whole["lines"] == 3 * once["lines"] and whole["bytes"] == 3 * once["bytes"]
    assert whole["events"] == {name: 3 * count for name, count in once["events"].items()}
    assert {"files", "lines", "bytes", "first", "last", "events", "dropped", "misses", "bounces"} <= set(once)
    assert [set(miss) for miss in once["misses"]] == [{"recipient", "count", "clients"}]
    assert [set(bounce) for bounce in once["bounces"]] == [{"recipient", "count", "reply"}] * 2


def test_scan_says_what_it_cannot_read(mailed, gateway, folder):
    cut = folder / "cut.gz"
    cut.write_bytes(gzip.compress(gateway.log.read_bytes())[:-30])
    done = scan(mailed, cut, gateway.log)
    assert done.returncode == 69 and "cut.gz ends in the middle" in done.stderr and "bounces" in done.stdout
    for arguments, code, words in (([], 64, "name the logs"), ([folder], 64, "is a folder"), ([folder / "no"], 69, "No such file"),
                                   (["--format", "xml", gateway.log], 64, "text or json"),
                                   (["/dev/null"], 0, "")):
        done = scan(mailed, *arguments)
        assert done.returncode == code and words in done.stderr, done
    assert "Nothing to learn" in scan(mailed, "/dev/null").stdout
    # Root opens the log, nobody reads it.
    private = folder / "private.log"
    private.write_text(gateway.log.read_text())
    private.chmod(0o600)
    assert scan(mailed, private).returncode == 0


def test_a_bounce_is_a_question_and_a_delivery_renews(postcensus, gateway, samba, exchange):
    samba.add_mailbox("anna", "anna@corp.example")
    samba.add_mailbox("gone", "gone@corp.example")
    exchange.recipients = {"anna@corp.example", "learned@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    assert postcensus.run("sync").returncode == 0
    postcensus.watch()
    gateway.send("gone@corp.example")
    wait_for(lambda: "gone@corp.example" in str(exchange.said("RCPT")) and "callout to" in
             postcensus.run("explain", "gone@corp.example").stdout, "the bounced recipient to be asked about", 15)
    explained = postcensus.run("explain", "gone@corp.example").stdout
    assert "gone@corp.example: accept" in explained and "RecipientNotFound" in explained, explained
    assert "bounced at" in postcensus.log.read_text()
    # One unknown does not take away what the directory lists; it is asked again, whether mail comes or not.
    assert "contested" in explained
    assert postcensus.stop() == 0


def test_auto_follows_what_main_cf_names(postcensus, gateway, exchange):
    exchange.recipients = {"new@corp.example"}
    postcensus.configure({**gateway.sections(), "log": {"source": "auto", "path": "/nonexistent/mail.log"},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    postcensus.watch()
    assert f"following {gateway.log}" in postcensus.log.read_text()
    gateway.dialogue("new@corp.example")
    wait_for(lambda: gateway.dialogue("new@corp.example").code == "250", "new to be learned", 10)
    assert postcensus.stop() == 0


FORMS = ROOT / "fixtures" / "maillog" / "forms"


def test_scan_unpacks_logs_with_the_programs_of_the_system(postcensus, folder):
    for name in ("misses.xz", "misses.bz2", "misses.zst", "misses.lz4"):
        packed = (FORMS / name).read_bytes()
        private = folder / name
        private.write_bytes(packed)
        private.chmod(0o600)  # root opens it, nobody unpacks it
        for argument, given in ((private, None), ("-", packed)):
            done = subprocess.run([str(postcensus.binary), "scan", "--format", "json", str(argument)], input=given, capture_output=True,
                                  stdin=None if given is not None else subprocess.DEVNULL, timeout=60)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["events"]["miss"] == 200, name
        private.write_bytes(packed[:-20])
        done = scan(postcensus, private)
        assert done.returncode == 69 and f"{name} cannot be unpacked to its end" in done.stderr, done
    done = subprocess.run([str(postcensus.binary), "scan", str(FORMS / "misses.xz")], text=True, capture_output=True, env={"PATH": "/nonexistent"},
                          stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 69 and "install the package xz-utils" in done.stderr and "Nothing to learn" not in done.stdout, done


def test_scan_reads_what_journalctl_writes(postcensus, folder):
    writer, reader = need(JOURNAL_WRITER, "systemd-journal-remote"), need("journalctl", "systemd")
    journal = folder / "journal"
    journal.mkdir()
    delivery = ("4HnkK60lBRz6tl1: to=<anna@corp.example>, relay=ex1[192.0.2.20]:25, delay=0.9, delays=0.2/0/0.1/0.6, tls=may:none, dsn=2.6.0, "
                "status=sent (250 2.6.0 Queued)")
    entries = [entry(1, "connect from unknown[192.0.2.10]"), entry(2, MISS), entry(3, delivery, comm="smtp")]
    subprocess.run([writer, f"--output={journal}/system.journal", "-"], input="".join(entries), text=True, check=True, capture_output=True)
    for form, known in [*((form, True) for form in ("short", "short-precise", "short-iso", "short-iso-precise", "short-full", "short-unix",
                                                    "with-unit", "json", "export", "verbose")),
                        *((form, False) for form in ("cat", "short-monotonic", "json-pretty"))]:
        text = subprocess.run([reader, f"--directory={journal}", "-o", form, "--no-pager", "-a"], text=True, check=True, capture_output=True).stdout
        assert "nobody@corp.example" in text, form
        found = json.loads(scan(postcensus, "--format", "json", "-", text=text).stdout)
        if known:
            assert found["events"] == {"miss": 1, "asked": 0, "bounced": 0, "delivered": 1}, form
            assert found["not_understood"] is None and abs(parse_time(found["last"]) - time.time()) < 600, form
        else:
            assert found["events"]["miss"] == 0 and found["not_understood"]["lines"] == 2, (form, found)
            shown = scan(postcensus, "-", text=text).stdout
            assert "Not understood: 2 lines" in shown and "Nothing to learn" not in shown, shown


def test_a_log_that_watch_cannot_read_is_said_by_all(postcensus, gateway, exchange, folder):
    exchange.recipients = {"new@corp.example"}
    log = folder / "odd.log"
    log.write_text("")
    postcensus.configure({**gateway.sections(), "log": {"source": "file", "path": log},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    postcensus.set("general", metrics_dir=postcensus.folder / "metrics")
    postcensus.watch()

    def write(*lines: str) -> None:
        with log.open("a") as out:
            out.write("".join(line + "\n" for line in lines))

    def found(level: str) -> list[dict]:
        findings = json.loads(postcensus.run("check", "--format", "json").stdout)["findings"]
        return [one for one in findings if one["area"] == "log" and one["level"] == level and "not understood" in one["words"]]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000001+00:00", time.gmtime())
    write("Nov 30 10:16:14 gw dovecot: auth: User unknown",
          f"<22>1 {stamp} gw postfix/smtpd 7 - [meta sequenceId=\"7\"] {MISS.replace('nobody@', 'new@')}")
    wait_for(lambda: any(line.startswith("new@") for name in ("directory", "learned") for line in postcensus.table(name)), "new to be learned", 15)
    assert not found("fail") and "not understood" not in postcensus.run("report", "--quiet").stdout

    write(*(f"[ {number}.5] gw postfix/smtpd[7]: {MISS}" for number in range(50)))
    wait_for(lambda: "50 lines of the log" in postcensus.run("report", "--quiet").stdout, "the report to say it", 15)
    assert postcensus.log.read_text().count("is not understood") == 1
    shown = json.loads(postcensus.run("report", "--format", "json").stdout)
    assert shown["not_understood"]["lines"] == shown["counters"]["lines-not-understood"] == 50
    assert shown["not_understood"]["example"].startswith("[ 49.5] gw postfix/smtpd[7]: NOQUEUE")
    [failed] = found("fail")
    assert "gw postfix/smtpd[7]: NOQUEUE" in failed["words"] and failed["remedy"]
    wait_for(lambda: "postcensus_log_lines_not_understood_total 50" in
             (postcensus.folder / "metrics" / "postcensus_watch.prom").read_text(), "the metrics", 30)
    # Once it is mended it is not said any more.
    write(*(f"Nov 30 10:16:14 gw postfix/smtpd[7]: {MISS}" for _ in range(200)))
    assert not found("fail")
    assert postcensus.stop() == 0


def entry(number: int, message: str, comm: str = "smtpd", unit: str = "postfix@-.service") -> str:
    at = int(time.time() * 1_000_000) + number
    return (f"__REALTIME_TIMESTAMP={at}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID={1:032x}\n_HOSTNAME=gateway\n_PID=7\n_COMM={comm}\n"
            f"_SYSTEMD_UNIT={unit}\nSYSLOG_IDENTIFIER=postfix/{comm}\nMESSAGE={message}\n\n")


def test_watch_follows_a_journal(postcensus, gateway, exchange, folder):
    writer = need(JOURNAL_WRITER, "systemd-journal-remote")
    journal = folder / "journal"
    journal.mkdir()
    journal.chmod(0o755)

    def write(*entries: str) -> None:
        subprocess.run([writer, f"--output={journal}/system.journal", "-"], input="".join(entries), text=True, check=True,
                       capture_output=True)
        (journal / "system.journal").chmod(0o644)

    def miss(number: int, rcpt: str, **fields: str) -> str:
        return entry(number, f"NOQUEUE: reject: RCPT from unknown[192.0.2.10]: 450 4.1.1 <{rcpt}>: Recipient address rejected: User "
                     f"unknown in relay recipient table; from=<a@b.test> to=<{rcpt}> proto=ESMTP helo=<x>", **fields)

    def accepted(rcpt: str) -> bool:
        return any(line.startswith(rcpt) for name in ("directory", "learned") for line in postcensus.table(name))
    write(entry(1, "connect from unknown[192.0.2.10]"))
    exchange.recipients = {"new@corp.example", "late@corp.example"}
    postcensus.configure({**gateway.sections(), "log": {"source": "journal", "path": journal},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "new@corp.example"}})
    postcensus.watch()
    assert "following the journal in" in postcensus.log.read_text()
    write(miss(2, "new@corp.example"), miss(3, "forged@corp.example", unit="user@1000.service"))
    wait_for(lambda: accepted("new@corp.example"), "new to be learned", 10)
    assert "missed forged@corp.example" not in postcensus.log.read_text()
    assert postcensus.stop() == 0
    # What came meanwhile is read from where it was left.
    write(miss(4, "late@corp.example"))
    postcensus.watch()
    wait_for(lambda: accepted("late@corp.example"), "late to be learned", 10)
    assert postcensus.log.read_text().count("missed new@corp.example") == 1
    assert postcensus.stop() == 0
