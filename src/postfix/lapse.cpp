// SPDX-License-Identifier: MIT
#include "postfix/lapse.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "postfix/table.h"
#include "postfix/table_head.h"

namespace postcensus::postfix {
namespace {

using namespace std::chrono_literals;

// Clocks are set a little now and then; a table from further in the future than this was written by a clock
// that was wrong.
constexpr auto kFutureTolerance = 60s;
constexpr std::size_t kLargestOverlay = 256UL * 1024 * 1024;

bool present(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

bool has_entries(std::string_view text) {
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        if (end > start && text[start] != '#') return true;
        start = end + 1;
    }
    return false;
}

// Why a table has to be emptied; nothing if it is still good.
std::optional<std::string> why_over(const std::string& text, Time now) {
    const auto head = parse_head(text);
    if (!head || !head->until) return "it does not say until when it is good";
    if (head->written > now + kFutureTolerance)
        return "it was written in the future, at " + format_time(head->written);
    if (*head->until <= now) return "it was good until " + format_time(*head->until);
    return std::nullopt;
}

// One time for both files: an index older than its text would be taken for half a publication.
void set_times(const std::filesystem::path& path, const timespec& time) {
    const timespec times[2] = {time, time};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

enum class Age { older, same, newer, unknown };

// The index beside its text.
Age age_of(const std::filesystem::path& index, const std::filesystem::path& text) {
    struct stat text_facts {};
    struct stat index_facts {};
    if (::stat(text.c_str(), &text_facts) != 0 || ::stat(index.c_str(), &index_facts) != 0)
        return Age::unknown;
    const timespec &a = index_facts.st_mtim, &b = text_facts.st_mtim;
    if (a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec) return Age::same;
    return std::pair(a.tv_sec, a.tv_nsec) < std::pair(b.tv_sec, b.tv_nsec) ? Age::older : Age::newer;
}

// Berkeley DB's two kinds share an ending; each has its magic number at offset 12, in the machine's byte
// order.
Result<std::string> type_of(const std::filesystem::path& index, const std::string& suffix) {
    if (suffix != ".db") return suffix.substr(1);
    const UniqueFd fd(::open(index.c_str(), O_RDONLY | O_CLOEXEC));
    std::uint32_t magic = 0;
    if (fd && ::pread(fd.get(), &magic, sizeof magic, 12) == sizeof magic) {
        if (magic == 0x053162) return std::string("btree");
        if (magic == 0x061561) return std::string("hash");
    }
    return fail(ExitCode::cannot_write, fmt::format("cannot tell what kind of table {} is", index.string()));
}

// No spare: an empty table is built aside. This is the one way that needs disk space.
Result<void> build_empty(const std::filesystem::path& maps, const std::string& name,
                         const std::string& suffix) {
    auto folder = TempFolder::create(maps, ".build-");
    if (!folder) return fail(folder.error());
    const std::filesystem::path path = folder->path() / name;
    if (auto written = write_file(path, "", 0644); !written) return written;
    auto type = type_of(maps / (name + suffix), suffix);
    if (!type) return fail(type.error());
    auto ran = run_process({"postmap", *type + ":" + path.string()}, {}, 60s);
    if (!ran) return fail(ran.error());
    const std::filesystem::path index = folder->path() / (name + suffix);
    if (::chmod(index.c_str(), 0644) != 0)
        return fail(ExitCode::cannot_write,
                    fmt::format("cannot empty the table {}: its spare is gone, and postmap made none", name),
                    ran->errors);
    return rename_file(index, maps / (name + suffix));
}

timespec current_time() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return time;
}

Result<void> replace_index(const std::filesystem::path& maps, const std::string& name,
                           const std::string& suffix, const timespec& time) {
    // Where its own spare is gone, the other table's is as empty.
    for (const char* other : {name.c_str(), name == "unknown" ? "closed" : "unknown"}) {
        const std::filesystem::path spare = maps / fmt::format("{}.empty{}", other, suffix);
        if (!present(spare)) continue;
        set_times(spare, time);
        return rename_file(spare, maps / (name + suffix));
    }
    if (auto built = build_empty(maps, name, suffix); !built) return built;
    set_times(maps / (name + suffix), time);
    return {};
}

// No spare of the text. In place it takes no disk space; a file that is another's can only be replaced.
Result<void> empty_text(const std::filesystem::path& path) {
    if (write_file(path, "", 0644)) return {};
    auto folder = TempFolder::create(path.parent_path(), ".build-");
    if (!folder) return fail(folder.error());
    const std::filesystem::path aside = folder->path() / path.filename();
    if (auto written = write_file(aside, "", 0644); !written) return written;
    return rename_file(aside, path);
}

}  // namespace

Result<void> empty_index(const std::filesystem::path& maps, const std::string& name,
                         const std::string& suffix) {
    return replace_index(maps, name, suffix, current_time());
}

Result<void> empty_table(const std::filesystem::path& maps, const std::string& name) {
    const timespec time = current_time();
    // The index first, then the text: until both are done, Postfix answers from an index that is empty
    // already.
    // One that cannot be emptied (an older type's, without a spare) must not keep the others alive.
    Result<void> all;
    for (const std::string& suffix : index_suffixes()) {
        if (!present(maps / (name + suffix))) continue;
        if (auto emptied = replace_index(maps, name, suffix, time); !emptied && all) all = emptied;
    }
    const std::filesystem::path spare = maps / (name + ".empty");
    set_times(spare, time);
    if (auto emptied = present(spare) ? rename_file(spare, maps / name) : empty_text(maps / name); !emptied)
        return emptied;
    set_times(maps / name, time);
    if (auto synced = sync_folder(maps); !synced) return synced;
    return all;
}

Result<std::vector<Lapsed>> lapse_tables(const std::filesystem::path& maps, Time now, Lapse which) {
    std::vector<Lapsed> lapsed;
    std::optional<Failure> first;
    if (!present(maps))
        return fail(
            ExitCode::configuration,
            fmt::format("there is no folder {}; name the folder of the tables with --maps", maps.string()));
    for (const std::string name : {"unknown", "closed"}) {
        const auto text = read_file(maps / name, kLargestOverlay);
        bool any_index = false;
        // A publication that was killed between its two renames leaves a new text beside an old index: the
        // text says nothing about it. An older index of another type is none of this text's.
        bool half = true;
        bool emptied = true;  // by empty_table(): one time for all
        for (const std::string& suffix : index_suffixes()) {
            if (!present(maps / (name + suffix))) continue;
            any_index = true;
            const Age age = age_of(maps / (name + suffix), maps / name);
            half = half && age == Age::older;
            emptied = emptied && age == Age::same;
        }
        if (!any_index) continue;
        std::optional<std::string> why;
        if (!text)
            why = "its text is gone or unreadable";
        else if (half)
            why = "its index is older than its text: a publication was broken off";
        else if (has_entries(*text))
            why = which == Lapse::all ? "nobody will tend it any more" : why_over(*text, now);
        // While this process emptied it, a publication may have put out its own index.
        else if (!emptied && !parse_head(*text))
            why = "its index is not that of an empty table";
        if (!why) continue;
        if (auto done = empty_table(maps, name); done)
            lapsed.push_back({name, *why});
        else if (!first)
            first = done.error();
    }
    if (first) return fail(*first);
    return lapsed;
}

}  // namespace postcensus::postfix
