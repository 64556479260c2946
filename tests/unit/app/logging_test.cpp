// SPDX-License-Identifier: MIT
#include "common/app/logging.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <regex>

using namespace dotpair;

namespace {

std::string identity_of(const std::string& path) {
    struct stat facts {};

    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

/// What the log of `level` writes to stderr, which `is_journal` makes out to be the journal.
std::string logged(const std::string& level, bool is_journal) {
    const test::TemporaryFile file("");
    const auto before = spdlog::default_logger();
    const int kept = ::dup(STDERR_FILENO);
    const int target = ::open(file.path().c_str(), O_WRONLY | O_CLOEXEC);
    ::dup2(target, STDERR_FILENO);
    ::setenv("JOURNAL_STREAM", is_journal ? identity_of(file.path()).c_str() : "1:1", 1);
    app::set_up_logging(level);
    spdlog::debug("detail n=1");
    spdlog::info("started workers=2");
    spdlog::warn("upstream down");
    ::unsetenv("JOURNAL_STREAM");
    ::dup2(kept, STDERR_FILENO);
    ::close(kept);
    ::close(target);
    spdlog::set_default_logger(before);
    std::ifstream input(file.path());
    return {std::istreambuf_iterator<char>(input), {}};
}

}  // namespace

TEST_CASE("The journal gets priority and level, since it has its own time", "[unit][app]") {
    CHECK(logged("info", true) == "<6>info started workers=2\n<4>warning upstream down\n");
    CHECK(logged("debug", true).starts_with("<7>debug detail n=1\n"));
}

TEST_CASE("Elsewhere a line begins with its time", "[unit][app]") {
    const std::regex line("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+[+-][0-9:]+ warning upstream down\n");
    CHECK(std::regex_match(logged("warn", false), line));
}

TEST_CASE("The level off silences the log, and error all that is less", "[unit][app]") {
    CHECK(logged("off", false).empty());
    CHECK(logged("error", false).empty());
}
