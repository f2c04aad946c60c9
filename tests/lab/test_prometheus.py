"""The alert rules, the dashboard and docs/metrics.md: they hold for what a gateway at work really writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator

import pytest

from gateway import STRANGER
from postcensus import ROOT
from process import wait_for
from prometheus import SERIES, promtool, read_families, read_series

RULES = ROOT / "docs" / "prometheus" / "postcensus.rules.yml"
DASHBOARD = ROOT / "docs" / "prometheus" / "postcensus.dashboard.json"
CASES = Path(__file__).parent / "postcensus_rules_test.yml"
ALERT = re.compile(r"^ +- alert: (\w+)$", re.M)
NAME = re.compile(r"\bpostcensus_\w+")


def alerts() -> dict[str, str]:
    """Each alert and the text of its rule."""
    _, *parts = ALERT.split(RULES.read_text())
    assert len(parts[::2]) == len(set(parts[::2]))
    return dict(zip(parts[::2], parts[1::2]))


def panels() -> Iterator[dict]:
    """Those within rows, too."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def without_quotes(text: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)


def family_of(name: str, families: dict[str, str]) -> str:
    base = re.sub(r"_(bucket|sum|count)\Z", "", name)
    return base if families.get(base) == "histogram" else name


def described() -> dict[str, dict[str, tuple[str, set[str]]]]:
    """docs/metrics.md: by file and family, the type and the labels."""
    found: dict[str, dict[str, tuple[str, set[str]]]] = {}
    file = ""
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        if line.startswith("## "):
            file = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `postcensus_") or not file.endswith(".prom"):
            continue
        name, kind, labels, unit, meaning = cells
        assert unit and meaning, line
        # The words behind a colon are values.
        words = {part.split("`")[1] for part in labels.split(";") if "`" in part}
        assert name.strip("`") not in found.setdefault(file, {}), line
        found[file][name.strip("`")] = (kind, words)
    return found


@pytest.fixture
def at_work(postcensus, gateway, samba, exchange) -> Path:
    """The folder of the metrics of a gateway that has read, missed, asked and published."""
    samba.add_mailbox("anna", "anna@corp.example")
    exchange.recipients = {"anna@corp.example", "new@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    folder = postcensus.folder / "metrics"
    postcensus.set("general", metrics_dir=folder)
    assert postcensus.run("sync").returncode == 0
    postcensus.watch()
    for rcpt, expected in (("new@corp.example", "250"), ("made-up@corp.example", "550 5.1.1")):
        wait_for(lambda: gateway.dialogue(rcpt, client_ip=STRANGER).code == expected, f"{rcpt}: {expected}", 5)
    watch = folder / "postcensus_watch.prom"
    postcensus.wait_for(lambda: watch.exists() and 'table_entries{table="unknown"' in watch.read_text(), "the metrics to follow", 20)
    return folder


def test_all_names_are_those_that_a_gateway_writes(at_work):
    texts = {path.name: path.read_text() for path in sorted(at_work.iterdir())}
    assert set(texts) == {"postcensus_sync.prom", "postcensus_watch.prom"}
    written = {file: read_families(text) for file, text in texts.items()}
    families = {name: kind for all in written.values() for name, kind in all.items()}
    assert len(families) == sum(map(len, written.values())) > 30

    # The documentation has all of them, and no others.
    docs = described()
    assert {file: {name: kind for name, (kind, _) in all.items()} for file, all in docs.items()} == written
    for file, text in texts.items():
        for series in read_series(text):
            name = family_of(SERIES.match(series + " 0")[1], families)
            # "le" is of the buckets alone.
            assert set(re.findall(r'(\w+)="', series)) - {"le"} == docs[file][name][1] - {"le"}, series

    used = {"rules": NAME.findall(without_quotes(RULES.read_text())),
            "dashboard": NAME.findall(DASHBOARD.read_text())}
    for where, names in used.items():
        assert len(names) > 15
        assert {family_of(name, families) for name in names} <= set(families), where
    # Nothing that is measured is shown nowhere.
    assert {family_of(name, families) for name in used["rules"] + used["dashboard"]} == set(families)
    # A matcher on a label that does not exist would match nothing, or all.
    known = {name: labels for all in docs.values() for name, (_, labels) in all.items()}
    for expr in [*expressions(), RULES.read_text()]:
        for name, matchers in re.findall(r"(postcensus_\w+)\{([^}]*)\}", expr):
            used_labels = set(re.findall(r"(\w+)=", without_quotes(matchers))) - {"instance", "job"}
            assert used_labels <= known[family_of(name, families)], expr

    # Each of the four tables has been published: none is missing, as the rules understand it.
    watch = read_series(texts["postcensus_watch.prom"])
    for table in ("directory", "learned", "closed", "unknown"):
        assert f'postcensus_table_published_timestamp_seconds{{table="{table}"}}' in watch


def test_the_rules_are_valid():
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0 and f"{len(alerts())} rules found" in done.stdout, done.stdout + done.stderr


def test_each_alert_fires_when_it_should():
    done = promtool("test", "rules", CASES)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr
    cases = re.split(r"^  - name: ", CASES.read_text(), flags=re.M)[1:]
    for alert in alerts():
        own = [case for case in cases if case.startswith(alert + "\n")]
        assert any("exp_samples: []" in case for case in own), f"{alert}: no case in which it is silent"
        assert any(f"'ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"" in case for case in own), \
            f"{alert}: no case in which it fires"


def test_each_alert_says_what_to_do():
    meanings = (ROOT / "docs" / "operations.md").read_text()
    for alert, rule in alerts().items():
        assert re.search(r"^ +severity: (critical|warning|info)$", rule, re.M), alert
        assert "summary: " in rule and "description: " in rule, alert
        assert re.search(r"`(postcensus|systemctl|journalctl)[ -]|\b(exchange|directory|operations|metrics)\.md", rule), alert
        assert f"| `{alert}` |" in meanings, f"docs/operations.md does not say what {alert} means"
    assert set(re.findall(r"^\| `(Postcensus\w+)` \|", meanings, re.M)) == set(alerts())


def test_the_dashboard_is_well_formed(folder):
    dashboard = json.loads(DASHBOARD.read_text())
    everything = list(panels())
    assert len({panel["id"] for panel in everything}) == len(everything) > 20
    assert [panel["title"] for panel in everything if panel["type"] == "row"] == \
        ["Health", "Mail that waits", "Misses and answers", "Callouts", "Directories", "Tables", "Log"]
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "instance"}
    assert dashboard["schemaVersion"] >= 39 and dashboard["id"] is None
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert panel["title"] and at["x"] + at["w"] <= 24 and not taken & cells, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["datasource"]["uid"] == "${datasource}" and panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert 'instance=~"$instance"' in target["expr"] and target["datasource"]["uid"] == "${datasource}", panel["title"]

    # promtool checks expressions as those of rules.
    lines = ["groups:", "  - name: dashboard", "    rules:"]
    for number, expr in enumerate(expressions()):
        expr = expr.replace("$__rate_interval", "5m").replace("$instance", ".*")
        assert "$" not in expr, expr
        lines += [f"      - record: panel:{number}", f"        expr: {json.dumps(expr)}"]
    rules = folder / "dashboard.yml"
    rules.write_text("\n".join(lines) + "\n")
    done = promtool("check", "rules", rules)
    assert done.returncode == 0, done.stdout + done.stderr
