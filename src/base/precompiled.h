// SPDX-License-Identifier: MIT
// What nearly every source uses, compiled once. No source includes this: each includes what it uses, and
// builds without precompiled headers too.
#pragma once

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#if FMT_VERSION < 100000
// libfmt has it, but this version does not say so: each source that formats would compile the engine again,
// which took half of the time of a build.
extern template void fmt::detail::vformat_to<char>(
    buffer<char>&, basic_string_view<char>, basic_format_args<FMT_BUFFER_CONTEXT(type_identity_t<char>)>,
    locale_ref);
#endif
