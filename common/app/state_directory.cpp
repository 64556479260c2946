// SPDX-License-Identifier: MIT
#include "common/app/state_directory.hpp"

#include "common/app/option_values.hpp"
#include "common/error.hpp"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace dotpair::app {

namespace {

[[noreturn]] void refuse(std::string_view option, const std::string& path, std::string_view why) {
    throw ConfigError(fmt::format("{}: {} {}", option, in_quotes(path), why));
}

std::string reason(int error) {
    return std::generic_category().message(error);
}

Descriptor open_directory(const std::string& path) {
    return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void check_owner(std::string_view option, const std::string& path, const Descriptor& directory) {
    struct stat facts {};

    if (::fstat(directory.number(), &facts) != 0) {
        refuse(option, path, "cannot be used: " + reason(errno));
    }
    if (facts.st_uid != ::geteuid()) {
        refuse(
            option,
            path,
            fmt::format(
                "belongs to user {}, and this program runs as user {}, who has to own it",
                facts.st_uid,
                ::geteuid()
            )
        );
    }
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        refuse(
            option,
            path,
            fmt::format(
                "can be written by others (mode {:04o}): chmod 0700", facts.st_mode & 07777U
            )
        );
    }
}

}  // namespace

void StateDirectory::check(std::string_view option, const std::string& path) {
    const Descriptor directory = open_directory(path);
    if (directory.is_open()) {
        check_owner(option, path, directory);
        return;
    }
    if (errno != ENOENT) {
        refuse(option, path, "cannot be used: " + reason(errno));
    }
    auto name = std::filesystem::path(path);
    name = name.has_filename() ? name : name.parent_path();  // without a '/' at the end
    const std::string parent = name.has_parent_path() ? name.parent_path().string() : ".";
    if (!open_directory(parent).is_open()) {
        refuse(option, path, "cannot be made: " + parent + ": " + reason(errno));
    }
}

std::string StateDirectory::of_service() {
    const char* const given = std::getenv("STATE_DIRECTORY");  // systemd.exec(5): A:B:C
    const std::string_view all = given == nullptr ? "" : given;
    return std::string(all.substr(0, all.find(':')));
}

StateDirectory::StateDirectory(std::string_view option, const std::string& path) : path_(path) {
    if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        refuse(option, path, "cannot be made: " + reason(errno));
    }
    directory_ = open_directory(path);
    if (!directory_.is_open()) {
        refuse(option, path, "cannot be used: " + reason(errno));
    }
    check_owner(option, path, directory_);
}

StateDirectory::~StateDirectory() {
    wait_until_written();
}

std::optional<std::vector<std::uint8_t>> StateDirectory::read(
    const std::string& name, std::size_t largest
) {
    FileContent found = read_file(directory_.number(), name, largest);
    if (!found.failure.empty()) {
        spdlog::warn("state not read file=\"{}/{}\" reason=\"{}\"", path_, name, found.failure);
    }
    return std::move(found.content);
}

void StateDirectory::write(const std::string& name, std::vector<std::uint8_t> content) {
    put(name, std::move(content));
}

void StateDirectory::remove(const std::string& name) {
    put(name, std::nullopt);
}

void StateDirectory::put(
    const std::string& name, std::optional<std::vector<std::uint8_t>> content
) {
    const std::scoped_lock lock(mutex_);
    File& file = files_[name];
    file.is_waiting = true;
    file.content = std::move(content);
    if (!writer_.joinable()) {
        writer_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
    }
    changed_.notify_all();
}

void StateDirectory::wait_until_written() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] {
        return !is_writing_ && std::ranges::none_of(files_, [](const auto& entry) {
            return entry.second.is_waiting;
        });
    });
}

/// The writer's thread.
void StateDirectory::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (true) {
        const auto is_waiting = [](const auto& entry) { return entry.second.is_waiting; };
        auto next = files_.end();
        const bool has_work = changed_.wait(lock, stop, [&] {
            next = std::ranges::find_if(files_, is_waiting);
            return next != files_.end();
        });
        if (!has_work) {
            return;
        }
        auto& [name, file] = *next;  // stays where it is: names are never taken out
        file.is_waiting = false;
        const auto content = std::exchange(file.content, std::nullopt);
        is_writing_ = true;
        lock.unlock();
        const std::string failure = content ? replace_file(directory_.number(), name, *content)
                                            : remove_file(directory_.number(), name);
        tell(name, file.last_failure, failure);
        lock.lock();
        is_writing_ = false;
        changed_.notify_all();
    }
}

void StateDirectory::tell(
    const std::string& name, std::string& last_failure, const std::string& failure
) const {
    if (failure == last_failure) {
        return;
    }
    if (failure.empty()) {
        spdlog::info("state written again file=\"{}/{}\"", path_, name);
    } else {
        spdlog::warn("state not written file=\"{}/{}\" reason=\"{}\"", path_, name, failure);
    }
    last_failure = failure;
}

}  // namespace dotpair::app
