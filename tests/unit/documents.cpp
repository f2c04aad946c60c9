// SPDX-License-Identifier: MIT
#include "documents.h"

#include <algorithm>
#include <regex>
#include <sstream>

#include "base/file.h"

namespace postcensus {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongest = 1024UL * 1024;

// A span may go on in the next line, but not in the next paragraph.
class Paragraph {
  public:
    void add(const std::string& at, const std::string& line) {
        if (text_.empty()) at_ = at;
        text_ += line.substr(std::min(line.find_first_not_of(' '), line.size())) + " ";
    }
    void end(Document& document) {
        static const std::regex span("`([^`]+)`");
        for (std::sregex_iterator found(text_.begin(), text_.end(), span), none; found != none; ++found)
            document.spans.push_back({at_, (*found)[1]});
        text_.clear();
    }

  private:
    std::string at_, text_;
};

Document parse(const fs::path& path) {
    Document document{path, {}, {}, {}};
    const bool manual = path.extension() == ".scd";
    const std::vector<std::string> lines = lines_of(read_document(path));
    Paragraph paragraph;
    bool fenced = false;
    bool open = false;  // the last block goes on
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        const std::string at = path.filename().string() + ":" + std::to_string(i + 1);
        if (line.starts_with("```")) {
            fenced = !fenced;
            open = false;
            paragraph.end(document);
            continue;
        }
        const bool indented = !fenced && !manual && line.starts_with("    ");
        if (fenced || indented) {
            if (!open) document.blocks.push_back({at, {}});
            paragraph.end(document);
            open = true;
            document.blocks.back().lines.push_back(indented ? line.substr(4) : line);
            continue;
        }
        // An empty line within an indented block does not end it.
        if (line.empty() && open && i + 1 < lines.size() && lines[i + 1].starts_with("    ")) {
            document.blocks.back().lines.emplace_back();
            continue;
        }
        open = false;
        document.prose.push_back(line);
        if (line.empty())
            paragraph.end(document);
        else
            paragraph.add(at, line);
    }
    paragraph.end(document);
    return document;
}

}  // namespace

std::string read_document(const fs::path& path) {
    return read_file(path, kLongest).value_or("");
}

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::vector<Document> all_documents() {
    std::vector<Document> documents;
    for (const fs::path& folder : {kRoot, kRoot / "docs", kRoot / "docs/man"})
        for (const auto& entry : fs::directory_iterator(folder))
            if (entry.path().extension() == ".md" || entry.path().extension() == ".scd")
                documents.push_back(parse(entry.path()));
    std::sort(documents.begin(), documents.end(),
              [](const Document& a, const Document& b) { return a.path < b.path; });
    return documents;
}

}  // namespace postcensus
