// SPDX-License-Identifier: MIT
#include "mail/log_time.h"

#include <algorithm>
#include <cstddef>
#include <ctime>

#include "mail/month_names.h"
#include "mail/scanner.h"

namespace postcensus::mail {
namespace {

using namespace std::chrono_literals;

// How far a line may stand behind a later one.
constexpr int kDisorderDays = 7;

// "01:02:03"; a leap second counts as the one before.
std::optional<std::chrono::seconds> take_clock(Scanner& in) {
    const auto hour = in.take_number(2);
    if (!hour || !in.take(":")) return std::nullopt;
    const auto minute = in.take_number(2);
    if (!minute || !in.take(":")) return std::nullopt;
    const auto second = in.take_number(2);
    if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
           std::chrono::seconds{std::min(*second, 59)};
}

// ".123456" or ",123" behind the seconds.
Milliseconds take_fraction(Scanner& in) {
    Milliseconds fraction{0};
    if (!in.take(".") && !in.take(",")) return fraction;
    int weight = 100;
    for (const char digit : in.take_while(is_digit)) {
        fraction += Milliseconds{(digit - '0') * weight};
        weight /= 10;
    }
    return fraction;
}

// "Z", "+01:00", "-0330", "+01": what to subtract to get UTC.
std::optional<std::chrono::minutes> take_zone(Scanner& in) {
    if (in.take("Z")) return 0min;
    Scanner here = in;
    const bool east = here.take("+");
    if (!east && !here.take("-")) return std::nullopt;
    const auto hours = here.take_number(2);
    const bool more = here.take(":") || (!here.text.empty() && is_digit(here.text.front()));
    const auto minutes = more ? here.take_number(2) : std::optional(0);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    in = here;
    const std::chrono::minutes offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
    return east ? offset : -offset;
}

// Of a date: what is not known is nothing.
struct Date {
    std::optional<int> year;
    int month = 0, day = 0;

    bool exists() const {
        return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
               (!year || std::chrono::year_month_day{std::chrono::year{*year},
                                                     std::chrono::month{static_cast<unsigned>(month)},
                                                     std::chrono::day{static_cast<unsigned>(day)}}
                             .ok());
    }
};

// "3", "03", " 3".
std::optional<int> take_day(Scanner& in) {
    in.take(" ");
    const std::string_view digits = in.take_while(is_digit);
    if (digits.empty() || digits.size() > 2) return std::nullopt;
    return Scanner{digits}.take_number(digits.size());
}

// "Nov", "févr.", " 3月".
int take_month_name(Scanner& in) {
    in.take(" ");
    const std::string_view digits = in.take_while(is_digit);
    if (!digits.empty()) {
        const bool month = digits.size() <= 2 && (in.take("月") || in.take("월"));
        return month ? *Scanner{digits}.take_number(digits.size()) : 0;
    }
    return month_of(in.take_while([](char byte) { return byte != ' ' && byte != '-' && byte != '/'; }));
}

// A year of four digits, and no clock: "2026 ".
std::optional<int> take_year(Scanner& in, char behind) {
    Scanner here = in;
    const auto year = here.take_number(4);
    if (!year || *year < 1990 || *year > 2199 || here.text.empty() || here.text.front() != behind)
        return std::nullopt;
    in = here;
    return year;
}

// "2026-11-30T", "2026/11/30 ", "2026 Nov 30 ", "30 Nov 2026 ", "30/Nov/2026:", "30.11.2026 ".
std::optional<Date> take_numbered_date(Scanner& in) {
    Date date;
    if (const auto year = take_year(in, ' ')) {
        date.year = year;
        in.take(" ");
        date.month = take_month_name(in);
        in.take(" ");
        const auto day = take_day(in);
        date.day = day.value_or(0);
        return in.take(" ") && date.exists() ? std::optional(date) : std::nullopt;
    }
    for (const char mark : {'-', '/', '.'}) {
        const auto year = take_year(in, mark);
        if (!year) continue;
        const std::string_view between(&mark, 1);
        date.year = year;
        in.take(between);
        date.month = in.take_number(2).value_or(0);
        if (!in.take(between)) return std::nullopt;
        date.day = in.take_number(2).value_or(0);
        return (in.take("T") || in.take(" ") || in.take("_")) && date.exists() ? std::optional(date)
                                                                               : std::nullopt;
    }
    date.day = take_day(in).value_or(0);
    if (in.text.empty()) return std::nullopt;
    const std::string_view between = in.text.substr(0, 1);
    in.text.remove_prefix(1);
    if (between == ".") {
        date.month = in.take_number(2).value_or(0);
        if (!in.take(".")) return std::nullopt;
        date.year = take_year(in, ' ');
        return date.year && in.take(" ") && date.exists() ? std::optional(date) : std::nullopt;
    }
    if (between != " " && between != "-" && between != "/") return std::nullopt;
    date.month = take_month_name(in);
    if (!in.take(between)) return std::nullopt;
    if ((date.year = take_year(in, ' ')))
        in.take(" ");
    else if ((date.year = take_year(in, ':')))
        in.take(":");
    return date.exists() ? std::optional(date) : std::nullopt;
}

// "Nov  3 ", "Nov 3 2026 ", "Mär 03 ", " 3月 10 ".
std::optional<Date> take_named_date(Scanner& in) {
    Date date;
    date.month = take_month_name(in);
    if (!in.take(" ")) return std::nullopt;
    date.day = take_day(in).value_or(0);
    in.take(",");
    if (!in.take(" ")) return std::nullopt;
    if ((date.year = take_year(in, ' '))) in.take(" ");
    return date.exists() ? std::optional(date) : std::nullopt;
}

bool take_weekday(Scanner& in) {
    constexpr std::string_view kDays = "MonTueWedThuFriSatSun";
    const std::size_t at = in.text.size() < 4 ? std::string_view::npos : kDays.find(in.text.substr(0, 3));
    if (at == std::string_view::npos || at % 3 != 0) return false;
    Scanner here{in.text.substr(3)};
    here.take(",");
    if (!here.take(" ")) return false;
    in = here;
    return true;
}

// What stands between the clock and the host: a zone, or a year (asctime(3)), or both. The name of a zone is
// told from that of a host only where a weekday leads (journalctl -o short-full); one that is not UTC is
// taken for this machine's.
std::optional<std::chrono::minutes> take_zone_and_year(Scanner& in, bool weekday, std::optional<int>& year) {
    auto zone = take_zone(in);
    Scanner here = in;
    if (here.take(" ")) {
        const bool utc = here.take("UTC") || here.take("GMT");
        const auto offset = utc ? std::optional(0min) : take_zone(here);
        const bool name = !offset && weekday &&
                          !here.take_while([](char byte) { return byte >= 'A' && byte <= 'Z'; }).empty();
        if (here.text.starts_with(' ') && (offset || name)) {
            in = here;
            if (!zone) zone = offset;
        }
    }
    here = in;
    if (!year && here.take(" ") && (year = take_year(here, ' '))) in = here;
    return zone;
}

// "1795492066.123456": journalctl -o short-unix.
std::optional<LogTime> take_unix_time(Scanner& in) {
    const std::string_view digits = in.take_while(is_digit);
    if (digits.size() != 10) return std::nullopt;
    std::int64_t seconds = 0;
    for (const char digit : digits) seconds = seconds * 10 + (digit - '0');
    LogTime time;
    time.exact = from_unix_ms(seconds * 1000) + take_fraction(in);
    return in.take(" ") ? std::optional(time) : std::nullopt;
}

LogTime made_time(const Date& date, std::chrono::seconds clock, Milliseconds fraction,
                  std::optional<std::chrono::minutes> zone) {
    LogTime time{{}, date.year, date.month, date.day, clock};
    if (!zone || !date.year) return time;
    const std::chrono::year_month_day day{std::chrono::year{*date.year},
                                          std::chrono::month{static_cast<unsigned>(date.month)},
                                          std::chrono::day{static_cast<unsigned>(date.day)}};
    time.exact = Time{std::chrono::sys_days{day}} + clock + fraction - *zone;
    return time;
}

// "20261130101614", "20261130T101614Z".
std::optional<LogTime> take_compact_time(Scanner& in) {
    Date date;
    date.year = in.take_number(4);
    date.month = in.take_number(2).value_or(0);
    date.day = in.take_number(2).value_or(0);
    in.take("T");
    const auto hour = in.take_number(2);
    const auto minute = in.take_number(2);
    const auto second = in.take_number(2);
    if (!date.exists() || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    const std::chrono::seconds clock{*hour * 3600 + *minute * 60 + std::min(*second, 59)};
    const Milliseconds fraction = take_fraction(in);
    const auto zone = take_zone(in);
    return in.take(" ") ? std::optional(made_time(date, clock, fraction, zone)) : std::nullopt;
}

std::optional<LogTime> take_general_time(Scanner& in) {
    const bool weekday = take_weekday(in);
    const bool numbered = !in.text.empty() && is_digit(in.text.front());
    Scanner here = in;
    if (auto unix = take_unix_time(here); unix && !weekday) {
        in = here;
        return unix;
    }
    here = in;
    if (auto compact = take_compact_time(here)) {
        in = here;
        return compact;
    }
    here = in;
    auto date = numbered ? take_numbered_date(here) : std::nullopt;
    if (!date) {
        here = in;
        date = take_named_date(here);
    }
    if (!date) return std::nullopt;
    in = here;
    const auto clock = take_clock(in);
    if (!clock) return std::nullopt;
    const Milliseconds fraction = take_fraction(in);
    const auto zone = take_zone_and_year(in, weekday, date->year);
    if (!in.take(" ") || !date->exists()) return std::nullopt;
    return made_time(*date, *clock, fraction, zone);
}

int two_digits(const char* at) {
    const bool both = is_digit(at[0]) && is_digit(at[1]);
    return both ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

// The month that its name's other two letters leave, if it is one.
int english_month(const char* name) {
    const bool early = name[1] == 'a';
    switch (name[2]) {
        case 'n':
            return early ? 1 : 6;
        case 'b':
            return 2;
        case 'r':
            return early ? 3 : 4;
        case 'y':
            return 5;
        case 'l':
            return 7;
        case 'g':
            return 8;
        case 'p':
            return 9;
        case 't':
            return 10;
        case 'v':
            return 11;
        default:
            return 12;
    }
}

// "Nov  4 01:02:03 " or "Nov 04 01:02:03 ": each thing in its place (RFC 3164, 4.1.2). Nearly every line of a
// log begins so: this is the part that is fast.
std::optional<LogTime> take_short_time(Scanner& in) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    constexpr std::size_t kSize = 16;
    if (in.text.size() < kSize) return std::nullopt;
    const char* text = in.text.data();
    const int month = english_month(text);
    const char* name = kMonths.data() + 3 * (month - 1);
    if (text[0] != name[0] || text[1] != name[1] || text[2] != name[2]) return std::nullopt;
    const char day_text[2] = {text[4] == ' ' ? '0' : text[4], text[5]};
    const int day = two_digits(day_text);
    const int hour = two_digits(text + 7);
    const int minute = two_digits(text + 10);
    const int second = two_digits(text + 13);
    if (text[3] != ' ' || text[6] != ' ' || text[9] != ':' || text[12] != ':' || text[15] != ' ' || day < 1 ||
        day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return std::nullopt;
    in.text.remove_prefix(kSize);
    return LogTime{
        {}, {}, month, day, std::chrono::seconds{hour * 3600 + minute * 60 + std::min(second, 59)}};
}

}  // namespace

std::optional<LogTime> take_log_time(std::string_view& text) {
    Scanner in{text};
    auto time = take_short_time(in);
    if (!time) time = take_general_time(in);
    if (time && !time->exact && !time->year && !in.text.empty() && is_digit(in.text.front()) &&
        (time->year = take_year(in, ' ')))
        in.take(" ");
    text = in.text;
    return time;
}

int LogYears::place(const LogTime& time) {
    if (last_) {
        // Lines stand a little out of order, also where a month or a year turns.
        const bool disorder = last_->day + 31 - time.day <= kDisorderDays;
        const int back = last_->month - time.month;
        if (back == -11 && disorder)
            --year_;
        else if (back > 1 || (back == 1 && !disorder))
            ++year_;
    }
    last_ = time;
    return year_;
}

Time LogCalendar::local(int year, const LogTime& time) {
    const int hour = static_cast<int>(time.clock / 1h);
    const int key[4] = {year, time.month, time.day, hour};
    if (!std::equal(key, key + 4, hour_key_)) {
        std::tm parts{};
        parts.tm_year = year - 1900;
        parts.tm_mon = time.month - 1;
        parts.tm_mday = time.day;
        parts.tm_hour = hour;
        parts.tm_isdst = -1;
        hour_ = Time{std::chrono::seconds{std::mktime(&parts)}};
        std::copy(key, key + 4, hour_key_);
    }
    return hour_ + time.clock % 1h;
}

// Last December's lines may be read in January. A day of grace for a clock that is ahead.
int LogCalendar::latest_year(const LogTime& time) {
    const std::time_t newest =
        std::chrono::duration_cast<std::chrono::seconds>(newest_.time_since_epoch()).count();
    std::tm parts{};
    ::localtime_r(&newest, &parts);
    int year = parts.tm_year + 1901;
    while (year > parts.tm_year + 1899 && local(year, time) > newest_ + 24h) --year;
    return year;
}

Time LogCalendar::place(const LogTime& time) {
    if (time.exact) return *time.exact;
    if (time.year) return local(*time.year, time);
    return place(time, years_.place(time));
}

Time LogCalendar::place(const LogTime& time, int year) {
    if (!first_year_)
        first_year_ = whole_.last() ? latest_year(*whole_.last()) - whole_.year() : latest_year(time) - year;
    return local(*first_year_ + year, time);
}

}  // namespace postcensus::mail
