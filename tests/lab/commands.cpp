// SPDX-License-Identifier: MIT
#include "tests/lab/commands.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <sstream>

namespace dotpair::lab {
namespace {

bool set_delay(std::istringstream& words, Path& path) {
    std::string text;
    words >> text;
    const auto delay = parse_delay(text);
    if (delay) {
        path.set_delay(*delay);
    }
    return delay.has_value();
}

bool set_loss(std::istringstream& words, Path& path) {
    double rate = -1;
    std::uint64_t seed = 0;
    words >> rate >> seed;
    if (words.fail() || rate < 0 || rate > 1) {
        return false;
    }
    path.set_loss(rate, seed);
    return true;
}

bool set_blackhole(std::istringstream& words, Path& path) {
    std::string text;
    words >> text;
    if (text != "on" && text != "off" && text != "up" && text != "down") {
        return false;
    }
    path.set_blackhole(Direction::up, text == "on" || text == "up");
    path.set_blackhole(Direction::down, text == "on" || text == "down");
    return true;
}

bool set_host(std::istringstream& words, Path& path) {
    std::string text;
    std::string state;
    words >> text >> state;
    std::string address(sizeof(in6_addr), '\0');
    const int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
    if ((state != "gone" && state != "back") ||
        ::inet_pton(family, text.c_str(), address.data()) != 1) {
        return false;
    }
    address.resize(family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr));
    path.set_gone(address, state == "gone");
    return true;
}

bool set_syn_data(std::istringstream& words, Path& path) {
    std::string text;
    words >> text;
    path.set_syn_data_dropped(text == "drop");
    return text == "drop" || text == "pass";
}

bool reset(std::istringstream& words, Path& path, Clock::time_point now) {
    std::string text;
    words >> text;
    if (text != "both" && text != "up" && text != "down") {
        return false;
    }
    for (const auto direction : {Direction::up, Direction::down}) {
        if (text == "both" || (text == "up") == (direction == Direction::up)) {
            path.reset_flows(direction, now);
        }
    }
    return true;
}

std::string stats(const Path& path) {
    std::ostringstream line;
    line << "stats";
    const auto add = [&](const char* name, const PathCounts& counts) {
        line << ' ' << name << "_packets=" << counts.packets << ' ' << name
             << "_lost=" << counts.lost << ' ' << name << "_blackholed=" << counts.blackholed << ' '
             << name << "_forgotten=" << counts.forgotten << ' ' << name
             << "_overflowed=" << counts.overflowed;
    };
    add("up", path.counts(Direction::up));
    add("down", path.counts(Direction::down));
    return line.str();
}

}  // namespace

std::optional<std::chrono::microseconds> parse_delay(std::string_view text) {
    std::uint32_t count = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc{} || std::string_view{rest, end} != "us") {
        return std::nullopt;
    }
    return std::chrono::microseconds{count};
}

std::string run_command(const std::string& line, Path& path, Clock::time_point now) {
    std::istringstream words{line};
    std::string verb;
    words >> verb;
    bool is_done = false;
    if (verb == "delay") {
        is_done = set_delay(words, path);
    } else if (verb == "loss") {
        is_done = set_loss(words, path);
    } else if (verb == "blackhole") {
        is_done = set_blackhole(words, path);
    } else if (verb == "host") {
        is_done = set_host(words, path);
    } else if (verb == "syndata") {
        is_done = set_syn_data(words, path);
    } else if (verb == "reset") {
        is_done = reset(words, path, now);
    } else if (verb == "forget") {
        path.forget_flows();
        is_done = true;
    } else if (verb == "stats") {
        return stats(path);
    }
    return is_done ? "ok" : "error " + line;
}

}  // namespace dotpair::lab
