"""What `cmake --install` leaves, wherever it goes: the units name the program that is there, documents find each other, bash completes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from postcensus import ROOT, binary
from process import command, need
from test_docs import synopsis


@pytest.fixture(scope="module")
def installed(lab) -> Path:
    """DESTDIR; everything lies below /opt/mail in it."""
    place = lab / "installed"
    command(["cmake", "--install", binary().parent, "--prefix", "/opt/mail"], env={"DESTDIR": str(place)})
    return place


def units(installed: Path) -> list[Path]:
    return sorted((installed / "opt/mail/lib/systemd/system").iterdir())


def test_the_units_name_the_program_that_is_there(installed):
    assert (installed / "opt/mail/sbin/postcensus").exists()
    assert len(units(installed)) == 14
    for unit in units(installed):
        text = unit.read_text()
        assert not re.search(r"@[A-Z_]+@", text), unit
        if unit.suffix == ".service":
            [program] = re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE)
            assert program == "/opt/mail/sbin/postcensus"
            assert ("--config /etc/postcensus/%i.conf" in text or "/postcensus-%i/" in text) == ("@" in unit.name)


def test_the_units_are_shut_in(installed, folder):
    """As systemd will judge them; the machine of test_system.py asks it about the running ones."""
    need("systemd-analyze", "systemd")
    for unit in units(installed):
        if unit.suffix == ".service":
            said = command(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit], check=False).stdout
            assert float(re.search(r"exposure level for \S+: ([0-9.]+)", said)[1]) <= 1.5, said


def test_the_documents_find_each_other(installed):
    folder = installed / "opt/mail/share/doc/postcensus"
    found = 0
    for document in folder.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document}: {target}"
            found += 1
    assert found > 30
    for page in ("man8/postcensus.8", "man5/postcensus.conf.5"):
        assert (installed / "opt/mail/share/man" / page).read_text().startswith(".")
    assert (folder / "examples/postcensus.conf").read_text() == (ROOT / "docs/postcensus.conf.example").read_text()


class Completion:
    """bash after Tab."""

    def __init__(self, script: Path) -> None:
        self.script = script

    def __call__(self, *words: str) -> set[str]:
        line = " ".join(f"'{word}'" for word in words)
        said = subprocess.run(["bash", "-c", f"source {self.script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _postcensus; "
                               'printf "%s\\n" "${COMPREPLY[@]}"'], text=True, capture_output=True, check=True)
        assert not said.stderr
        return set(said.stdout.split())


def test_bash_completes(installed, folder):
    complete = Completion(installed / "opt/mail/share/bash-completion/completions/postcensus")
    commands = synopsis()
    assert complete("postcensus", "") == {*commands, "--config", "--log-level", "--help", "--version"}
    for name, arguments in commands.items():
        assert complete("postcensus", name, "--") == {*re.findall(r"--[a-z-]+", arguments), "--help"}, name
    assert complete("postcensus", "--log-level", "debug", "rep") == {"report"}
    assert complete("postcensus", "report", "--format", "") == {"text", "json", "csv", "html"}
    assert complete("postcensus", "explain", "--format", "") == {"text", "json"}
    conf = folder / "some.conf"
    conf.write_text("[directory.corp]\n[directory.branch]\n[route.x]\ndomains = a.example b.example # two\n")
    assert complete("postcensus", "--config", str(conf), "sync", "") == {"corp", "branch", "--full", "--dry-run", "--help"}
    assert complete("postcensus", "--config", str(conf), "forget", "--domain", "b") == {"b.example"}
    assert complete("postcensus", "scan", f"{folder}/so") == {str(conf)}
