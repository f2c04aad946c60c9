// SPDX-License-Identifier: MIT
// Asks DNS for what getaddrinfo(3) does not tell, with short timeouts. Blocks, a few seconds a question at
// most. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/failure.h"

namespace postcensus::check {

class Resolver {
  public:
    Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver();

    // The hosts of a domain's MX records, the preferred one first; empty if it has none. A Failure: DNS does
    // not answer.
    Result<std::vector<std::string>> mail_exchangers(const std::string& domain);

    // The addresses of a host, of both kinds.
    Result<std::vector<std::string>> addresses(const std::string& host);

  private:
    struct State;
    Result<std::vector<std::string>> ask(const std::string& name, int type);
    std::unique_ptr<State> state_;
};

}  // namespace postcensus::check
