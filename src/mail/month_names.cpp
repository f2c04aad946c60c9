// SPDX-License-Identifier: MIT
#include "mail/month_names.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace postcensus::mail {
namespace {

// By month, as strftime(3) writes %b in the locales of Europe (glibc's). Left out: lip, lis, srp, of which
// neighbours mean different months. Both cases of a first letter beyond ASCII; single bytes are ISO 8859.
constexpr std::array<std::string_view, 12> kMonthNames{
    " jan janv jän j\xE4n ene gen ian sty led sij jaan tammi oca saus ιαν Ιαν янв яну јан січ ",
    " feb febr fev fév févr f\xE9vr lut úno velj helmi veebr şub Şub vas φεβ Φεβ фев феб лют ",
    " mar mär m\xE4r mrz mars march märz mrt març márc m\xE1rc bře ožu maalis märts kov μαρ Μαρ Μάρ мар "
    "бер ",
    " apr april avr avril abr kwi dub ápr \xE1pr tra huhti nis bal απρ Απρ апр кві ",
    " may mai maj mei mag maig kvě máj m\xE1j svi touko geg μαΐ Μαΐ Μάι май мая мај тра ",
    " jun june juin juni juny giu iun cze čen jún j\xFAn jūn kesä juuni haz birž ιουν Ιουν Ιούν июн юни јун "
    "чер ",
    " jul july juil juli lug iul čec júl j\xFAl jūl heinä juuli tem liep ιουλ Ιουλ Ιούλ июл юли јул лип ",
    " aug août ao\xFBt ago ag avg sie kol elo ağu Ağu rugp αυγ Αυγ Αύγ авг сер ",
    " sep sept set szept wrz zář ruj syys eyl rugs σεπ Σεπ сен сеп вер ",
    " oct okt out ott paź říj loka eki spal οκτ Οκτ окт жов ",
    " nov stu marras kas lapkr νοε Νοε Νοέ ноя ное нов лис ",
    " dec dez déc d\xE9"
    "c dic des gru pro joulu dets ara gruod δεκ Δεκ дек дец гру ",
};

}  // namespace

int month_of(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    std::array<char, 16> word{' '};
    if (name.size() < 2 || name.size() > word.size() - 2) return 0;
    std::transform(name.begin(), name.end(), word.begin() + 1, [](char byte) {
        return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
    });
    word[name.size() + 1] = ' ';
    const std::string_view wanted(word.data(), name.size() + 2);
    for (std::size_t month = 0; month < kMonthNames.size(); ++month)
        if (kMonthNames[month].find(wanted) != std::string_view::npos) return static_cast<int>(month) + 1;
    return 0;
}

}  // namespace postcensus::mail
