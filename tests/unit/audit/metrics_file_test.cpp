// SPDX-License-Identifier: MIT
#include "audit/metrics_file.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::audit;
namespace fs = std::filesystem;

namespace {

// A folder for metrics, and what the log says.
class MetricsFolder {
  public:
    MetricsFolder() : temp_(TempFolder::create(fs::temp_directory_path(), "postcensus-test-").value()) {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
        fs::create_directory(path());
    }
    fs::path path() const { return temp_.path() / "metrics"; }
    std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(path())) names.insert(entry.path().filename());
        return names;
    }
    int said(const std::string& words) const {
        int times = 0;
        const std::string text = log_.str();
        for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1))
            ++times;
        return times;
    }

  private:
    TempFolder temp_;
    std::ostringstream log_;
};

}  // namespace

TEST_CASE("a file of metrics is whole, and for everybody to read", "[audit][metrics]") {
    const MetricsFolder folder;
    MetricsFile file(folder.path(), "postcensus_watch");
    const mode_t before = ::umask(077);
    file.write("a 1\n");
    file.write("a 2\n");
    ::umask(before);
    CHECK(folder.files() == std::set<std::string>{"postcensus_watch.prom"});
    CHECK(read_file(folder.path() / "postcensus_watch.prom", 100).value() == "a 2\n");
    struct stat facts {};
    REQUIRE(::stat((folder.path() / "postcensus_watch.prom").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0644);
}

TEST_CASE("without a folder nothing is written", "[audit][metrics]") {
    const MetricsFolder folder;
    MetricsFile({}, "postcensus_watch").write("a 1\n");
    CHECK(folder.files().empty());
    CHECK(folder.said("metrics") == 0);
}

TEST_CASE("what killed writers left goes, and nothing else", "[audit][metrics]") {
    const MetricsFolder folder;
    const std::string ours = ".postcensus_watch." + std::to_string(::getppid());  // it lives
    const std::set<std::string> others{ours, ".postcensus_sync.999999999", ".postcensus_watch.x",
                                       "node.prom"};
    for (const std::string& name : others) REQUIRE(write_file(folder.path() / name, "half", 0644));
    REQUIRE(write_file(folder.path() / ".postcensus_watch.999999999", "half", 0644));
    MetricsFile(folder.path(), "postcensus_watch").write("a 1\n");
    std::set<std::string> left = others;
    left.insert("postcensus_watch.prom");
    CHECK(folder.files() == left);
}

TEST_CASE("a folder that is gone is said once, and once that it is back", "[audit][metrics]") {
    const MetricsFolder folder;
    fs::remove(folder.path());
    MetricsFile file(folder.path(), "postcensus_watch");
    for (int i = 0; i < 3; ++i) file.write("a 1\n");
    CHECK(folder.said("no metrics: cannot write") == 1);
    CHECK(folder.said("metrics-dir must be a folder") == 1);
    fs::create_directory(folder.path());
    REQUIRE(write_file(folder.path() / ".postcensus_watch.999999999", "half", 0644));
    for (int i = 0; i < 3; ++i) file.write("a 1\n");
    CHECK(folder.said("metrics are written again") == 1);
    // Also then the next one cleans up.
    CHECK(folder.files() == std::set<std::string>{"postcensus_watch.prom"});
    fs::remove_all(folder.path());
    file.write("a 1\n");
    CHECK(folder.said("no metrics: cannot write") == 2);
}
