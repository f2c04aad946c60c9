-- The state: what is known (evidence), what follows from it (answers), and what was published.
-- Times are milliseconds since the epoch, UTC. Addresses are in internal form, folded.
-- `seq` numbers write transactions; order of evidence is order of seq, never of clocks.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sequence (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO sequence (one, seq) VALUES (1, 0);

-- Every address that was ever listed, missed or configured, with its last answer.
CREATE TABLE address (
    id           INTEGER PRIMARY KEY,
    local        TEXT NOT NULL,
    domain       TEXT NOT NULL,
    address      TEXT GENERATED ALWAYS AS (local || '@' || domain) VIRTUAL,
    -- Not IN: SQLite would build a set of the four with every row.
    answer       TEXT NOT NULL DEFAULT 'unsure'
                 CHECK (answer = 'accept' OR answer = 'closed' OR answer = 'reject' OR answer = 'unsure'),
    reason       TEXT NOT NULL DEFAULT 'no-evidence',
    until        INTEGER,                     -- when the answer changes by itself
    listed_seq   INTEGER NOT NULL DEFAULT 0,  -- when its listings last changed or ended
    accepted_seq INTEGER,                     -- when it last became accepted (or closed)
    left_seq     INTEGER,                     -- when it last stopped being so
    missed_seq   INTEGER,                     -- its first miss after that, and after a while without one
    missed_at    INTEGER,                     -- and the time of the last one
    waits_since  INTEGER,                     -- unsure, and missed again and again: since then
    waits_last   INTEGER,                     -- and the last time
    adopted_seq  INTEGER,                     -- when it was taken over from the tables of a state that was lost
    asked_at     INTEGER,                     -- when its rejection was last used
    last_object  INTEGER,                     -- whose listing of it ended last
    configured   INTEGER NOT NULL DEFAULT 0,  -- named by a route's accept
    UNIQUE (domain, local)
) STRICT;
CREATE INDEX address_by_until    ON address (until) WHERE until IS NOT NULL;
CREATE INDEX address_closed      ON address (id) WHERE answer = 'closed';
CREATE INDEX address_by_accepted ON address (accepted_seq) WHERE answer IN ('accept', 'closed');
CREATE INDEX address_by_left     ON address (left_seq) WHERE left_seq IS NOT NULL;
CREATE INDEX address_configured  ON address (id) WHERE configured = 1;
CREATE INDEX address_adopted     ON address (domain, local) WHERE adopted_seq IS NOT NULL;
CREATE INDEX address_strangers   ON address (id) WHERE accepted_seq IS NULL;
CREATE INDEX address_accept_all  ON address (domain) WHERE reason = 'accept-all';
-- Controls are drawn from it.
CREATE INDEX address_known_good  ON address (domain, reason) WHERE answer = 'accept';
-- For the audit: mail waits for these; a callout knew those, and no directory; a directory lists those, and the
-- server refuses them.
CREATE INDEX address_waiting     ON address (waits_last) WHERE waits_last >= waits_since + 3600000;
CREATE INDEX address_proven      ON address (accepted_seq) WHERE reason = 'proven' OR reason = 'closed-callout';
CREATE INDEX address_contested   ON address (id) WHERE reason = 'contested';

-- How many addresses of a domain have which answer, and why. Those that are unsure are not counted: strangers
-- make them.
CREATE TABLE census (
    domain    TEXT NOT NULL,
    answer    TEXT NOT NULL,
    reason    TEXT NOT NULL,
    addresses INTEGER NOT NULL,
    PRIMARY KEY (domain, answer, reason)
) STRICT, WITHOUT ROWID;

-- The same by where it is known from that an address exists; and those that are known not to.
CREATE VIEW census_source (domain, answer, source, addresses) AS
SELECT domain, answer,
       CASE WHEN answer = 'reject' THEN 'rejected'
            WHEN reason IN ('listed', 'closed-listing', 'unseen') THEN 'listed'
            WHEN reason IN ('proven', 'closed-callout') THEN 'learned'
            ELSE 'other' END,                 -- the configuration, a hold, tables of a lost state
       addresses
FROM census;

-- The size of the census, once an hour.
CREATE TABLE census_size (
    hour     INTEGER PRIMARY KEY,             -- hours since the epoch
    listed   INTEGER NOT NULL,
    learned  INTEGER NOT NULL,
    other    INTEGER NOT NULL,                -- accepted for another reason
    closed   INTEGER NOT NULL,                -- of all these
    rejected INTEGER NOT NULL
) STRICT;

-- The domains that the decider's configuration relays, and a digest of what else in it decides.
CREATE TABLE domain (
    domain     TEXT PRIMARY KEY,
    policy     TEXT NOT NULL,
    accept_all INTEGER NOT NULL DEFAULT 0     -- its server accepts every recipient
) STRICT, WITHOUT ROWID;

-- Domains that left while their server accepted every recipient: that is known again if they come back.
CREATE TABLE domain_left (
    domain TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The domains of the route that asks Postfix for them (domains = postfix), as it last said.
CREATE TABLE relay_domain (
    domain TEXT PRIMARY KEY,
    no_at  INTEGER                            -- it said no, once
) STRICT, WITHOUT ROWID;

CREATE TABLE directory (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    listed     INTEGER NOT NULL DEFAULT 0,    -- addresses that its objects list now
    full_seq   INTEGER NOT NULL DEFAULT 0,    -- began_seq of the last full reading that was applied
    full_at    INTEGER,                       -- when that ended
    full_good  INTEGER NOT NULL DEFAULT 0,    -- whether the last full reading that was tried was applied
    swept_at   INTEGER,                       -- when the last sweep (or full reading) ended
    away_since INTEGER,                       -- since when the server that we follow does not answer
    shown      TEXT NOT NULL DEFAULT ''       -- flavour = ldap: the attributes that objects showed
) STRICT;

-- How far the changes of each server were followed. `server` is one stream of changes (AD: invocationId).
CREATE TABLE position (
    directory_id INTEGER NOT NULL REFERENCES directory (id),
    server       TEXT NOT NULL,
    uri          TEXT NOT NULL,
    position     TEXT NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (directory_id, server)
) STRICT, WITHOUT ROWID;

CREATE TABLE reading (
    id           INTEGER PRIMARY KEY,
    directory_id INTEGER NOT NULL REFERENCES directory (id),
    kind         TEXT NOT NULL,               -- full, changes, sweep, lookup, dropped
    server       TEXT NOT NULL,
    began        INTEGER NOT NULL,
    ended        INTEGER NOT NULL,
    began_seq    INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    objects      INTEGER NOT NULL,
    added        INTEGER NOT NULL,            -- addresses
    removed      INTEGER NOT NULL,
    held         INTEGER NOT NULL DEFAULT 0,  -- of these: whose removal from the tables the gate held
    outcome      TEXT NOT NULL,               -- applied, or why not
    good         INTEGER NOT NULL
) STRICT;
CREATE INDEX reading_by_end ON reading (ended);
CREATE INDEX reading_by_begin ON reading (began_seq);
CREATE INDEX reading_by_directory ON reading (directory_id, ended);

-- An object that is gone stays for a while, without listings: a reading that began earlier may still bring it.
CREATE TABLE object (
    id           INTEGER PRIMARY KEY,
    directory_id INTEGER NOT NULL REFERENCES directory (id),
    guid         BLOB NOT NULL,
    dn           TEXT NOT NULL,
    digest       INTEGER NOT NULL,
    read_seq     INTEGER NOT NULL,            -- began_seq of the reading whose values these are
    gone         INTEGER NOT NULL DEFAULT 0,
    unseen_seq   INTEGER,                     -- since when readings do not find it, and nothing says that it is gone
    plain        INTEGER NOT NULL DEFAULT 0,  -- what it lists stands in `mail`, not in proxyAddresses
    doubts       TEXT,                        -- it hides addresses: in this domain, or anywhere ('')
    UNIQUE (directory_id, guid)
) STRICT;
CREATE INDEX object_unseen ON object (directory_id) WHERE unseen_seq IS NOT NULL;
CREATE INDEX object_gone   ON object (read_seq) WHERE gone = 1;
CREATE INDEX object_doubts ON object (doubts) WHERE doubts IS NOT NULL;

-- Values that people meant for addresses, as the last readings met them. Bounded.
CREATE TABLE mistyped (
    directory_id INTEGER NOT NULL REFERENCES directory (id),
    guid         BLOB NOT NULL,
    dn           TEXT NOT NULL,
    value        TEXT NOT NULL,               -- as it stands there, printable
    why          TEXT NOT NULL,
    PRIMARY KEY (directory_id, guid, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE listing (
    address_id INTEGER NOT NULL REFERENCES address (id),
    object_id  INTEGER NOT NULL REFERENCES object (id),
    closed     INTEGER NOT NULL,
    PRIMARY KEY (address_id, object_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX listing_by_object ON listing (object_id);

-- Conclusive callouts, and the last other one, of each address.
CREATE TABLE callout (
    id         INTEGER PRIMARY KEY,
    address_id INTEGER NOT NULL REFERENCES address (id),
    class      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    began_seq  INTEGER NOT NULL,              -- the seq that was current before its RCPT was sent
    target     TEXT NOT NULL,
    reply      TEXT NOT NULL,
    controls   TEXT NOT NULL
) STRICT;
CREATE INDEX callout_by_address ON callout (address_id, began_seq);
CREATE INDEX callout_by_time ON callout (at);

CREATE TABLE miss (
    id         INTEGER PRIMARY KEY,
    address_id INTEGER NOT NULL REFERENCES address (id),
    at         INTEGER NOT NULL,
    client     TEXT NOT NULL
) STRICT;
CREATE INDEX miss_by_address ON miss (address_id, at);
CREATE INDEX miss_by_time ON miss (at);

-- Deliveries of accepted recipients that a server refused: the last one of each, and how many.
CREATE TABLE bounce (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    host       TEXT NOT NULL,
    reply      TEXT NOT NULL
) STRICT;

-- How many of them when: one row an hour.
CREATE TABLE bounce_hour (
    hour       INTEGER NOT NULL,              -- hours since the epoch
    address_id INTEGER NOT NULL REFERENCES address (id),
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (hour, address_id)
) STRICT, WITHOUT ROWID;

-- The last delivery to each address that a callout or a directory can speak of; written once an hour at most.
CREATE TABLE delivery (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    at         INTEGER NOT NULL,
    host       TEXT NOT NULL
) STRICT;

-- Networks that missed more than their budget: who harvests. A few for each hour.
CREATE TABLE harvest (
    hour       INTEGER NOT NULL,
    network    TEXT NOT NULL,
    suppressed INTEGER NOT NULL,              -- misses that became no question
    PRIMARY KEY (hour, network)
) STRICT, WITHOUT ROWID;

-- The queue: what is to be asked, and nobody waits for.
CREATE TABLE question (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    domain     TEXT NOT NULL,
    cause      TEXT NOT NULL,                 -- miss, listing-ended, unseen, bounce, control, contested, refresh
    asked      INTEGER NOT NULL,              -- when it was last raised
    due        INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    pause      INTEGER NOT NULL DEFAULT 0,    -- ms between the last attempt and `due`
    step       INTEGER NOT NULL,              -- 0 waits until it is due; 1 to be looked up; 2 to be called out
    rank       INTEGER NOT NULL,              -- 0 a sender came back for it; 1 a sender waits; 2 nobody does
    turn       REAL NOT NULL,                 -- the order within a rank
    client     TEXT NOT NULL DEFAULT ''       -- who asked last
) STRICT;
CREATE INDEX question_by_due ON question (due) WHERE step = 0;
CREATE INDEX question_line   ON question (step, domain, rank, turn) WHERE step > 0;
CREATE INDEX question_contested ON question (address_id) WHERE cause = 'contested';
CREATE INDEX question_missed ON question (domain, rank, turn) WHERE rank < 2;

-- What was learned of the servers that are asked.
CREATE TABLE target (
    target       TEXT PRIMARY KEY,             -- host:port
    most_refused INTEGER NOT NULL,             -- RCPTs that may be refused in a session before it is ended
    limit_at     INTEGER,                      -- the refusal at which the server ended one, if it has
    limit_met    INTEGER,                      -- when
    tarpit       INTEGER NOT NULL DEFAULT 0    -- ms that it takes for a refusal
) STRICT, WITHOUT ROWID;

-- Callouts that are stopped at the moment: of a server, or of one domain at it.
CREATE TABLE breaker (
    target TEXT NOT NULL,
    domain TEXT NOT NULL,                     -- empty: of all domains
    since  INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (target, domain)
) STRICT, WITHOUT ROWID;

-- Those that have ended: what was out of order in the night shows in the morning. Only the newest.
CREATE TABLE stop (
    id     INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    domain TEXT NOT NULL,
    since  INTEGER NOT NULL,
    ended  INTEGER NOT NULL,                  -- when they worked again, or `watch` ended
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX stop_by_end ON stop (ended);

-- Live lookups that found a listed control of the domain, and not this address: the first and the last of a run
-- (directory-complete).
CREATE TABLE absence (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    first_at   INTEGER NOT NULL,
    first_seq  INTEGER NOT NULL,              -- the seq that was current before the search
    last_at    INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    server     TEXT NOT NULL,
    control    TEXT NOT NULL
) STRICT;

-- Addresses whose evidence changed and whose answer has not been decided since.
CREATE TABLE undecided (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    rank       INTEGER NOT NULL               -- 0 a sender waits; 1 others; 2 would lose acceptance: waits for the gate
) STRICT;
CREATE INDEX undecided_line ON undecided (rank, address_id);

-- Domains whose policy changed: all their addresses are decided anew.
CREATE TABLE undecided_domain (
    domain TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL                   -- of the change
) STRICT, WITHOUT ROWID;

-- Removals that wait for an operator: the gate's, and objects that are not seen any more where nobody can be asked.
CREATE TABLE hold (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    domain     TEXT NOT NULL,
    number     INTEGER NOT NULL,              -- of the batch: what `approve` takes
    directory  TEXT NOT NULL,                 -- which listed it last, or empty
    object     TEXT NOT NULL,                 -- its DN, or empty
    cause      TEXT NOT NULL CHECK (cause IN ('gate', 'unseen')),
    at         INTEGER NOT NULL,
    approved   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX hold_open ON hold (domain, number) WHERE approved = 0;

-- Each change of an answer, with its cause in words. What an operator did to an address stands here too: then both
-- answers are the same.
CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    address_id  INTEGER NOT NULL REFERENCES address (id),
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    from_answer TEXT NOT NULL,
    to_answer   TEXT NOT NULL,
    reason      TEXT NOT NULL,
    cause       TEXT NOT NULL,
    approved    INTEGER NOT NULL DEFAULT 0,
    waited      INTEGER                       -- an acceptance: ms since its first miss
) STRICT;
CREATE INDEX event_learned ON event (at) WHERE waited IS NOT NULL;
CREATE INDEX event_by_address ON event (address_id, at);
CREATE INDEX event_by_time ON event (at);

-- What operators and failsafe did.
CREATE TABLE command (
    id    INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    name  TEXT NOT NULL,                      -- approve, forget, failsafe
    user  TEXT NOT NULL,                      -- who ran it
    words TEXT NOT NULL                       -- to what, and how much of it
) STRICT;
CREATE INDEX command_by_time ON command (at);

-- What should be out: one row a table.
CREATE TABLE publication (
    name       TEXT PRIMARY KEY,              -- directory, learned, closed, unknown
    generation INTEGER NOT NULL,
    seq        INTEGER NOT NULL,              -- the table holds what was decided up to here
    digest     TEXT NOT NULL,                 -- of its entries
    identity   TEXT NOT NULL,                 -- of its two files
    entries    INTEGER NOT NULL,
    until      INTEGER,
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log_mark (
    source TEXT PRIMARY KEY,
    mark   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Counts for the report: one row an hour, name and label (a server, a table).
CREATE TABLE counter (
    hour  INTEGER NOT NULL,                   -- hours since the epoch
    name  TEXT NOT NULL,
    label TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (hour, name, label)
) STRICT, WITHOUT ROWID;

-- The same since this state was made, for the metrics: they never fall.
CREATE TABLE total (
    name  TEXT NOT NULL,
    label TEXT NOT NULL,
    value INTEGER NOT NULL,
    hour  INTEGER NOT NULL,                   -- when it was last counted
    PRIMARY KEY (name, label)
) STRICT, WITHOUT ROWID;
