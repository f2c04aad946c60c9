// SPDX-License-Identifier: MIT
// Prints the HTML report of a made-up state, for the lab to open in a browser: ordinary, hostile, large,
// empty, hostile of one domain (domain), and ordinary of one. With "json" behind it the same as JSON, for the
// schema.
#include <cstdio>
#include <string>

#include "audit/html.h"
#include "audit/json.h"
#include "audit/sample_report.h"

int main(int argc, char** argv) {
    using namespace postcensus;
    const std::string kind = argc > 1 ? argv[1] : "ordinary";
    const census::Report report = kind == "hostile"  ? test::hostile_report()
                                  : kind == "domain" ? test::hostile_domain_report()
                                  : kind == "one"    ? test::one_domain_report()
                                  : kind == "large"  ? test::large_report()
                                  : kind == "empty"  ? census::Report{}
                                                     : test::ordinary_report();
    const bool json = argc > 2 && std::string(argv[2]) == "json";
    const std::string page = json ? audit::report_json(report) : audit::report_html(report);
    return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}
