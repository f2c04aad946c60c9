"""The lab proves itself, without Postcensus: real servers answer as the design says, with tables made by hand."""

from __future__ import annotations

import ctypes
import os
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Sequence

import pytest

import habits
from gateway import STRANGER, TRUSTED
from habits import Habits
from postcensus import Postcensus
from process import Process, accepts, wait_for
from recipient_kinds import add_recipient_kinds
from samba_ad import BASE, DELETED_OBJECTS, STAFF
from smtp_client import SmtpClient

RUN = Path(__file__).with_name("run")


# --- the gateway


@pytest.mark.parametrize("table_type", ["lmdb", "hash", "cdb", "btree"])
def test_gateway_answers_from_the_four_tables(gateway):
    gateway.publish("directory", ["listed@corp.example", "closed@corp.example"])
    gateway.publish("learned", ["learned@corp.example"])
    gateway.publish("closed", ["closed@corp.example"])
    gateway.publish("unknown", ["gone@corp.example"])

    def code(rcpt: str, client_ip: str = STRANGER) -> str:
        return gateway.dialogue(rcpt, client_ip=client_ip).code

    assert code("listed@corp.example") == code("learned@corp.example") == "250"
    assert code("nobody@corp.example") == "450 4.1.1"
    assert code("gone@corp.example") == "550 5.1.1"
    assert code("closed@corp.example") == "550 5.7.1"
    assert code("closed@corp.example", TRUSTED) == "250"
    assert code("nobody@corp.example", TRUSTED) == "450 4.1.1"
    [miss] = [line for line in gateway.wait_logged("User unknown in relay recipient table", 2) if STRANGER in line]
    assert "450 4.1.1 <nobody@corp.example>" in miss and "to=<nobody@corp.example>" in miss


def test_gateway_sees_a_swapped_table_at_once(gateway):
    assert gateway.dialogue("new@corp.example").code == "450 4.1.1"
    gateway.publish("learned", ["new@corp.example"])
    assert gateway.dialogue("new@corp.example").code == "250"
    assert gateway.postmap_query(gateway.path("learned"), "new@corp.example") == "OK"
    assert gateway.postmap_query(gateway.path("learned"), "old@corp.example") is None


def test_gateway_has_what_real_ones_have(gateway):
    gateway.publish("directory", ["anna@corp.example"])
    assert gateway.dialogue("anna+news@corp.example").code == "250"
    assert gateway.dialogue("alias@corp.example").code == "250"
    assert gateway.dialogue("anna.old@corp.example").code == "250"
    assert gateway.dialogue("listed@other.example").code == "250"
    assert gateway.dialogue("nobody@other.example").code == "450 4.1.1"
    assert gateway.dialogue("x@outside.example").code == "454 4.7.1"
    assert gateway.dialogue("x@outside.example", client_ip=TRUSTED).code == "250"
    gateway.reload(unknown_relay_recipient_reject_code="550")
    assert gateway.dialogue("nobody@corp.example").code == "550 5.1.1"


def test_mail_reaches_exchange_and_the_world(gateway, exchange, sink):
    gateway.publish("directory", ["anna@corp.example", "ghost@corp.example"])
    exchange.recipients = {"anna@corp.example"}
    assert gateway.send(["anna@corp.example", "ghost@corp.example"]).replies["."].startswith("250")
    assert gateway.send("friend@outside.example", sender="anna@corp.example", client_ip=TRUSTED).replies["."][:3] == "250"
    wait_for(lambda: exchange.mails, "mail at Exchange")
    # One recipient per mail: Exchange may refuse a whole mail for one of them.
    assert [mail.recipients for mail in exchange.mails] == [["anna@corp.example"]]
    # The mail to the world, and the bounce for the ghost that was listed: the backscatter that all this is about.
    wait_for(lambda: len(sink.mails) == 2, "two mails at the sink")
    assert {mail.recipients[0] for mail in sink.mails} == {"friend@outside.example", "sender@elsewhere.example"}
    assert gateway.wait_logged("to=<ghost@corp.example>, relay=127.0.0.1[127.0.0.1]:2525")[0].count("550 5.1.10") == 1


def test_gateway_rotates_its_log(gateway):
    gateway.dialogue("before@corp.example")
    gateway.wait_logged("<before@corp.example>")
    old = gateway.rotate_log()
    gateway.dialogue("after@corp.example")
    gateway.wait_logged("<after@corp.example>")
    assert "<before@corp.example>" in old.read_text() and "<after@corp.example>" not in old.read_text()
    assert not gateway.logged("<before@corp.example>")
    assert gateway.log.stat().st_mode & 0o777 == 0o644


def test_greylister_and_content_filter(make_gateway, sink):
    from greylister import Greylister
    greylister = Greylister()
    greylister.start()
    try:
        gateway = make_gateway(greylist=True, content_filter=True)
        gateway.publish("directory", ["anna@corp.example"])
        assert gateway.dialogue("anna@corp.example").code == "450 4.2.0"
        assert gateway.dialogue("anna@corp.example").code == "250"
        # The miss is told before the greylister can hide it.
        assert gateway.dialogue("nobody@corp.example").code == "450 4.1.1"
        assert gateway.send("x@outside.example", client_ip=TRUSTED).replies["."].startswith("250")
        wait_for(lambda: sink.mails, "the mail behind the filter")
        assert len(gateway.wait_logged("relay=127.0.0.1[127.0.0.1]:10026")) == 1
    finally:
        greylister.stop()


# --- Exchange


def ask(exchange, *rcpts: str, sender: str = "") -> list[str]:
    client = SmtpClient(exchange.address, exchange.port, seconds=3)
    client.say("EHLO gateway.corp.example")
    replies = [client.say(f"MAIL FROM:<{sender}>")] + [client.say(f"RCPT TO:<{rcpt}>") for rcpt in rcpts]
    client.quit()
    return [reply.partition(" ")[0] + " " + reply.split(" ")[1] if reply else "" for reply in replies]


def test_exchange_answers_per_recipient_and_remembers(exchange):
    exchange.recipients, exchange.closed = {"anna@corp.example"}, {"board@corp.example"}
    assert ask(exchange, "Anna@corp.example", "x@corp.example", "board@corp.example")[1:] == [
        "250 2.1.5", "550 5.1.10", "550 5.7.1"]
    assert exchange.asked() == ["anna@corp.example", "x@corp.example", "board@corp.example"]
    assert exchange.sessions == 1 and exchange.said("MAIL") == ["FROM:<>"] and not exchange.said("DATA")
    assert "1 S: " + habits.NOT_FOUND in exchange.transcript
    exchange.habits.unknown = habits.USER_UNKNOWN
    assert ask(exchange, "x@corp.example")[1] == "550 5.1.1"
    exchange.habits.accept_all = True
    assert ask(exchange, "x@corp.example")[1] == "250 2.1.5"


@pytest.mark.parametrize("habit, replies", [
    (Habits(max_errors=3), ["250 OK", "550 5.1.10", "550 5.1.10", "421 4.7.0", ""]),
    (Habits(replies=habits.NO_ANONYMOUS), ["530 5.7.57"]),
    (Habits(replies=habits.BACK_PRESSURE), ["452 4.3.1"]),
    (Habits(replies=habits.UNABLE_TO_RELAY), ["250 OK", "550 5.7.1"]),
    (Habits(replies=habits.GREYLISTED), ["250 OK", "451 4.7.1"]),
    (Habits(replies=habits.TOO_MANY_CONNECTIONS), [""]),
    (Habits(rcpt_replies={"2@corp.example": "452 4.2.2 Mailbox full"}), ["250 OK", "550 5.1.10", "452 4.2.2"]),
    (Habits(close={"BANNER"}), [""]),
    (Habits(close={"RCPT"}), ["250 OK", ""]),
], ids=lambda value: None if isinstance(value, list) else str({k: v for k, v in vars(value).items() if v != vars(Habits())[k]}))
def test_exchange_habits(exchange, habit, replies):
    exchange.habits = habit
    answers = ask(exchange, *(f"{i + 1}@corp.example" for i in range(4)))
    assert answers[:len(replies)] == replies


def test_exchange_tarpits_hangs_and_turns_away(exchange):
    exchange.habits.tarpit = 0.2
    client = SmtpClient("127.0.0.1", 2525, seconds=0.1)
    client.say("EHLO me")
    client.say("MAIL FROM:<>")
    assert client.say("RCPT TO:<x@corp.example>") == ""  # the reply takes longer than this client waits
    exchange.habits = Habits(hang={"MAIL"})
    silent = SmtpClient("127.0.0.1", 2525, seconds=0.1)
    assert silent.say("EHLO me") and not silent.say("MAIL FROM:<>")
    assert "(timed out)" in silent.dialogue.lines
    exchange.habits = Habits(max_sessions=1)
    wait_for(lambda: ask(exchange)[0] == "250 OK", "a free session")
    first = SmtpClient("127.0.0.1", 2525)
    assert SmtpClient("127.0.0.1", 2525).dialogue.lines[0].startswith("S: 421 4.3.2")
    first.quit()


def test_exchange_refuses_a_whole_mail_after_data(exchange):
    exchange.recipients = {"anna@corp.example"}
    exchange.habits.check_at_end = True
    client = SmtpClient("127.0.0.1", 2525)
    client.say("EHLO me")
    client.say("MAIL FROM:<>")
    assert client.say("RCPT TO:<anna@corp.example>")[:3] == client.say("RCPT TO:<x@corp.example>")[:3] == "250"
    assert client.data("Subject: x\n\nx\n").startswith("550 5.1.10")
    assert not exchange.mails


def test_exchange_speaks_tls(exchange):
    exchange.habits.starttls = True
    exchange.recipients = {"anna@corp.example"}
    client = SmtpClient("127.0.0.1", 2525)
    assert "STARTTLS" in client.say("EHLO me")
    assert client.starttls() and client.say("EHLO me").startswith("250")
    client.say("MAIL FROM:<>")
    assert client.say("RCPT TO:<anna@corp.example>").startswith("250")
    client.quit()
    assert exchange.sessions == 1 and len(exchange.said("EHLO")) == 2


def test_exchange_outage(exchange):
    exchange.stop()
    assert not accepts("127.0.0.1", 2525)
    exchange.start()
    assert ask(exchange) == ["250 OK"]


def test_postfix_as_exchange(postfix_exchange):
    postfix_exchange.set_recipients(["anna@corp.example"])
    assert postfix_exchange.dialogue("anna@corp.example").code == "250"
    assert postfix_exchange.dialogue("x@corp.example").code == "550 5.1.1"
    postfix_exchange.set_recipients(["x@corp.example"])
    assert postfix_exchange.dialogue("x@corp.example").code == "250"


# --- the directories


def search(server, what: str, *attributes: str, ca_file: Path | None = None, page: int = 2, password: str = "",
           uri: str = "", base: str | None = None, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-o", "nettimeout=2", "-l", "2", "-H", uri or server.uri, "-D",
         server.bind_dn, "-w", password or server.password, "-b", server.base if base is None else base, "-E", f"pr={page}/noprompt",
         *options, what, *attributes],
        capture_output=True, text=True, timeout=30,
        env={**os.environ, "LDAPTLS_CACERT": str(ca_file or "/nonexistent"), "LDAPTLS_REQCERT": "demand"})


def addresses(server, what: str = "(proxyAddresses=*)") -> list[str]:
    found = search(server, what, "proxyAddresses", ca_file=server.ca_file)
    assert found.returncode == 0, found.stderr
    return sorted(line.split(": ")[1] for line in found.stdout.splitlines() if line.startswith("proxyAddresses: "))


def test_samba_serves_pages_over_verified_tls(samba):
    samba.add_many(["b", "c", "d", "e"])
    samba.add_mailbox("a", "a@corp.example", ["a2@corp.example", "X500:/o=Corp"], closed=True,
                      msExchRecipientTypeDetails="2147483648", msExchHideFromAddressLists="TRUE")
    assert addresses(samba) == sorted([f"SMTP:{n}@corp.example" for n in "abcde"] + ["smtp:a2@corp.example", "X500:/o=Corp"])
    one = search(samba, "(&(msExchRequireAuthToSendTo=TRUE)(msExchRecipientTypeDetails=2147483648))", "cn",
                 ca_file=samba.ca_file).stdout
    assert "cn: a\n" in one
    assert search(samba, "(cn=a)").returncode == 255  # without the CA there is no connection


def test_samba_wants_tls_for_a_password(samba):
    samba.add_mailbox("anna", "anna@corp.example")
    plain = {"uri": "ldap://dc1.corp.example", "ca_file": samba.ca_file}
    refused = search(samba, "(cn=anna)", **plain)
    assert refused.returncode == 8 and "Transport encryption required" in refused.stderr  # strongerAuthRequired
    found = search(samba, "(cn=anna)", "proxyAddresses", **plain, options=["-ZZ"])
    assert "proxyAddresses: SMTP:anna@corp.example" in found.stdout, found.stderr
    assert search(samba, "(cn=anna)", uri=plain["uri"], options=["-ZZ"]).returncode != 0  # without the CA


def test_samba_changes(samba):
    anna = samba.add_mailbox("anna", "anna@corp.example")

    def usn() -> int:
        text = search(samba, "(|(cn=anna)(cn=berta))", "uSNChanged", ca_file=samba.ca_file).stdout
        return int(text.split("uSNChanged: ")[1].split()[0])

    before = usn()
    samba.set_addresses(anna, "anna.b@corp.example")
    assert addresses(samba) == ["SMTP:anna.b@corp.example"] and usn() > before
    berta = anna.replace("anna", "berta")
    samba.rename(anna, berta)
    samba.deny(berta)
    assert addresses(samba) == []
    samba.allow(berta)
    samba.set_addresses(berta, "")
    assert addresses(samba) == [] and usn() > before
    samba.delete(berta)
    samba.add_mailbox("anna", "anna@corp.example")
    assert addresses(samba) == ["SMTP:anna@corp.example"]


def test_samba_outages(samba):
    samba.stop()
    assert search(samba, "(cn=x)", ca_file=samba.ca_file).returncode == 255
    samba.add_mailbox("night", "night@corp.example")
    samba.start()
    assert addresses(samba) == ["SMTP:night@corp.example"]
    samba.set_password("Changed-Secret-3")
    assert "data 52e" in search(samba, "(cn=x)", ca_file=samba.ca_file).stderr


def test_samba_freezes(samba):
    samba.freeze()
    # Not by ldapsearch: its network timeout does not end a TLS handshake that nobody answers.
    with socket.create_connection(("dc1.corp.example", 636), timeout=0.2) as connection:
        with pytest.raises(TimeoutError):
            ssl.create_default_context(cafile=samba.ca_file).wrap_socket(connection, server_hostname="dc1.corp.example")
    samba.thaw()
    assert addresses(samba) == []


def test_samba_locks_an_account(samba):
    samba.set_lockout(2)
    # A password that was never right: the last few of the account's history are refused, but not counted.
    wrong = [search(samba, "(cn=x)", ca_file=samba.ca_file, password="Never-Right-1").stderr for _ in range(2)]
    assert "data 52e" in wrong[0]
    assert "data 775" in search(samba, "(cn=x)", ca_file=samba.ca_file).stderr
    samba.unlock()
    assert addresses(samba) == []


def test_samba_takes_kerberos(samba):
    samba.add_mailbox("anna", "anna@corp.example")
    names, keytab = samba.kerberos()
    environment = {**os.environ, **names}
    subprocess.run(["kinit", "-k", "-t", keytab, "postcensus@CORP.EXAMPLE"], env=environment, check=True, timeout=10)

    def by_gssapi(uri: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["ldapsearch", "-Q", "-LLL", "-N", "-Y", "GSSAPI", "-H", uri, "-b", samba.base, "(cn=anna)",
                               "proxyAddresses"], capture_output=True, text=True, timeout=10,
                              env={**environment, "LDAPTLS_CACERT": str(samba.ca_file)})

    found = by_gssapi("ldap://dc1.corp.example")
    assert "proxyAddresses: SMTP:anna@corp.example" in found.stdout, found.stderr
    # Inside TLS it may not sign or seal; ldapsearch wants to.
    assert by_gssapi("ldaps://dc1.corp.example").returncode == 53


WELL_KNOWN_DELETED = f"<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,{BASE}>"


def tombstones(server, what: str = "(isDeleted=TRUE)", base: str = BASE, scope: str = "sub") -> list[str]:
    """The entries, each as LDIF, that showDeleted brings."""
    found = search(server, what, "objectGUID", "uSNChanged", "isDeleted", "lastKnownParent", "proxyAddresses", base=base,
                   ca_file=server.ca_file, options=["-s", scope, "-E", "!1.2.840.113556.1.4.417"])
    assert found.returncode == 0, found.stderr
    ldif = "\n".join(line for line in found.stdout.splitlines() if not line.startswith("#"))  # referrals and page ends
    return [entry.strip() for entry in ldif.split("\n\n") if entry.strip()]


def test_samba_hides_tombstones_until_allowed(samba):
    samba.delete(samba.add_mailbox("gone", "gone@corp.example"))  # a name that no other test leaves tombstones of
    container = [f"dn: {DELETED_OBJECTS}"]
    # The container without its attributes: that is what a missing right looks like. No error.
    assert tombstones(samba) == tombstones(samba, base=WELL_KNOWN_DELETED, scope="base") == container
    assert tombstones(samba, "(uSNChanged>=1)", DELETED_OBJECTS) == []
    samba.allow_tombstones()
    [container_read] = tombstones(samba, "(objectClass=*)", WELL_KNOWN_DELETED, "base")
    assert "\nisDeleted: TRUE" in container_read and "\nobjectGUID:: " in container_read
    [gone] = [entry for entry in tombstones(samba) if entry.startswith(r"dn: CN=gone\0ADEL:")]
    for name in ("objectGUID:", "uSNChanged", "isDeleted", "lastKnownParent"):
        assert f"\n{name}: " in gone
    assert "proxyAddresses" not in gone
    samba.reset()
    assert tombstones(samba) == container


def test_samba_has_every_kind_of_recipient(samba):
    published, never = add_recipient_kinds(samba)
    assert len(published) == 15 and len(never) == 6
    assert addresses(samba) == sorted(f"SMTP:{a}" for a in [*published.values(), *never.values()])
    without = "(&(proxyAddresses=*)(!(msExchRecipientTypeDetails=*)))"
    assert addresses(samba, without) == ["SMTP:plain@corp.example"]
    assert addresses(samba, "(objectClass=msExchDynamicDistributionList)") == ["SMTP:dynamic@corp.example"]
    assert addresses(samba, "(msExchRecipientTypeDetails>=549755813888)") == [
        "SMTP:group-mailbox@corp.example", "SMTP:monitoring@corp.example"]
    samba.reset()
    assert addresses(samba) == []


def test_a_second_domain_controller_replicates(samba, second_dc):
    def root(server, name: str) -> str:
        found = search(server, "(objectClass=*)", name, base="", ca_file=server.ca_file, options=["-s", "base"]).stdout
        return found.split(f"{name}: ")[1].split("\n")[0]

    def invocation_id(server) -> str:
        return search(server, "(objectClass=*)", "invocationId", base=root(server, "dsServiceName"),
                      ca_file=server.ca_file, options=["-s", "base"]).stdout.split("invocationId:: ")[1].split()[0]

    assert invocation_id(samba) != invocation_id(second_dc)
    anna = samba.add_mailbox("anna", "anna@corp.example", closed=True)
    assert addresses(second_dc) == []
    before = int(root(second_dc, "highestCommittedUSN"))
    second_dc.replicate()
    assert addresses(second_dc, "(msExchRequireAuthToSendTo=TRUE)") == ["SMTP:anna@corp.example"]
    assert addresses(second_dc, f"(uSNChanged>={before + 1})") == ["SMTP:anna@corp.example"]
    samba.delete(anna)
    second_dc.add_mailbox("ben", "ben@corp.example", msExchRecipientTypeDetails="4")
    second_dc.replicate()
    second_dc.replicate(back=True)
    assert addresses(samba, "(msExchRecipientTypeDetails=4)") == addresses(samba) == addresses(second_dc) == [
        "SMTP:ben@corp.example"]
    samba.stop()
    assert addresses(second_dc) == ["SMTP:ben@corp.example"]


def test_a_replicated_tombstone_hides_its_attributes(samba, second_dc):
    def shown(server, name: str) -> set[str]:
        entries = [entry for entry in tombstones(server) if entry.startswith(f"dn: CN={name}\\0ADEL:")]
        return {line.split(":")[0] for entry in entries for line in entry.splitlines()} - {"dn"}

    everything = {"objectGUID", "uSNChanged", "isDeleted", "lastKnownParent"}
    samba.allow_tombstones()
    dns = [samba.add_mailbox("left", "left@corp.example"), samba.add("CN=outside," + STAFF, "contact")]
    second_dc.replicate()
    for dn in dns:
        samba.delete(dn)
    second_dc.replicate()
    assert shown(samba, "left") == shown(samba, "outside") == shown(second_dc, "outside") == everything
    assert shown(second_dc, "left") == {"objectGUID"}
    samba.forbid_tombstones()
    samba.allow_tombstones(inherited=True)
    later = samba.add_mailbox("later", "later@corp.example")
    second_dc.replicate()
    samba.delete(later)
    second_dc.replicate()
    assert shown(samba, "later") == shown(second_dc, "later") == everything


def test_dns_names_the_domain_controllers(dns, samba):
    library = ctypes.CDLL("libldap-2.5.so.0")

    def servers(domain: str) -> str:
        hosts = ctypes.c_char_p()
        library.ldap_domain2hostlist(domain.encode(), ctypes.byref(hosts))
        return (hosts.value or b"").decode()

    before = Path("/etc/resolv.conf").read_bytes()
    dns.srv("_ldap._tcp.corp.example", ("dc2.corp.example", 389, 10), ("dc1.corp.example", 389, 0))
    dns.srv("_ldap._tcp.HQ._sites.corp.example", ("dc2.corp.example", 3890, 0))
    dns.host("dc9.corp.example", "192.0.2.1")
    dns.start()
    assert servers("corp.example") == "dc1.corp.example:389 dc2.corp.example:389"
    assert servers("HQ._sites.corp.example") == "dc2.corp.example:3890"
    assert servers("Lab._sites.corp.example") == ""
    assert dns.asked()[-1] == "SRV _ldap._tcp.Lab._sites.corp.example"
    assert socket.gethostbyname("dc9.corp.example") == "192.0.2.1"
    samba.add_mailbox("anna", "anna@corp.example")
    found = search(samba, "(cn=anna)", "proxyAddresses", uri="ldap:///dc%3Dcorp%2Cdc%3Dexample", ca_file=samba.ca_file,
                   options=["-ZZ"])
    assert "SMTP:anna@corp.example" in found.stdout, found.stderr
    dns.srv("_ldap._tcp.corp.example")
    assert servers("corp.example") == ""
    dns.stop()
    assert servers("HQ._sites.corp.example") == "" and Path("/etc/resolv.conf").read_bytes() == before


def test_slapd_loads_and_changes(slapd):
    slapd.load_many(1000)
    slapd.start()
    dn = slapd.add("anna", ["anna@corp.example", "a@corp.example"])
    slapd.set_addresses(dn, ["anna.b@corp.example"])
    found = search(slapd, "(mail=*)", "mail", "mailLocalAddress", page=100).stdout
    assert found.count("\nmail: ") == 1001 and found.count("\nmailLocalAddress: ") == 2000
    slapd.delete(dn)
    assert search(slapd, "(mail=*)", "mail", page=100).stdout.count("\nmail: ") == 1000


# --- the program's place


STAND_IN = """#!/usr/bin/python3
import os, signal, socket, sys
if sys.argv[3:4] != ["--log-level"]:
    print(sys.argv[1:], open(sys.argv[2]).read())
    raise SystemExit(75)
def say(text):
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
signal.signal(signal.SIGHUP, lambda *_: say("READY=1"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
say("READY=1\\nSTATUS=following")
while True:
    signal.pause()
"""


def test_postcensus_fixture_runs_and_watches(folder, maps, monkeypatch):
    program = folder / "program"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("POSTCENSUS", str(program))
    postcensus = Postcensus(folder / "postcensus", maps)
    postcensus.configure({"directory.corp": {"uri": "ldaps://dc1.corp.example"}, "log": {"path": folder / "mail.log"}})
    postcensus.set("directory.corp", poll_interval="1s")
    done = postcensus.run("sync", "--full")
    assert done.returncode == 75 and "'sync', '--full'" in done.stdout
    assert "[directory.corp]\nuri = ldaps://dc1.corp.example\npoll-interval = 1s\n" in done.stdout
    watch = postcensus.watch()
    wait_for(lambda: watch.statuses == ["following"], "the status")
    watch.reload()
    assert postcensus.stop() == 0
    postcensus.watch()
    postcensus.kill()


# --- the namespace


def test_lab_gives_the_exit_code_through():
    assert subprocess.run([RUN, "sh", "-c", "exit 7"]).returncode == 7


def test_lab_leaves_nothing_behind(folder):
    # A daemon that left its session and an orphan live on in the lab; the lab's end takes both.
    script = 'setsid sleep 1111 & echo "$LAB_DIR" >"$1/inner"; sleep 2222'
    child = Process([RUN, "bash", "-c", script, "lab", folder], folder / "run.log")
    inner = Path(child.wait_for(lambda: (folder / "inner").exists() and (folder / "inner").read_text().strip(), "the inner lab"))
    wait_for(lambda: sleepers() == {"1111", "2222"}, "two sleepers")
    assert inner.is_dir()
    assert child.stop() == 143
    wait_for(lambda: not sleepers(), "no sleepers")
    assert child.output() == ""
    wait_for(lambda: not inner.exists(), "the inner lab's folder to go")


def test_lab_dies_with_its_caller(folder):
    child = Process([RUN, "sleep", "1111"], folder / "run.log")
    wait_for(lambda: sleepers() == {"1111"}, "a sleeper")
    child.kill()
    wait_for(lambda: not sleepers(), "no sleeper")


def sleepers() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"sleep":
            found.add(words[1].decode())
    return found
