// SPDX-License-Identifier: MIT
// One bound LDAP connection to one directory server. Blocks; belongs to one thread at a time.
//
// Every step has a deadline of ours (libldap waits for ever by default). Referrals are never followed:
// libldap would follow them anonymously and silently end a paged search. Certificates are always verified.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "directory/settings.h"

struct ldap;
struct ldapmsg;

namespace postcensus::directory {

// One attribute of one entry. The name is as the server sent it, options (";range=0-1499") included.
struct Attribute {
    std::string_view name;
    std::vector<std::string_view> values;
};

// Views into the server's message: they last until the callback that got the entry returns.
struct Entry {
    std::string_view dn;
    std::vector<Attribute> attributes;

    // The first value of an attribute, by its name in any case; nothing in the view if there is none.
    std::string_view value(std::string_view name) const;
};

struct Search {
    std::string base;
    std::string filter = "(objectClass=*)";
    std::vector<std::string> attributes;
    bool show_deleted = false;  // AD: tombstones too (control 1.2.840.113556.1.4.417)
};

// Lets another thread end what a session waits for: its socket is shut down. It stays interrupted: a session
// that is opened with it later fails at once.
class Interrupt {
  public:
    void interrupt();
    bool interrupted();
    // Of the connection that is open now; -1: none.
    void take_socket(int fd);

  private:
    std::mutex mutex_;
    int fd_ = -1;
    bool interrupted_ = false;
};

class Session {
  public:
    // Connects and logs in to one URI. `interrupt`, if any, must outlive the session.
    static Result<Session> open(const Settings& settings, const std::string& uri, Interrupt* interrupt);

    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    using Take = std::function<Result<void>(const Entry&)>;

    // A paged search of the whole tree below `base`: `take` gets the entries of a page while the server
    // already works at the next; `page_taken` is called behind each. Any result other than success in any
    // page is a Failure, and so is one of `take`: what came before it is a part, and counts for nothing.
    Result<void> search(const Search& search, const Take& take, const std::function<void()>& page_taken = {});

    // One entry by its DN (also <GUID=…> and the empty one of the server itself). False if there is none, or
    // none that this account may see.
    Result<bool> read(const Search& search, const Take& take);

    const std::string& uri() const { return uri_; }

  private:
    struct Unbind {
        Interrupt* interrupt = nullptr;
        void operator()(ldap* handle) const;
    };
    struct Page;
    using Handle = std::unique_ptr<ldap, Unbind>;
    Session(Handle handle, std::string uri, std::chrono::seconds timeout);
    Result<int> send(const Search& search, int scope, const std::string* cookie);
    Result<Page> receive(int message_id);
    Result<void> take_entries(ldapmsg* chain, const Take& take);

    Handle handle_;
    std::string uri_;
    std::chrono::seconds timeout_;
};

// True if the directory refused the credentials themselves (result 49): to try them again may lock the
// account.
bool credentials_refused(const Failure& failure);

// A value in a search filter (RFC 4515): every byte that is not a letter or a digit is escaped.
std::string escape_filter(std::string_view value);

}  // namespace postcensus::directory
