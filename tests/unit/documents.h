// SPDX-License-Identifier: MIT
// The documents of this source tree as text, for the tests of what they say.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace postcensus {

inline const std::filesystem::path kRoot{POSTCENSUS_SOURCE};

// Empty if there is no such file.
std::string read_document(const std::filesystem::path& path);

std::vector<std::string> lines_of(const std::string& text);

// What Markdown and the manual's sources show as code: blocks (indented by four blanks, or between fences)
// and spans between backticks. `at` is where: file and line.
struct CodeBlock {
    std::string at;
    std::vector<std::string> lines;
};
struct CodeSpan {
    std::string at;
    std::string text;
};
struct Document {
    std::filesystem::path path;
    std::vector<std::string> prose;  // the lines outside of code blocks
    std::vector<CodeBlock> blocks;
    std::vector<CodeSpan> spans;
};

// All *.md of the root and of docs/, and the manual pages.
std::vector<Document> all_documents();

}  // namespace postcensus
