// SPDX-License-Identifier: MIT
#include "common/app/logging.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>

namespace dotpair::app {

namespace {

/// "<4>" for a warning: what sd-daemon(3) defines and the journal takes off again.
class JournalPriority : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line)
        override {
        const std::string_view prefix = prefix_of(message.level);
        line.append(prefix.data(), prefix.data() + prefix.size());
    }

    std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<JournalPriority>();
    }

private:
    static std::string_view prefix_of(spdlog::level::level_enum level) {
        switch (level) {
            case spdlog::level::critical:
            case spdlog::level::err:
                return "<3>";
            case spdlog::level::warn:
                return "<4>";
            case spdlog::level::info:
                return "<6>";
            default:
                return "<7>";
        }
    }
};

}  // namespace

bool stderr_is_journal() {
    const char* const named = std::getenv("JOURNAL_STREAM");

    struct stat facts {};

    if (named == nullptr || ::fstat(STDERR_FILENO, &facts) != 0) {
        return false;
    }
    return named == std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

void set_up_logging(const std::string& level) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    if (stderr_is_journal()) {
        formatter->add_flag<JournalPriority>('*').set_pattern("%*%l %v");
    } else {
        formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    }
    auto logger = std::make_shared<spdlog::logger>(
        "dotpair", std::make_shared<spdlog::sinks::stderr_sink_mt>()
    );
    logger->set_formatter(std::move(formatter));
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
}

void print_error(const std::string& program, const std::string& message) {
    std::cerr << program + ": " + message + "\n" << std::flush;
}

}  // namespace dotpair::app
