// SPDX-License-Identifier: MIT
// The scripted LDAP server, asked by libldap itself: what a test lets it play must arrive as such.
#include "directory/ldap_peer.h"

#include <ldap.h>

#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"

using namespace postcensus::directory;

namespace {

constexpr const char* kBase = "dc=corp,dc=example";

class Client {
  public:
    explicit Client(const LdapPeer& peer) {
        LDAP* raw = nullptr;
        REQUIRE(ldap_initialize(&raw, peer.uri().c_str()) == LDAP_SUCCESS);
        handle_.reset(raw);
        const int version = LDAP_VERSION3;
        ldap_set_option(raw, LDAP_OPT_PROTOCOL_VERSION, &version);
        ldap_set_option(raw, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    }
    LDAP* get() const { return handle_.get(); }

    int bind(const std::string& dn, std::string password, const char* mechanism = LDAP_SASL_SIMPLE) const {
        berval secret{password.size(), password.data()};
        return ldap_sasl_bind_s(get(), dn.c_str(), mechanism, &secret, nullptr, nullptr, nullptr);
    }

  private:
    struct Unbind {
        void operator()(LDAP* handle) const { ldap_unbind_ext(handle, nullptr, nullptr); }
    };
    std::unique_ptr<LDAP, Unbind> handle_;
};

struct Found {
    int error = LDAP_SUCCESS;  // of libldap: without a result from the server
    int result = -1;
    std::string diagnostic;
    std::vector<std::string> dns;
    std::vector<LdapAttribute> attributes;  // of all entries
    std::vector<std::string> references;
    std::optional<std::string> cookie;
};

struct Paging {
    std::string cookie;
    int size = 2;
};

int send_search(const Client& client, const std::string& filter, const std::optional<Paging>& paging = {},
                const std::vector<std::string>& attributes = {}) {
    std::vector<char*> names;
    names.reserve(attributes.size() + 1);
    for (const std::string& name : attributes) names.push_back(const_cast<char*>(name.c_str()));
    names.push_back(nullptr);
    LDAPControl* control = nullptr;
    if (paging) {
        std::string bytes = paging->cookie;
        berval cookie{bytes.size(), bytes.data()};
        REQUIRE(ldap_create_page_control(client.get(), paging->size, &cookie, 1, &control) == LDAP_SUCCESS);
    }
    LDAPControl* controls[] = {control, nullptr};
    int id = 0;
    const int error =
        ldap_search_ext(client.get(), kBase, LDAP_SCOPE_SUBTREE, filter.c_str(),
                        attributes.empty() ? nullptr : names.data(), 0, controls, nullptr, nullptr, 7, &id);
    ldap_control_free(control);
    return error == LDAP_SUCCESS ? id : -1;
}

std::vector<std::string> texts(berval** values) {
    std::vector<std::string> out;
    for (berval** value = values; value != nullptr && *value != nullptr; ++value)
        out.emplace_back((*value)->bv_val, (*value)->bv_len);
    ldap_value_free_len(values);
    return out;
}

void take_entry(const Client& client, LDAPMessage* message, Found& found) {
    char* dn = ldap_get_dn(client.get(), message);
    found.dns.emplace_back(dn);
    ldap_memfree(dn);
    BerElement* place = nullptr;
    for (char* name = ldap_first_attribute(client.get(), message, &place); name != nullptr;
         name = ldap_next_attribute(client.get(), message, place)) {
        found.attributes.push_back({name, texts(ldap_get_values_len(client.get(), message, name))});
        ldap_memfree(name);
    }
    ber_free(place, 0);
}

void take_result(const Client& client, LDAPMessage* message, Found& found) {
    char* text = nullptr;
    char** referrals = nullptr;
    LDAPControl** controls = nullptr;
    found.error =
        ldap_parse_result(client.get(), message, &found.result, nullptr, &text, &referrals, &controls, 0);
    found.diagnostic = text == nullptr ? "" : text;
    ldap_memfree(text);
    for (char** uri = referrals; uri != nullptr && *uri != nullptr; ++uri)
        found.references.emplace_back(*uri);
    ldap_memvfree(reinterpret_cast<void**>(referrals));
    if (LDAPControl* page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr)) {
        ber_int_t size = 0;
        berval cookie{};
        REQUIRE(ldap_parse_pageresponse_control(client.get(), page, &size, &cookie) == LDAP_SUCCESS);
        found.cookie.emplace(cookie.bv_val, cookie.bv_len);
        ldap_memfree(cookie.bv_val);
    }
    ldap_controls_free(controls);
}

// One message at a time: what came before a cut counts too.
Found receive(const Client& client, int id) {
    Found found;
    for (;;) {
        timeval patience{20, 0};
        LDAPMessage* raw = nullptr;
        const int kind = ldap_result(client.get(), id, LDAP_MSG_ONE, &patience, &raw);
        const std::unique_ptr<LDAPMessage, int (*)(LDAPMessage*)> message(raw, ldap_msgfree);
        if (kind <= 0) {
            found.error = LDAP_TIMEOUT;
            if (kind < 0) ldap_get_option(client.get(), LDAP_OPT_RESULT_CODE, &found.error);
            return found;
        }
        if (kind == LDAP_RES_SEARCH_ENTRY) take_entry(client, raw, found);
        if (kind == LDAP_RES_SEARCH_REFERENCE) {
            char** uris = nullptr;
            REQUIRE(ldap_parse_reference(client.get(), raw, &uris, nullptr, 0) == LDAP_SUCCESS);
            for (char** uri = uris; uri != nullptr && *uri != nullptr; ++uri)
                found.references.emplace_back(*uri);
            ldap_memvfree(reinterpret_cast<void**>(uris));
        }
        if (kind != LDAP_RES_SEARCH_RESULT) continue;
        take_result(client, raw, found);
        return found;
    }
}

Found search(const Client& client, const std::optional<Paging>& paging = {}) {
    return receive(client, send_search(client, "(objectClass=user)", paging));
}

void just_done(const LdapSearch&, LdapReply& reply) {
    reply.done();
}

}  // namespace

TEST_CASE("the LDAP peer lets every simple bind in", "[ldap_peer]") {
    const LdapPeer peer(just_done);
    const Client client(peer);
    CHECK(client.bind("cn=census", "secret") == LDAP_SUCCESS);
    CHECK(client.bind("", "token", "GSSAPI") == LDAP_AUTH_METHOD_NOT_SUPPORTED);
    const auto binds = peer.binds();
    REQUIRE(binds.size() == 2);
    CHECK(binds[0].dn == "cn=census");
    CHECK(binds[0].password == "secret");
    CHECK(binds[0].mechanism.empty());
    CHECK(binds[1].mechanism == "GSSAPI");
}

TEST_CASE("the LDAP peer refuses a bind", "[ldap_peer]") {
    const LdapPeer peer(just_done, [](const LdapBind& bind, LdapReply& reply) {
        if (bind.password == "cut") return reply.close();
        reply.done(LDAP_INVALID_CREDENTIALS, "data 52e");
    });
    const Client client(peer);
    CHECK(client.bind("cn=census", "wrong") == LDAP_INVALID_CREDENTIALS);
    char* text = nullptr;
    ldap_get_option(client.get(), LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    CHECK(std::string(text) == "data 52e");
    ldap_memfree(text);
    CHECK(client.bind("cn=census", "cut") == LDAP_SERVER_DOWN);
    CHECK(Client(peer).bind("cn=census", "wrong") == LDAP_INVALID_CREDENTIALS);
    CHECK(peer.connections() == 2);
    CHECK(peer.binds().back().connection == 1);
}

TEST_CASE("the LDAP peer has no StartTLS and changes nothing", "[ldap_peer]") {
    const LdapPeer peer(just_done);
    const Client client(peer);
    CHECK(ldap_start_tls_s(client.get(), nullptr, nullptr) == LDAP_PROTOCOL_ERROR);
    CHECK(ldap_delete_ext_s(client.get(), kBase, nullptr, nullptr) == LDAP_PROTOCOL_ERROR);
    CHECK(search(client).result == LDAP_SUCCESS);
}

TEST_CASE("the LDAP peer answers page by page", "[ldap_peer]") {
    const std::string bytes("\x00\xff", 2);
    const LdapPeer peer([&](const LdapSearch& asked, LdapReply& reply) {
        if (!asked.cookie) return reply.done(LDAP_SIZELIMIT_EXCEEDED);
        if (asked.cookie->empty()) {
            reply.entry("cn=a", {{"mail", {"a@corp.example", "b@corp.example"}}, {"objectGUID", {bytes}}});
            reply.entry("cn=b", {});
            return reply.done(0, "", "second" + bytes);
        }
        reply.entry("cn=c", {{"proxyAddresses;range=0-1", {"smtp:c@corp.example"}}});
        reply.done(0, "", "");
    });
    const Client client(peer);
    const Found first = search(client, Paging{});
    CHECK(first.result == LDAP_SUCCESS);
    CHECK(first.dns == std::vector<std::string>{"cn=a", "cn=b"});
    REQUIRE(first.attributes.size() == 2);
    CHECK(first.attributes[0].name == "mail");
    CHECK(first.attributes[0].values == std::vector<std::string>{"a@corp.example", "b@corp.example"});
    CHECK(first.attributes[1].values == std::vector<std::string>{bytes});
    REQUIRE(first.cookie);
    CHECK(*first.cookie == "second" + bytes);

    const Found second = search(client, Paging{*first.cookie, 500});
    CHECK(second.dns == std::vector<std::string>{"cn=c"});
    REQUIRE(second.attributes.size() == 1);
    CHECK(second.attributes[0].name == "proxyAddresses;range=0-1");
    CHECK(second.cookie == std::optional<std::string>(""));

    const Found unpaged = search(client);
    CHECK(unpaged.result == LDAP_SIZELIMIT_EXCEEDED);
    CHECK_FALSE(unpaged.cookie);

    const auto searches = peer.searches();
    REQUIRE(searches.size() == 3);
    CHECK(searches[0].cookie == std::optional<std::string>(""));
    CHECK(searches[0].page_size == 2);
    CHECK(searches[1].cookie == "second" + bytes);
    CHECK(searches[1].page_size == 500);
    CHECK(searches[1].controls == std::vector<std::string>{LDAP_CONTROL_PAGEDRESULTS});
    CHECK_FALSE(searches[2].cookie);
    CHECK(searches[2].controls.empty());
}

TEST_CASE("the LDAP peer notes what a search asks", "[ldap_peer]") {
    const LdapPeer peer(just_done);
    const Client client(peer);
    receive(client, send_search(client, "(mail=*)", {}, {"mail", "proxyAddresses;range=1500-*"}));
    const auto searches = peer.searches();
    REQUIRE(searches.size() == 1);
    CHECK(searches[0].base == kBase);
    CHECK(searches[0].scope == LDAP_SCOPE_SUBTREE);
    CHECK(searches[0].size_limit == 7);
    CHECK(searches[0].attributes == std::vector<std::string>{"mail", "proxyAddresses;range=1500-*"});
}

TEST_CASE("the LDAP peer writes filters as RFC 4515 does", "[ldap_peer]") {
    const LdapPeer peer(just_done);
    const Client client(peer);
    for (const char* filter : {
             "(&(uSNChanged>=5)(objectClass=user))",
             "(|(mail=*)(proxyAddresses=*)(!(cn=a)))",
             "(&(uSNChanged<=9223372036854775807)(|(cn~=a)(!(|(cn=b)(cn=c)))))",
             "(cn=)",
             "(cn=a*)",
             "(cn=*a)",
             "(cn=*a*)",
             "(cn=a*b*c*d)",
             "(cn=*\\2a*\\28)",
             "(objectGUID=\\00\\01\\7f\\80\\ff\\2a\\28\\29\\5cA)",
             "(userAccountControl:1.2.840.113556.1.4.803:=2)",
             "(ou:dn:=x)",
             "(:dn:2.4.6.8.10:=x)",
             "(cn:=x)",
         }) {
        CAPTURE(filter);
        CHECK(receive(client, send_search(client, filter)).result == LDAP_SUCCESS);
        CHECK(peer.searches().back().filter == filter);
    }
    receive(client, send_search(client, "(cn=M\xc3\xbcller)"));
    CHECK(peer.searches().back().filter == "(cn=M\\c3\\bcller)");
}

TEST_CASE("the LDAP peer ends the connection of who nests too deep", "[ldap_peer]") {
    const LdapPeer peer(just_done);
    const Client client(peer);
    std::string filter = "(cn=a)";
    for (int depth = 0; depth < 100; ++depth) filter.insert(0, "(!").append(")");
    CHECK(receive(client, send_search(client, filter)).error == LDAP_SERVER_DOWN);
    CHECK(peer.searches().empty());
}

TEST_CASE("the LDAP peer refers elsewhere", "[ldap_peer]") {
    const std::vector<std::string> uris{"ldap://dc2.corp.example/dc=sub", "ldap://dc3.corp.example/dc=sub"};
    const LdapPeer peer([&](const LdapSearch& asked, LdapReply& reply) {
        if (asked.cookie) return reply.referral(uris);
        reply.entry("cn=a", {});
        reply.reference(uris);
        reply.done();
    });
    const Client client(peer);
    const Found some = search(client);
    CHECK(some.result == LDAP_SUCCESS);
    CHECK(some.dns.size() == 1);
    CHECK(some.references == uris);
    const Found all = search(client, Paging{});
    CHECK(all.result == LDAP_REFERRAL);
    CHECK(all.references == uris);
}

TEST_CASE("the LDAP peer ends a search with any result", "[ldap_peer]") {
    for (const int result : {3, 4, 11, 51, 52, 80, 0x1000}) {
        CAPTURE(result);
        const LdapPeer peer([result](const LdapSearch&, LdapReply& reply) {
            reply.entry("cn=a", {});
            reply.done(result, "no more");
        });
        const Found found = search(Client(peer));
        CHECK(found.error == LDAP_SUCCESS);
        CHECK(found.result == result);
        CHECK(found.diagnostic == "no more");
        CHECK(found.dns.size() == 1);
    }
}

TEST_CASE("the LDAP peer cuts a connection", "[ldap_peer]") {
    // Each entry is 15 bytes long: in the middle of the page, of a message, of a message's header.
    const std::vector<std::pair<std::size_t, std::size_t>> cases{{0, 2},  {1, 1},  {14, 1},
                                                                 {15, 1}, {16, 0}, {1000, 0}};
    for (const auto& [bytes, entries] : cases) {
        CAPTURE(bytes);
        const LdapPeer peer([cut = bytes](const LdapSearch&, LdapReply& reply) {
            reply.entry("cn=a", {});
            reply.entry("cn=b", {});
            reply.cut(cut);
            reply.close();
        });
        const Found found = search(Client(peer));
        CHECK(found.error == LDAP_SERVER_DOWN);
        CHECK(found.dns.size() == entries);
    }
}

TEST_CASE("the LDAP peer answers nothing behind a cut", "[ldap_peer]") {
    const LdapPeer peer([](const LdapSearch&, LdapReply& reply) {
        reply.done();
        reply.close();
    });
    const Client client(peer);
    const int first = send_search(client, "(cn=a)");
    const int second = send_search(client, "(cn=b)");
    CHECK(receive(client, first).result == LDAP_SUCCESS);
    CHECK(receive(client, second).error == LDAP_SERVER_DOWN);
    CHECK(peer.searches().size() == 1);
}

TEST_CASE("the LDAP peer sends garbage", "[ldap_peer]") {
    const std::vector<std::string_view> cases{"\xde\xad\xbe\xef garbage", "220 mail.corp.example ESMTP\r\n",
                                              std::string_view("\x30\x03\x02\x01", 4),
                                              "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                              "\x30\x05zzzzz"};
    for (const std::string_view bytes : cases) {
        CAPTURE(bytes);
        const LdapPeer peer([bytes](const LdapSearch&, LdapReply& reply) {
            reply.raw(bytes);
            reply.close();
        });
        const Found found = search(Client(peer));
        CHECK(found.error != LDAP_SUCCESS);
        CHECK(found.error != LDAP_TIMEOUT);
    }
}

TEST_CASE("the LDAP peer ends at once while its connections hang", "[ldap_peer]") {
    std::promise<void> asked;
    auto peer = std::make_unique<LdapPeer>([&](const LdapSearch& search, LdapReply& reply) {
        if (search.filter != "(cn=hang)") return reply.done();
        reply.entry("cn=a", {});
        asked.set_value();
    });
    const Client hung(*peer);
    const Client other(*peer);
    const int id = send_search(hung, "(cn=hang)");
    asked.get_future().wait();
    CHECK(search(other).result == LDAP_SUCCESS);  // the one that hangs keeps nobody waiting
    CHECK(search(hung).result == LDAP_SUCCESS);
    CHECK(peer->connections() == 2);
    CHECK(peer->searches()[0].connection == 0);
    CHECK(peer->searches()[1].connection == 1);
    CHECK(peer->searches()[2].connection == 0);
    CHECK(ldap_abandon_ext(hung.get(), id, nullptr, nullptr) == LDAP_SUCCESS);
    const int last = send_search(hung, "(cn=again)");
    CHECK(receive(hung, last).result == LDAP_SUCCESS);
    peer.reset();
    CHECK(search(hung).error == LDAP_SERVER_DOWN);
}

TEST_CASE("the LDAP peer writes a long reply whole", "[ldap_peer]") {
    constexpr std::size_t kEntries = 20'000;
    std::promise<void> written;
    const LdapPeer peer([&](const LdapSearch& asked, LdapReply& reply) {
        if (asked.filter != "(objectClass=user)") return written.set_value();
        for (std::size_t i = 0; i < kEntries; ++i)
            reply.entry("cn=" + std::to_string(i), {{"description", {std::string(1000, 'x')}}});
        reply.done();
        reply.close();
    });
    const Client client(peer);
    const int id = send_search(client, "(objectClass=user)");
    // More than a socket takes is on its way before anything is read, and others are served meanwhile.
    send_search(Client(peer), "(cn=other)");
    written.get_future().wait();
    const Found found = receive(client, id);
    CHECK(found.result == LDAP_SUCCESS);
    CHECK(found.dns.size() == kEntries);
}

TEST_CASE("the LDAP peer tells what a callback threw", "[ldap_peer]") {
    const LdapPeer peer([](const LdapSearch&, LdapReply& reply) {
        reply.entry("cn=a", {});
        throw std::runtime_error("out of script");
    });
    const Found found = search(Client(peer));
    CHECK(found.result == LDAP_OTHER);
    CHECK(found.diagnostic == "out of script");
    CHECK(found.dns.empty());
}
