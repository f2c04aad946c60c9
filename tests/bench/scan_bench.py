"""The log: scan against grep and perl that look for the misses alone, and pflogsumm; what a following watch costs."""

from __future__ import annotations

import random
import time
from pathlib import Path

from measure import Run, best, cpu, measure, row
from postcensus import Postcensus, binary
from postfix import Postfix
from process import need, wait_for

SIZES = (60, 600)  # MB
MISSES = 0.01  # of all lines
RATE, SECONDS = 5000, 20  # of the log that a watch follows
MARK = "in relay recipient table"
DOMAIN = "corp.example"


def lines(number: int, rng: random.Random) -> list[str]:
    """One mail or one refusal, as Postfix logs it."""
    at = f"Nov {number // 40_000 % 28 + 1:2} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} gw postfix"
    queue = f"{number:010X}"
    pid, ip = number % 30_000, f"198.51.{number % 97}.{number % 251}"
    sender = f"user{number % 5003}@sender{number % 211}.example"
    if rng.random() < MISSES * 9:  # a mail has some nine lines
        name = f"nobody{rng.randrange(20_000)}@{DOMAIN}"
        return [f"{at}/smtpd[{pid}]: NOQUEUE: reject: RCPT from mx{number % 211}.sender.example[{ip}]: 450 4.1.1 <{name}>: "
                f"Recipient address rejected: User unknown {MARK}; from=<{sender}> to=<{name}> proto=ESMTP helo=<mx.example>"]
    to = f"anna{number % 3001}@{DOMAIN}"
    return [f"{at}/smtpd[{pid}]: connect from mx{number % 211}.sender.example[{ip}]",
            f"{at}/smtpd[{pid}]: Anonymous TLS connection established from mx{number % 211}.sender.example[{ip}]: TLSv1.3 with "
            "cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits)",
            f"{at}/smtpd[{pid}]: {queue}: client=mx{number % 211}.sender.example[{ip}]",
            f"{at}/cleanup[{pid + 1}]: {queue}: message-id=<{number:x}.{pid}@sender{number % 211}.example>",
            f"{at}/qmgr[811]: {queue}: from=<{sender}>, size={1000 + number % 90_000}, nrcpt=1 (queue active)",
            f"{at}/smtpd[{pid}]: disconnect from mx{number % 211}.sender.example[{ip}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 "
            "quit=1 commands=7",
            f"{at}/relay/smtp[{pid + 2}]: {queue}: to=<{to}>, relay=ex1.{DOMAIN}[192.0.2.10]:25, delay=0.21, "
            f"delays=0.05/0.01/0.05/0.1, dsn=2.6.0, status=sent (250 2.6.0 <{number:x}@x> [InternalId={number}] Queued mail for delivery)",
            f"{at}/qmgr[811]: {queue}: removed"]


def write(path: Path, megabytes: int) -> None:
    rng = random.Random(1)
    number = size = 0
    with path.open("w") as out:
        while size < megabytes * 1_000_000:
            text = "\n".join(lines(number, rng)) + "\n"
            size += out.write(text)
            number += 1


def follow(folder: Path) -> None:
    """A watch beside a log that grows by so many lines a second, a hundredth of them misses, and beside one that rests."""
    postfix, log = Postfix(folder / "postfix", "gateway.corp.example"), folder / "busy.log"
    log.touch()
    census = Postcensus(folder / "census")
    census.configure({"general": {"postfix-config": postfix.etc}, "log": {"path": log},
                      "route.x": {"domains": DOMAIN, "callout": "none"}})
    watch = census.watch(log_level="info")
    try:
        used, begun = cpu(watch.pid), time.perf_counter()
        wait_for(lambda: time.perf_counter() - begun > SECONDS, "time to pass", SECONDS + 10)
        row("watch beside a log that rests, of one core", 100 * (cpu(watch.pid) - used) / SECONDS, None, "%")
        rng, number, written = random.Random(2), 0, 0
        used, begun = cpu(watch.pid), time.perf_counter()
        with log.open("a", buffering=1) as out:  # each line by itself, as syslogd writes
            while (passed := time.perf_counter() - begun) < SECONDS:
                while written < passed * RATE:
                    for line in lines(number, rng):
                        out.write(line + "\n")
                        written += 1
                    number += 1
                wait_for(lambda: (time.perf_counter() - begun) * RATE > written, "the next line's time")
        taken = cpu(watch.pid) - used
        row(f"watch beside {written / SECONDS:.0f} lines a second, of one core", 100 * taken / SECONDS, None, "%")
    finally:
        census.stop()


def run(folder: Path) -> None:
    follow(folder)
    pflogsumm = need("pflogsumm", "pflogsumm")
    log = folder / "mail.log"
    found: dict[int, dict[str, Run]] = {}
    for megabytes in SIZES:
        write(log, megabytes)
        log.read_bytes()  # into the page cache, where the folder is a disk
        ours = best(lambda: measure([binary(), "scan", log], folder / "ours"))
        peers = {"grep -cF": best(lambda: measure(["env", "LC_ALL=C", "grep", "-cF", MARK, log], folder / "out")),
                 "perl": best(lambda: measure(["perl", "-ne", f"$n++ if index($_, '{MARK}') >= 0; END {{ print $n }}", log],
                                              folder / "out"))}
        if megabytes == SIZES[0]:  # it takes minutes for more
            peers["pflogsumm"] = measure([pflogsumm, log], folder / "out")
        for name, peer in peers.items():
            row(f"scan of {megabytes} MB / {name}", ours.seconds, peer.seconds)
        row(f"memory of scan of {megabytes} MB", ours.memory / 1024, None, "MB")
        found[megabytes] = {"scan": ours, **peers}
    small, large = SIZES
    for name in ("scan", "grep -cF"):
        row(f"growth from {small} to {large} MB: {name}", found[large][name].seconds / found[small][name].seconds, None, "times")
