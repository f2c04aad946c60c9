// SPDX-License-Identifier: MIT
// A scripted LDAP server on 127.0.0.1 for the directory tests. It plays what real servers cannot be made to
// do: limits without paging, ranges, referrals, a result in page N, cut connections, silence, garbage.
//
// It keeps no directory: callbacks of the test say what it answers to each bind and each search. Whatever
// else is asked (StartTLS too) gets protocolError; an abandon gets nothing, as the protocol wants it.
// Owns its sockets and one thread. The destructor ends them at once, connections that hang included.
// The callbacks run in the peer's thread, one at a time: what they share with the test must be atomic or
// locked, Catch2's assertions do not belong into them, and the destructor waits for one that runs. The
// functions of LdapPeer may be called in any thread, also by the callbacks.
// An exception from a callback becomes the result 80 with its text. A request that is no LDAP, or over 1 MiB,
// ends its connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace postcensus::directory {

struct LdapBind {
    int connection = 0;  // 0, 1, … in the order they were accepted
    std::string dn;
    std::string password;   // of a simple bind
    std::string mechanism;  // of SASL; empty for a simple bind
};

struct LdapSearch {
    int connection = 0;
    int id = 0;  // of the message
    std::string base;
    int scope = 0;  // 0 the base itself, 1 the level below, 2 the subtree
    int size_limit = 0;
    int time_limit = 0;
    std::string filter;  // as RFC 4515 writes it; what is not printable ASCII is \xx, in lower case
    std::vector<std::string> attributes;
    std::vector<std::string> controls;  // their OIDs
    std::optional<std::string> cookie;  // of the paged results control: "" for the first page
    int page_size = 0;                  // likewise
};

struct LdapAttribute {
    std::string name;  // with its options: "proxyAddresses;range=0-1499"
    std::vector<std::string> values;
};

// What the server sends to one request, in this order and whole. Nothing at all: the server hangs.
class LdapReply {
  public:
    void entry(const std::string& dn, const std::vector<LdapAttribute>& attributes);
    void reference(const std::vector<std::string>& uris);
    // The result of the search or the bind. With a cookie, a paged results control is with it: "" says that
    // this was the last page.
    void done(int result = 0, const std::string& diagnostic = {},
              const std::optional<std::string>& cookie = {});
    // The result 10: all of it is elsewhere.
    void referral(const std::vector<std::string>& uris);

    // Any bytes, whether LDAP or not.
    void raw(std::string_view bytes) { bytes_ += bytes; }
    // Takes back the last bytes of the reply so far, to stop in the middle of a message.
    void cut(std::size_t bytes) { bytes_.resize(bytes_.size() - std::min(bytes, bytes_.size())); }
    // Ends the connection once the reply so far is sent: the client reads all of it, then the end.
    void close() { closes_ = true; }

  private:
    friend class LdapPeer;
    LdapReply(int id, unsigned char result_tag) : id_(id), result_tag_(result_tag) {}
    void message(const std::string& operation, const std::string& controls = {});

    int id_;
    unsigned char result_tag_;
    std::string bytes_;
    bool closes_ = false;
};

class LdapPeer {
  public:
    using OnSearch = std::function<void(const LdapSearch&, LdapReply&)>;
    using OnBind = std::function<void(const LdapBind&, LdapReply&)>;

    // Without `on_bind` every simple bind succeeds.
    explicit LdapPeer(OnSearch on_search, OnBind on_bind = {});
    ~LdapPeer();
    LdapPeer(const LdapPeer&) = delete;
    LdapPeer& operator=(const LdapPeer&) = delete;

    const std::string& uri() const { return uri_; }  // ldap://127.0.0.1:40123
    // What was asked so far. A request is in here before its callback runs.
    std::vector<LdapSearch> searches() const;
    std::vector<LdapBind> binds() const;
    int connections() const;  // that were accepted, ended ones included

  private:
    struct Connection;
    void run();
    void accept(std::vector<Connection>& connections);
    void advance(Connection& connection);
    void serve(Connection& connection, std::string_view message);

    const OnSearch on_search_;
    const OnBind on_bind_;
    UniqueFd listener_;
    UniqueFd stop_;
    std::string uri_;
    mutable std::mutex mutex_;  // for the three below
    std::vector<LdapSearch> searches_;
    std::vector<LdapBind> binds_;
    int connections_ = 0;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace postcensus::directory
