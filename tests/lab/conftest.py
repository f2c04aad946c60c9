"""Fixtures of the lab. Run by `tests/lab/run /usr/bin/python3 -m pytest tests/lab`.

Each test gets a folder of its own; the domain controller is made once per session and emptied
between tests. A missing tool is a visible skip, and a failure where CI=true.
"""

from __future__ import annotations

import itertools
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser  # noqa: E402
from certificates import Authority  # noqa: E402
from dns_server import Dns  # noqa: E402
from exchange import ExchangeStandIn  # noqa: E402
from exim import Exim  # noqa: E402
from gateway import Gateway  # noqa: E402
from habits import Habits  # noqa: E402
from postcensus import Postcensus  # noqa: E402
from postfix_exchange import PostfixExchange  # noqa: E402
from process import MissingTool, tail  # noqa: E402
from samba_ad import SambaAD  # noqa: E402
from second_dc import SecondDC  # noqa: E402
from slapd import Slapd  # noqa: E402
from wall_clock import WallClock  # noqa: E402

CI = os.environ.get("CI") == "true"
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    if "s" not in config.option.reportchars:
        config.option.reportchars += "s"  # skips are shown with their reasons
    os.umask(0o022)  # Postfix's daemons read what the tests write


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "LAB_DIR" in os.environ:
        return
    if CI:
        raise pytest.UsageError("these tests run inside the lab: tests/lab/run /usr/bin/python3 -m pytest …")
    for item in items:
        item.add_marker(pytest.mark.skip(reason="outside the lab: run by tests/lab/run"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what the servers said: their logs end with the lab."""
    report = (yield).get_result()
    folder = getattr(item, "funcargs", {}).get("folder")
    if report.failed and folder:
        for log in sorted(folder.rglob("*.log")):
            if log.stat().st_size:
                report.sections.append((str(log.relative_to(folder)), tail(log, 60)))


@contextmanager
def tools() -> Iterator[None]:
    missing = ""
    try:
        yield
    except MissingTool as error:
        missing = str(error)
    if missing and CI:
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def lab() -> Path:
    """The scratch space of the whole lab."""
    return Path(os.environ["LAB_DIR"])


@pytest.fixture
def folder(lab: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of this test, with a short name for the sake of sockets. (Postfix's daemons cannot enter tmp_path.)"""
    path = lab / f"t{next(_numbers)}"
    path.mkdir()
    return path


@pytest.fixture
def maps(folder: Path) -> Path:
    return folder / "maps"


@pytest.fixture(scope="session")
def authority(lab: Path) -> Authority:
    with tools():
        return Authority(lab / "authority")


@pytest.fixture(scope="session")
def domain_controller(lab: Path) -> Iterator[SambaAD]:
    with tools():
        server = SambaAD(lab / "ad")
        server.start()
    yield server
    server.stop()


@pytest.fixture
def samba(domain_controller: SambaAD) -> Iterator[SambaAD]:
    """The domain controller, running and without mailboxes."""
    yield domain_controller
    domain_controller.reset()


@pytest.fixture(scope="session")
def second_domain_controller(lab: Path, domain_controller: SambaAD) -> SecondDC:
    with tools():
        return SecondDC(lab / "ad2", domain_controller)


@pytest.fixture
def second_dc(samba: SambaAD, second_domain_controller: SecondDC) -> Iterator[SecondDC]:
    """dc2, running, and with all that dc1 has at the start of the test."""
    second_domain_controller.start()
    second_domain_controller.replicate()
    yield second_domain_controller
    second_domain_controller.stop()
    second_domain_controller.clear()


@pytest.fixture
def browser(folder: Path) -> Iterator[Browser]:
    """Headless, and the test's alone."""
    with tools():
        one = Browser(folder / "browser")
    yield one
    one.stop()


@pytest.fixture
def dns(folder: Path) -> Iterator[Dns]:
    """Not started, and without records."""
    with tools():
        server = Dns(folder / "dns")
    yield server
    server.stop()


@pytest.fixture
def slapd(folder: Path) -> Iterator[Slapd]:
    """Not started: load it first."""
    with tools():
        server = Slapd(folder / "slapd")
    yield server
    server.stop()


@pytest.fixture
def table_type() -> str:
    """Override by @pytest.mark.parametrize("table_type", [...])."""
    return "lmdb"


@pytest.fixture
def make_gateway(folder: Path, maps: Path, table_type: str):
    """A function that makes and starts a Gateway with other arguments than the usual."""
    made: list[Gateway] = []

    def make(**arguments: object) -> Gateway:
        with tools():
            gateway = Gateway(folder / "gateway", maps, **{"kind": table_type, **arguments})
            made.append(gateway)
            gateway.start()
        return gateway
    yield make
    for gateway in made:
        gateway.kill()


@pytest.fixture
def gateway(make_gateway) -> Gateway:
    return make_gateway()


@pytest.fixture
def exchange(authority: Authority) -> Iterator[ExchangeStandIn]:
    """ex1.corp.example:2525, knowing nobody, with a self-signed certificate should a test switch STARTTLS on."""
    with tools():
        server = ExchangeStandIn(certificate=authority.self_signed("ex1", ["ex1.corp.example"]))
        server.start()
    yield server
    server.stop()


@pytest.fixture
def exchange2(authority: Authority) -> Iterator[ExchangeStandIn]:
    """ex2.corp.example:2525, on an address of its own."""
    with tools():
        server = ExchangeStandIn(address="192.0.2.1", hostname="ex2.corp.example",
                                 certificate=authority.self_signed("ex2", ["ex2.corp.example"]))
        server.start()
    yield server
    server.stop()


@pytest.fixture
def sink() -> Iterator[ExchangeStandIn]:
    """Where the gateway's outward mail goes."""
    with tools():
        server = ExchangeStandIn(port=2526, hostname="sink.example", habits=Habits(accept_all=True))
        server.start()
    yield server
    server.stop()


@pytest.fixture
def postfix_exchange(folder: Path) -> Iterator[PostfixExchange]:
    """In the place of `exchange`, not beside it."""
    with tools():
        server = PostfixExchange(folder / "exchange")
        server.start()
    yield server
    server.kill()


@pytest.fixture
def make_exim(folder: Path):
    """A function that makes and starts an Exim in the place of `exchange`, with other settings than Exim's own."""
    made: list[Exim] = []

    def make(*recipients: str, **settings: object) -> Exim:
        with tools():
            server = Exim(folder / "exim", recipients, **settings)
            made.append(server)
            server.start()
        return server
    yield make
    for server in made:
        server.stop()


@pytest.fixture
def wall_clock(folder: Path) -> WallClock:
    """For postcensus.watch(env=wall_clock.env)."""
    with tools():
        clock = WallClock(folder / "clock")
    yield clock
    clock.set(0)


@pytest.fixture
def postcensus(folder: Path, maps: Path) -> Iterator[Postcensus]:
    """Not configured yet; fills the maps that `gateway` reads."""
    with tools():
        program = Postcensus(folder / "postcensus", maps)
    yield program
    program.kill()


@pytest.fixture
def census(postcensus: Postcensus, gateway: Gateway, samba: SambaAD, exchange: ExchangeStandIn) -> Postcensus:
    """Configured for the gateway. Anna (two addresses) and Ben are in the directory, and known to Exchange."""
    samba.add_mailbox("anna", "anna@corp.example", ["anna.smith@corp.example"])
    samba.add_mailbox("ben", "ben@corp.example")
    exchange.recipients = {"anna@corp.example", "anna.smith@corp.example", "ben@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    return postcensus
