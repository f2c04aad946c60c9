"""A state as a large gateway has it after months: many addresses, and as many rows of history and misses as asked for."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

DAY = 86_400_000
HOUR = 3_600_000
STRANGERS, PROVEN = 10, 50  # one address in ten was made up, one in fifty is known by a callout only
MANY = 5000  # of what an operator has to look at, in a bad week


def fill(path: Path, addresses: int, rows: int) -> None:
    """Into a state that the program has made. Half of the rows are misses of 14 days, half are changes of 400 days."""
    now = int(time.time() * 1000)
    strangers, proven = addresses // STRANGERS, addresses // PROVEN
    listed = addresses - strangers - proven
    misses, events = rows // 2, rows - rows // 2
    db = sqlite3.connect(path)
    db.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; DROP INDEX listing_by_object; DROP INDEX miss_by_address; "
                     "DROP INDEX event_by_address;")
    indexes = {"listing_by_object": "listing (object_id)", "miss_by_address": "miss (address_id, at)",
               "event_by_address": "event (address_id, at)"}

    def insert(count: int, into: str, select: str, *values: object, start: int = 1) -> None:
        db.execute(f"WITH RECURSIVE n (i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n WHERE i < {start + count - 1}) "
                   f"INSERT OR REPLACE INTO {into} SELECT {select} FROM n", values)

    db.execute("INSERT OR REPLACE INTO domain VALUES ('corp.example', 'x', 0), ('branch.example', 'x', 0)")
    db.execute("INSERT INTO directory (id, name, listed, full_seq, full_at, full_good) VALUES (1, 'corp', ?, 1, ?, 1)", (listed, now))
    insert(listed, "address (id, local, domain, answer, reason, accepted_seq)",
           "i, 'person.number' || i, iif(i % 3 = 0, 'branch.example', 'corp.example'), 'accept', 'listed', 1")
    insert(proven, "address (id, local, domain, answer, reason, accepted_seq)",
           "i, 'learned' || i, 'corp.example', 'accept', 'proven', i", start=listed + 1)
    insert(strangers, "address (id, local, domain, answer, reason, until, missed_seq)",
           "i, 'made-up' || i, 'corp.example', iif(i % 20 = 0, 'reject', 'unsure'), iif(i % 20 = 0, 'proven-unknown', 'lease-over'), "
           "iif(i % 20 = 0, ?, NULL), 1", now + DAY // 48, start=listed + proven + 1)
    db.execute("UPDATE address SET reason = 'held' WHERE id <= ?", (MANY,))
    db.execute("UPDATE address SET waits_since = ?1 - 3 * ?2, waits_last = ?1 - ?2 / 60 WHERE id > ?3 AND id <= ?3 + ?4 AND "
               "answer = 'unsure'", (now, HOUR, listed + proven, MANY))
    db.execute("INSERT INTO census SELECT domain, answer, reason, count(*) FROM address WHERE answer <> 'unsure' GROUP BY 1, 2, 3")
    objects = max(1, listed // 3)
    insert(objects, "object (id, directory_id, guid, dn, digest, read_seq)",
           "i, 1, CAST(printf('%016d', i) AS BLOB), 'CN=person ' || i || ',OU=Staff,DC=corp,DC=example', i, 1")
    insert(listed, "listing", f"i, 1 + i % {objects}, 0")
    db.execute("UPDATE object SET unseen_seq = 1 WHERE id > ?1 AND id <= 2 * ?1", (MANY,))
    insert(MANY, "hold (address_id, domain, number, directory, object, cause, at)",
           "i, iif(i % 3 = 0, 'branch.example', 'corp.example'), 1, 'corp', 'CN=person ' || i || ',OU=Staff,DC=corp,DC=example', "
           "'gate', ?", now)
    insert(MANY, "undecided (address_id, rank)", "i, 1", start=MANY + 1)
    insert(MANY, "bounce (address_id, first_at, last_at, count, host, reply)",
           "i, ?1 - 20 * ?2, ?1 - ?2, 20, 'ex1.corp.example', '550 5.7.1 RESOLVER.RST.AuthRequired'", now, HOUR)
    insert(20 * MANY, "bounce_hour (hour, address_id, first_at, last_at, count)",
           f"?1 / ?2 - 1 - i / {MANY}, 1 + i % {MANY}, ?1 - (1 + i / {MANY}) * ?2, ?1 - (1 + i / {MANY}) * ?2, 1", now, HOUR)
    insert(14 * 24 * 200, "harvest (hour, network, suppressed)",
           "? / 3600000 - i / 200, '203.' || (i % 200) || '.113.0/24', i % 1000", now)
    insert(MANY, "stop (target, domain, since, ended, reason)",
           "'ex1.corp.example:2525', '', ?1 - i * 60000, ?1 - i * 60000 + 5000, 'cannot connect: connection refused'", now)
    insert(4000, "reading (directory_id, kind, server, began, ended, began_seq, seq, objects, added, removed, outcome, good)",
           "1, 'changes', 'dc1.corp.example', ?1 - i * 300000, ?1 - i * 300000 + 900, i, i, 10, 1, 1, 'applied', 1", now)
    insert(misses, "miss (address_id, at, client)",
           f"{listed + 1} + abs(random()) % {strangers + proven}, CAST(? - 14 * {DAY} + i * 14.0 / {misses} * {DAY} AS INTEGER), "
           "'203.0.' || (abs(random()) % 250) || '.' || (abs(random()) % 250)", now)
    insert(events, "event (address_id, seq, at, from_answer, to_answer, reason, cause, waited)",
           f"1 + abs(random()) % {addresses}, i, CAST(? - 400 * {DAY} + i * 400.0 / {events} * {DAY} AS INTEGER), "
           "CASE i % 4 WHEN 0 THEN 'unsure' WHEN 1 THEN 'accept' WHEN 2 THEN 'unsure' ELSE 'reject' END, "
           "CASE i % 4 WHEN 0 THEN 'accept' WHEN 1 THEN 'unsure' WHEN 2 THEN 'reject' ELSE 'unsure' END, "
           "CASE i % 4 WHEN 0 THEN 'listed' WHEN 1 THEN 'no-evidence' WHEN 2 THEN 'proven-unknown' ELSE 'lease-over' END, "
           "'the reading of directory corp at dc1.corp.example', iif(i % 4 = 0, i % 100000, NULL)", now)
    insert(strangers + proven, "callout (address_id, class, at, began_seq, target, reply, controls)",
           "i, iif(i % 6 = 0, 'deliverable', 'unknown'), ? - (i % 1000) * 60000, i, 'ex1.corp.example:2525', "
           "'550 5.1.10 RESOLVER.ADR.RecipientNotFound', 'random refused 550 5.1.10'", now, start=listed + 1)
    for name in ("misses", "misses-suppressed", "asked", "deliveries", "bounces", "lookups"):
        insert(400 * 24, "counter", "? / 3600000 - i, ?, '', 100", now, name)
    for name in ("unknown", "deliverable", "retry", "policy"):
        insert(31 * 24, "counter", "? / 3600000 - i, 'callout-' || ?, 'ex1.corp.example:2525', 100", now, name)
    insert(400 * 24, "census_size", "? / 3600000 - i, 800000 - i, 20000, 10, 100, 5000", now)
    db.execute("UPDATE sequence SET seq = ?", (rows + addresses,))
    for name, columns in indexes.items():
        db.execute(f"CREATE INDEX {name} ON {columns}")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
