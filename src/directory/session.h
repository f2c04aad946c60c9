// SPDX-License-Identifier: MIT
// One bound LDAP connection to one directory server. Blocks; belongs to one thread at a time.
//
// Every step has a deadline of ours (libldap waits for ever by default). Referrals are never followed:
// libldap would follow them anonymously and silently end a paged search. Certificates are always verified.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/failure.h"

struct ldap;
struct ldapmsg;

namespace postcensus::directory {

struct Settings {
    std::string name;               // of the [directory.NAME] section
    std::vector<std::string> uris;  // ldaps://dc1.corp.example, in the order to try
    std::string base;
    std::string bind_dn;
    std::string password;           // never shown, never logged
    std::filesystem::path ca_file;  // empty: the system's authorities
    bool starttls = false;
    bool insecure = false;  // a simple bind without TLS
    bool use_mail = false;
    std::chrono::seconds connect_timeout{10};
    std::chrono::seconds answer_timeout{120};  // AD's own MaxQueryDuration
};

// One attribute of one entry. The name is as the server sent it, options (";range=0-1499") included.
struct Attribute {
    std::string name;
    std::vector<std::string> values;
};

struct Entry {
    std::string dn;
    std::vector<Attribute> attributes;
};

struct Page {
    std::vector<Entry> entries;
    bool last = false;
};

class Session {
  public:
    // Connects and binds to one URI.
    static Result<Session> open(const Settings& settings, const std::string& uri);

    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    // A paged search below `base`: `take` gets each page as soon as it is whole, while the server already
    // works at the next. Any result other than success in any page is a Failure: what came before it is a
    // part, and counts for nothing.
    using TakePage = std::function<Result<void>(std::vector<Entry>)>;
    Result<void> search_paged(const std::string& base, const std::string& filter,
                              const std::vector<std::string>& attributes, const TakePage& take);

    // One entry, by its DN. Not found is a Failure.
    Result<Entry> read_entry(const std::string& dn, const std::vector<std::string>& attributes);

    const std::string& server() const { return server_; }

  private:
    struct Unbind {
        void operator()(ldap* handle) const;
    };
    Session(std::unique_ptr<ldap, Unbind> handle, std::string server, std::chrono::seconds timeout);
    Result<Page> finish_page(int message_id, std::string& cookie);
    Result<int> send_page(const std::string& base, const std::string& filter,
                          const std::vector<std::string>& attributes, const std::string& cookie);
    std::vector<Entry> decode(ldapmsg* chain) const;

    std::unique_ptr<ldap, Unbind> handle_;
    std::string server_;
    std::chrono::seconds timeout_;
};

// True if the directory refused the credentials themselves (result 49): to try them again may lock the
// account.
bool credentials_refused(const Failure& failure);

}  // namespace postcensus::directory
