// SPDX-License-Identifier: MIT
// Reads recipients from one directory server: all of them, what has changed, the keys alone, or single ones.
// Every reading is whole, or it is a Failure. Blocks; belongs to one thread.
//
// Changes are followed by uSNChanged (Microsoft: "Polling for Changes Using USNChanged"), in OpenLDAP by
// modifyTimestamp. A position in the stream of changes is good for one server only, and for one query; to
// others it is opaque text.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "census/listing.h"
#include "directory/session.h"

namespace postcensus::directory {

struct ReadSummary {
    std::size_t objects = 0;
    std::size_t pages = 0;
    std::string position;         // to read the next changes from
    std::set<std::string> shown;  // flavour = ldap: which of Settings::attributes had values
};

// What becomes of an object that a reading did not meet.
enum class Fate {
    gone,     // a tombstone, or outside of what the configuration reads
    present,  // it is there after all; its values are given
};

// What an account may see at a server, from a look at the first objects.
struct View {
    std::string server_time;     // "20261124084425.0Z"; empty if the server does not say
    std::size_t recipients = 0;  // objects with recipients, counted up to a thousand
    std::size_t hidden = 0;      // mailboxes whose address attribute this account does not see
    std::string hidden_example;  // one of them
    std::size_t mail_only = 0;   // objects with `mail` and no addresses, which may be no mailboxes
    std::string mail_only_example;
    bool tombstones = false;  // AD: the container of deleted objects can be read
    bool at_root = true;      // base is the whole domain
    std::string root;
};

class Reader {
  public:
    // Called for each object, in the server's order. What was taken counts only if the reading succeeds.
    using TakeObject = std::function<Result<void>(const census::DirectoryObject&)>;
    using TakeKey = std::function<Result<void>(const std::string& guid)>;
    using TakeFate =
        std::function<Result<void>(const std::string& guid, Fate, const census::DirectoryObject&)>;
    using Progress = std::function<void(const ReadSummary&)>;

    static Result<Reader> open(const Settings& settings, const std::string& uri, Interrupt* interrupt);

    // Of the server: the same text always means the same stream of changes (AD: invocationId).
    const std::string& server_id() const { return server_id_; }
    const std::string& uri() const { return session_.uri(); }

    // A piece of work begins, on a connection that was kept: Settings::whole_timeout is its time.
    void begin_work() { session_.begin_work(); }

    // Looks where the server's changes stand now. Before every reading: what changes during it is read again.
    Result<void> refresh();

    // Why the changes cannot be read from this position; empty if they can.
    std::string why_full(const std::string& position) const;
    // Whether it was read with the same base, filter and attributes.
    bool is_same_query(const std::string& position) const;
    // "USN 123456".
    std::string describe(const std::string& position) const;

    Result<ReadSummary> read_all(const TakeObject& take, const Progress& progress);

    // Objects that changed, with or without recipients now, and the keys of those that were deleted, where
    // tombstones can be read.
    Result<ReadSummary> read_changes(const std::string& position, const TakeObject& take,
                                     const TakeKey& take_gone, const Progress& progress);

    // The keys of all objects that show addresses: finds what is gone where tombstones cannot be read.
    Result<ReadSummary> read_keys(const TakeKey& take, const Progress& progress);

    // Whether read_changes() sees all deletions and moves by itself, so that no sweep is needed.
    Result<bool> sees_deletions();

    // Looks for objects that a reading did not meet. Those that `take` does not get were not found, which
    // proves nothing: a lost permission looks the same.
    Result<void> find(const std::vector<std::string>& guids, const TakeFate& take);

    // flavour = ldap: the first of these attributes that no object shows any more; empty if there is none.
    Result<std::string> hidden_attribute(const std::set<std::string>& attributes);

    // For a test: asks for a page or two, and changes nothing.
    Result<View> view();

    // The objects that list one of these addresses now, or show it in `mail` and hide what they list.
    Result<ReadSummary> look_up(const std::vector<mail::Address>& addresses, const TakeObject& take);

  private:
    Reader(const Settings& settings, Session session) : settings_(settings), session_(std::move(session)) {}
    Result<void> identify();
    Result<ReadSummary> read_objects(const Search& search, const TakeObject& take, const Progress& progress);
    Result<ReadSummary> read_usn_changes(std::int64_t after, const TakeObject& take, const TakeKey& take_gone,
                                         const Progress& progress);
    Result<ReadSummary> read_timestamp_changes(const std::string& since, const TakeObject& take,
                                               const Progress& progress);
    Result<bool> shows_tombstones();
    Search recipients() const;
    std::string deleted_objects() const;

    Settings settings_;
    Session session_;
    std::string server_id_;
    std::string root_;  // the naming context of the base
    std::int64_t usn_ = 0;
    std::string newest_;  // flavour = ldap: the highest modifyTimestamp that was met
};

// Opens the first of these servers that answers. After a refused login no other is tried: a wrong password is
// wrong everywhere, and another try only brings the account nearer to its lock.
Result<Reader> open_any(const Settings& settings, const std::vector<std::string>& uris, Interrupt* interrupt);

}  // namespace postcensus::directory
