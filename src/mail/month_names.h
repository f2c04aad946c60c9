// SPDX-License-Identifier: MIT
// The names of months as a localised journalctl(1) or syslogd abbreviates them. Pure.
#pragma once

#include <string_view>

namespace postcensus::mail {

// 1 to 12; 0 if it is no month, or not the same one in all languages ("lis" is October in Zagreb and November
// in Warsaw): a time that may be another one is not read. ASCII case does not count, nor does a dot at the
// end.
int month_of(std::string_view name);

}  // namespace postcensus::mail
