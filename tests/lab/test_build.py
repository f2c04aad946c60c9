"""A build: nothing is compiled twice, and who has a compiler launcher of his own keeps it."""

import os
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]


def run(command, **environment):
    done = subprocess.run(command, cwd=SOURCE, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def configure(tree, *options, **environment):
    run(["cmake", "--preset", "release", "-B", str(tree), *options], **environment)


def compiled(tree):
    """The objects that ninja has made, with their time (.ninja_log: start, end, time, output, command)."""
    entries = [line.split("\t") for line in (tree / ".ninja_log").read_text().splitlines()[1:]]
    return sorted((entry[3], entry[2]) for entry in entries if entry[3].endswith(".o"))


def test_a_tree_that_is_configured_again_compiles_nothing_again(tmp_path):
    """`make demo` and then `make test` configure the same tree, each for itself."""
    configure(tmp_path)
    run(["cmake", "--build", str(tmp_path), "--target", "directory"])
    first = compiled(tmp_path)
    assert first
    for _ in range(2):
        configure(tmp_path)
        told = run(["cmake", "--build", str(tmp_path), "--target", "directory"])
        assert "no work to do" in told
    assert compiled(tmp_path) == first


def test_demo_and_test_build_the_same_tree_and_demo_no_test():
    demo, test = (run(["make", "-n", "--no-print-directory", "JOBS=2", target]) for target in ("demo", "test"))
    program = "cmake --build --preset release -j 2 --target postcensus\n"
    everything = "cmake --build --preset release -j 2\n"
    assert program in demo and everything not in demo
    assert everything in test
    for text in (demo, test):
        assert "cmake --preset release " in text


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_launcher_of_the_user_stays(tmp_path, how):
    if how == "option":
        configure(tmp_path, "-DCMAKE_CXX_COMPILER_LAUNCHER=/usr/bin/env")
    else:
        configure(tmp_path, CMAKE_CXX_COMPILER_LAUNCHER="/usr/bin/env")
    rules = (tmp_path / "CMakeFiles" / "rules.ninja").read_text()
    commands = [line for line in rules.splitlines() if "c++" in line and "command =" in line and " -c " in line]
    assert commands
    assert all("/usr/bin/env" in line and "ccache" not in line for line in commands)
