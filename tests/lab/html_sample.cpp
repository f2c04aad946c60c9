// SPDX-License-Identifier: MIT
// Prints the HTML report of a made-up state, for the lab to open in a browser: ordinary, hostile, large,
// empty, and hostile of one domain.
#include <cstdio>
#include <string>

#include "audit/html.h"
#include "audit/sample_report.h"

int main(int argc, char** argv) {
    using namespace postcensus;
    const std::string kind = argc > 1 ? argv[1] : "ordinary";
    const census::Report report = kind == "hostile"  ? test::hostile_report()
                                  : kind == "domain" ? test::hostile_domain_report()
                                  : kind == "large"  ? test::large_report()
                                  : kind == "empty"  ? census::Report{}
                                                     : test::ordinary_report();
    const std::string page = audit::report_html(report);
    return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}
