// SPDX-License-Identifier: MIT
#pragma once

#include "common/app/state_files.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace dotpair::app {

/// What outlives the process: a directory that only the user of the program can write, and in it a
/// file for each thing to be kept, `name` being a file name without '/'.
///
/// A disk may be slow, full or gone, and DNS goes on: nobody waits for it, and what fails is logged
/// once, until it works again. Thread: write() and remove() may be called from any.
class StateDirectory {
public:
    /// Whether the constructor would take `path`, as far as that can be told without making it.
    /// Throws ConfigError.
    static void check(std::string_view option, const std::string& path);

    /// The directory that systemd gives a service with StateDirectory=, empty if none.
    static std::string of_service();

    /// Makes the directory, with mode 0700, where its parent has none of that name. Throws
    /// ConfigError naming `option`, path and reason: it belongs to somebody else, others can write
    /// to it, it cannot be made.
    StateDirectory(std::string_view option, const std::string& path);
    StateDirectory(const StateDirectory&) = delete;
    StateDirectory& operator=(const StateDirectory&) = delete;
    /// Writes what waits to be written.
    ~StateDirectory();

    /// What the last write() of `name` left, also that of a process before this one. Nothing when
    /// there is none, or when it cannot be read or has more than `largest` octets, which is logged.
    /// Waits for the disk: for the start of a program.
    std::optional<std::vector<std::uint8_t>> read(const std::string& name, std::size_t largest);

    /// Replaces the file `name`, soon and not by halves. Of two contents that come quickly one
    /// after the other, the first may never be written.
    void write(const std::string& name, std::vector<std::uint8_t> content);

    /// There will be no such file.
    void remove(const std::string& name);

    /// Returns when all that was given so far is on the disk, or has failed.
    void wait_until_written();

private:
    struct File {
        bool is_waiting = false;
        std::optional<std::vector<std::uint8_t>> content;  // of what is waiting; nothing: remove it
        std::string last_failure;
    };

    void put(const std::string& name, std::optional<std::vector<std::uint8_t>> content);
    void work(const std::stop_token& stop);
    void tell(const std::string& name, std::string& last_failure, const std::string& failure) const;

    std::string path_;
    Descriptor directory_;
    std::mutex mutex_;  // of what follows
    std::condition_variable_any changed_;
    std::map<std::string, File> files_;
    bool is_writing_ = false;
    std::jthread writer_;  // from the first write() on; last, so that it ends before the others
};

}  // namespace dotpair::app
