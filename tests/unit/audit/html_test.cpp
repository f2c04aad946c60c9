// SPDX-License-Identifier: MIT
#include "audit/html.h"

#include <array>
#include <regex>
#include <set>

#include "audit/markup.h"
#include "audit/sample_report.h"
#include "base/printable.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::audit;

namespace {

// A strict reader of the little HTML that the report uses. Every element is closed, every attribute quoted.
struct Page {
    std::map<std::string, int> elements;
    std::set<std::string> attributes;
    std::set<std::string> ids;
    std::string trouble;  // the first thing that is wrong
};

void read_attributes(const std::string& tag, Page& page) {
    static const std::regex kAttribute(" ([a-zA-Z-]+)=\"([^\"<>]*)\"");
    std::string rest;
    auto at = std::sregex_iterator(tag.begin(), tag.end(), kAttribute);
    for (; at != std::sregex_iterator(); ++at) {
        page.attributes.insert((*at)[1]);
        if ((*at)[1] == "id" && !page.ids.insert((*at)[2]).second)
            page.trouble += "twice: id " + (*at)[2].str();
    }
    rest = std::regex_replace(tag, kAttribute, "");
    if (!std::regex_match(rest, std::regex("[a-z0-9]+/?"))) page.trouble += "not a plain tag: " + tag + "\n";
}

Page read_page(const std::string& html) {
    Page page;
    const std::string doctype = "<!DOCTYPE html>\n";
    if (!html.starts_with(doctype)) page.trouble = "no doctype";
    std::vector<std::string> open;
    std::size_t at = doctype.size();
    while (page.trouble.empty() && (at = html.find_first_of("<>", at)) != std::string::npos) {
        const std::size_t end = html.find('>', at);
        if (html[at] == '>' || end == std::string::npos) {
            page.trouble = "a bare > or <: " + html.substr(at, 40);
            break;
        }
        const std::string tag = html.substr(at + 1, end - at - 1);
        at = end + 1;
        if (tag.starts_with("/")) {
            if (open.empty() || open.back() != tag.substr(1)) page.trouble = "closes nothing: " + tag;
            if (!open.empty()) open.pop_back();
            continue;
        }
        const std::string name = tag.substr(0, tag.find_first_of(" /"));
        ++page.elements[name];
        read_attributes(tag, page);
        // The style is no markup, and its > are selectors.
        if (name == "style") at = html.find("</style>", at);
        if (name != "meta" && !tag.ends_with("/")) open.push_back(name);
    }
    if (page.trouble.empty() && !open.empty()) page.trouble = "never closed: " + open.back();
    return page;
}

const std::set<std::string> kElements{
    "html",   "head", "meta",   "title", "style", "body",  "header",  "main",  "section", "h1",
    "h2",     "h3",   "p",      "ul",    "li",    "dl",    "dt",      "dd",    "div",     "span",
    "strong", "b",    "bdi",    "code",  "time",  "table", "caption", "thead", "tbody",   "tr",
    "th",     "td",   "figure", "svg",   "desc",  "path",  "rect",    "text"};
const std::set<std::string> kAttributes{"lang",     "charset", "http-equiv", "content",         "name",
                                        "class",    "id",      "role",       "tabindex",        "scope",
                                        "datetime", "data-h",  "aria-label", "aria-labelledby", "viewBox",
                                        "d",        "x",       "y",          "width",           "height"};

void check_page(const std::string& html) {
    const Page page = read_page(html);
    CHECK(page.trouble == "");
    for (const auto& [name, count] : page.elements)
        if (kElements.count(name) == 0) FAIL_CHECK("an element <" << name << ">");
    for (const std::string& name : page.attributes)
        if (kAttributes.count(name) == 0) FAIL_CHECK("an attribute " << name);
    CHECK(page.elements.at("style") == 1);
    CHECK(page.elements.at("h1") == 1);
    CHECK(html.size() < 1'000'000);
    for (const char* never : {"<script", "href", "src=", "url(", "@import", "http:", "https:", "expression("})
        if (html.find(never) != std::string::npos && html.find(never) < html.find("</style>"))
            FAIL_CHECK("in the head: " << never);
    CHECK(is_printable(std::regex_replace(html, std::regex("\n"), "")));
}

// What a reader sees of a piece of the page.
std::string seen(const std::string& html) {
    std::string out = std::regex_replace(html, std::regex("<[^>]*>"), " ");
    return std::regex_replace(out, std::regex("\\s+"), " ");
}

bool has(const std::string& html, const std::string& words) {
    return html.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("the checker of pages sees what is wrong", "[audit][html]") {
    const auto trouble = [](const std::string& body) {
        return !read_page("<!DOCTYPE html>\n<html>" + body + "</html>\n").trouble.empty();
    };
    CHECK_FALSE(trouble("<p class=\"a\">a &lt; b</p><svg><path d=\"M0 0\"/></svg>"));
    CHECK(trouble("<p>"));
    CHECK(trouble("</p>"));
    CHECK(trouble("<b><i></b></i>"));
    CHECK(trouble("a > b"));
    CHECK(trouble("<p onclick=x></p>"));
    CHECK(trouble("<p class=\"a\" hidden></p>"));
    CHECK(trouble("<p id=\"a\"></p><p id=\"a\"></p>"));
}

TEST_CASE("untrusted text becomes inert", "[audit][html]") {
    struct Case {
        std::string text, html;
    };
    const std::array<Case, 12> cases{{
        {"a@corp.example", "a@corp.example"},
        {"<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;"},
        {"&lt;", "&amp;lt;"},
        {std::string("a\0b", 3), "a\\x00b"},
        {"a\xff", "a\\xff"},
        {"\xE2\x80\xAE"
         "a",
         "\\xe2\\x80\\xaea"},
        {"a\xE2\x80\x8B"
         "b",
         "a\\xe2\\x80\\x8bb"},
        {"a\xC2\xAD\xEF\xBB\xBF", "a\\xc2\\xad\\xef\\xbb\\xbf"},
        {"\xF3\xA0\x81\x81", "\\xf3\\xa0\\x81\\x81"},
        {"lüdenscheidt", "lüdenscheidt"},
        {"a\xCC\x80\xCC\x81\xCC\x82\xCC\x83", "a\xCC\x80\xCC\x81\xCC\x82\\xcc\\x83"},
        {"a\nb\tc", "a\\x0ab\\x09c"},
    }};
    for (const Case& one : cases) {
        CAPTURE(one.html);
        CHECK(escaped(one.text) == one.html);
    }
    for (const std::string& hostile : test::hostile_texts()) CHECK(escaped(hostile, 100).size() <= 203);
    CHECK(escaped(std::string(10'000, 'w'), 100) == std::string(100, 'w') + "...");
    CHECK(text("<").html == "<bdi>&lt;</bdi>");
    CHECK(text("").html.empty());
}

TEST_CASE("numbers, times and durations for people", "[audit][html]") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(-1234567) == "-1,234,567");
    CHECK(grouped(-999) == "-999");
    CHECK(grouped(std::numeric_limits<std::int64_t>::max()) == "9,223,372,036,854,775,807");
    CHECK(grouped(std::numeric_limits<std::int64_t>::min()) == "-9,223,372,036,854,775,808");
    CHECK(minute_of(test::kMade) == "2026-11-24 03:47");
    CHECK(time(test::kMade).html == "<time datetime=\"2026-11-24T03:47:46Z\">2026-11-24 03:47</time>");
    using namespace std::chrono_literals;
    CHECK(spelled(-1ms) == "0 s");
    CHECK(spelled(820ms) == "820 ms");
    CHECK(spelled(2400ms) == "2.4 s");
    CHECK(spelled(5s) == "5 s");
    CHECK(spelled(5h) == "5 h");
    CHECK(spelled(5h + 3min) == "5 h 3 min");
    CHECK(spelled(48h) == "2 d");
    CHECK(sum_of(std::numeric_limits<std::int64_t>::max(), 5) == std::numeric_limits<std::int64_t>::max());
    CHECK(sum_of(-5, 3) == 3);
}

TEST_CASE("a table says what it does not show", "[audit][html]") {
    Table table("T", {{"name", Column::Kind::name}, {"n", Column::Kind::number}}, Narrow::stacked, 2);
    CHECK(table.add({text("a"), number(1)}));
    CHECK_FALSE(has(table.html(1, "newest"), "not shown"));
    CHECK(table.add({text("b"), Markup{}}));
    CHECK_FALSE(table.add({text("c"), number(3)}));
    CHECK_FALSE(table.add({text("d"), number(4)}));
    const std::string html = table.html(1234, "newest");
    CHECK(has(html, "The newest 2 of 1,234; 1,232 more are not shown."));
    CHECK(has(html, "<td class=\"n o\" data-h=\"n\">–</td>"));
    CHECK_FALSE(has(html, "<bdi>c</bdi>"));
    Table small("T", {{"name", Column::Kind::name}}, Narrow::scrolled, 100, 100);
    CHECK(small.add({text("a")}));
    CHECK_FALSE(small.add({text(std::string(100, 'b'))}));
    CHECK_FALSE(small.add({text("c")}));
}

TEST_CASE("an empty report", "[audit][html]") {
    const std::string html = report_html({});
    check_page(html);
    CHECK(has(html, "Nothing needs attention"));
    CHECK(has(html, "All relayed domains"));
    CHECK(has(html, "There are none of these: held removals, conflicts, backscatter"));
    CHECK_FALSE(has(html, "gaps in the directory"));
    CHECK_FALSE(has(html, "<table"));
    CHECK_FALSE(has(html, "<svg"));
}

TEST_CASE("an ordinary report", "[audit][html]") {
    const std::string html = report_html(test::ordinary_report());
    check_page(html);
    CHECK(has(html, "<title>Postcensus report: 2026-11-17 03:47 to 2026-11-24 03:47</title>"));
    CHECK(has(html, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"));
    const std::string words = seen(html);
    for (const char* expected :
         {"Needs attention Mail waits 3 recipients have been unsure",
          "12,589 ",
          "6,904 ",
          "820 ms",
          "corp.example 11,034 10,790 233 241 2,104 2 8,412 2,877 61 14 812",
          "old-brand.example accepts everyone 310",
          "42 known addresses are in domains that no route names",
          "invoice@old-brand.example 27 2026-11-20 03:47 2026-11-24 03:35 its mail server accepts every "
          "recipient, so a callout proves nothing accept-all: 250 2.1.5 Ok",
          "half of them within 820 ms",
          "does not answer since 2026-11-23 08:47",
          "10,044 in the period, 1 of them not applied",
          "The newest 8 of 10,044; 10,036 more are not shown",
          "ex1.corp.example:2525 1,204 301 3,100 160 0 0 0 0 5 s 8 10",
          "203.0.113.0/24 1,980 741",
          "misses in the log misses 14,350",
          "new-counter 7",
          "directory 12,243 812 290",
          "2.4 s",
          "The newest 12 of 1,189; 1,177 more are not shown",
          "approve 2026-11-22 21:47 root",
          "user0@corp.example 2026-11-24 03:47 unsure accept the directory lists it reading"}) {
        CAPTURE(expected);
        CHECK(has(words, expected));
    }
    CHECK_FALSE(has(words, "There are none of these"));
    census::Report alone = test::ordinary_report();
    alone.directories.clear();
    alone.domain = "corp.example";
    CHECK_FALSE(has(report_html(alone), "Gaps in the directory"));
    CHECK(has(report_html(alone), "<h1><bdi>corp.example</bdi></h1>"));
}

TEST_CASE("what was not found is named as it is", "[audit][html]") {
    const std::string html = report_html({});
    CHECK(has(html, "networks that asked for unknown recipients"));
    CHECK_FALSE(has(html, "over their budget"));
}

TEST_CASE("a report that strangers wrote", "[audit][html]") {
    const std::string html = report_html(test::hostile_report());
    check_page(html);
    for (const char* never : {"<script", "<img", "<iframe", "onmouseover=\"", "href=j\"", "</style><style",
                              "-->", "\xE2\x80\xAE", "\xE2\x80\x8B"})
        CHECK_FALSE(has(html, never));
    CHECK(has(html, "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;"));
    CHECK(has(html, "&amp;lt;b&amp;gt;"));
    CHECK(has(html, "\\xe2\\x80\\xaegro.elpmaxe"));
    // The page has as many sections and tables as one that harmless people wrote.
    const Page hostile = read_page(html);
    CHECK(hostile.elements.at("section") == 21);
    CHECK(hostile.elements.at("table") == 18);
    CHECK(hostile.elements.at("svg") == 6);
    CHECK(hostile.elements.at("body") == 1);
    const std::string domain = report_html(test::hostile_domain_report());
    check_page(domain);
    CHECK_FALSE(has(domain, "<script"));
    CHECK(read_page(domain).elements.at("svg") == 2);  // what is counted by domain
}

TEST_CASE("a report stays below a megabyte", "[audit][html]") {
    const std::string large = report_html(test::large_report());
    check_page(large);
    CHECK(has(large, "The busiest 200 of 1,000; 800 more are not shown."));
    CHECK(has(large, "customer-0999.example"));
    CHECK_FALSE(has(large, "customer-0001.example"));
    check_page(report_html(test::hostile_report(2000)));
    check_page(report_html(test::large_report(5000)));
}
