// SPDX-License-Identifier: MIT
#include "directory/dn.h"

#include "catch.h"

using namespace postcensus::directory;

TEST_CASE("where an object lies, as Active Directory compares names", "[directory][dn]") {
    struct Case {
        const char* dn;
        const char* base;
        Place place;
    };
    const Case cases[] = {
        {"CN=a,OU=Staff,DC=corp,DC=example", "OU=Staff,DC=corp,DC=example", Place::below},
        {"OU=Staff,DC=corp,DC=example", "OU=Staff,DC=corp,DC=example", Place::below},
        {"CN=a,OU=Staff,DC=corp,DC=example", "", Place::below},
        {"CN=a,ou=STAFF , dc=Corp,DC=EXAMPLE", "OU=Staff,DC=corp,DC=example", Place::below},
        {"CN=a,OU=Two  Words,DC=corp", "OU=two words,DC=corp", Place::below},
        {"CN=a,OU=Leavers,DC=corp,DC=example", "OU=Staff,DC=corp,DC=example", Place::elsewhere},
        {"DC=corp,DC=example", "OU=Staff,DC=corp,DC=example", Place::elsewhere},
        {"CN=a,OU=XStaff,DC=corp", "OU=Staff,DC=corp", Place::elsewhere},
        {"CN=a,CN=Staff,DC=corp", "OU=Staff,DC=corp", Place::elsewhere},
        {"CN=a,organizationalUnitName=Staff,DC=corp", "OU=Staff,DC=corp", Place::unknown},
        {"CN=a,x-place=Staff,DC=corp", "OU=Staff,DC=corp", Place::unknown},
        // Case beyond ASCII, and escapes.
        {"CN=a,OU=M\xC3\x9CNCHEN,DC=corp", "OU=M\xC3\xBCnchen,DC=corp", Place::below},
        {"CN=a,OU=M\\C3\\9CNCHEN,DC=corp", "ou=M\xC3\xBCnchen,dc=CORP", Place::below},
        {"CN=a,OU=Mu\xCC\x88nchen,DC=corp", "OU=M\xC3\x9CNCHEN,DC=corp", Place::below},  // NFD
        {"CN=a,OU=Munchen,DC=corp", "OU=M\xC3\xBCnchen,DC=corp", Place::below},          // AD: the same name
        {"CN=a,OU=STRASSE,DC=corp",
         "OU=Stra\xC3\x9F"
         "e,DC=corp",
         Place::below},
        {"CN=a,OU=\xCE\xA3\xCE\x9F\xCE\xA6\xCE\x9F\xCE\xA3,DC=corp",
         "OU=\xCF\x83\xCE\xBF\xCF\x86\xCE\xBF\xCF\x82,DC=corp", Place::below},  // a final sigma
        {"CN=a,OU=\xD0\x9E\xD0\xA2\xD0\x94,DC=corp", "OU=\xD0\xBE\xD1\x82\xD0\xB4,DC=corp", Place::below},
        {"CN=a,OU=A\\2CB,DC=corp", "OU=a\\,b,DC=corp", Place::below},
        {"CN=a\\,b,OU=Staff,DC=corp", "OU=Staff,DC=corp", Place::below},
        {"CN=x\\0ADEL:1,CN=Deleted Objects,DC=corp", "CN=deleted objects,DC=corp", Place::below},
        // Doubt: what a server may take for the same.
        {"CN=a,OU=\xE3\x81\x82,DC=corp", "OU=\xE3\x82\xA2,DC=corp", Place::unknown},  // hiragana, katakana
        {"CN=a,OU=\xC3\x86gir,DC=corp", "OU=Aegir,DC=corp", Place::unknown},
        {"CN=a,OU=M\xFCnchen,DC=corp", "OU=M\xC3\xBCnchen,DC=corp", Place::unknown},  // not UTF-8
        {"CN=a,2.5.4.11=Staff,DC=corp", "OU=Staff,DC=corp", Place::unknown},
        {"no name", "OU=Staff,DC=corp", Place::unknown},
        {"CN=a,OU=Staff,DC=corp", "no name", Place::unknown},
        {"CN=a,OU=\xE3\x81\x82,DC=other", "OU=\xE3\x82\xA2,DC=corp", Place::elsewhere},
    };
    for (const Case& one : cases) {
        INFO(one.dn << " in " << one.base);
        CHECK(place_of(one.dn, one.base) == one.place);
    }
    CHECK(place_of(std::string_view("DC=corp\0,DC=x", 13), "DC=corp") == Place::unknown);
}
