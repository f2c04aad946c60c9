// SPDX-License-Identifier: MIT
// Small files, read and written whole; durable folders; temporary folders that undo themselves.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/failure.h"

namespace postcensus {

// Reads a whole file of at most `longest` bytes; more is a Failure, never a part.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t longest);

// Writes and syncs a file with exactly this mode whatever the umask. Not atomic: write aside, then rename.
Result<void> write_file(const std::filesystem::path& path, std::string_view content, unsigned mode);
// The same for a head and what comes after it.
Result<void> write_file(const std::filesystem::path& path, std::string_view head, std::string_view rest,
                        unsigned mode);

// Writes all of it. `path` is for the error only.
Result<void> write_all(int fd, std::string_view content, const std::filesystem::path& path);

// Whether a file of this size finds room in this folder: tried. True too where it fails for another reason.
bool has_room(const std::filesystem::path& folder, std::size_t size);

// Makes renames in a folder durable.
Result<void> sync_folder(const std::filesystem::path& folder);

Result<void> rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

// "cannot write X: No space left on device".
std::string describe_errno(std::string_view what, const std::filesystem::path& path, int error);
// The kind of trouble that an errno means.
Trouble trouble_of(int error);
tl::unexpected<Failure> fail_errno(ExitCode code, std::string_view what, const std::filesystem::path& path,
                                   int error);

// A folder of its own inside `parent`, removed with all that is in it at destruction.
class TempFolder {
  public:
    static Result<TempFolder> create(const std::filesystem::path& parent, std::string_view prefix);
    TempFolder(TempFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
    TempFolder& operator=(TempFolder&&) = delete;
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder();

    const std::filesystem::path& path() const { return path_; }

  private:
    explicit TempFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

}  // namespace postcensus
