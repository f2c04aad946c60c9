// SPDX-License-Identifier: MIT
#include "postfix/table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <set>
#include <unordered_map>

#include "base/file.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "postfix/lapse.h"
#include "postfix/postmap.h"

namespace postcensus::postfix {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kTableMode = 0644;  // smtpd reads it as user postfix
constexpr std::string_view kBuildPrefix = ".build-";
constexpr std::size_t kLargestTable = 1024UL * 1024 * 1024;
constexpr std::size_t kHeadBlock = 64UL * 1024;
constexpr std::string_view kSpareText = "# Empty: takes the place of a table that nobody tends.\n";
// A table up to this size is asked for every key; of a larger one a sample is checked.
constexpr std::size_t kCheckAll = 1000;

// A million entries take postmap some seconds; a disk that hangs must not hold us for ever.
constexpr auto kPostmapLimit = 10min;

Result<void> sync_file(const std::filesystem::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return fail_errno(ExitCode::cannot_write, "cannot sync", path, errno);
    return {};
}

std::vector<TableEntry> sample(const TableEntries& entries, const std::vector<std::string>& changed) {
    std::vector<TableEntry> some;
    if (entries.size() <= kCheckAll) {
        for (std::size_t i = 0; i < entries.size(); ++i) some.push_back(entries.at(i));
        return some;
    }
    std::mt19937_64 random(std::random_device{}());
    std::uniform_int_distribution<std::size_t> any(0, entries.size() - 1);
    std::set<std::size_t> picked{0, entries.size() - 1};
    while (picked.size() < kCheckAll) picked.insert(any(random));
    for (const std::string& key : changed)
        if (const auto index = entries.find(key)) picked.insert(*index);
    for (const std::size_t index : picked) some.push_back(entries.at(index));
    return some;
}

}  // namespace

const std::vector<std::string>& index_suffixes() {
    static const std::vector<std::string> all{".db", ".lmdb", ".cdb"};
    return all;
}

TableFolder::TableFolder(Settings settings, std::string type)
    : settings_(std::move(settings)),
      type_(std::move(type)),
      suffix_(type_ == "lmdb"  ? ".lmdb"
              : type_ == "cdb" ? ".cdb"
                               : ".db") {}

std::filesystem::path TableFolder::index_path(const std::string& name) const {
    return settings_.maps / (name + suffix_);
}

Result<void> TableFolder::make_folder() const {
    std::error_code error;
    // Postfix has to get through, whatever the umask is.
    if (std::filesystem::create_directories(settings_.maps, error)) ::chmod(settings_.maps.c_str(), 0755);
    if (!error && ::access(settings_.maps.c_str(), W_OK | X_OK) != 0)
        error = std::error_code(errno, std::generic_category());
    if (error)
        return fail(
            {.code = ExitCode::cannot_write,
             .message = fmt::format("cannot write to the folder of the tables {}: {}; give it to this "
                                    "user, or set [general] maps",
                                    settings_.maps.string(), error.message()),
             .trouble = trouble_of(error.value())});
    return {};
}

Result<std::optional<TableFolder::TriedType>> TableFolder::try_type(
    const std::filesystem::path& parent) const {
    using Tried = std::optional<TriedType>;
    auto folder = TempFolder::create(parent, kBuildPrefix);
    if (!folder) return Tried{};
    const std::filesystem::path path = folder->path() / "empty";
    if (auto written = write_file(path, "", kTableMode); !written) return Tried{};
    auto ran = run_postmap(settings_.config_dir, {type_ + ":" + path.string()}, {}, 60s);
    if (!ran) return fail(ran.error());
    for (const std::string& suffix : index_suffixes())
        if (std::filesystem::exists(path.string() + suffix)) return Tried({suffix, ran->type_notice});
    if (ran->errors.find("dictionary type") == std::string::npos &&
        ran->errors.find("is not available for this OS distribution") == std::string::npos)  // from 3.11 on
        return Tried{};
    return fail(
        ExitCode::configuration,
        fmt::format("this Postfix has no tables of type {}; take one that `postconf -m` names, in main.cf "
                    "and in [general] table-type ({})",
                    type_, printable(ran->errors)));
}

Result<void> TableFolder::prepare() {
    if (auto made = make_folder(); !made) return made;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(settings_.maps, error))
        if (entry.path().filename().string().starts_with(kBuildPrefix))
            std::filesystem::remove_all(entry.path(), error);
    auto tried = try_type(settings_.maps);
    if (!tried) return fail(tried.error());
    if (!*tried) {
        // That of the index that lies there is more likely than the usual one; nothing is emptied on a guess.
        for (const std::string& other : index_suffixes())
            if (!std::filesystem::exists(index_path("directory")) &&
                std::filesystem::exists(settings_.maps / ("directory" + other)))
                suffix_ = other;
        return {};
    }
    suffix_ = (*tried)->suffix;
    // After a change of table-type nobody tends the old type's overlays any more, and main.cf may still name
    // them.
    for (const char* name : {"unknown", "closed"})
        for (const std::string& other : index_suffixes()) {
            const std::filesystem::path index = settings_.maps / (name + other);
            if (index == index_path(name) || !std::filesystem::exists(index)) continue;
            // What cannot be emptied keeps nobody from starting: without a decider no rejection ends.
            if (auto emptied = empty_index(settings_.maps, name, other); !emptied)
                log_failure(emptied.error());
        }
    return {};
}

Result<void> TableFolder::build(const std::filesystem::path& folder, const std::string& name,
                                std::string_view head, std::string_view lines) const {
    const std::filesystem::path path = folder / name;
    if (auto written = write_file(path, head, lines, kTableMode); !written) return written;
    auto ran = run_postmap(settings_.config_dir, {type_ + ":" + path.string()}, {}, kPostmapLimit);
    if (!ran) return fail(ran.error());
    // postmap warns of a line that it skips, and ends with 0 all the same: an objection means that the index
    // is not the text.
    if (ran->status != 0 || !ran->errors.empty() || !ran->output.empty())
        return fail(
            ExitCode::cannot_write,
            fmt::format("postmap could not build the table {} ({}): {}", name, type_,
                        printable(ran->errors.empty() ? fmt::format("exit {}", ran->status) : ran->errors)));
    const std::filesystem::path index = folder / index_path(name).filename();
    if (::chmod(index.c_str(), kTableMode) != 0)
        return fail_errno(ExitCode::cannot_write, "postmap made no index", index, errno);
    return sync_file(index);
}

Result<void> TableFolder::check(const std::filesystem::path& folder, const TableContent& content) const {
    const std::vector<TableEntry> some = sample(content.entries, content.changed);
    if (some.empty()) return {};
    std::string input;
    std::unordered_map<std::string, std::string> expected;
    for (const TableEntry& entry : some) {
        input.append(entry.key).append(1, '\n');
        expected.emplace(entry.key, entry.value);
    }
    auto ran = run_postmap(settings_.config_dir, {"-q", "-", type_ + ":" + (folder / content.name).string()},
                           input, kPostmapLimit);
    if (!ran) return fail(ran.error());
    std::size_t right = 0;
    for (std::size_t start = 0; start < ran->output.size();) {
        const std::size_t end = std::min(ran->output.find('\n', start), ran->output.size());
        const std::string line = ran->output.substr(start, end - start);
        const std::size_t tab = line.find('\t');
        if (tab != std::string::npos) {
            const auto found = expected.find(line.substr(0, tab));
            if (found != expected.end() && found->second == line.substr(tab + 1)) ++right;
        }
        start = end + 1;
    }
    if (right != some.size() || !ran->errors.empty())
        return fail(ExitCode::cannot_write,
                    fmt::format("the table {} that postmap built does not answer as it should ({} of {} "
                                "keys); the old one stays",
                                content.name, right, some.size()),
                    printable(ran->errors));
    return {};
}

// Text first: Postfix complains of an index that is older than its text.
Result<void> TableFolder::put_out(const std::filesystem::path& folder, const std::string& name) const {
    if (auto moved = rename_file(folder / name, text_path(name)); !moved) return moved;
    return rename_file(folder / index_path(name).filename(), index_path(name));
}

Result<std::string> TableFolder::publish(const TableContent& content) const {
    auto folder = TempFolder::create(settings_.maps, kBuildPrefix);
    if (!folder) return fail(folder.error());
    if (auto built = build(folder->path(), content.name, format_head(content.name, content.head),
                           content.entries.text());
        !built)
        return fail(built.error());
    if (auto checked = check(folder->path(), content); !checked) return fail(checked.error());
    std::string identity =
        identity_of(folder->path() / content.name, folder->path() / index_path(content.name).filename());
    if (auto out = put_out(folder->path(), content.name); !out) return fail(out.error());
    if (auto synced = sync_folder(settings_.maps); !synced) return fail(synced.error());
    return identity;
}

Result<void> TableFolder::ensure_spares() const {
    for (const std::string name : {"unknown.empty", "closed.empty"}) {
        std::error_code ignored;
        if (std::filesystem::exists(text_path(name), ignored) &&
            std::filesystem::exists(index_path(name), ignored))
            continue;
        auto folder = TempFolder::create(settings_.maps, kBuildPrefix);
        if (!folder) return fail(folder.error());
        if (auto built = build(folder->path(), name, kSpareText, {}); !built) return built;
        if (auto out = put_out(folder->path(), name); !out) return out;
    }
    return sync_folder(settings_.maps);
}

std::string TableFolder::identity(const std::string& name) const {
    return identity_of(text_path(name), index_path(name));
}

std::string TableFolder::identity_of(const std::filesystem::path& text,
                                     const std::filesystem::path& index) const {
    std::string out = type_;
    for (const std::filesystem::path& path : {text, index}) {
        struct stat facts {};
        if (::stat(path.c_str(), &facts) != 0)
            out += " missing";
        else
            out += fmt::format(" {}:{}:{}:{}.{:09}", facts.st_dev, facts.st_ino, facts.st_size,
                               facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
    }
    return out;
}

std::optional<TableHead> TableFolder::head(const std::string& name) const {
    const UniqueFd fd(::open(text_path(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return std::nullopt;
    // It names each domain once, and is as long as that takes: to its end, and no further into the table.
    std::string text;
    while (text.size() < kLargestTable && may_be_part_of_head(text)) {
        const std::size_t before = text.size();
        const std::size_t block = std::max(before, kHeadBlock);
        text.resize(before + block);
        const ssize_t count = ::pread(fd.get(), text.data() + before, block, static_cast<off_t>(before));
        text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count <= 0) break;
    }
    return parse_head(text);
}

std::optional<Time> TableFolder::emptied_at(const std::string& name) const {
    struct stat text {};
    struct stat index {};
    if (::stat(text_path(name).c_str(), &text) != 0 || ::stat(index_path(name).c_str(), &index) != 0)
        return std::nullopt;
    // empty_table() gives both one time; a hand does not.
    if (text.st_size > static_cast<off_t>(kSpareText.size()) || text.st_mtim.tv_sec != index.st_mtim.tv_sec ||
        text.st_mtim.tv_nsec != index.st_mtim.tv_nsec)
        return std::nullopt;
    return from_unix_ms(text.st_mtim.tv_sec * 1000 + text.st_mtim.tv_nsec / 1'000'000);
}

Result<std::vector<std::string>> TableFolder::keys(const std::string& name) const {
    std::error_code ignored;
    const bool has_text = std::filesystem::exists(text_path(name), ignored);
    auto text = has_text ? read_file(text_path(name), kLargestTable) : read_index(name);
    if (!text) return fail(text.error());
    std::vector<std::string> keys;
    for (std::size_t start = 0; start < text->size();) {
        const std::size_t end = std::min(text->find('\n', start), text->size());
        const std::string_view line = std::string_view(*text).substr(start, end - start);
        start = end + 1;
        if (line.empty() || line.front() == '#' || line.front() == ' ' || line.front() == '\t') continue;
        bool quoted = false;
        std::size_t length = 0;
        for (; length < line.size() && (quoted || (line[length] != ' ' && line[length] != '\t')); ++length) {
            if (line[length] == '"') quoted = !quoted;
            if (line[length] == '\\') ++length;  // what follows is taken as it is
        }
        keys.emplace_back(line.substr(0, length));
    }
    return keys;
}

Result<std::string> TableFolder::read_index(const std::string& name) const {
    auto ran =
        run_postmap(settings_.config_dir, {"-s", type_ + ":" + text_path(name).string()}, {}, kPostmapLimit);
    if (!ran) return fail(ran.error());
    if (ran->status == 0 && ran->errors.empty()) return ran->output;
    return fail(ExitCode::cannot_write,
                fmt::format("the text of the table {} is gone, and its index cannot be listed ({}); restore "
                            "the text, or remove {} if its recipients may be forgotten",
                            name, printable(ran->errors), index_path(name).string()));
}

Result<std::optional<std::string>> TableFolder::look_up(const std::string& name,
                                                        const std::string& key) const {
    auto ran =
        run_postmap(settings_.config_dir, {"-q", key, type_ + ":" + text_path(name).string()}, {}, 10s);
    if (!ran) return fail(ran.error());
    if (!ran->errors.empty() || ran->status > 1)
        return fail(ExitCode::unavailable,
                    fmt::format("postmap cannot look into {}: {}", name, printable(ran->errors)));
    if (ran->status == 1) return std::optional<std::string>{};
    std::string value = ran->output;
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return std::optional<std::string>(std::move(value));
}

}  // namespace postcensus::postfix
