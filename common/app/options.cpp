// SPDX-License-Identifier: MIT
#include "common/app/options.hpp"

#include "common/app/state_directory.hpp"
#include "common/app/toml_file.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

namespace dotpair::app {

namespace {

constexpr std::size_t largest_file = mebibyte;
constexpr std::size_t help_column = 38;

std::string read_whole(const std::string& path) {
    check_readable("--config", path);
    std::ifstream input(path, std::ios::binary);
    std::string text(largest_file + 1, '\0');
    input.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (input.bad() || input.gcount() > static_cast<std::streamsize>(largest_file)) {
        throw ConfigError(fmt::format("--config: {} is not a file of options", in_quotes(path)));
    }
    text.resize(static_cast<std::size_t>(input.gcount()));
    return text;
}

}  // namespace

std::string with_default(const std::string& help, const std::string& value) {
    return fmt::format("{} [default: {}]", help, value);
}

OptionSet::OptionSet(const std::string& program, const std::string& purpose)
    : app_(purpose, program) {
    app_.get_formatter()->column_width(help_column);
    app_.get_formatter()->label("OPTIONS", "OPTION...");
    app_.set_help_flag("--help", "print this and exit");
    app_.set_version_flag(
        "--version", program + " " + DOTPAIR_VERSION, "print the version and exit"
    );
    app_.add_option(
            "--config", config_file_, "read options from this TOML file; the command line wins"
    )
        ->option_text("FILE")
        ->allow_extra_args(false);
}

OptionSet::Option& OptionSet::add(
    const std::string& name, const std::string& value_name, const std::string& help
) {
    // CLI11 only collects: values are checked here, so that a file's values get the same messages.
    const CLI::callback_t collect = [](const CLI::results_t&) { return true; };
    Option option;
    option.name = name;
    option.cli = app_.add_option("--" + name, collect, help)
                     ->option_text(value_name)
                     ->expected(1, CLI::detail::expected_max_vector_size)
                     ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                     ->allow_extra_args(false);
    options_.push_back(std::move(option));
    return options_.back();
}

void OptionSet::process_options(std::string& log_level, bool& check_only) {
    const Choices<std::string> levels = {
        {"error", "error"},
        {"warn", "warn"},
        {"info", "info"},
        {"debug", "debug"},
        {"trace", "trace"},
        {"off", "off"},
    };
    choice("log-level", log_level, levels, "least severe kind of line that is logged");
    app_.add_flag("--check-config", check_only, "check options and files, open nothing, exit");
}

void OptionSet::duration(
    const std::string& name,
    std::chrono::milliseconds& field,
    std::chrono::milliseconds max,
    const std::string& help
) {
    add(name, "TIME", with_default(help, format_duration(field))).apply =
        [&field, max](const std::string& option, const std::string& text) {
            field = parse_duration(option, text, max);
        };
}

void OptionSet::duration_or_zero(
    const std::string& name,
    std::chrono::milliseconds& field,
    std::chrono::milliseconds max,
    const std::string& help
) {
    const bool is_zero = field == std::chrono::milliseconds::zero();
    add(name, "TIME", with_default(help, is_zero ? "0s" : format_duration(field))).apply =
        [&field, max](const std::string& option, const std::string& text) {
            field = text == "0s" ? std::chrono::milliseconds::zero()
                                 : parse_duration(option, text, max);
        };
}

void OptionSet::count(
    const std::string& name, std::size_t& field, std::size_t max, const std::string& help
) {
    add(name, "COUNT", with_default(help, std::to_string(field))).apply =
        [&field, max](const std::string& option, const std::string& text) {
            field = parse_count(option, text, 1, max);
        };
}

void OptionSet::size(
    const std::string& name,
    std::size_t& field,
    std::size_t min,
    std::size_t max,
    const std::string& help
) {
    add(name, "BYTES", with_default(help, format_size(field))).apply =
        [&field, min, max](const std::string& option, const std::string& text) {
            field = parse_size(option, text, min, max);
        };
}

void OptionSet::file(const std::string& name, std::string& field, const std::string& help) {
    add(name, "FILE", help).apply = [&field](const std::string& option, const std::string& text) {
        check_readable(option, text);
        field = text;
    };
}

void OptionSet::directory(const std::string& name, std::string& field, const std::string& help) {
    add(name, "DIR", help).apply = [&field](const std::string& option, const std::string& text) {
        StateDirectory::check(option, text);
        field = text;
    };
}

void OptionSet::list(
    const std::string& name,
    const std::string& value_name,
    const std::string& help,
    const Apply& apply
) {
    Option& option = add(name, value_name, help);
    option.is_repeatable = true;
    option.apply = apply;
}

void OptionSet::endpoints(
    const std::string& name,
    std::vector<net::Endpoint>& field,
    std::uint16_t default_port,
    const std::string& help,
    net::EndpointUse use
) {
    const auto apply =
        [&field, default_port, use](const std::string& option, const std::string& text) {
            const auto endpoint = net::parse_endpoint(option, text, default_port, use);
            if (std::find(field.begin(), field.end(), endpoint) != field.end()) {
                throw ConfigError(fmt::format("{}: {} is given twice", option, in_quotes(text)));
            }
            field.push_back(endpoint);
        };
    list(name, "ADDR[@PORT]", help, apply);
}

bool OptionSet::takes_value(std::string_view name) const {
    return name == "config" || std::ranges::any_of(options_, [name](const Option& option) {
               return option.name == name;
           });
}

/// What CLI11 takes for something else, as the next word for the value of "--name=", or says in
/// words of its own.
void OptionSet::check_words(int argc, const char* const* argv) const {
    bool has_config = false;
    for (int index = 1; index < argc; ++index) {
        const std::string_view word = argv[index];
        const std::size_t mark = word.find('=');
        const std::string_view name = word.starts_with("--") ? word.substr(2, mark - 2) : "";
        if (!name.empty() && mark == word.size() - 1) {
            throw ConfigError(fmt::format("--{}: '' is no value", name));
        }
        const bool is_known = takes_value(name);
        if (!is_known && mark != std::string_view::npos &&
            app_.get_option_no_throw(std::string(word.substr(0, mark))) != nullptr) {
            throw ConfigError(
                fmt::format("--{}: takes no value, {} here", name, in_quotes(word.substr(mark + 1)))
            );
        }
        if (!is_known) {
            continue;
        }
        if (name == "config" && std::exchange(has_config, true)) {
            throw ConfigError("--config: is given twice; it names one file");
        }
        if (mark == std::string_view::npos &&
            (++index == argc || std::string_view(argv[index]).starts_with("--"))) {
            throw ConfigError(fmt::format("--{}: its value is missing", name));
        }
    }
}

bool OptionSet::parse_command_line(int argc, const char* const* argv) {
    check_words(argc, argv);
    try {
        app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        std::cout << app_.help();
        return false;
    } catch (const CLI::CallForVersion& version) {
        std::cout << version.what() << '\n';
        return false;
    } catch (const CLI::ExtrasError&) {
        throw ConfigError(
            fmt::format("{} is no option; --help lists them", in_quotes(app_.remaining().front()))
        );
    } catch (const CLI::ParseError& error) {
        const auto text = in_quotes(error.what());
        throw ConfigError(text.substr(1, text.size() - 2));
    }
    return true;
}

void OptionSet::read_file(const std::string& path) {
    std::vector<TomlEntry> entries;
    try {
        entries = parse_toml(read_whole(path));
    } catch (const ConfigError& error) {
        const std::string reason = error.what();
        throw reason.starts_with("--config")
            ? error
            : ConfigError(fmt::format("--config: {} {}", path, reason));
    }
    for (const TomlEntry& entry : entries) {
        const auto option =
            std::find_if(options_.begin(), options_.end(), [&](const Option& known) {
                return known.name == entry.key;
            });
        if (option == options_.end()) {
            throw ConfigError(fmt::format(
                "--config: {} line {}: unknown key {}", path, entry.line, in_quotes(entry.key)
            ));
        }
        if (!option->given.empty()) {
            continue;  // the command line wins
        }
        const auto where = fmt::format("{} in {} line {}", entry.key, path, entry.line);
        for (const std::string& value : entry.values) {
            option->given.emplace_back(where, value);
        }
    }
}

bool OptionSet::read(int argc, const char* const* argv) {
    if (!parse_command_line(argc, argv)) {
        return false;
    }
    for (Option& option : options_) {
        for (const std::string& value : option.cli->results()) {
            option.given.emplace_back("--" + option.name, value);
        }
    }
    if (!config_file_.empty()) {
        read_file(config_file_);
    }
    for (const Option& option : options_) {
        if (option.given.size() > 1 && !option.is_repeatable) {
            const auto& [where, value] = option.given.back();
            throw ConfigError(fmt::format("{}: {} is one value too many", where, in_quotes(value)));
        }
        for (const auto& [where, value] : option.given) {
            option.apply(where, value);
        }
    }
    return true;
}

}  // namespace dotpair::app
