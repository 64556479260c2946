// SPDX-License-Identifier: MIT
#include "common/app/option_values.hpp"

#include "common/error.hpp"

#include <spdlog/fmt/fmt.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

namespace dotpair::app {

namespace {

constexpr std::size_t longest_shown = 200;

struct Unit {
    std::string_view name;
    std::size_t factor;
};

constexpr std::array<Unit, 4> time_units{
    Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000}, Unit{"ms", 1}};
constexpr std::array<Unit, 4> size_units{
    Unit{"GiB", gibibyte}, Unit{"MiB", mebibyte}, Unit{"KiB", kibibyte}, Unit{"", 1}};

[[noreturn]] void refuse(std::string_view option, std::string_view text, std::string_view reason) {
    throw ConfigError(fmt::format("{}: {} {}", option, in_quotes(text), reason));
}

/// The digits that `text` begins with, as a number that saturates, and what follows them.
struct Number {
    std::size_t value = 0;
    std::string_view rest;
};

std::optional<Number> read_number(std::string_view text) {
    Number number;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number.value);
    if (error == std::errc::invalid_argument) {
        return std::nullopt;
    }
    if (error == std::errc::result_out_of_range) {
        number.value = static_cast<std::size_t>(-1);
    }
    number.rest = text.substr(static_cast<std::size_t>(stop - text.data()));
    return number;
}

std::optional<std::size_t> factor_of(std::string_view name, const std::array<Unit, 4>& units) {
    for (const Unit& unit : units) {
        if (unit.name == name) {
            return unit.factor;
        }
    }
    return std::nullopt;
}

std::string format_number(std::size_t value, const std::array<Unit, 4>& units) {
    for (const Unit& unit : units) {
        if (value != 0 && value % unit.factor == 0) {
            return fmt::format("{}{}", value / unit.factor, unit.name);
        }
    }
    return fmt::format("{}{}", value, units.back().name);
}

bool in_range(std::size_t value, std::size_t factor, std::size_t min, std::size_t max) {
    return value <= max / factor && value * factor >= min;
}

}  // namespace

std::string in_quotes(std::string_view text) {
    std::string shown = "'";
    for (const char character : text.substr(0, longest_shown)) {
        const auto code = static_cast<unsigned char>(character);
        if (code < 0x20 || code == 0x7f) {
            shown += fmt::format("\\x{:02x}", code);
        } else {
            shown += character;
        }
    }
    shown += text.size() > longest_shown ? "...'" : "'";
    return shown;
}

std::chrono::milliseconds parse_duration(
    std::string_view option, std::string_view text, std::chrono::milliseconds max
) {
    const auto number = read_number(text);
    const auto factor = number ? factor_of(number->rest, time_units) : std::nullopt;
    if (!factor) {
        const bool only_unit_missing = number && number->rest.empty();
        refuse(
            option,
            text,
            only_unit_missing ? "lacks a unit: write 500ms, 4s, 2m or 1h"
                              : "is not a time: write 500ms, 4s, 2m or 1h"
        );
    }
    if (!in_range(number->value, *factor, 1, static_cast<std::size_t>(max.count()))) {
        refuse(option, text, fmt::format("is not from 1ms to {}", format_duration(max)));
    }
    return std::chrono::milliseconds(number->value * *factor);
}

std::string format_duration(std::chrono::milliseconds duration) {
    return format_number(static_cast<std::size_t>(duration.count()), time_units);
}

std::size_t parse_count(
    std::string_view option, std::string_view text, std::size_t min, std::size_t max
) {
    const auto number = read_number(text);
    if (!number || !number->rest.empty()) {
        refuse(option, text, fmt::format("is not a number from {} to {}", min, max));
    }
    if (number->value < min || number->value > max) {
        refuse(option, text, fmt::format("is not from {} to {}", min, max));
    }
    return number->value;
}

std::size_t parse_size(
    std::string_view option, std::string_view text, std::size_t min, std::size_t max
) {
    const auto number = read_number(text);
    const auto factor = number ? factor_of(number->rest, size_units) : std::nullopt;
    if (!factor) {
        refuse(option, text, "is not a number of bytes: write 1048576, 64KiB or 1MiB");
    }
    if (!in_range(number->value, *factor, min, max)) {
        refuse(
            option, text, fmt::format("is not from {} to {}", format_size(min), format_size(max))
        );
    }
    return number->value * *factor;
}

std::string format_size(std::size_t bytes) {
    return format_number(bytes, size_units);
}

void check_readable(std::string_view option, const std::string& text) {
    const int file = ::open(text.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        refuse(option, text, "cannot be read: " + std::generic_category().message(errno));
    }

    struct stat facts {};

    const bool is_directory = ::fstat(file, &facts) == 0 && S_ISDIR(facts.st_mode);
    ::close(file);
    if (is_directory) {
        refuse(option, text, "is a directory, not a file");
    }
}

}  // namespace dotpair::app
