"""A census that is disturbed at one step after another, always from the same beginning.

A Scenario owns the state and the tables of one Postcensus: it keeps how they were before a command, knows each form that the
tables take while the command runs undisturbed, and what is left in the end.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, NamedTuple

from faults import Faults
from gateway import TABLES
from postcensus import Postcensus
from process import LabError, Process, command, wait_for

INDEX = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
CANNOT_WRITE = 73
CANNOT = ("No space left|disk is full|Read-only file system|not writable|may this user write there|"
          "disk I/O error|does not answer as it should")  # neither SQLite nor postmap always says more
Entries = frozenset[str]  # `key<TAB>value`
NONE: Entries = frozenset()


class Table(NamedTuple):
    """What stands in a text and what Postfix finds in its index; None: there is no such file."""

    text: Entries | None
    index: Entries | None


class End(NamedTuple):
    """What a run leaves."""

    tables: dict[str, Table]
    answers: list[tuple]


def read_index(kind: str, path: Path) -> Entries | None:
    """As Postfix reads it. Any word of postmap but the entries means that the file is torn."""
    if not path.with_name(path.name + INDEX[kind]).exists():
        return None
    if kind == "cdb":  # cannot be listed: its own text is asked for
        keys = "".join(f"{line.split()[0]}\n" for line in sorted(read_text(path) or NONE))
        done = command(["postmap", "-q", "-", f"{kind}:{path}"], text=keys, check=False)
    else:
        done = command(["postmap", "-s", f"{kind}:{path}"], check=False)
    assert not done.stderr, done.stderr
    return frozenset(done.stdout.splitlines())


def read_text(path: Path) -> Entries | None:
    if not path.exists():
        return None
    text = path.read_text()
    assert not text or text.endswith("\n"), f"{path} is torn: {text[-60:]!r}"
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def addresses(entries: Entries | None) -> set[str]:
    return {line.split("\t")[0] for line in entries or NONE}


@dataclass
class Scenario:
    """`command` runs on what prepare() of a test has left. `always` are recipients who exist before and after."""

    census: Postcensus
    faults: Faults
    kind: str
    arguments: list[str]
    always: set[str]
    refusable: set[str] = field(default_factory=set)  # who may be refused at the time of the run
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if preloads := self.env.get("LD_PRELOAD"):
            self.env = {**self.env, **self.faults.env, "LD_PRELOAD": f"{preloads}:{self.faults.env['LD_PRELOAD']}"}
        else:
            self.env = {**self.env, **self.faults.env}
        self._kept = self.census.maps.parent / "kept"
        self._kept.mkdir()
        self._maps = {path.name: (path.stat(), path.read_bytes()) for path in self.census.maps.iterdir()}
        for path in self.census.maps.iterdir():
            os.link(path, self._kept / path.name)
        self._state = {path.name: (path.stat(), path.read_bytes()) for path in self.census.state.parent.iterdir()}
        self.forms: dict[str, set[Entries | None]] = {}
        self._undisturbed()

    # --- the beginning

    def restore(self) -> None:
        """As before the command. Tables keep their inodes and times: the state knows them by these."""
        for folder in (self.census.maps, self.census.state.parent):
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, (facts, content) in self._maps.items():
            kept = self._kept / name
            if kept.read_bytes() != content:
                kept.write_bytes(content)
            os.link(kept, self.census.maps / name)
            os.utime(kept, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        for name, (facts, content) in self._state.items():
            path = self.census.state.parent / name
            path.write_bytes(content)
            path.chmod(facts.st_mode & 0o777)
            os.chown(path, facts.st_uid, facts.st_gid)

    def start(self) -> Process:
        argv = [self.census.binary, "--config", self.census.conf, *self.arguments]
        self.said = self.faults.folder / "said"
        self.said.unlink(missing_ok=True)
        return Process(argv, self.said, self.env)

    def run(self, seconds: float = 8) -> int:
        """The command, to its end or its death, with all that it started; returns its exit code."""
        process = self.start()
        try:
            return process.wait(seconds)
        finally:
            kill_all(process)

    def run_until_healed(self) -> int:
        """As run(). If it waits for a disk that is well again, it gets one; `waited` tells."""
        process = self.start()
        self.waited = False
        try:
            try:
                return process.wait(3)
            except LabError:
                self.waited = True
                self.faults.heal()
                return process.wait(20)
        finally:
            kill_all(process)

    # --- what is there

    def table(self, name: str) -> Table:
        path = self.census.maps / name
        return Table(read_text(path), read_index(self.kind, path))

    def tables(self) -> dict[str, Table]:
        return {name: self.table(name) for name in TABLES}

    def end(self) -> End:
        with closing(sqlite3.connect(f"file:{self.census.state}?mode=ro", uri=True)) as state:
            assert state.execute("SELECT count(*) FROM undecided").fetchone() == (0,)
            answers = state.execute("SELECT address, answer, reason FROM address ORDER BY 1").fetchall()
        assert not list(self.census.maps.glob(".build-*"))
        return End(self.tables(), answers)

    def _undisturbed(self) -> None:
        """Step by step, to see each form of each table; and once more, as what was disturbed is run again, too."""
        self.restore()
        before = self.tables()
        self.forms = {name: {table.index} for name, table in before.items()}
        self.faults.stop(1)
        process = self.start()
        step = 0
        while process.alive:
            step += 1
            if not wait_for(lambda: not process.alive or self.faults.stopped(), "the next step", 30):
                continue
            if not process.alive:
                break
            if step > 1 and " -> " in self.faults.name(step - 1):
                for name, table in self.tables().items():
                    self.forms[name].add(table.index)
            self.faults.go_on(step + 1)
        self.code = process.wait()
        self.names = self.faults.names()
        self.faults.count()
        assert self.code in (0, 1) and self.names, f"exit {self.code}, {len(self.names)} steps\n{self.said.read_text()}"
        self.undisturbed = self.end()
        for name, table in self.undisturbed.tables.items():
            self.forms[name].add(table.index)
        self.twin_code = self.run()
        self.twin = self.end()

    # --- what must be true

    def check_tables(self, withdrawn: bool = False) -> None:
        """After a fault: each table is of a form that it has without one (or `unknown` withdrawn), and nobody is wronged."""
        tables = self.tables()
        for name, table in tables.items():
            good = self.forms[name] | ({NONE} if withdrawn and name == "unknown" else set())
            assert table.index in good, f"{name} is none of its forms: {sorted(table.index or NONE)}"
            assert table.text is None or table.text in good, f"the text of {name}: {sorted(table.text)}"
        accepted = addresses(tables["directory"].index) | addresses(tables["learned"].index)
        if any(table.index is None for table in tables.values()):
            return  # the first publication: lookups fail, all mail waits
        assert self.always <= accepted, f"not accepted: {self.always - accepted}"
        assert not self.always & addresses(tables["unknown"].index), "refused"

    def check_error(self, code: int) -> None:
        """Either it said clearly what it could not write, or all is done."""
        said = self.said.read_text()
        if code == CANNOT_WRITE:
            assert re.search(CANNOT, said), said
        else:
            assert code == self.code, f"exit {code}\n{said}"
            assert self.end() == self.undisturbed, f"exit {code}, and not all is done\n{said}"

    def failsafe(self) -> None:
        """It takes nobody's acceptance, and leaves only rejections that are good now."""
        before = self.tables()
        done = self.census.run("failsafe", "--maps", self.census.maps, env=self.env)
        assert done.returncode == 0, done.stderr
        after = self.tables()
        for name in ("directory", "learned"):
            assert after[name] == before[name], f"failsafe changed {name}"
        refused = addresses(after["unknown"].index)
        assert refused <= self.refusable, f"still refused: {refused - self.refusable} {done.stdout}"
        for name in ("unknown", "closed"):
            assert (after[name].index or NONE) == (after[name].text or NONE), f"{name}: {after[name]} {done.stdout}"

    def check_recovery(self) -> None:
        """The next run, undisturbed, makes all good."""
        self.faults.count()
        code = self.run()
        assert code == self.twin_code, f"the next run: exit {code}\n{self.said.read_text()}"
        end = self.end()
        assert end.tables == self.twin.tables, differences(end.tables, self.twin.tables)
        assert end.answers == self.twin.answers, set(end.answers) ^ set(self.twin.answers)


def differences(some: dict[str, Table], others: dict[str, Table]) -> str:
    return "\n".join(f"{name}: {some[name]}\nand not {others[name]}" for name in some if some[name] != others[name])


def kill_all(process: Process) -> None:
    """With all that it started, and until nothing of it is left: a child that is just being made still holds its locks."""
    def gone() -> bool:
        try:
            os.killpg(process.pid, 0)
            return False
        except ProcessLookupError:
            return True
    process.kill_group()
    wait_for(gone, "the end of all that it started")
