// SPDX-License-Identifier: MIT
// An Active Directory played by LdapPeer: a few objects, small pages, tombstones, and any fault in any page.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "directory/ldap_peer.h"
#include "directory/settings.h"

namespace postcensus::directory {

class ScriptedAD {
  public:
    static constexpr const char* kBase = "OU=Staff,DC=corp,DC=example";
    static constexpr std::size_t kPage = 2;  // MaxPageSize

    struct Object {
        std::string guid;  // 16 bytes
        std::string dn;
        std::vector<LdapAttribute> attributes;
        int usn = 0;
        bool deleted = false;
        bool hidden = false;  // our account may not see it
    };

    // Called before each search is answered, with the number of its page; true: it has answered.
    using Fault = std::function<bool(const LdapSearch&, int page, LdapReply&)>;

    ScriptedAD() : peer_([this](const LdapSearch& search, LdapReply& reply) { answer(search, reply); }) {}

    // An object with these proxyAddresses. `name`: one letter, of which its key is made.
    Object& put(const std::string& name, const std::vector<std::string>& addresses) {
        const std::lock_guard lock(mutex_);
        Object& object = find_or_add(name);
        object.attributes.clear();
        if (!addresses.empty()) object.attributes.push_back({"proxyAddresses", addresses});
        object.usn = ++usn_;
        return object;
    }
    // The tombstone keeps no addresses.
    void remove(const std::string& name) {
        put(name, {});
        change(name, [](Object& object) {
            object.deleted = true;
            object.dn = "CN=gone,CN=Deleted Objects,DC=corp,DC=example";
        });
    }
    template <typename Body>
    void change(const std::string& name, Body&& body) {
        const std::lock_guard lock(mutex_);
        body(find_or_add(name));
    }
    template <typename Body>
    void configure(Body&& body) {
        const std::lock_guard lock(mutex_);
        body(*this);
    }
    void set_fault(Fault fault) {
        const std::lock_guard lock(mutex_);
        fault_ = std::move(fault);
    }
    void set_usn(int usn) {
        const std::lock_guard lock(mutex_);
        usn_ = usn;
    }

    std::string invocation = std::string(16, 'i');  // change both inside configure()
    bool tombstones = true;                         // whether our account may read them

    Settings settings() const {
        Settings settings;
        settings.name = "corp";
        settings.uris = {peer_.uri()};
        settings.base = kBase;
        settings.bind_dn = "CN=postcensus";
        settings.password = "secret";
        settings.insecure = true;
        settings.connect_timeout = std::chrono::seconds{1};
        settings.answer_timeout = std::chrono::seconds{1};
        return settings;
    }
    const LdapPeer& peer() const { return peer_; }
    static std::string guid_of(const std::string& name) { return std::string(15, '\x01') + name; }

  private:
    Object& find_or_add(const std::string& name) {
        for (Object& object : objects_)
            if (object.guid == guid_of(name)) return object;
        objects_.push_back({guid_of(name), "CN=" + name + "," + kBase, {}});
        return objects_.back();
    }

    void answer(const LdapSearch& search, LdapReply& reply) {
        const std::lock_guard lock(mutex_);
        const int page = search.cookie && !search.cookie->empty() ? std::stoi(*search.cookie) : 0;
        if (fault_ && fault_(search, page, reply)) return;
        if (search.scope == 0) return answer_base(search, reply);
        std::vector<const Object*> found;
        for (const Object& object : objects_)
            if (!object.hidden && matches(object, search)) found.push_back(&object);
        const std::size_t first = static_cast<std::size_t>(page) * kPage;
        for (std::size_t i = first; i < std::min(found.size(), first + kPage); ++i) {
            std::vector<LdapAttribute> attributes{{"objectGUID", {found[i]->guid}}};
            if (found[i]->deleted) attributes.push_back({"isDeleted", {"TRUE"}});
            attributes.insert(attributes.end(), found[i]->attributes.begin(), found[i]->attributes.end());
            reply.entry(found[i]->dn, attributes);
        }
        const bool last = first + kPage >= found.size();
        reply.done(0, {}, last ? std::string{} : std::to_string(page + 1));
    }

    void answer_base(const LdapSearch& search, LdapReply& reply) {
        if (search.base.empty())
            reply.entry("",
                        {{"dsServiceName", {"CN=NTDS Settings,CN=DC1"}},
                         {"highestCommittedUSN", {std::to_string(usn_)}},
                         {"defaultNamingContext", {"DC=corp,DC=example"}},
                         {"namingContexts", {"DC=corp,DC=example", "CN=Configuration,DC=corp,DC=example"}}});
        else if (search.base.starts_with("CN=NTDS"))
            reply.entry(search.base, {{"invocationId", {invocation}}});
        else if (search.base.starts_with("<WKGUID=") && tombstones)
            reply.entry("CN=Deleted Objects,DC=corp,DC=example", {{"objectGUID", {std::string(16, 'd')}}});
        else if (search.base.starts_with("<WKGUID="))
            reply.entry("CN=Deleted Objects,DC=corp,DC=example", {});  // its bare name
        else
            return reply.done(32);
        reply.done();
    }

    static bool below(const std::string& dn, const std::string& base) {
        return dn.size() >= base.size() && dn.compare(dn.size() - base.size(), base.size(), base) == 0;
    }

    bool matches(const Object& object, const LdapSearch& search) const {
        const std::string& filter = search.filter;
        const auto least = [&] { return std::stoi(filter.substr(filter.find("uSNChanged>=") + 12)); };
        if (filter.starts_with("(&(isDeleted=TRUE)")) return object.deleted && object.usn >= least();
        const bool deleted_shown = tombstones && std::find(search.controls.begin(), search.controls.end(),
                                                           "1.2.840.113556.1.4.417") != search.controls.end();
        if (object.deleted && !deleted_shown) return false;
        if (filter.starts_with("(|(objectGUID=")) {
            std::string escaped;
            for (std::size_t i = 0; i + 1 < object.guid.size(); ++i) escaped += "\\01";
            return filter.find(escaped + object.guid.back() + ")") != std::string::npos &&
                   below(object.dn, search.base);
        }
        if (!below(object.dn, search.base)) return false;
        if (filter.starts_with("(&(uSNChanged>=")) return object.usn >= least();
        if (filter.find("proxyAddresses=smtp") == std::string::npos) {
            // By presence: "(proxyAddresses=*)", or one of several.
            return std::any_of(
                object.attributes.begin(), object.attributes.end(), [&](const auto& attribute) {
                    const std::string name = attribute.name.substr(0, attribute.name.find(';'));
                    return filter.find("(" + name + "=*)") != std::string::npos;
                });
        }
        for (const LdapAttribute& attribute : object.attributes)
            for (const std::string& value : attribute.values) {
                std::string escaped;
                for (const char byte : attribute.name == "mail" ? value : value.substr(5))
                    escaped += (byte >= 'a' && byte <= 'z') ? std::string(1, byte) : byte == '@' ? "@" : ".";
                if (filter.find((attribute.name == "mail" ? "(mail=" : "=smtp:") + escaped + ")") !=
                    std::string::npos)
                    return true;
            }
        return false;
    }

    std::mutex mutex_;
    std::vector<Object> objects_;
    int usn_ = 100;
    Fault fault_;
    LdapPeer peer_;  // last: its thread uses all the others
};

}  // namespace postcensus::directory
