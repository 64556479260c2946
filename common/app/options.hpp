// SPDX-License-Identifier: MIT
#pragma once

#include "common/app/option_values.hpp"
#include "common/error.hpp"
#include "common/net/endpoint.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dotpair::app {

/// The options of one program, from its command line and from the file that --config names.
///
/// Each is bound to a field that holds its default: what --help shows is what applies. Names are
/// given without dashes, as the file writes them. What the command line gives replaces what the
/// file gives. --help, --version and --config are always there.
class OptionSet {
public:
    /// Takes one value; `option` says where it was given and starts the message of a ConfigError.
    using Apply = std::function<void(const std::string& option, const std::string& text)>;

    template <typename T>
    using Choices = std::vector<std::pair<std::string, T>>;

    OptionSet(const std::string& program, const std::string& purpose);

    // REQUIRES of all that follow: the field outlives read().

    /// What both programs have around their work: the log's level and --check-config.
    void process_options(std::string& log_level, bool& check_only);

    void duration(
        const std::string& name,
        std::chrono::milliseconds& field,
        std::chrono::milliseconds max,
        const std::string& help
    );
    /// The same, and 0s for never.
    void duration_or_zero(
        const std::string& name,
        std::chrono::milliseconds& field,
        std::chrono::milliseconds max,
        const std::string& help
    );
    /// At least 1.
    void count(
        const std::string& name, std::size_t& field, std::size_t max, const std::string& help
    );
    void size(
        const std::string& name,
        std::size_t& field,
        std::size_t min,
        std::size_t max,
        const std::string& help
    );
    /// A file that can be read when the program starts.
    void file(const std::string& name, std::string& field, const std::string& help);
    /// A directory of the program's own, as StateDirectory takes it.
    void directory(const std::string& name, std::string& field, const std::string& help);
    /// Repeatable. The values replace what `field` holds; one that comes twice is refused.
    void endpoints(
        const std::string& name,
        std::vector<net::Endpoint>& field,
        std::uint16_t default_port,
        const std::string& help,
        net::EndpointUse use = net::EndpointUse::listen
    );
    /// Repeatable, each value handed to `apply` in order.
    void list(
        const std::string& name,
        const std::string& value_name,
        const std::string& help,
        const Apply& apply
    );

    template <typename T>
    void choice(
        const std::string& name, T& field, const Choices<T>& choices, const std::string& help
    );

    /// Reads all and fills the fields. False when --help or --version was asked and has been
    /// printed. Throws ConfigError: one line naming option and value.
    bool read(int argc, const char* const* argv);

private:
    struct Option {
        std::string name;
        CLI::Option* cli = nullptr;
        bool is_repeatable = false;
        Apply apply;
        std::vector<std::pair<std::string, std::string>> given;  // where, and the value
    };

    Option& add(const std::string& name, const std::string& value_name, const std::string& help);
    bool takes_value(std::string_view name) const;
    void check_words(int argc, const char* const* argv) const;
    bool parse_command_line(int argc, const char* const* argv);
    void read_file(const std::string& path);

    CLI::App app_;
    std::vector<Option> options_;
    std::string config_file_;
};

/// "text, and the value that applies when none is given", as every help text ends.
std::string with_default(const std::string& help, const std::string& value);

template <typename T>
void OptionSet::choice(
    const std::string& name, T& field, const Choices<T>& choices, const std::string& help
) {
    std::string names;
    std::string default_name;
    for (const auto& [choice, value] : choices) {
        names += (names.empty() ? "" : "|") + choice;
        default_name = value == field ? choice : default_name;
    }
    add(name, names, with_default(help, default_name)).apply =
        [&field, choices, names](const std::string& option, const std::string& text) {
            for (const auto& [choice, value] : choices) {
                if (choice == text) {
                    field = value;
                    return;
                }
            }
            throw ConfigError(option + ": " + in_quotes(text) + " is none of " + names);
        };
}

}  // namespace dotpair::app
