// SPDX-License-Identifier: MIT
// How long it takes from evidence to a table that Postfix reads, for censuses and changes of different sizes,
// beside sorting and building everything anew. Arguments: a folder, a table type, sizes of the census.
// One line per measurement, divided by tabs: what, our seconds, the peer's seconds, a note.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <fstream>
#include <iostream>

#include "base/file.h"
#include "base/process.h"
#include "flow/decide/decision.h"
#include "flow/publish/publisher.h"
#include "store/domains.h"
#include "store/readings.h"

using namespace postcensus;
using Clock = std::chrono::steady_clock;

namespace {

template <typename T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message + " " + result.error().detail);
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

double cpu_seconds() {
    double sum = 0;
    for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        ::getrusage(who, &usage);
        for (const timeval& part : {usage.ru_utime, usage.ru_stime})
            sum += static_cast<double>(part.tv_sec) + static_cast<double>(part.tv_usec) / 1e6;
    }
    return sum;
}

// Bytes that this process has written so far (proc(5)).
std::int64_t written_here() {
    std::ifstream io("/proc/self/io");
    for (std::string name, value; io >> name >> value;)
        if (name == "wchar:") return std::stoll(value);
    return 0;
}

std::int64_t size_of(const std::filesystem::path& path) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(path, missing);
    return missing ? 0 : static_cast<std::int64_t>(size);
}

// A name with nothing of its number's order in it.
mail::Address address(std::uint64_t number) {
    std::uint64_t mixed = number * 0x9E3779B97F4A7C15ULL;
    mixed ^= mixed >> 29U;
    return mail::Address::from_internal(fmt::format("u{:016x}@corp.example", mixed * 0xBF58476D1CE4E5B9ULL))
        .value();
}

class Census {
  public:
    Census(const std::filesystem::path& folder, const std::string& type)
        : folder_(folder), type_(type), state_(open(folder)) {
        configuration_.postfix = {.config_dir = "/etc/postfix", .maps = folder / "maps", .table_type = type};
        configuration_.routes.push_back({.name = "corp", .domains = {"corp.example"}});
        configuration_.route_by_domain.emplace("corp.example", 0);
        must(state_.write([&](store::Writer& writer) {
            store::replace_domains(
                writer, {{"corp.example", configuration_.routes[0].policy_text("corp.example"), {}}});
        }));
        postfix::TableFolder tables(configuration_.postfix, type);
        must(tables.prepare());
        publisher_ = std::make_unique<flow::Publisher>(configuration_, tables, must(state_.state_id()), "+");
    }

    // The first reading: all that there is, and the first base.
    void fill(std::uint64_t size) {
        read(size, store::ReadingKind::full);
        must(flow::decide_all(state_, configuration_, now()));
        build_base();
    }

    // Evidence: so many new mailboxes, committed.
    void read(std::uint64_t size, store::ReadingKind kind) {
        const auto began =
            must(state_.write([](store::Writer& writer) { return store::begin_reading(writer); }));
        must(state_.write([&](store::Writer& writer) {
            const store::Reading reading{.directory = "corp",
                                         .kind = kind,
                                         .server = "bench",
                                         .began = now(),
                                         .ended = now(),
                                         .began_seq = began};
            store::ReadingWriter out(writer, reading, flow::answer_listed(configuration_, now()));
            for (std::uint64_t i = 0; i < size; ++i, ++number_) {
                census::Listing listing;
                listing.guid = std::to_string(number_);
                listing.dn = "cn=" + listing.guid;
                listing.addresses.push_back(address(number_));
                out.put(listing);
            }
            out.finish();
        }));
    }

    // As `watch` does: decided, then the overlays. What they weigh.
    std::int64_t publish() {
        must(flow::decide_all(state_, configuration_, now()));
        std::vector<flow::Published> out;
        must(publisher_->publish_overlays(state_, now(), out));
        must(flow::note_published(state_, out));
        std::int64_t bytes = 0;
        for (const flow::Published& one : out) bytes += size_of(publisher_->tables().index_path(one.table));
        return bytes;
    }

    // Publishes a base: its seconds. Then what it holds leaves `learned`.
    double build_base() {
        const auto begun = Clock::now();
        const auto base = must(publisher_->publish_base(state_, now()));
        const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
        must(flow::note_published(state_, {*base}));
        publish();
        return seconds;
    }

    void check_newest() const {
        const std::string key = address(number_ - 1).external();
        if (!must(publisher_->tables().look_up("learned", key)) &&
            !must(publisher_->tables().look_up("directory", key)))
            throw std::runtime_error("Postfix does not find " + key);
    }

    // All of it as one unsorted file, as a script would have it from somewhere.
    void write_all_unsorted(const std::filesystem::path& path) const {
        std::ofstream out(path);
        for (std::uint64_t i = 0; i < number_; ++i) out << address(i).external() << "\tOK\n";
    }

    std::filesystem::path text() const { return publisher_->tables().text_path("directory"); }
    std::uint64_t size() const { return number_; }

    // postmap's own time.
    double postmap(const std::filesystem::path& path) const {
        const auto begun = Clock::now();
        must(run_process({"postmap", type_ + ":" + path.string()}, {}, std::chrono::minutes{10}));
        return std::chrono::duration<double>(Clock::now() - begun).count();
    }

  private:
    static store::Database open(const std::filesystem::path& folder) {
        return must(store::Database::open(folder / "state.db", store::Database::Mode::create,
                                          std::chrono::seconds{10}));
    }

    std::filesystem::path folder_;
    std::string type_;
    store::Database state_;
    config::Configuration configuration_;
    std::unique_ptr<flow::Publisher> publisher_;
    std::uint64_t number_ = 0;
};

double since(Clock::time_point begun) {
    return std::chrono::duration<double>(Clock::now() - begun).count();
}

// A script's way: sort everything, build everything.
double sort_and_postmap(const Census& census, const std::filesystem::path& folder) {
    census.write_all_unsorted(folder / "all");
    const auto begun = Clock::now();
    const std::string sorted = (folder / "sorted").string();
    must(run_process({"sh", "-c", "LC_ALL=C sort -u -o " + sorted + " " + (folder / "all").string()}, {},
                     std::chrono::minutes{10}));
    census.postmap(sorted);
    return since(begun);
}

void measure(const std::filesystem::path& folder, const std::string& type, std::uint64_t size) {
    Census census(folder, type);
    census.fill(size);
    census.read(10, store::ReadingKind::changes);  // all that is done once
    census.publish();
    for (const std::uint64_t changes : {1U, 100U, 10'000U}) {
        census.read(changes, store::ReadingKind::changes);
        const double cpu = cpu_seconds();
        const std::int64_t written = written_here();
        const auto begun = Clock::now();
        const std::int64_t indexes = census.publish();
        const double ours = since(begun);
        const double ours_cpu = cpu_seconds() - cpu;
        const std::int64_t bytes = written_here() - written + indexes;
        census.check_newest();
        std::cout << fmt::format("{} changed of {}, {}\t{:.4f}\t{:.4f}\t{:.0f} ms CPU, {} KB written\n",
                                 changes, size, type, ours, sort_and_postmap(census, folder), ours_cpu * 1e3,
                                 bytes / 1024)
                  << std::flush;
        census.build_base();
    }
    // The least of several: what else the machine does disturbs the others.
    double ours = 1e9;
    double alone = 1e9;
    for (int i = 0; i < 5; ++i) {
        ours = std::min(ours, census.build_base());
        // Into a folder of its own: an index that is there already is built in place, in less time.
        const std::filesystem::path copy = folder / fmt::format("copy{}", i);
        std::filesystem::create_directory(copy);
        std::filesystem::copy_file(census.text(), copy / "directory");
        alone = std::min(alone, census.postmap(copy / "directory"));
    }
    std::cout << fmt::format("base of {} built anew, {}, beside postmap alone\t{:.4f}\t{:.4f}\t\n",
                             census.size(), type, ours, alone);
}

}  // namespace

int main(int argc, char** argv) {
    spdlog::set_level(spdlog::level::warn);
    try {
        for (int i = 3; i < argc; ++i) {
            const std::filesystem::path folder = std::filesystem::path(argv[1]) / argv[i];
            std::filesystem::create_directories(folder);
            measure(folder, argv[2], std::stoull(argv[i]));
            std::filesystem::remove_all(folder);
        }
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
