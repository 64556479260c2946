// SPDX-License-Identifier: MIT
#include "common/app/state_directory.hpp"

#include "common/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <fstream>
#include <functional>
#include <sstream>

using namespace dotpair;

using app::StateDirectory;
using test::TemporaryDirectory;

namespace {

constexpr std::size_t enough = 1000;
const std::string option = "--state-dir";

std::vector<std::uint8_t> octets(std::string_view text) {
    return {text.begin(), text.end()};
}

void put(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// The lines that `action` logs.
std::string logged_by(const std::function<void()>& action) {
    std::ostringstream text;
    const auto before = spdlog::default_logger();
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    spdlog::default_logger()->set_pattern("%v");
    action();
    spdlog::set_default_logger(before);
    return text.str();
}

std::string refusal_of(const std::string& path) {
    try {
        const StateDirectory directory(option, path);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

/// The same, which check() has to give as well.
std::string checked_refusal_of(const std::string& path) {
    std::string refusal;
    try {
        StateDirectory::check(option, path);
    } catch (const ConfigError& error) {
        refusal = error.what();
    }
    CHECK(refusal == refusal_of(path));
    return refusal;
}

}  // namespace

TEST_CASE("A state directory that is not there is made for its owner alone", "[unit][app]") {
    const TemporaryDirectory parent;
    for (const std::string name : {"state", "with-a-slash/"}) {
        CHECK_NOTHROW(StateDirectory::check(option, parent.path(name)));
        CHECK_FALSE(std::filesystem::exists(parent.path(name)));
        const StateDirectory directory(option, parent.path(name));
        CHECK(test::mode_of(parent.path(name)) == 0700);
    }
}

TEST_CASE("A state directory that others can write to is refused", "[unit][app]") {
    const TemporaryDirectory directory;
    for (const auto mode : {0770, 0702, 01777}) {
        REQUIRE(::chmod(directory.path().c_str(), static_cast<mode_t>(mode)) == 0);
        const auto refusal = checked_refusal_of(directory.path());
        CAPTURE(mode, refusal);
        CHECK(refusal.starts_with("--state-dir: '" + directory.path() + "' can be written by"));
    }
    REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
    CHECK(checked_refusal_of(directory.path()).empty());
}

TEST_CASE("A state directory of somebody else is refused", "[unit][app]") {
    const TemporaryDirectory directory;
    // Where this user may not give a directory away, he may still meet one of root's.
    const bool is_given = ::chown(directory.path().c_str(), 65534, 65534) == 0;
    const auto refusal = checked_refusal_of(is_given ? directory.path() : "/usr");
    CAPTURE(refusal);
    CHECK(refusal.find("belongs to user " + std::string(is_given ? "65534" : "0")) != refusal.npos);
}

TEST_CASE("What cannot be a state directory is refused with the reason", "[unit][app]") {
    const TemporaryDirectory directory;
    put(directory.path("file"), "");
    CHECK(checked_refusal_of(directory.path("file")).ends_with("Not a directory"));
    CHECK(refusal_of(directory.path("file/in")).ends_with("Not a directory"));
    CHECK(refusal_of(directory.path("no/where")).ends_with("No such file or directory"));
    CHECK_THROWS_AS(StateDirectory::check(option, directory.path("no/where")), ConfigError);
}

TEST_CASE("What was written is read by the next process", "[unit][app]") {
    const TemporaryDirectory place;
    const auto log = logged_by([&place] {
        {
            StateDirectory directory(option, place.path());
            CHECK_FALSE(directory.read("addresses", enough));
            directory.write("addresses", octets("first"));
            directory.write("tickets", octets("other"));
            directory.write("addresses", octets("second"));
        }
        StateDirectory directory(option, place.path());
        CHECK(directory.read("addresses", enough) == octets("second"));
        CHECK(directory.read("tickets", enough) == octets("other"));
        CHECK(test::mode_of(place.path("addresses")) == 0600);
        directory.remove("addresses");
        directory.remove("never-there");
        directory.wait_until_written();
        CHECK_FALSE(directory.read("addresses", enough));
    });
    CHECK(log.empty());
}

TEST_CASE("A file of the state directory is read up to a bound", "[unit][app]") {
    const TemporaryDirectory place;
    StateDirectory directory(option, place.path());
    directory.write("addresses", octets("12345"));
    directory.wait_until_written();
    CHECK(directory.read("addresses", 5) == octets("12345"));
    const auto log = logged_by([&] { CHECK_FALSE(directory.read("addresses", 4)); });
    CHECK(log.find("larger than 4 bytes") != log.npos);
}

TEST_CASE("What somebody else may have put into the state directory is not read", "[unit][app]") {
    const TemporaryDirectory place;
    StateDirectory directory(option, place.path());
    put(place.path("open"), "text");
    REQUIRE(::chmod(place.path("open").c_str(), 0622) == 0);
    put(place.path("target"), "text");
    REQUIRE(::symlink("target", place.path("link").c_str()) == 0);
    REQUIRE(::mkfifo(place.path("pipe").c_str(), 0600) == 0);
    for (const std::string name : {"open", "link", "pipe"}) {
        const auto log = logged_by([&] { CHECK_FALSE(directory.read(name, enough)); });
        CAPTURE(name, log);
        CHECK(log.find("state not read file=\"" + place.path(name)) != log.npos);
    }
}

TEST_CASE("What a process left half written is neither read nor in the way", "[unit][app]") {
    const TemporaryDirectory place;
    put(place.path(".addresses.new"), "hal");
    StateDirectory directory(option, place.path());
    CHECK_FALSE(directory.read("addresses", enough));
    directory.write("addresses", octets("whole"));
    directory.wait_until_written();
    CHECK(directory.read("addresses", enough) == octets("whole"));
    CHECK_FALSE(std::filesystem::exists(place.path(".addresses.new")));
}

TEST_CASE("A failure to write is told once, and its end", "[unit][app]") {
    const TemporaryDirectory place;
    StateDirectory directory(option, place.path());
    REQUIRE(std::filesystem::create_directory(place.path("addresses")));  // stands in the way
    const auto write = [&directory] {
        directory.write("addresses", octets("text"));
        directory.wait_until_written();
    };
    const auto first = logged_by(write);
    CHECK(first.find("state not written file=\"" + place.path("addresses")) != first.npos);
    CHECK(logged_by(write).empty());
    REQUIRE(std::filesystem::remove(place.path("addresses")));
    CHECK(logged_by(write).starts_with("state written again"));
    CHECK(directory.read("addresses", enough) == octets("text"));
}

TEST_CASE("systemd names the state directory of a service", "[unit][app]") {
    ::unsetenv("STATE_DIRECTORY");
    CHECK(StateDirectory::of_service().empty());
    ::setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
    CHECK(StateDirectory::of_service() == "/var/lib/a");
    ::setenv("STATE_DIRECTORY", "/var/lib/a", 1);
    CHECK(StateDirectory::of_service() == "/var/lib/a");
    ::unsetenv("STATE_DIRECTORY");
}
