"""What real directories do to a reader: Samba's Active Directory, two of its controllers, and OpenLDAP."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import ssl
import threading

import pytest

from gateway import STRANGER
from process import wait_for
from recipient_kinds import add_recipient_kinds
from samba_ad import SERVICES, STAFF
from slapd import PEOPLE

NONE = {"domains": "corp.example", "callout": "none"}


@pytest.fixture
def census(postcensus, gateway, samba):
    """Anna and Ben, and nobody who could be called out."""
    samba.add_mailbox("anna", "anna@corp.example", ["anna.smith@corp.example"])
    samba.add_mailbox("ben", "ben@corp.example")
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.corp": NONE})
    return postcensus


def answer(gateway, rcpt: str) -> str:
    return gateway.dialogue(rcpt, client_ip=STRANGER).code


def accepted(census) -> set[str]:
    return {line.split("\t")[0] for name in ("directory", "learned") for line in census.table(name)}


def sync(census, *options: str) -> str:
    done = census.run("sync", *options)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def outages(census) -> int:
    """What a watch said of them when it polled."""
    return sum("cannot be reached" in line and "lookup failed" not in line for line in census.log.read_text().splitlines())


def test_every_kind_of_recipient_and_no_system_object(census, samba):
    published, never = add_recipient_kinds(samba)
    sync(census)
    assert set(published.values()) <= accepted(census)
    assert not set(never.values()) & accepted(census)


def test_values_of_every_sort(census, samba):
    samba.add_mailbox("carl", "Carl@Corp.Example", ["SmTp:carl2@corp.example", "X500:/o=x", "SIP:c@corp.example",
                                                    "smtp:@corp.example", "carl@elsewhere.example"])
    samba.add_mailbox("dora", "", mail="dora@corp.example")
    samba.add_mailbox("fritz", "fritz@bücher.example")
    census.set("route.corp", domains="corp.example bücher.example")
    sync(census)
    names = accepted(census)
    assert {"carl@corp.example", "carl2@corp.example", "fritz@bücher.example", "fritz@xn--bcher-kva.example"} <= names
    assert not {"c@corp.example", "@corp.example", '""@corp.example', "dora@corp.example", "carl@elsewhere.example"} & names
    assert "1 known addresses are in domains that no route names" in census.run("report").stdout
    census.set("route.corp", domains="corp.example bücher.example elsewhere.example")
    assert "0 added, 0 removed" in sync(census)  # it was stored: nothing is read for it
    assert "carl@elsewhere.example" in accepted(census)
    census.set("directory.corp", use_mail="yes")
    assert "full read" in sync(census) and "dora@corp.example" in accepted(census)


def test_mistyped_addresses_are_named_with_their_object(census, samba):
    carl = samba.add_mailbox("carl", "carl@corp.example", ["smtp: c2@corp.example", "smtp:c3@@corp.example", "mailto:c4@corp.example"])
    dora = samba.add_mailbox("dora", "dora@corp.example", ["smtp:d2@corp.example\u200b"])
    done = census.run("sync")
    assert done.returncode == 0 and "3 values are no valid address" in done.stderr, done.stderr
    assert "CN=carl" in done.stderr and "'smtp:c3@@corp.example': there are two @" in done.stderr
    assert "c2@corp.example" in accepted(census) and len(accepted(census)) == 6
    report = census.run("report").stdout
    assert "Mistyped: 3 values" in report and "'mailto:c4@corp.example'" in report and "CN=dora" in report, report
    assert "3 values are no valid address" in census.run("check").stdout
    samba.set_addresses(carl, "carl@corp.example", ["c3@corp.example"])  # mended: by the changes
    sync(census)
    assert "Mistyped: 1 values" in census.run("report").stdout
    samba.set_addresses(dora, "dora@corp.example")
    sync(census, "--full")
    assert "Mistyped" not in census.run("report").stdout


def test_changes_are_read_with_tombstones(census, samba):
    samba.allow_tombstones()
    assert "full read at dc1: 3 added" in sync(census)
    dn = samba.add_mailbox("carl", "carl@corp.example")
    assert "incremental from USN" in sync(census) and "carl@corp.example" in accepted(census)
    samba.modify(dn, proxyAddresses=[], mail=[])
    assert "0 added, 1 removed" in sync(census)
    samba.modify(f"CN=ben,{STAFF}", description="no news")
    samba.set_addresses(f"CN=anna,{STAFF}", "anna@corp.example", ["asmith@corp.example"])
    assert "1 added, 1 removed" in sync(census)
    samba.rename(f"CN=ben,{STAFF}", f"CN=benjamin,{SERVICES}")
    assert "0 added, 0 removed" in sync(census)
    samba.delete(f"CN=benjamin,{SERVICES}")
    assert "0 added, 1 removed" in sync(census)
    assert accepted(census) == {"anna@corp.example", "asmith@corp.example"}
    assert "full read" in sync(census, "--full")


def test_what_is_not_found_waits_for_an_operator(census, samba):
    """Without the right to see tombstones, deleted and hidden look the same; nobody else can be asked."""
    samba.add_mailbox("carl", "carl@corp.example")
    samba.add_mailbox("zoe", "zoe@corp.example", ou=SERVICES)
    sync(census)
    samba.delete(f"CN=ben,{STAFF}")
    samba.deny(f"CN=carl,{STAFF}")
    done = census.run("sync", "--full")
    assert done.returncode == 1 and "2 objects are not found any more" in done.stdout, done.stdout + done.stderr
    assert {"ben@corp.example", "carl@corp.example"} <= accepted(census)
    report = census.run("report").stdout
    assert "Unseen: 2 objects" in report and "hold 1: ben@corp.example (not found any more; corp: CN=ben," in report
    assert "do not find any more" in census.run("explain", "ben@corp.example").stdout
    samba.allow(f"CN=carl,{STAFF}")
    assert census.run("approve", "7").returncode == 64
    approved = census.run("approve", "1")
    assert approved.returncode == 0 and approved.stdout == "- ben@corp.example\n", approved.stderr
    assert "ben@corp.example" not in accepted(census) and "carl@corp.example" in accepted(census)


def test_who_moves_out_of_base_disappears_by_a_sweep(census, samba):
    census.set("directory.corp", base=STAFF, sweep_interval="1ms")
    sync(census)
    samba.rename(f"CN=ben,{STAFF}", f"CN=ben,{SERVICES}")
    assert "0 added, 1 removed" in sync(census)
    assert "ben@corp.example" not in accepted(census)


def test_watch_accepts_a_new_mailbox_within_the_poll_interval(census, gateway, samba):
    census.set("directory.corp", poll_interval="1s")
    samba.allow_tombstones()
    sync(census)
    census.watch()
    samba.add_mailbox("carl", "carl@corp.example")
    wait_for(lambda: "carl@corp.example" in accepted(census), "carl in a table, without a miss", 2.5)
    assert answer(gateway, "carl@corp.example") == "250"
    samba.delete(f"CN=carl,{STAFF}")
    wait_for(lambda: answer(gateway, "carl@corp.example") == "450 4.1.1", "450 for carl", 5)
    samba.stop()
    wait_for(lambda: outages(census) == 1, "the outage in the log", 10)
    assert answer(gateway, "anna@corp.example") == "250"
    samba.start()
    wait_for(lambda: "answers again" in census.log.read_text(), "the end of the outage in the log", 10)
    assert outages(census) == 1, "said once"
    assert census.stop() == 0


def test_a_missed_address_is_looked_up_live(census, gateway, samba):
    census.set("directory.corp", poll_interval="0")
    sync(census)
    census.watch()
    samba.add_mailbox("new", "new@corp.example")
    samba.add_mailbox("jan", "jan@corp.example")
    assert answer(gateway, "j*n@corp.example") == "450 4.1.1"  # no wildcard
    assert answer(gateway, "new@corp.example") == "450 4.1.1"
    wait_for(lambda: answer(gateway, "new@corp.example") == "250", "new accepted", 3)
    assert "jan@corp.example" not in accepted(census)
    assert census.stop() == 0


def test_a_complete_directory_refuses_what_it_does_not_list(census, gateway, samba):
    census.set("directory.corp", poll_interval="0")
    census.set("route.corp", directory_complete="yes", confirmation_interval="1s")
    sync(census)
    census.watch()
    assert answer(gateway, "nobody@corp.example") == "450 4.1.1"
    wait_for(lambda: answer(gateway, "nobody@corp.example") == "550 5.1.1", "nobody refused", 10)
    assert "proven-absent" in census.run("report").stdout
    # One object that is not seen any more, and nothing is refused on the directory's word.
    samba.deny(f"CN=ben,{STAFF}")
    census.run("sync", "--full")
    wait_for(lambda: answer(gateway, "nobody@corp.example") == "450 4.1.1", "the rejection withdrawn", 10)
    assert census.stop() == 0


def test_addresses_that_are_hidden_have_not_left(census, gateway, samba):
    """The right to read proxyAddresses is lost on single objects: read in full, as changes, and looked up."""
    samba.allow_tombstones()
    census.set("directory.corp", poll_interval="0")
    census.set("route.corp", directory_complete="yes", confirmation_interval="1s")
    carl = samba.add_mailbox("carl", "carl@corp.example", ["c.smith@corp.example"])
    dora = samba.add_mailbox("dora", "", proxyAddresses=["SMTP:dora@corp.example"], msExchRecipientTypeDetails="1")
    sync(census)
    samba.hide_addresses(f"CN=ben,{STAFF}")
    samba.hide_addresses(dora)
    done = census.run("sync", "--full")
    assert done.returncode == 1 and "0 removed" in done.stdout, done.stdout + done.stderr
    assert "2 objects show no addresses to this account" in done.stdout
    samba.hide_addresses(carl)
    samba.modify(carl, description="and its USN moves")
    done = census.run("sync")
    assert "incremental" in done.stdout and "0 removed" in done.stdout and "1 objects show no" in done.stdout, done.stdout
    assert accepted(census) == {"anna@corp.example", "anna.smith@corp.example", "ben@corp.example", "carl@corp.example",
                                "c.smith@corp.example", "dora@corp.example"}
    report = census.run("report").stdout
    assert "Unseen: 3 objects" in report and "ben@corp.example (corp: CN=ben," in report, report
    for dn in (f"CN=ben,{STAFF}", carl, dora):
        samba.allow(dn)
    assert "0 removed" in sync(census, "--full")
    assert "Unseen" not in census.run("report").stdout
    census.watch()
    assert answer(gateway, "nobody@corp.example") == "450 4.1.1"
    wait_for(lambda: answer(gateway, "nobody@corp.example") == "550 5.1.1", "nobody refused", 10)
    # One that no reading has met: the lookup finds its `mail`, and from then on nothing is refused.
    samba.hide_addresses(samba.add_mailbox("erna", "erna@corp.example", ["e.smith@corp.example"]))
    assert gateway.dialogue("erna@corp.example", client_ip="198.51.100.7").code == "450 4.1.1"
    wait_for(lambda: answer(gateway, "nobody@corp.example") == "450 4.1.1", "the rejection withdrawn", 10)
    for rcpt in ("erna@corp.example", "e.smith@corp.example"):
        assert answer(gateway, rcpt) == "450 4.1.1"
    # Who truly has none any more has left.
    samba.modify(dora, proxyAddresses=[], msExchRecipientTypeDetails=[])
    census.stop()
    assert "1 removed" in sync(census)


def test_a_mail_that_is_left_over_is_no_whole_listing(census, samba):
    census.set("directory.corp", use_mail="yes")
    samba.add_mailbox("dora", "", mail="dora@corp.example")
    assert "4 added" in sync(census)
    samba.hide_addresses(f"CN=anna,{STAFF}")
    done = census.run("sync", "--full")
    assert "0 removed" in done.stdout and "1 objects show no" in done.stdout, done.stdout + done.stderr
    assert {"anna@corp.example", "anna.smith@corp.example", "dora@corp.example"} <= accepted(census)


def test_an_ou_is_found_in_any_spelling(census, samba):
    """The server spells names in its own way: in Unicode, without case."""
    umlaut = samba.add(f"OU=München,{STAFF}", "organizationalUnit")
    samba.add_mailbox("carl", "carl@corp.example", ou=umlaut)
    samba.add_mailbox("dora", "dora@corp.example", ou=umlaut)
    samba.add_mailbox("emil", "emil@corp.example", ou=umlaut)
    census.set("directory.corp", base=f"ou=MÜNCHEN,{STAFF.lower()}", sweep_interval="1ms")
    assert "3 added" in sync(census)
    samba.rename(f"CN=dora,{umlaut}", f"CN=dora,{SERVICES}")
    samba.modify(f"CN=carl,{umlaut}", proxyAddresses=[])  # looked for by its key, and found below base
    done = census.run("sync")
    assert "1 removed" in done.stdout and "1 objects show no" in done.stdout, done.stdout + done.stderr
    assert accepted(census) == {"carl@corp.example", "emil@corp.example"}


@pytest.mark.parametrize("how", ["starttls", "gssapi"])
def test_other_ways_to_log_in(census, samba, how, monkeypatch):
    if how == "starttls":
        census.set("directory.corp", uri="ldap://dc1.corp.example", starttls="yes")
    else:
        env, keytab = samba.kerberos()
        own = census.folder / "corp.keytab"
        shutil.copy(keytab, own)
        shutil.chown(own, census.owner)
        samba.krb5_conf().chmod(0o644)
        monkeypatch.setenv("KRB5_CONFIG", env["KRB5_CONFIG"])
        census.set("directory.corp", uri="ldap://dc1.corp.example", bind="gssapi", keytab=own, bind_dn="", password_file="")
    assert "3 listed" in sync(census, "--full")


def test_a_password_in_clear_is_refused_by_the_server_with_a_remedy(census, samba):
    census.set("directory.corp", uri="ldap://dc1.corp.example", insecure="yes")
    done = census.run("sync")
    assert done.returncode == 69 and "use ldaps:// or starttls" in done.stderr, done.stderr


def test_servers_that_dns_names(census, samba, dns):
    dns.srv("_ldap._tcp.HQ._sites.corp.example", ("dc1.corp.example", 389, 0))
    dns.srv("_ldap._tcp.corp.example", ("dc2.corp.example", 389, 0), ("dc1.corp.example", 389, 10))
    dns.start()
    census.set("directory.corp", uri="", domain="corp.example", site="HQ")
    assert "full read at dc1" in sync(census)
    census.set("directory.corp", domain="nowhere.example")
    done = census.run("sync")
    assert done.returncode == 69 and "DNS names no server" in done.stderr


@pytest.mark.parametrize("how", ["ldaps", "starttls"])
def test_dns_cannot_send_the_password_elsewhere(census, samba, dns, how):
    """dc1's certificate is good for corp.example too: what is refused is the name that DNS gave, before any connection."""
    dns.srv("_ldap._tcp.example", ("dc1.corp.example", 389, 0))
    dns.srv("_ldap._tcp.hq.corp.example", ("dc1.corp.example", 389, 0))
    dns.srv("_ldap._tcp.corp.example", ("dc1.evil.example", 389, 0), ("dc1.corp.example", 389, 10))
    dns.start()
    census.set("directory.corp", uri="", domain="corp.example", starttls="yes" if how == "starttls" else "no")
    done = census.run("sync")
    assert done.returncode == 0 and "full read at dc1" in done.stdout, done.stderr
    assert "outside of corp.example: dc1.evil.example" in done.stderr, done.stderr
    assert "A dc1.evil.example" not in dns.asked()
    census.set("directory.corp", domain="hq.corp.example")
    done = census.run("sync", "--full")
    assert done.returncode == 69 and "write them in uri instead of domain" in done.stderr, done.stderr
    census.set("directory.corp", domain="example")
    assert "full read at dc1" in sync(census, "--full")


def test_a_server_that_stops_within_a_tls_record_is_given_up(census, authority, folder):
    """Behind the login, where nothing but our own clock ends the wait."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("stuck", ["dc1.corp.example"]))
    listener = socket.create_server(("127.0.0.1", 6360))
    held = []  # open until the test is over

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_side=True)
            held.append(plain)
            step, said = tls.do_handshake, False
            while True:
                try:
                    got = step()
                    if step == tls.read and got and said:  # the search: the beginning of an answer
                        plain.sendall(b"\x17\x03\x03\x01\x00half")
                        break
                    if step == tls.read and got:
                        tls.write(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00")  # bound
                        said = True
                    step = tls.read
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
                plain.sendall(outgoing.read())

    threading.Thread(target=serve, daemon=True).start()
    try:
        census.set("directory.corp", uri="ldaps://dc1.corp.example:6360", ca_file=authority.ca_file)
        done = census.run("check", seconds=30)
        assert "broke off the search: Timed out" in done.stdout, done.stdout + done.stderr
    finally:
        listener.close()
        for one in held:
            one.close()


def test_no_configuration_of_the_library_is_read(census, samba, folder, monkeypatch):
    """libldap would take any of these from where root happens to stand."""
    (folder / "ldaprc").write_text("SOCKET_BIND_ADDRESSES 203.0.113.99\n")
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LDAPSOCKET_BIND_ADDRESSES", "203.0.113.99")
    assert "3 added" in sync(census)

def test_a_global_catalogue(census, samba):
    census.set("directory.corp", uri="ldaps://dc1.corp.example:3269")
    assert "full read at dc1: 3 added" in sync(census)
    samba.add_mailbox("carl", "carl@corp.example")
    assert "1 added" in sync(census)
    for cn, name in (("Proxy-Addresses", "proxyAddresses"), ("ms-Exch-Require-Auth-To-Send-To", "msExchRequireAuthToSendTo")):
        samba.put_into_catalogue(cn, False)
        try:
            done = census.run("sync", "--full")
        finally:
            samba.put_into_catalogue(cn, True)
        assert done.returncode == 78 and f"does not hold {name}" in done.stderr, done.stderr
    assert {"anna@corp.example", "carl@corp.example"} <= accepted(census)


def test_two_controllers_each_with_its_own_position(census, samba, second_dc):
    samba.allow_tombstones()
    census.set("directory.corp", uri=f"{samba.uri} {second_dc.uri}")
    assert "full read at dc1" in sync(census)
    samba.add_mailbox("late", "late@corp.example")  # not replicated yet
    assert "1 added" in sync(census)
    samba.stop()
    done = census.run("sync")
    assert done.returncode == 69 and "another server is read from" in done.stderr, done.stderr
    assert "late@corp.example" in accepted(census)
    state = sqlite3.connect(census.state)
    state.execute("UPDATE directory SET away_since = away_since - 41 * 60 * 1000")
    state.commit()
    state.close()
    done = census.run("sync")
    assert "full read at dc2" in done.stdout, done.stdout + done.stderr
    assert "late@corp.example" in accepted(census), "not found at dc2 proves nothing"
    samba.start()


def test_openldap_in_full_and_by_timestamp(postcensus, gateway, slapd):
    slapd.load([("anna", ["anna@corp.example", "a.smith@corp.example"]), ("ben", ["ben@corp.example"])])
    slapd.start()
    section = slapd.section(postcensus.secret("corp.password", slapd.password))
    postcensus.configure({**gateway.sections(), "directory.corp": section, "route.corp": NONE})
    assert "full read at 127.0.0.1: 3 added" in sync(postcensus)
    dn = slapd.add("carl", ["carl@corp.example"])
    assert "incremental from" in sync(postcensus)
    assert {"anna@corp.example", "a.smith@corp.example", "ben@corp.example", "carl@corp.example"} == accepted(postcensus)
    slapd.set_addresses(dn, ["karl@corp.example"])
    assert "1 added, 1 removed" in sync(postcensus)
    slapd.delete(dn)  # leaves nothing behind: not found proves nothing
    done = postcensus.run("sync", "--full")
    assert done.returncode == 1 and "karl@corp.example" in accepted(postcensus)


@pytest.mark.parametrize("right", ["none", "search"])
def test_an_attribute_that_is_hidden_has_lost_no_addresses(postcensus, gateway, slapd, right):
    """OpenLDAP with two attributes; the right to read the second is lost. Read as changes, in full, and looked up."""
    slapd.load([("anna", ["anna@corp.example", "a.smith@corp.example"]), ("ben", ["ben@corp.example"])])
    slapd.start()
    section = {**slapd.section(postcensus.secret("corp.password", slapd.password)), "poll-interval": "0"}
    postcensus.configure({**gateway.sections(), "directory.corp": section,
                          "route.corp": {**NONE, "directory-complete": "yes", "confirmation-interval": "1s"}})
    sync(postcensus)
    listed = accepted(postcensus)
    assert "a.smith@corp.example" in listed
    postcensus.watch()
    assert answer(gateway, "nobody@corp.example") == "450 4.1.1"
    wait_for(lambda: answer(gateway, "nobody@corp.example") == "550 5.1.1", "nobody refused", 10)
    # Listed since the last reading, by the attribute that is hidden then.
    slapd.ldif(f"dn: cn=anna,{PEOPLE}\nchangetype: modify\nadd: mailLocalAddress\nmailLocalAddress: new@corp.example\n")
    slapd.hide("mailLocalAddress", right)
    for how in ((), ("--full",)):
        done = postcensus.run("sync", *how)
        assert done.returncode == 1 and "no object shows mailLocalAddress any more" in done.stderr, done.stdout + done.stderr
        assert accepted(postcensus) == listed
    assert answer(gateway, "new@corp.example") == "450 4.1.1"
    postcensus.wait_for(lambda: "no object shows mailLocalAddress any more" in postcensus.log.read_text(), "the look-up's doubt", 10)
    assert "new@corp.example" not in str(postcensus.table("unknown"))
    assert answer(gateway, "new@corp.example") == "450 4.1.1"
    assert postcensus.stop() == 0
    # Nobody has one left, and the operator says so.
    postcensus.configure({**gateway.sections(), "directory.corp": {**section, "attributes": "mail"}, "route.corp": NONE})
    postcensus.run("sync", "--full")
    assert "a.smith@corp.example" not in accepted(postcensus)
