"""promtool, and the text files that node_exporter reads."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import tools
from process import command, need

SERIES = re.compile(r'(postcensus_\w+)(?:\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})? [-+0-9.e]+\Z')


def promtool(*arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, whatever its exit code. Without it: a visible skip, and a failure where CI=true."""
    with tools():
        program = need("promtool", "prometheus")
    return command([program, *arguments], text=text, check=False)


def read_series(text: str) -> dict[str, float]:
    """Each series and its value; every line is well-formed, and no family is torn."""
    assert text.endswith("\n")
    values: dict[str, float] = {}
    families = list(read_families(text))
    family = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family = line.split()[2]
        if line.startswith("#"):
            continue
        assert SERIES.match(line), line
        series, value = line.rsplit(" ", 1)
        assert series not in values and series.startswith(family), line
        values[series] = float(value)
    assert families
    return values


def read_families(text: str) -> dict[str, str]:
    """Each family and its type."""
    lines = [line.split() for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len({words[2] for words in lines}) == len(lines), "a family is there twice"
    return {words[2]: words[3] for words in lines}
