// SPDX-License-Identifier: MIT
#include "common/app/toml_file.hpp"

#include "common/app/option_values.hpp"
#include "common/error.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace dotpair::app {

namespace {

constexpr std::string_view bare_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    std::vector<TomlEntry> read_all();

private:
    [[noreturn]] void fail(std::string_view reason) const {
        throw ConfigError(fmt::format("line {}: {}", line_, reason));
    }

    /// The character at hand; 0 at the end.
    char peek() const { return text_.empty() ? '\0' : text_.front(); }

    char take();
    bool take_if(char wanted);
    void skip_blanks();
    void skip_blanks_and_lines();
    void end_line();
    std::string_view take_bare();
    std::string read_key();
    std::vector<std::string> read_value();
    std::vector<std::string> read_list();
    std::string read_scalar();
    std::string read_string(char quote);
    char read_escape();

    std::string_view text_;
    std::size_t line_ = 1;
};

char Reader::take() {
    const char taken = peek();
    if (!text_.empty()) {
        text_.remove_prefix(1);
    }
    line_ += taken == '\n' ? 1 : 0;
    return taken;
}

bool Reader::take_if(char wanted) {
    const bool is_here = !text_.empty() && text_.front() == wanted;
    if (is_here) {
        take();
    }
    return is_here;
}

void Reader::skip_blanks() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\r') {
        take();
    }
    if (peek() == '#') {
        text_.remove_prefix(std::min(text_.find('\n'), text_.size()));
    }
}

void Reader::skip_blanks_and_lines() {
    do {
        skip_blanks();
    } while (take_if('\n'));
}

void Reader::end_line() {
    skip_blanks();
    if (!text_.empty() && !take_if('\n')) {
        fail(fmt::format("{} behind the value", in_quotes(text_.substr(0, text_.find('\n')))));
    }
}

std::string_view Reader::take_bare() {
    const auto size = std::min(text_.find_first_not_of(bare_characters), text_.size());
    const auto taken = text_.substr(0, size);
    text_.remove_prefix(size);
    return taken;
}

std::string Reader::read_key() {
    if (peek() == '[') {
        fail("tables ('[...]') have no meaning here: write options at the top level");
    }
    if (peek() == '"' || peek() == '\'') {
        return read_string(take());
    }
    const auto key = take_bare();
    if (key.empty()) {
        fail(fmt::format("{} is no option", in_quotes(text_.substr(0, text_.find('\n')))));
    }
    return std::string(key);
}

std::string Reader::read_string(char quote) {
    std::string value;
    while (peek() != quote) {
        const auto code = static_cast<unsigned char>(peek());
        if (code == '\n' || text_.empty()) {
            fail("a string without its closing quote");
        }
        if ((code < 0x20 && code != '\t') || code == 0x7f) {
            fail("a control character in a string");
        }
        const char character = take();
        value += character == '\\' && quote == '"' ? read_escape() : character;
    }
    take();
    if (value.empty() && peek() == quote) {
        fail("multi-line strings have no meaning here");
    }
    return value;
}

char Reader::read_escape() {
    switch (const char escape = take()) {
        case '"':
        case '\\':
            return escape;
        case 't':
            return '\t';
        default:
            fail(fmt::format("unknown escape {} in a string", in_quotes({&escape, 1})));
    }
}

std::string Reader::read_scalar() {
    if (peek() == '"' || peek() == '\'') {
        return read_string(take());
    }
    auto value = std::string(take_bare());
    const bool is_boolean = value == "true" || value == "false";
    const bool is_integer =
        !value.empty() &&
        value.find_first_not_of("0123456789", value.front() == '-' ? 1 : 0) == value.npos;
    if (!is_boolean && !is_integer) {
        value += text_.substr(0, text_.find_first_of(" \t\r\n,]#"));
        fail(value.empty() ? "a value is missing" : in_quotes(value) + " needs quotes");
    }
    return value;
}

std::vector<std::string> Reader::read_list() {
    std::vector<std::string> values;
    for (;;) {
        skip_blanks_and_lines();
        if (take_if(']')) {
            return values;
        }
        values.push_back(read_scalar());
        skip_blanks_and_lines();
        if (!take_if(',') && peek() != ']') {
            fail("a list needs ',' or ']' here");
        }
    }
}

std::vector<std::string> Reader::read_value() {
    return take_if('[') ? read_list() : std::vector<std::string>{read_scalar()};
}

std::vector<TomlEntry> Reader::read_all() {
    std::vector<TomlEntry> entries;
    for (;;) {
        skip_blanks_and_lines();
        if (text_.empty()) {
            return entries;
        }
        TomlEntry entry;
        entry.line = line_;
        entry.key = read_key();
        skip_blanks();
        if (!take_if('=')) {
            fail(fmt::format("'=' is missing behind {}", in_quotes(entry.key)));
        }
        const auto same_key = [&](const TomlEntry& other) { return other.key == entry.key; };
        if (std::any_of(entries.begin(), entries.end(), same_key)) {
            fail(fmt::format(
                "{} is set twice; write a list to give several values", in_quotes(entry.key)
            ));
        }
        skip_blanks();
        entry.values = read_value();
        end_line();
        entries.push_back(std::move(entry));
    }
}

}  // namespace

std::vector<TomlEntry> parse_toml(std::string_view text) {
    return Reader(text).read_all();
}

}  // namespace dotpair::app
