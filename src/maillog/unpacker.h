// SPDX-License-Identifier: MIT
// Unpacks a compressed log with the program that the system has for it (xz, bzip2, zstd and their like),
// which runs beside, without a shell. Its memory is bounded, and it is ended with this object. Blocks; one
// thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/process.h"

namespace postcensus::maillog {

// How something is packed, by its first bytes.
struct Packing {
    std::string_view begins;  // the bytes
    const char* name;         // of the form, for people
    const char* program;      // that unpacks standard input; nullptr: none of them can
    const char* remedy;       // the package of the program, or what to type
};
const Packing* packing_of(std::string_view begin);
constexpr std::size_t kLongestMark = 10;  // bytes that tell

class Unpacker {
  public:
    // `name`: of the log. A Failure names what to install, or to type.
    static Result<std::unique_ptr<Unpacker>> start(const Packing& packing, const std::string& name);
    ~Unpacker() = default;
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

    // What the program gets before all else.
    void put(std::string_view packed) { pending_.append(packed); }
    using Source = std::function<Result<std::size_t>(char* into, std::size_t most)>;
    // At least one byte, taking packed ones from `source`; 0 at the end. A Failure: what was given until then
    // is all that could be unpacked.
    Result<std::size_t> read(char* into, std::size_t most, const Source& source);

  private:
    Unpacker(const Packing& packing, std::string name) : packing_(packing), name_(std::move(name)) {}
    Result<void> run();
    Result<void> feed(const Source& source);
    void hear();
    Result<std::size_t> finish();

    const Packing& packing_;
    std::string name_;
    std::optional<Program> program_;
    std::string pending_;  // packed, and not written yet
    std::string words_;    // what the program complained of
};

}  // namespace postcensus::maillog
