// SPDX-License-Identifier: MIT
#include "directory/session.h"

#include <fmt/format.h>
#include <ldap.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <unordered_set>

#include "base/hash.h"
#include "base/printable.h"
#include "directory/ldap_failure.h"
#include "directory/login.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

constexpr int kPageSize = 1000;               // AD's MaxPageSize; more is cut to it without a word
constexpr std::size_t kMostEntries = 10'000;  // in a page, of a server that does not count
constexpr std::size_t kMostOthers = 10'000;
constexpr std::size_t kLargestPage = 128UL * 1024 * 1024;  // of a page; an object seldom has more than 20 KiB
constexpr const char* kShowDeleted = "1.2.840.113556.1.4.417";

struct FreeMessage {
    void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using MessagePtr = std::unique_ptr<LDAPMessage, FreeMessage>;

struct FreeControl {
    void operator()(LDAPControl* control) const { ldap_control_free(control); }
};
using ControlPtr = std::unique_ptr<LDAPControl, FreeControl>;

std::string_view view_of(const berval& value) {
    return value.bv_val == nullptr ? std::string_view{} : std::string_view(value.bv_val, value.bv_len);
}

// The values of one attribute; libldap allocates the array, not what it points to.
struct Values {
    berval* array = nullptr;
    ~Values() { ldap_memfree(array); }
};

}  // namespace

std::string_view Entry::value(std::string_view name) const {
    for (const Attribute& attribute : attributes)
        if (attribute.name.size() == name.size() && mail::fold(attribute.name) == mail::fold(name) &&
            !attribute.values.empty())
            return attribute.values.front();
    return {};
}

void Interrupt::interrupt() {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

bool Interrupt::interrupted() {
    const std::lock_guard lock(mutex_);
    return interrupted_;
}

void Interrupt::take_socket(int fd) {
    const std::lock_guard lock(mutex_);
    fd_ = fd;
    if (interrupted_ && fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

void Session::Unbind::operator()(ldap* handle) const {
    if (interrupt != nullptr) interrupt->take_socket(-1);
    ldap_unbind_ext(handle, nullptr, nullptr);
}

void set_up_library() {
    // NOLINTBEGIN(concurrency-mt-unsafe): before any thread
    const bool was_set = std::getenv("LDAPNOINIT") != nullptr;
    ::setenv("LDAPNOINIT", "1", 1);
    LDAP* handle = nullptr;
    const int made = ldap_initialize(&handle, "ldap://127.0.0.1");
    // It was read by now. What we start (postmap with tables of type ldap) keeps its own ways.
    if (!was_set) ::unsetenv("LDAPNOINIT");
    // NOLINTEND(concurrency-mt-unsafe)
    if (made != LDAP_SUCCESS) return;
    const int client = 0;  // its TLS library too
    ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &client);
    ldap_unbind_ext(handle, nullptr, nullptr);
}

Session::Session(Handle handle, std::string uri, const Settings& settings)
    : handle_(std::move(handle)),
      uri_(std::move(uri)),
      timeout_(settings.answer_timeout),
      whole_(settings.whole_timeout) {
    begin_work();
}
void Session::begin_work() {
    deadline_ = std::chrono::steady_clock::now() + whole_;
}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open(const Settings& settings, const std::string& uri, Interrupt* interrupt) {
    if (interrupt != nullptr && interrupt->interrupted())
        return fail(ExitCode::try_again, "ending, so " + uri + " is not asked any more");
    LDAP* raw = nullptr;
    if (const int result = ldap_initialize(&raw, uri.c_str()); result != LDAP_SUCCESS)
        return fail(ExitCode::configuration,
                    fmt::format("cannot use uri {}: {}", uri, ldap_err2string(result)));
    Handle handle(raw, Unbind{interrupt});
    if (auto in = log_in(raw, settings, uri, interrupt); !in) return fail(in.error());
    return Session(std::move(handle), uri, settings);
}

tl::unexpected<Failure> Session::faulty(std::string_view what) const {
    return fail(ExitCode::unavailable, fmt::format("{} {}; it is at fault, or is no directory", uri_, what));
}

struct Session::Page {
    std::vector<MessagePtr> entries;
    std::size_t bytes = 0;
    std::size_t others = 0;  // references, and what is neither that nor an entry
    int result = LDAP_OTHER;
    std::string diagnostic;
    bool paged = false;  // the server answered in pages
    std::string cookie;  // empty: this was the last
};

// `cookie`: of the page before; null for a search that is not paged. `most` entries; 0: all.
Result<int> Session::send(const Search& search, int scope, const std::string* cookie, int most) {
    LDAPControl* raw = nullptr;
    if (cookie != nullptr) {
        berval position{};
        position.bv_val = const_cast<char*>(cookie->data());
        position.bv_len = cookie->size();
        if (ldap_create_page_control(handle_.get(), kPageSize, &position, 1, &raw) != LDAP_SUCCESS)
            return fail(describe(handle_.get(), uri_, "cannot be asked in pages", LDAP_NO_MEMORY));
    }
    const ControlPtr paging(raw);
    // Not critical: a server that does not know it has no tombstones to show.
    LDAPControl show_deleted{const_cast<char*>(kShowDeleted), {0, nullptr}, 0};
    std::array<LDAPControl*, 3> controls{};
    std::size_t used = 0;
    if (raw != nullptr) controls[used++] = raw;
    if (search.show_deleted) controls[used++] = &show_deleted;
    std::vector<char*> names;
    names.reserve(search.attributes.size() + 1);
    for (const std::string& name : search.attributes) names.push_back(const_cast<char*>(name.c_str()));
    names.push_back(nullptr);
    int message_id = 0;
    const int result = ldap_search_ext(handle_.get(), search.base.c_str(), scope, search.filter.c_str(),
                                       names.data(), 0, controls.data(), nullptr, nullptr, most, &message_id);
    if (result != LDAP_SUCCESS) return fail(describe(handle_.get(), uri_, "could not be searched", result));
    return message_id;
}

// Message by message, so that a page which never ends is not taken into memory.
Result<Session::Page> Session::receive(int message_id, std::size_t most) {
    using Clock = std::chrono::steady_clock;
    const auto page_ends = Clock::now() + timeout_;
    const auto ends = std::min(page_ends, deadline_);
    Page page;
    for (;;) {
        const std::int64_t left =
            std::chrono::duration_cast<std::chrono::microseconds>(ends - Clock::now()).count();
        timeval limit{static_cast<time_t>(left / 1'000'000), static_cast<suseconds_t>(left % 1'000'000)};
        LDAPMessage* raw = nullptr;
        const int kind = left > 0 ? ldap_result(handle_.get(), message_id, LDAP_MSG_ONE, &limit, &raw) : 0;
        MessagePtr message(raw);
        if (kind == 0 && deadline_ < page_ends)
            return fail(ExitCode::unavailable,
                        fmt::format("{} was not through after {} s in all; it was too slow, or never ends",
                                    uri_, whole_.count()));
        if (kind <= 0)
            return fail(describe(handle_.get(), uri_, "broke off the search",
                                 kind == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN));
        if (kind == LDAP_RES_SEARCH_RESULT) {
            read_result(raw, page);
            return page;
        }
        if (kind != LDAP_RES_SEARCH_ENTRY) {
            if (++page.others > kMostOthers) return faulty("sends references without end");
            continue;
        }
        if (auto kept = keep(raw, most, page); !kept) return fail(kept.error());
        page.entries.push_back(std::move(message));
    }
}

// Counts an entry.
Result<void> Session::keep(ldapmsg* message, std::size_t most, Page& page) {
    BerElement* raw = nullptr;
    berval dn{};
    if (ldap_get_dn_ber(handle_.get(), message, &raw, &dn) != LDAP_SUCCESS)
        return fail(describe(handle_.get(), uri_, "sent what is no LDAP entry", LDAP_DECODING_ERROR));
    ber_len_t size = 0;
    ber_get_option(raw, LBER_OPT_BER_TOTAL_BYTES, &size);
    ber_free(raw, 0);
    page.bytes += size;
    if (page.entries.size() >= most) return faulty("sends more entries than it was asked for");
    if (page.bytes > kLargestPage) return faulty("sends a page of more than 128 MiB");
    return {};
}

void Session::read_result(ldapmsg* message, Page& page) {
    char* text = nullptr;
    LDAPControl** controls = nullptr;
    if (ldap_parse_result(handle_.get(), message, &page.result, nullptr, &text, nullptr, &controls, 0) !=
        LDAP_SUCCESS)
        page.result = LDAP_DECODING_ERROR;
    if (text != nullptr) page.diagnostic = printable(text);
    ldap_memfree(text);
    if (LDAPControl* found = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr)) {
        ber_int_t estimate = 0;
        berval position{};
        if (ldap_parse_pageresponse_control(handle_.get(), found, &estimate, &position) == LDAP_SUCCESS) {
            page.paged = true;
            page.cookie = view_of(position);
            ber_memfree(position.bv_val);
        }
    }
    ldap_controls_free(controls);
}

Result<void> Session::take_entries(const Page& page, const Take& take) {
    Entry entry;
    for (const MessagePtr& message : page.entries)
        if (auto taken = take_entry(message.get(), entry, take); !taken) return taken;
    return {};
}

// `entry`: of the one before, for its memory.
Result<void> Session::take_entry(ldapmsg* message, Entry& entry, const Take& take) {
    const auto garbled = [this] {
        return fail(describe(handle_.get(), uri_, "sent what is no LDAP entry", LDAP_DECODING_ERROR));
    };
    BerElement* raw = nullptr;
    berval dn{};
    if (ldap_get_dn_ber(handle_.get(), message, &raw, &dn) != LDAP_SUCCESS) return garbled();
    const std::unique_ptr<BerElement, void (*)(BerElement*)> position(
        raw, [](BerElement* element) { ber_free(element, 0); });
    entry.dn = view_of(dn);
    std::size_t count = 0;
    for (;;) {
        berval name{};
        Values values;
        if (ldap_get_attribute_ber(handle_.get(), message, raw, &name, &values.array) != LDAP_SUCCESS)
            return garbled();
        if (name.bv_val == nullptr) break;
        if (count == entry.attributes.size()) entry.attributes.emplace_back();
        Attribute& attribute = entry.attributes[count++];
        attribute.name = view_of(name);
        attribute.values.clear();
        for (const berval* value = values.array; value != nullptr && value->bv_val != nullptr; ++value)
            attribute.values.push_back(view_of(*value));
    }
    entry.attributes.resize(count);
    return take(entry);
}

// Whether pages bring anything. One may be empty, or begin as an earlier one did because an object moved to
// another place meanwhile; but a server that goes on so never ends.
class Session::Progress {
  public:
    // What is wrong, if anything. `begins`: the name of the page's first entry.
    std::string_view add(bool is_empty, std::string_view begins) {
        if (is_empty) return ++empty_ > 1 ? "sends empty pages without end" : std::string_view{};
        empty_ = 0;
        again_ = begins_.insert(Fnv1a().mix(begins).value()).second ? 0 : again_ + 1;
        return again_ > 2 ? "sends the same pages again and again" : std::string_view{};
    }

  private:
    int empty_ = 0;  // in a row
    int again_ = 0;
    std::unordered_set<std::uint64_t> begins_;
};

Result<void> Session::search(const Search& search, const Take& take,
                             const std::function<void()>& page_taken) {
    std::string cookie;
    Progress progress;
    auto message_id = send(search, LDAP_SCOPE_SUBTREE, &cookie);
    for (;;) {
        if (!message_id) return fail(message_id.error());
        auto page = receive(*message_id, kMostEntries);
        if (!page) return fail(page.error());
        if (page->result != LDAP_SUCCESS)
            return fail(
                describe(handle_.get(), uri_, "broke off the search", page->result, page->diagnostic));
        // AD cuts what is more than MaxPageSize; without pages nobody could tell.
        if (!page->paged)
            return fail(describe(handle_.get(), uri_, "does not answer in pages, so the read may be cut off",
                                 LDAP_NOT_SUPPORTED));
        const bool last = page->cookie.empty();
        if (!last) {
            std::string begins;
            if (!page->entries.empty()) {
                char* dn = ldap_get_dn(handle_.get(), page->entries.front().get());
                begins = dn == nullptr ? "" : dn;
                ldap_memfree(dn);
            }
            if (const auto wrong = progress.add(page->entries.empty(), begins); !wrong.empty())
                return faulty(wrong);
        }
        // The server works at the next page while this one is taken.
        if (!last) message_id = send(search, LDAP_SCOPE_SUBTREE, &page->cookie);
        if (auto taken = take_entries(*page, take); !taken) return taken;
        if (page_taken) page_taken();
        if (last) return {};
    }
}

Result<bool> Session::read(const Search& search, const Take& take) {
    auto message_id = send(search, LDAP_SCOPE_BASE, nullptr);
    if (!message_id) return fail(message_id.error());
    auto page = receive(*message_id, 1);
    if (!page) return fail(page.error());
    if (page->result == LDAP_NO_SUCH_OBJECT) return false;
    if (page->result != LDAP_SUCCESS)
        return fail(describe(handle_.get(), uri_, "could not be read", page->result, page->diagnostic));
    bool found = false;
    auto taken = take_entries(*page, [&](const Entry& entry) {
        found = true;
        return take(entry);
    });
    if (!taken) return fail(taken.error());
    return found;
}

Result<bool> Session::has_any(const Search& search) {
    auto message_id = send(search, LDAP_SCOPE_SUBTREE, nullptr, 1);
    if (!message_id) return fail(message_id.error());
    auto page = receive(*message_id, 1);
    if (!page) return fail(page.error());
    if (page->result != LDAP_SUCCESS && page->result != LDAP_SIZELIMIT_EXCEEDED)
        return fail(describe(handle_.get(), uri_, "could not be searched", page->result, page->diagnostic));
    bool shown = false;
    auto taken = take_entries(*page, [&](const Entry& entry) {
        shown = !entry.value(search.attributes.front()).empty();
        return Result<void>{};
    });
    if (!taken) return fail(taken.error());
    return shown;
}

std::string escape_filter(std::string_view value) {
    std::string out;
    for (const char byte : value) {
        const bool plain =
            (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (plain)
            out += byte;
        else
            out += fmt::format("\\{:02x}", static_cast<unsigned char>(byte));
    }
    return out;
}

}  // namespace postcensus::directory
