// SPDX-License-Identifier: MIT
#include "audit/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "audit/markup.h"

namespace postcensus::audit {
namespace {

// The drawing's own units. The style makes its letters larger on a phone, where the drawing is small: the
// margins have room for both.
constexpr double kWidth = 480, kHeight = 250;
constexpr double kLeft = 66, kRight = 454, kTop = 14, kBottom = 218;
constexpr double kLabelHalf = 30;  // half a label of the axis of time

// A value or a time as a place in the drawing.
struct Frame {
    Span span;
    std::vector<double> ticks;  // of both sides of the axis: they have one scale
    double up = 1, down = 0;    // how far they reach
    double x(Time at) const {
        const auto part = static_cast<double>((at - span.begin).count());
        const auto whole = static_cast<double>((span.end() - span.begin).count());
        return kLeft + (kRight - kLeft) * (whole > 0 ? part / whole : 0);
    }
    double edge(std::size_t part) const {
        return x(span.begin + span.width * static_cast<std::int64_t>(part));
    }
    double y(double value) const { return kTop + (kBottom - kTop) * (up - value) / (up + down); }
};

// The upper edge of a series: level in each part, and only written where it changes.
std::string edge_path(const Frame& frame, const std::vector<double>& values) {
    std::string path = fmt::format("M{:.1f} {:.1f}", frame.edge(0), frame.y(values[0]));
    for (std::size_t i = 1; i < values.size(); ++i)
        if (values[i] != values[i - 1])
            fmt::format_to(std::back_inserter(path), "H{:.1f}V{:.1f}", frame.edge(i), frame.y(values[i]));
    return path + fmt::format("H{:.1f}", frame.edge(values.size()));
}

void add_series(const Frame& frame, const std::vector<double>& values, const Series& series,
                std::string& out) {
    const std::string path = edge_path(frame, values);
    if (series.kind != Series::Kind::line)
        fmt::format_to(std::back_inserter(out), "<path class=\"f{}\" d=\"{}V{:.1f}H{:.1f}Z\"/>", series.look,
                       path, frame.y(0), frame.edge(0));
    fmt::format_to(std::back_inserter(out), "<path class=\"s{}\" d=\"{}\"/>", series.look, path);
}

std::vector<double> as_doubles(const std::vector<std::int64_t>& values) {
    std::vector<double> out(values.size());
    std::transform(values.begin(), values.end(), out.begin(),
                   [](std::int64_t value) { return std::max(static_cast<double>(value), 0.0); });
    return out;
}

// What each series draws: layers stand on those before them, and those below hang from the axis.
std::vector<std::vector<double>> heights(const std::vector<Series>& all) {
    std::vector<std::vector<double>> out;
    std::vector<double> stacked, hanging;
    for (const Series& series : all) {
        std::vector<double> values = as_doubles(series.values);
        std::vector<double>& base = series.kind == Series::Kind::below ? hanging : stacked;
        if (series.kind != Series::Kind::line) {
            base.resize(values.size());
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = (base[i] += series.kind == Series::Kind::below ? -values[i] : values[i]);
        }
        out.push_back(std::move(values));
    }
    return out;
}

void add_value_axis(const Frame& frame, std::string& out) {
    for (const double side : {1.0, -1.0}) {
        const double reach = side > 0 ? frame.up : frame.down;
        if (reach <= 0) continue;
        for (const double tick : frame.ticks) {
            if (tick > reach || (side < 0 && tick == 0)) continue;
            const double y = frame.y(side * tick);
            fmt::format_to(std::back_inserter(out),
                           "<path class=\"{}\" d=\"M{} {:.1f}H{}\"/><text class=\"e\" x=\"{}\" "
                           "y=\"{:.1f}\">{}</text>",
                           tick == 0 ? "axis" : "grid", kLeft, y, kRight, kLeft - 7, y + 4, compact(tick));
        }
    }
}

void add_time_axis(const Frame& frame, std::string& out) {
    for (const auto& [at, label] : time_ticks(frame.span)) {
        const double x = frame.x(at);
        fmt::format_to(std::back_inserter(out), "<path class=\"axis\" d=\"M{:.1f} {}v5\"/>", x, kBottom);
        fmt::format_to(std::back_inserter(out), "<text class=\"m\" x=\"{:.1f}\" y=\"{}\">{}</text>",
                       std::min(x, kWidth - kLabelHalf), kBottom + 25, label);
    }
}

std::string opening(const char* id, const char* title, const std::string& description) {
    return fmt::format(
        "<svg viewBox=\"0 0 {0} {1}\" role=\"img\" aria-labelledby=\"{2}-t {2}-d\"><title id=\"{2}-t\">{3}"
        "</title><desc id=\"{2}-d\">{4}</desc>",
        kWidth, kHeight, id, title, description);
}

std::string nothing(const char* title) {
    return fmt::format("<figure><h3>{}</h3><p class=\"none\">Nothing in this period.</p></figure>\n", title);
}

std::string legend(const Plot& plot) {
    std::string out = "<ul class=\"legend\">";
    for (const Series& series : plot.series)
        out +=
            fmt::format("<li><span class=\"key k{}{}\"></span>{} <b>{}</b></li>", series.look,
                        series.kind == Series::Kind::line ? " thin" : "", series.name, grouped(series.total));
    return out + "</ul>";
}

}  // namespace

std::string figure(const Plot& plot) {
    Frame frame{plot.span, {}};
    const std::vector<std::vector<double>> drawn = heights(plot.series);
    double up = 0, down = 0;
    for (const std::vector<double>& values : drawn)
        for (const double value : values) {
            up = std::max(up, value);
            down = std::max(down, -value);
        }
    if (plot.span.parts == 0 || (up <= 0 && down <= 0)) return nothing(plot.title);
    frame.ticks = value_ticks(std::max(up, down));
    const auto round_up = [&](double value) {
        return value <= 0 ? 0.0 : *std::lower_bound(frame.ticks.begin(), std::prev(frame.ticks.end()), value);
    };
    frame.up = round_up(up);
    frame.down = round_up(down);

    std::string out =
        fmt::format("<figure><h3>{} <span class=\"unit\">{}</span></h3>", plot.title, plot.unit) +
        opening(plot.id, plot.title, plot.description);
    add_value_axis(frame, out);
    // What stands on others is painted before them: each reaches down to the axis.
    for (std::size_t i = drawn.size(); i-- > 0;)
        if (plot.series[i].kind != Series::Kind::line) add_series(frame, drawn[i], plot.series[i], out);
    for (std::size_t i = 0; i < drawn.size(); ++i)
        if (plot.series[i].kind == Series::Kind::line) add_series(frame, drawn[i], plot.series[i], out);
    fmt::format_to(std::back_inserter(out), "<path class=\"axis\" d=\"M{} {:.1f}H{}\"/>", kLeft, frame.y(0),
                   kRight);
    add_time_axis(frame, out);
    return out + "</svg>" + legend(plot) + "</figure>\n";
}

std::string bar_figure(const char* id, const char* title, const std::string& description,
                       const std::vector<Bar>& bars) {
    std::int64_t most = 0;
    for (const Bar& bar : bars) most = std::max(most, bar.value);
    if (most <= 0) return nothing(title);
    std::string out = fmt::format("<figure><h3>{}</h3>", title) + opening(id, title, description);
    constexpr double kNames = 112, kNumbers = 66;  // their room beside the bars
    const double row = (kHeight - 8) / static_cast<double>(bars.size());
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const double y = 4 + row * static_cast<double>(i);
        const auto value = static_cast<double>(std::max<std::int64_t>(bars[i].value, 0));
        const double width = (kWidth - kNames - kNumbers) * value / static_cast<double>(most);
        fmt::format_to(std::back_inserter(out),
                       "<text class=\"e\" x=\"{0}\" y=\"{1:.1f}\">{2}</text><rect class=\"bar\" x=\"{3}\" "
                       "y=\"{4:.1f}\" width=\"{5:.1f}\" height=\"{6:.1f}\"/><text x=\"{7:.1f}\" "
                       "y=\"{1:.1f}\">{8}</text>",
                       kNames - 8, y + row / 2 + 4.5, bars[i].name, kNames, y + 3,
                       std::max(width, value > 0 ? 1.5 : 0.5), row - 6, kNames + width + 7, compact(value));
    }
    return out + "</svg></figure>\n";
}

}  // namespace postcensus::audit
