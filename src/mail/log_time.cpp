// SPDX-License-Identifier: MIT
#include "mail/log_time.h"

#include <algorithm>
#include <cstddef>
#include <ctime>

#include "mail/scanner.h"

namespace postcensus::mail {
namespace {

using namespace std::chrono_literals;

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

// "Z", "+01:00", "-0330": what to subtract to get UTC.
std::optional<std::chrono::minutes> take_zone(Scanner& in) {
    if (in.take("Z")) return 0min;
    const bool east = in.take("+");
    if (!east && !in.take("-")) return std::nullopt;
    const auto hours = in.take_number(2);
    in.take(":");
    const auto minutes = in.take_number(2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const std::chrono::minutes offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
    return east ? offset : -offset;
}

std::optional<LogTime> take_full_time(Scanner& in) {
    const auto year = in.take_number(4);
    if (!year || !in.take("-")) return std::nullopt;
    const auto month = in.take_number(2);
    if (!month || !in.take("-")) return std::nullopt;
    const auto day = in.take_number(2);
    if (!day || !in.take("T")) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    const auto clock = take_clock(in);
    if (!clock || !date.ok()) return std::nullopt;
    Milliseconds fraction{0};
    if (in.take(".")) {
        int weight = 100;
        for (const char digit : in.take_while(is_digit)) {
            fraction += Milliseconds{(digit - '0') * weight};
            weight /= 10;
        }
    }
    LogTime time{{}, *year, *month, *day, *clock};
    if (in.take(" ")) return time;
    const auto zone = take_zone(in);
    if (!zone || !in.take(" ")) return std::nullopt;
    time.exact = Time{std::chrono::sys_days{date}} + *clock + fraction - *zone;
    return time;
}

int two_digits(const char* at) {
    const bool both = is_digit(at[0]) && is_digit(at[1]);
    return both ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

// "Nov  4 01:02:03 " or "Nov 04 01:02:03 ": each thing in its place (RFC 3164, 4.1.2). Every line of a log
// begins so: this is the part that is fast.
std::optional<LogTime> take_short_time(Scanner& in) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    constexpr std::size_t kSize = 16;
    if (in.text.size() < kSize) return std::nullopt;
    const char* text = in.text.data();
    int month = 0;
    for (std::size_t at = 0; at < kMonths.size() && month == 0; at += 3)
        if (kMonths[at] == text[0] && kMonths[at + 1] == text[1] && kMonths[at + 2] == text[2])
            month = static_cast<int>(at / 3) + 1;
    const char day_text[2] = {text[4] == ' ' ? '0' : text[4], text[5]};
    const int day = two_digits(day_text);
    const int hour = two_digits(text + 7);
    const int minute = two_digits(text + 10);
    const int second = two_digits(text + 13);
    if (month == 0 || text[3] != ' ' || text[6] != ' ' || text[9] != ':' || text[12] != ':' ||
        text[15] != ' ' || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)
        return std::nullopt;
    in.text.remove_prefix(kSize);
    return LogTime{
        {}, {}, month, day, std::chrono::seconds{hour * 3600 + minute * 60 + std::min(second, 59)}};
}

}  // namespace

std::optional<LogTime> take_log_time(std::string_view& text) {
    Scanner in{text};
    const bool full = !text.empty() && is_digit(text.front());
    auto time = full ? take_full_time(in) : take_short_time(in);
    text = in.text;
    return time;
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

Time LogCalendar::place(const LogTime& time) {
    if (time.exact) return *time.exact;
    if (time.year) return local(*time.year, time);
    if (!year_) {
        const std::time_t newest =
            std::chrono::duration_cast<std::chrono::seconds>(newest_.time_since_epoch()).count();
        std::tm parts{};
        ::localtime_r(&newest, &parts);
        // The latest year that fits: last December's lines may be read in January. A day of grace for a clock
        // that is ahead.
        year_ = parts.tm_year + 1901;
        while (*year_ > parts.tm_year + 1899 && local(*year_, time) > newest_ + 24h) --*year_;
    } else if (time.month == 12 && last_month_ == 1) {
        --*year_;  // lines that stand a little out of order around midnight
    } else if (time.month + 1 < last_month_) {
        ++*year_;  // a month back is that disorder, too; more is another year
    }
    last_month_ = time.month;
    return local(*year_, time);
}

}  // namespace postcensus::mail
