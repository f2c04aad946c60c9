// SPDX-License-Identifier: MIT
// One bound LDAP connection to one directory server. Blocks; belongs to one thread at a time.
//
// Every step has a deadline of ours (libldap waits for ever by default), and so has all of a piece of work.
// What a server sends is bounded: a message, a page, and pages that bring nothing new. Referrals are never
// followed: libldap would follow them anonymously and silently end a paged search. Certificates are always
// verified.
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

    // A piece of work begins: whatever the server sends, it ends after Settings::whole_timeout. open() begins
    // one.
    void begin_work();

    using Take = std::function<Result<void>(const Entry&)>;

    // A paged search of the whole tree below `base`: `take` gets the entries of a page while the server
    // already works at the next; `page_taken` is called behind each. Any result other than success in any
    // page is a Failure, and so is one of `take`: what came before it is a part, and counts for nothing.
    Result<void> search(const Search& search, const Take& take, const std::function<void()>& page_taken = {});

    // One entry by its DN (also <GUID=…> and the empty one of the server itself). False if there is none, or
    // none that this account may see.
    Result<bool> read(const Search& search, const Take& take);

    // Whether there is any entry that matches and shows the first of the wanted attributes: the server looks
    // for one alone.
    Result<bool> has_any(const Search& search);

    const std::string& uri() const { return uri_; }

  private:
    struct Unbind {
        Interrupt* interrupt = nullptr;
        void operator()(ldap* handle) const;
    };
    struct Page;
    using Handle = std::unique_ptr<ldap, Unbind>;
    class Progress;
    Session(Handle handle, std::string uri, const Settings& settings);
    Result<int> send(const Search& search, int scope, const std::string* cookie, int most = 0);
    Result<Page> receive(int message_id, std::size_t most);
    Result<void> keep(ldapmsg* message, std::size_t most, Page& page);
    void read_result(ldapmsg* message, Page& page);
    Result<void> take_entries(const Page& page, const Take& take);
    Result<void> take_entry(ldapmsg* message, Entry& entry, const Take& take);
    tl::unexpected<Failure> faulty(std::string_view what) const;

    Handle handle_;
    std::string uri_;
    std::chrono::seconds timeout_;
    std::chrono::seconds whole_;
    std::chrono::steady_clock::time_point deadline_;
};

// True if the directory refused the credentials themselves (result 49): to try them again may lock the
// account.
bool credentials_refused(const Failure& failure);

// Once, before there is any thread: libldap sets itself up at its first call, and two at once race in that.
// It would also read ./ldaprc, ~/.ldaprc, ldap.conf and LDAP… variables, as root; our settings are complete
// without them.
void set_up_library();

// A value in a search filter (RFC 4515): every byte that is not a letter or a digit is escaped.
std::string escape_filter(std::string_view value);

}  // namespace postcensus::directory
