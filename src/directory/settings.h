// SPDX-License-Identifier: MIT
// What a [directory.NAME] section says: which servers, how to log in, which objects.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace postcensus::directory {

enum class Flavour { ad, ldap };
enum class Bind { simple, gssapi };

struct Settings {
    std::string name;               // of the [directory.NAME] section
    std::vector<std::string> uris;  // ldaps://dc1.corp.example, in the order to try
    std::string domain;             // or: whose servers DNS names (SRV)
    std::string site;               // AD site whose servers come first
    std::string base;
    Flavour flavour = Flavour::ad;
    Bind bind = Bind::simple;
    std::string bind_dn;
    std::string password;           // never shown, never logged
    std::filesystem::path keytab;   // for gssapi
    std::filesystem::path ca_file;  // empty: the system's authorities
    bool starttls = false;
    bool insecure = false;                               // a simple bind without TLS
    std::string filter;                                  // flavour = ldap: which objects
    std::vector<std::string> attributes{"mail"};         // flavour = ldap: which attributes hold addresses
    bool use_mail = false;                               // AD: whether `mail` alone makes a recipient
    std::chrono::milliseconds poll_interval{15000};      // 0: `watch` does not ask for changes
    std::chrono::milliseconds sweep_interval{3600'000};  // 0: no sweeps
    std::chrono::seconds connect_timeout{10};
    std::chrono::seconds answer_timeout{120};  // AD's own MaxQueryDuration
    // For all of a reading, whatever the server sends meanwhile. A directory of millions is read in an hour.
    std::chrono::seconds whole_timeout{std::chrono::hours{6}};
};

// What decides which objects and addresses a reading finds, in one text: with another text, a position in the
// stream of changes is worth nothing.
std::string query_text(const Settings& settings);

}  // namespace postcensus::directory
