// SPDX-License-Identifier: MIT
#include "base/printable.h"

#include <string>

#include "catch.h"

using postcensus::printable;
using postcensus::utf8_length;

TEST_CASE("honest text stays as it is", "[base][printable]") {
    for (const char* text :
         {"", "plain text", "müller@bücher.example", "日本", "\xf0\x9f\x93\xac", "a\\x01b"})
        CHECK(printable(text) == text);
}

TEST_CASE("what could act on a terminal, a log or a table is spelled out", "[base][printable]") {
    CHECK(printable("a\x1b[31mb") == "a\\x1b[31mb");
    CHECK(printable("a\nb\tc\r") == "a\\x0ab\\x09c\\x0d");
    CHECK(printable(std::string("a\0b", 3)) == "a\\x00b");
    CHECK(printable("\x7f") == "\\x7f");
    CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");           // C1: CSI
    CHECK(printable("\xe2\x80\xa8") == "\\xe2\\x80\\xa8");  // line separator
    CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");  // right-to-left override
    CHECK(printable("\xe2\x81\xa7") == "\\xe2\\x81\\xa7");  // isolate
    CHECK(printable("\xe2\x80\x8f") == "\\xe2\\x80\\x8f");  // right-to-left mark
    CHECK(printable("\xd8\x9c") == "\\xd8\\x9c");           // Arabic letter mark
}

TEST_CASE("what is not UTF-8 is spelled out byte by byte", "[base][printable]") {
    CHECK(printable("a\xff"
                    "b") == "a\\xffb");
    CHECK(printable("\xc3") == "\\xc3");
    CHECK(printable("\xc3(") == "\\xc3(");
    CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
    CHECK(printable("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");           // overlong
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
    CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond Unicode
}

TEST_CASE("what is safe as it is is told from what is not", "[base][printable]") {
    for (const char* text : {"", "plain ~ text", "ärger", "日本"}) {
        CAPTURE(text);
        CHECK(postcensus::is_printable(text));
    }
    for (const char* text : {"a\n", "\x1b[31m", "\x7f", "ä\xff", "\xe2\x80\xae", "ä\xe2\x80\xa8ä"}) {
        CAPTURE(text);
        CHECK_FALSE(postcensus::is_printable(text));
    }
}

TEST_CASE("long text is cut, never inside of a character", "[base][printable]") {
    CHECK(printable(std::string(300, 'x')) == std::string(300, 'x'));
    CHECK(printable(std::string(301, 'x')) == std::string(300, 'x') + "...");
    CHECK(printable("abcdef", 3) == "abc...");
    CHECK(printable("ääää", 3) == "ää...");
    CHECK(printable("", 0).empty());
}

TEST_CASE("the length of a UTF-8 sequence", "[base][printable]") {
    CHECK(utf8_length("") == 0);
    CHECK(utf8_length("ab") == 1);
    CHECK(utf8_length("\xc3\xa4x") == 2);
    CHECK(utf8_length("\xe2\x82\xac") == 3);
    CHECK(utf8_length("\xf0\x9f\x93\xac") == 4);
    CHECK(utf8_length("\xe2\x82") == 0);
    CHECK(utf8_length("\x80") == 0);
    CHECK(utf8_length("\xf5\x80\x80\x80") == 0);
}
