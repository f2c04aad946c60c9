// SPDX-License-Identifier: MIT
#include "config/section.h"

#include <fmt/format.h>

#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>

#include "base/printable.h"

namespace postcensus::config {

namespace po = boost::program_options;

SectionBinder& SectionBinder::key(const std::string& name, const std::string& default_value, Setter setter) {
    keys_.push_back({name, default_value, false, std::move(setter)});
    return *this;
}

SectionBinder& SectionBinder::required(const std::string& name, Setter setter) {
    keys_.push_back({name, {}, true, std::move(setter)});
    return *this;
}

Result<void> SectionBinder::bind(const IniSection& section) const {
    po::options_description description;
    for (const Key& key : keys_) {
        auto* value = po::value<std::string>();
        if (key.required)
            value->required();
        else
            value->default_value(key.default_value);
        description.add_options()(key.name.c_str(), value);
    }
    const auto bad = [&](const std::string& key, const std::string& what) {
        return fail(ExitCode::configuration, fmt::format("{}:{}: [{}] {}: {}", file_, section.line_of(key),
                                                         section_, printable(key, 60), what));
    };

    po::parsed_options parsed(&description);
    for (const IniKey& key : section.keys) {
        po::option option(key.name, std::vector<std::string>{key.value});
        option.unregistered = description.find_nothrow(key.name, false) == nullptr;
        if (option.unregistered) {
            std::string known;
            for (const Key& other : keys_) known += (known.empty() ? "" : ", ") + other.name;
            return bad(key.name, "there is no such key; this section knows " + known);
        }
        parsed.options.push_back(std::move(option));
    }
    po::variables_map values;
    try {
        po::store(parsed, values);
        po::notify(values);
    } catch (const po::required_option& error) {
        return bad(po::required_option(error).get_option_name(),
                   "this key has no default and must be written");
    }
    for (const Key& key : keys_) {
        if (auto set = key.setter(values[key.name].as<std::string>()); !set)
            return bad(key.name, set.error().message);
    }
    return {};
}

std::vector<std::string> SectionBinder::names() const {
    std::vector<std::string> names;
    for (const Key& key : keys_) names.push_back(key.name);
    return names;
}

tl::unexpected<Failure> mistake(const std::string& file, const IniSection& section, const std::string& key,
                                const std::string& what) {
    return fail(ExitCode::configuration, fmt::format("{}:{}: [{}] {}: {}", file, section.line_of(key),
                                                     printable(section.name, 60), key, what));
}

}  // namespace postcensus::config
