// SPDX-License-Identifier: MIT
// Old logs, from the file to what scan says of them.
#include "flow/follow/scan.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>

#include "audit/json.h"
#include "audit/text.h"
#include "base/file.h"
#include "catch.h"

using namespace postcensus;

namespace {

const std::filesystem::path kForms =
    std::filesystem::path(POSTCENSUS_SOURCE) / "fixtures" / "maillog" / "forms";

// A copy of a log, last written at some time.
class DatedLog {
  public:
    DatedLog(const std::string& text, const char* written)
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()) {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        REQUIRE(write_file(path(), text, 0600));
        const std::time_t at = to_unix_ms(parse_time(written).value()) / 1000;
        const timespec times[2] = {{at, 0}, {at, 0}};
        REQUIRE(::utimensat(AT_FDCWD, path().c_str(), times, 0) == 0);
    }
    ~DatedLog() {
        ::unsetenv("TZ");
        ::tzset();
    }
    DatedLog(const DatedLog&) = delete;
    DatedLog& operator=(const DatedLog&) = delete;

    // "2024-06-10 y2024m6@corp.example", one an event.
    std::string events(bool relayed) const {
        std::string all;
        flow::ScanOptions options;
        options.on_event = [&](const mail::LogEvent& event, Time at, const std::string&, std::int64_t) {
            all += format_time(at).substr(0, 10) + " " + event.recipient.text() + "\n";
        };
        if (relayed) options.relayed = [](std::string_view) { return true; };
        scan(options);
        return all;
    }
    census::ScanReport scan(const flow::ScanOptions& options = {}) const {
        std::vector<maillog::OldLog> logs;
        logs.push_back(maillog::OldLog::open(path()).value());
        auto scanned = flow::scan_logs(logs, options, parse_time("2026-11-30T12:00:00Z").value());
        CHECK(scanned.failures.empty());
        return scanned.report;
    }
    std::filesystem::path path() const { return folder_.path() / "mail.log"; }

  private:
    TempFolder folder_;
};

std::string form(const char* name) {
    return read_file(kForms / name, 1'000'000).value();
}

}  // namespace

TEST_CASE("two years without a year are counted back from the end of the log", "[flow][scan]") {
    const std::string text = form("two-years.log");
    const DatedLog log(text, "2026-06-10T12:00:00Z");
    std::string expected;
    for (int month = 6; month <= 30; ++month)
        expected += fmt::format("{}-{:02}-10 y{}m{}@corp.example\n", 2024 + (month - 1) / 12,
                                (month - 1) % 12 + 1, 2024 + (month - 1) / 12, (month - 1) % 12 + 1);
    CHECK(log.events(false) == expected);
    CHECK(log.events(true) == expected);
    const census::ScanReport report = log.scan();
    CHECK(format_time(report.first.value()) == "2024-06-10T01:02:03Z");
    CHECK(format_time(report.last.value()) == "2026-06-10T01:02:03Z");
}

TEST_CASE("a turn of the year shows between the events, too", "[flow][scan]") {
    const std::string line = form("crlf.log").substr(std::string("Nov  4 01:02:03").size());
    const std::string event = line.substr(0, line.find('\n') + 1);
    for (const std::size_t filler : {1, 4000}) {
        std::string text = "Jun  1 01:02:03" + event;
        for (const char* month :
             {"Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun"})
            for (std::size_t i = 0; i < filler; ++i)
                text += std::string(month) + " 10 01:02:03 gw postfix/qmgr[1]: 12F93A72133: removed\n";
        text += "Jul  1 01:02:03" + event;
        const DatedLog log(text, "2026-07-10T12:00:00Z");
        CHECK(log.events(false) == "2025-06-01 one@corp.example\n2026-07-01 one@corp.example\n");
        CHECK(format_time(log.scan().first.value()) == "2025-06-01T01:02:03Z");
    }
}

TEST_CASE("no form of a log looks like an empty one", "[flow][scan]") {
    const std::string line = form("crlf.log");
    const std::string message = line.substr(line.find("NOQUEUE"), line.find('\r') - line.find("NOQUEUE"));
    const DatedLog odd("[ 12.5] gw postfix/smtpd[1]: " + message + "\x1b[31m\n" +
                           "[ 12.6] gw postfix/smtpd[1]: " + message + "\n",
                       "2026-11-10T12:00:00Z");
    const census::ScanReport report = odd.scan();
    CHECK(report.strange == 2);
    const std::string text = audit::scan_text(report);
    CHECK(text.find("Not understood: 2 lines") != std::string::npos);
    CHECK(text.find("[ 12.5] gw postfix/smtpd[1]: NOQUEUE") != std::string::npos);
    CHECK(text.find("Nothing to learn") == std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
    const auto json = nlohmann::json::parse(audit::scan_json(report));
    CHECK(json["not_understood"]["lines"] == 2);
    CHECK(json["not_understood"]["example"].get<std::string>().starts_with("[ 12.5] gw"));

    const DatedLog other("Nov  4 01:02:03 gw mx/smtpd[1]: " + message + "\n", "2026-11-10T12:00:00Z");
    CHECK(audit::scan_text(other.scan()).find("under another syslog name") != std::string::npos);
    CHECK(audit::scan_text(other.scan()).find("Nothing to learn") == std::string::npos);
    const DatedLog empty("Nov  4 01:02:03 gw dovecot: User unknown\n", "2026-11-10T12:00:00Z");
    CHECK(audit::scan_text(empty.scan()).find("Nothing to learn") != std::string::npos);
    CHECK(nlohmann::json::parse(audit::scan_json(empty.scan()))["not_understood"].is_null());
}

TEST_CASE("wrong codes are said, and repeated messages are counted", "[flow][scan]") {
    const DatedLog log(form("reject-codes.log"), "2026-11-10T12:00:00Z");
    const census::ScanReport report = log.scan();
    CHECK(report.misses == 4);
    const std::string text = audit::scan_text(report);
    for (const char* words :
         {"1 misses were answered with 451.", "1 misses were answered with 553, a refusal",
          "1 misses were answered with 554, a refusal", "unknown_relay_recipient_reject_code = 450"})
        CHECK(text.find(words) != std::string::npos);
    CHECK(text.find("answered with 450") == std::string::npos);
    CHECK(nlohmann::json::parse(audit::scan_json(report))["codes"]["553"] == 1);

    const std::string line = form("crlf.log");
    const std::string message = line.substr(line.find("NOQUEUE"), line.find('\r') - line.find("NOQUEUE"));
    const DatedLog repeated("Nov  4 01:02:03 gw postfix/smtpd[1]: " + message +
                                "\nNov  4 01:02:09 gw postfix/smtpd[1]: message repeated 3 times: [ " +
                                message + "]\n",
                            "2026-11-10T12:00:00Z");
    const census::ScanReport counted = repeated.scan();
    CHECK(counted.misses == 4);
    CHECK(counted.distinct == 1);
    REQUIRE(counted.missed.size() == 1);
    CHECK(counted.missed[0].count == 4);
}
