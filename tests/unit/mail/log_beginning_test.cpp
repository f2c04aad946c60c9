// SPDX-License-Identifier: MIT
// The beginnings that lines of a log have, and those that strangers would like them to have.
#include "mail/log_beginning.h"

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "mail/log_event.h"
#include "mail/month_names.h"

using namespace postcensus;

namespace {

const std::string kMissed =
    "NOQUEUE: reject: RCPT from mx.b.test[192.0.2.7]: 450 4.1.1 <nobody@corp.example>: Recipient address "
    "rejected: "
    "User unknown in relay recipient table; from=<a@b.test> to=<nobody@corp.example> proto=ESMTP "
    "helo=<mx.b.test>";
const std::string kSentOn =
    "4ZnLqk1x2Qz9rTb: to=<anna@corp.example>, relay=ex1.corp.example[192.0.2.10]:25, delay=0.21, "
    "delays=0.05/0.01/0.05/0.1, dsn=2.6.0, status=sent (250 2.6.0 <m@x> Queued mail for delivery)";

// "2026-11-04T01:02:03Z nobody@corp.example": the event and its time; "strange" and so on; "" for no event.
std::string read(const std::string& line) {
    const auto result = mail::read_line(line, {"postfix"});
    if (result.event) {
        mail::LogCalendar calendar(parse_time("2026-11-30T12:00:00Z").value());
        return format_time(calendar.place(result.event->at)) + " " + result.event->recipient.text();
    }
    constexpr const char* kWhy[] = {"hostile", "cut", "invalid", "strange", "namesake"};
    return result.dropped ? kWhy[static_cast<int>(*result.dropped)] : "";
}

std::vector<std::string> lines_of_form(const std::string& name) {
    const auto text = read_file(
        std::filesystem::path(POSTCENSUS_SOURCE) / "fixtures" / "maillog" / "forms" / name, 1'000'000);
    REQUIRE(text);
    std::vector<std::string> lines;
    for (std::size_t start = 0; start < text->size();) {
        const std::size_t end = text->find('\n', start);
        lines.push_back(text->substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

class ZoneOfUtc {
  public:
    ZoneOfUtc() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
    ~ZoneOfUtc() {
        ::unsetenv("TZ");
        ::tzset();
    }
};

}  // namespace

TEST_CASE("a line is understood whatever wrote its beginning", "[mail][log_beginning]") {
    const ZoneOfUtc utc;
    const std::string plain = "2026-11-04T01:02:03Z nobody@corp.example";
    for (const char* before : {
             // RFC 3164, and what is made of it
             "Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "Nov 4 01:02:03 gw postfix/smtpd[1]: ",
             "Nov 04 01:02:03 gw postfix/smtpd[1]: ",
             "Nov  4 01:02:03.123456 gw postfix/smtpd[1]: ",
             "Nov 4 01:02:03,123 gw postfix/smtpd[1]: ",
             "Nov  4 01:02:03 postfix/smtpd[1]: ",
             "Nov  4 01:02:03 gw postfix/smtpd: ",
             "Nov  4 01:02:03 gw postfix/smtpd[1] ",
             "Nov  4 01:02:03 gw postfix/smtpd[1]:",
             "Nov  4 01:02:03 gw postfix/smtpd[1]:  ",
             "Nov  4 01:02:03 gw mail.info postfix/smtpd[1]: ",
             "Nov  4 01:02:03 mail.info postfix/smtpd[1]: ",
             "Nov  4 01:02:03 gw mail:info postfix/smtpd[1]: ",
             "Nov  4 01:02:03 <mail.info> gw postfix/smtpd[1]: ",
             "Nov  4 01:02:03 gw postfix/smtpd[1]: [ID 197553 mail.info] ",
             "Nov  4 01:02:03 [postfix/smtpd] ",
             "Nov  4 01:02:03 2001:db8::1 postfix/smtpd[1]: ",
             "<22>Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "<22> Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "<22>Nov  4 01:02:03 postfix/smtpd[1]: ",
             "\xEF\xBB\xBFNov  4 01:02:03 gw postfix/smtpd[1]: ",
             "Nov  4 01:02:09 relay Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             // a year, wherever it stands
             "2026 Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "Nov  4 2026 01:02:03 gw postfix/smtpd[1]: ",
             "Nov 4, 2026 01:02:03 gw postfix/smtpd[1]: ",
             "Nov  4 01:02:03 2026 gw postfix/smtpd[1]: ",
             "Wed Nov  4 01:02:03 2026 gw postfix/smtpd[1]: ",
             "Wed, 04 Nov 2026 01:02:03 +0000 gw postfix/smtpd[1]: ",
             "4 Nov 2026 01:02:03 gw postfix/smtpd[1]: ",
             "04-Nov-2026 01:02:03 gw postfix/smtpd[1]: ",
             "04/Nov/2026:01:02:03 +0000 gw postfix/smtpd[1]: ",
             "04.11.2026 01:02:03 gw postfix/smtpd[1]: ",
             "2026-11-04 01:02:03 gw postfix/smtpd[1]: ",
             "2026-11-04 01:02:03.123 +0000 gw postfix/smtpd[1]: ",
             "2026-11-04 02:02:03+01 gw postfix/smtpd[1]: ",
             "2026/11/04 01:02:03 gw postfix/smtpd[1]: ",
             "2026-11-04T02:02:03.5+01:00 gw postfix/smtpd[1]: ",
             "2026-11-04 01:02:03 UTC gw postfix/smtpd[1]: ",
             // journalctl(1): short-iso, short-iso-precise, short-full, short-unix, with-unit
             "2026-11-04T01:02:03+0000 gw postfix/smtpd[1]: ",
             "2026-11-04T01:02:03.123456+0000 gw postfix/smtpd[1]: ",
             "Wed 2026-11-04 01:02:03 UTC gw postfix/smtpd[1]: ",
             "Wed 2026-11-04 01:02:03 CET gw postfix/smtpd[1]: ",
             "1793754123.123456 gw postfix/smtpd[1]: ",
             "Wed 2026-11-04 01:02:03 UTC gw postfix@-.service[1]: ",
             "Wed 2026-11-04 01:02:03 UTC gw postfix.service[1]: ",
             // RFC 5424
             "<22>1 2026-11-04T01:02:03.123456+00:00 gw postfix/smtpd 1 - - ",
             "<22>1 2026-11-04T01:02:03Z gw postfix/smtpd 1 - - \xEF\xBB\xBF",
             "<22>1 2026-11-04T01:02:03Z gw postfix/smtpd - - -  ",
             "<22>1 2026-11-04T01:02:03Z gw postfix/smtpd 1 ID47 [meta sequenceId=\"7\"][x y=\"a\\]\\\" ] "
             "b\"] ",
             "<22>1 2026-11-04T01:02:03Z - postfix/smtpd 1 - - #357#273#277",
             "1 2026-11-04T01:02:03Z gw postfix/smtpd 1 - - ",
             "2026-11-04T01:02:03Z gw postfix/smtpd 1 - - ",
             "412 <22>1 2026-11-04T01:02:03Z gw postfix/smtpd 1 - - ",
             // containers
             "postfix-1  | Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "mail_mta.1.x7@node1    | Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "\x1b[36mpostfix-1  | \x1b[0mNov  4 01:02:03 gw postfix/smtpd[1]: ",
             "postfix-1  | 2026-11-04T09:09:09.123456789Z Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "2026-11-04T09:09:09.123456789Z Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "2026-11-04T09:09:09.123456789Z stdout F Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "2026-11-04T09:09:09.123456789+01:00 stderr F 2026-11-04T01:02:03+00:00 gw postfix/smtpd[1]: ",
             "2026-11-04T01:02:03.123456789Z stdout F postfix/smtpd[1]: ",
             "20261104010203 gw postfix/smtpd[1]: ",
             "20261104T010203Z gw postfix/smtpd[1]: ",
             "20261104T020203.5+01:00 gw postfix/smtpd[1]: ",
             // grep(1)
             "/var/log/mail.log.1:Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "mail.log:12:2026-11-04T01:02:03Z gw postfix/smtpd[1]: ",
             "12:Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "[pod/mail-0/postfix] Nov  4 01:02:03 gw postfix/smtpd[1]: ",
             "Nov  4 09:09:09 host postfix[77]: Nov  4 01:02:03 gw postfix/smtpd[1]: ",
         }) {
        INFO(before);
        CHECK(read(before + kMissed) == plain);
        CHECK(read(before + kMissed + "\r") == plain);
        CHECK(read(before + kMissed + "#015#012") == plain);
    }
    CHECK(read("Wed 2026-11-04 01:02:03 UTC gw postfix@-.service[1]: " + kSentOn) ==
          "2026-11-04T01:02:03Z anna@corp.example");
    CHECK(read("<22>1 2026-11-04T01:02:03Z gw postfix/relay/smtp 1 - - " + kSentOn) ==
          "2026-11-04T01:02:03Z anna@corp.example");
    // Of a unit's daemons local(8) is one, too.
    CHECK(read("Wed 2026-11-04 01:02:03 UTC gw postfix.service[1]: 3C0F51A0123: to=<anna@corp.example>, "
               "relay=local, "
               "delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)")
              .empty());
}

TEST_CASE("JSON of the journal and of Docker is understood", "[mail][log_beginning]") {
    const ZoneOfUtc utc;
    const std::string plain = "2026-11-04T01:02:03Z nobody@corp.example";
    const std::string journal =
        "\"MESSAGE\":\"" + kMissed +
        "\",\"_PID\":\"1\",\"_HOSTNAME\":\"gw\",\"__REALTIME_TIMESTAMP\":\"1793754123123456\"";
    CHECK(read("{" + journal + ",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\"}") == plain);
    CHECK(read("{\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\", " + journal + "}")
              .starts_with("2026-11-04T01:02:03Z"));
    CHECK(read("{" + journal + ",\"SYSLOG_IDENTIFIER\":\"dovecot\"}").empty());
    CHECK(read("{" + journal + ",\"SYSLOG_IDENTIFIER\":\"mx/smtpd\"}") == "namesake");
    CHECK(read("{" + journal + "}") == "strange");
    CHECK(read("{" + journal) == "strange");
    std::string escaped = kMissed;
    for (std::size_t at = 0; (at = escaped.find('<', at)) != std::string::npos;)
        escaped.replace(at, 1, "\\u003c");
    for (std::size_t at = 0; (at = escaped.find('>', at)) != std::string::npos;)
        escaped.replace(at, 1, "\\u003e");
    const std::string docker = "{\"log\":\"Nov  4 01:02:03 gw postfix/smtpd[1]: " + escaped;
    CHECK(read(docker + "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-04T09:02:03.1Z\"}") == plain);
    CHECK(read(docker + "\\r\\n\",\"stream\":\"stdout\"}") == plain);
    // A piece of a line is none, and JSON in JSON is nobody's.
    CHECK(read(docker + "\",\"stream\":\"stdout\"}") == "strange");
    CHECK(read("{\"log\":\"{\\\"log\\\":\\\"x\\\"} User unknown\\n\"}").empty());
}

TEST_CASE("a stranger's text is no beginning", "[mail][log_beginning]") {
    const std::string ours = "Nov  4 01:02:03 gw postfix/smtpd[1]: " + kMissed;
    const std::string bare = "postfix/smtpd[1]: " + kMissed;
    // What another program says, in each form that has programs.
    for (const std::string before : {
             "Nov  4 01:02:03 gw dovecot: ",
             "Nov  4 01:02:03 gw web[7]: ",
             "Nov  4 01:02:03 web[7]: ",
             "Nov  4 01:02:03 web: ",
             "2026-11-04T01:02:03Z gw web[7]: user ",
             "Nov  4 01:02:03 gw web[7]: to ",
             "<22>Nov  4 01:02:03 gw web[7]: ",
             "<22>1 2026-11-04T01:02:03Z gw web 7 - - ",
             "<22>1 2026-11-04T01:02:03Z gw web 7 postfix/smtpd - ",
             "<22>1 2026-11-04T01:02:03Z gw web 7 - [x y=\"z\"] ",
             "Nov  4 01:02:03 gw postfix/cleanup[1]: ",
             "Nov  4 01:02:03 gw postfix/postscreen[1]: ",
             "Nov  4 01:02:03 [web] ",
             "postfix-1  | Nov  4 01:02:03 gw web[7]: ",
             "2026-11-04T09:09:09Z stdout F Nov  4 01:02:03 gw web[7]: ",
             "Nov  4 01:02:03 gw web[7]: x | ",
             "Nov  4 01:02:03 gw mail.info web[7]: ",
         }) {
        INFO(before);
        CHECK_FALSE(mail::read_line(before + bare, {"postfix"}).event);
        CHECK_FALSE(mail::read_line(before + ours, {"postfix"}).event);
        CHECK_FALSE(mail::read_line(before + "<22>" + ours, {"postfix"}).event);
        CHECK_FALSE(mail::read_line(before + "x | " + ours, {"postfix"}).event);
        CHECK_FALSE(mail::read_line(before + "stdout F " + ours, {"postfix"}).event);
        CHECK_FALSE(mail::read_line(before + "[postfix/smtpd] " + kMissed, {"postfix"}).event);
    }
    for (const std::string before : {"x y | ", " | ", "x|", "stdout F ", "{}", "{\"log\":"})
        CHECK_FALSE(mail::read_line(before + ours, {"postfix"}).event);
    // The first piece of a line that goes on elsewhere.
    CHECK(read("2026-11-04T09:09:09Z stdout P " + ours) == "cut");
}

TEST_CASE("what may be Postfix's and is not understood is told from what others wrote",
          "[mail][log_beginning]") {
    const std::string sent_on = "postfix/smtp[1]: " + kSentOn;
    for (const std::string& line : {
             kMissed,
             kSentOn,
             "postfix/smtpd[1]: " + kMissed,
             sent_on,
             "MESSAGE=" + kMissed,
             "[ 1234.567890] gw postfix/smtpd[1]: " + kMissed,
             "lis 04 01:02:03 gw postfix/smtpd[1]: " + kMissed,
             "11/04/2026 01:02:03 gw postfix/smtpd[1]: " + kMissed,
             "@400000006553 postfix/smtpd[1]: " + kMissed,
             "Nov  4 01:02:03 gw postfix/smtpd(1): " + kMissed,
             "Nov  4 01:02:03 gw (postfix/smtpd) " + kMissed,
             "Nov  4 01:02:03 gw prod postfix/smtpd[1]: " + kMissed,
             // A log driver that names the container: its text is the container's, whoever that is.
             "Nov  4 01:02:03 host 0123456789ab[7]: Nov  4 01:02:03 gw postfix/smtpd[1]: " + kMissed,
         }) {
        INFO(line);
        CHECK(read(line) == "strange");
    }
    for (const std::string& line : {
             std::string("Nov  4 01:02:03 gw dovecot: lmtp(x): Error: User unknown"),
             std::string("Nov  4 01:02:03 gw sendmail[1]: x: to=<a@b>, dsn=5.1.1, stat=User unknown"),
             std::string("Nov  4 01:02:03 gw amavis[1]: (1-1) FWD to=<a@b>, status=sent (x"),
             std::string("Nov  4 01:02:03 gw postfix/local[1]: A1: to=<a@b>, relay=local, status=sent (x)"),
             std::string(
                 "Nov  4 01:02:03 gw postfix/qmgr[1]: A1: from=<a@b>, status=expired, returned to sender"),
             std::string("Nov  4 01:02:03 gw postfix/smtpd[1]: warning: non-SMTP command from x[192.0.2.1]: "
                         "User unknown"),
             "Nov  4 01:02:03 gw postfix/postscreen[1]: " + kMissed,
             std::string("\tat User unknown (x.java:1)"),
             std::string("web-1  | User unknown"),
         }) {
        INFO(line);
        CHECK(read(line).empty());
    }
    CHECK(read("Nov  4 01:02:03 gw mx/smtpd[1]: " + kMissed) == "namesake");
}

TEST_CASE("fields of Postfix that are not known yet pass, and forms that are not known are said",
          "[mail][log_beginning]") {
    const std::string before = "Nov  4 01:02:03 gw postfix/smtp[1]: ";
    const auto with = [&](const std::string& field) {
        std::string line = before + kSentOn;
        line.insert(line.find(", dsn="), field);
        return read(line).ends_with("anna@corp.example") ? "delivered" : read(line);
    };
    for (const char* tls : {"none", "may", "may:none", "may?", "may!encrypt", "dane-only", "dane:encrypt",
                            "dane*", "encrypt/!requiretls:nostarttls", "secure", "half-dane"})
        CHECK(with(std::string(", tls=") + tls) == "delivered");
    CHECK(with(", tls=may, new_one=a=b") == "delivered");
    CHECK(with(", new=two words (and more)") == "delivered");
    CHECK(with(", new=a, b") == "delivered");
    CHECK(with(", new=<x>") == "hostile");
    std::string odd = before + kSentOn;
    CHECK(read(odd.replace(odd.find("status=sent"), 11, "status=done")) == "strange");
    CHECK(read(odd.replace(odd.find("status=done"), 11, "status=undeliverable-but-not-cached")).empty());
    odd = before + kSentOn;
    CHECK(read(odd.replace(odd.find("status=sent"), 11, "status=sent by night")) == "strange");
}

TEST_CASE("a message that rsyslog repeated is one, so many times", "[mail][log_beginning]") {
    const std::string before = "Nov  4 01:02:03 gw postfix/smtpd[1]: message repeated ";
    const auto result = mail::read_line(before + "3 times: [ " + kMissed + "]", {"postfix"});
    REQUIRE(result.event);
    CHECK(result.event->times == 3);
    CHECK(result.event->recipient.text() == "nobody@corp.example");
    CHECK(mail::read_line(before + "3 times: [" + kMissed + "]", {"postfix"}).event);
    CHECK_FALSE(mail::read_line(before + "3 times: [ " + kMissed, {"postfix"}).event);
    CHECK_FALSE(mail::read_line(before + "9999999 times: [ " + kMissed + "]", {"postfix"}).event);
    // It cuts what it repeats, so a long one may end where a stranger wanted it to.
    std::string padded = kMissed;
    padded.insert(padded.find("a@b.test"), std::string(600, 's'));
    CHECK(read(before + "3 times: [ " + padded + "]") == "cut");
}

TEST_CASE("months are known in the languages in which they mean one", "[mail][month_names]") {
    const std::vector<std::vector<std::string>> languages{
        {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
        {"Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"},
        {"janv.", "févr.", "mars", "avril", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."},
        {"ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"},
        {"gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"},
        {"jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"},
        {"jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez"},
        {"sty", "lut", "mar", "kwi", "maj", "cze", "", "sie", "wrz", "paź", "", "gru"},
        {"led", "úno", "bře", "dub", "kvě", "čen", "čec", "", "zář", "říj", "", "pro"},
        {"tammi", "helmi", "maalis", "huhti", "touko", "kesä", "heinä", "elo", "syys", "loka", "marras",
         "joulu"},
        {"Oca", "Şub", "Mar", "Nis", "May", "Haz", "Tem", "Ağu", "Eyl", "Eki", "Kas", "Ara"},
        {"Ιαν", "Φεβ", "Μαρ", "Απρ", "Μαΐ", "Ιουν", "Ιουλ", "Αυγ", "Σεπ", "Οκτ", "Νοε", "Δεκ"},
        {"янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"},
        {"jan.", "feb.", "mars", "april", "mai", "juni", "juli", "aug.", "sep.", "okt.", "nov.", "des."}};
    for (const auto& months : languages)
        for (std::size_t i = 0; i < months.size(); ++i) {
            INFO(months[i]);
            if (!months[i].empty()) CHECK(mail::month_of(months[i]) == static_cast<int>(i) + 1);
        }
    // July in Warsaw and June in Zagreb, and so on.
    for (const char* name : {"lip", "lis", "srp", "", ".", "J", "Ja", "jan feb", " jan", "januaryy", "Foo"})
        CHECK(mail::month_of(name) == 0);
    const ZoneOfUtc utc;
    for (const char* time :
         {"10 3月 2026 12:00:00 ", " 3月 10 12:00:00 ", "3월 10 12:00:00 ", "M\xE4r 10 12:00:00 "}) {
        const auto at = mail::time_of_line(time);
        REQUIRE(at);
        CHECK(at->month == 3);
        CHECK(at->day == 10);
    }
}

TEST_CASE("the small logs of each form say what they have to say", "[mail][fixture]") {
    struct Form {
        const char* name;
        std::vector<std::string> recipients;
    };
    const ZoneOfUtc utc;
    for (const Form& form : std::vector<Form>{{"container.log", {"base", "compose", "cri", "ts"}},
                                              {"crlf.log", {"one", "two"}},
                                              {"journalctl-de.log", {"jan", "maerz", "mai"}},
                                              {"postfix-3.11.log", {"base", "anna", "bert", "carl", "dora"}},
                                              {"reject-codes.log", {"base", "c554", "c553", "c451"}},
                                              {"rfc5424.log", {"base", "rfc", "opn"}},
                                              {"soft-bounce.log", {"base", "gone"}}}) {
        const auto lines = lines_of_form(form.name);
        REQUIRE(lines.size() == form.recipients.size());
        for (std::size_t i = 0; i < lines.size(); ++i) {
            INFO(lines[i]);
            CHECK(read(lines[i]).ends_with("Z " + form.recipients[i] + "@corp.example"));
        }
    }
}
