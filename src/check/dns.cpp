// SPDX-License-Identifier: MIT
#include "check/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>

namespace postcensus::check {

struct Resolver::State {
    struct __res_state inner {};
    bool ready = false;
};

Resolver::Resolver() : state_(std::make_unique<State>()) {
    state_->ready = ::res_ninit(&state_->inner) == 0;
    state_->inner.retrans = 1;  // seconds
    state_->inner.retry = 1;
}

Resolver::~Resolver() {
    if (state_->ready) ::res_nclose(&state_->inner);
}

namespace {

struct Record {
    unsigned preference = 0;
    std::string text;
};

std::vector<Record> records_of(const unsigned char* answer, int size, int type) {
    std::vector<Record> records;
    ns_msg message{};
    if (::ns_initparse(answer, size, &message) != 0) return records;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
        ns_rr record{};
        if (::ns_parserr(&message, ns_s_an, i, &record) != 0 || ns_rr_type(record) != type) continue;
        const unsigned char* data = ns_rr_rdata(record);
        const std::size_t length = ns_rr_rdlen(record);
        std::array<char, NS_MAXDNAME> text{};
        if (type == ns_t_mx) {
            if (length < 3 || ::dn_expand(answer, answer + size, data + 2, text.data(), text.size()) < 0)
                continue;
            records.push_back({ns_get16(data), text.data()});
        } else if (length == (type == ns_t_a ? sizeof(in_addr) : sizeof(in6_addr))) {
            ::inet_ntop(type == ns_t_a ? AF_INET : AF_INET6, data, text.data(), text.size());
            records.push_back({0, text.data()});
        }
    }
    std::stable_sort(records.begin(), records.end(),
                     [](const Record& a, const Record& b) { return a.preference < b.preference; });
    return records;
}

}  // namespace

Result<std::vector<std::string>> Resolver::ask(const std::string& name, int type) {
    if (!state_->ready) return fail(ExitCode::unavailable, "the resolver cannot be set up");
    std::array<unsigned char, 65536> answer{};
    const int size = ::res_nquery(&state_->inner, name.c_str(), ns_c_in, type, answer.data(),
                                  static_cast<int>(answer.size()));
    if (size < 0) {
        const int error = state_->inner.res_h_errno;
        if (error == HOST_NOT_FOUND || error == NO_DATA) return std::vector<std::string>{};
        return fail(ExitCode::unavailable, fmt::format("DNS does not answer about {}", name));
    }
    std::vector<std::string> texts;
    for (Record& record : records_of(answer.data(), std::min(size, static_cast<int>(answer.size())), type))
        texts.push_back(std::move(record.text));
    return texts;
}

Result<std::vector<std::string>> Resolver::mail_exchangers(const std::string& domain) {
    return ask(domain, ns_t_mx);
}

Result<std::vector<std::string>> Resolver::addresses(const std::string& host) {
    auto all = ask(host, ns_t_a);
    if (!all) return all;
    auto more = ask(host, ns_t_aaaa);
    if (!more) return more;
    all->insert(all->end(), more->begin(), more->end());
    return all;
}

}  // namespace postcensus::check
