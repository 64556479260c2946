// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dotpair::app {

/// Owns a file descriptor, or none.
class Descriptor {
public:
    /// `number` is what open() returned.
    explicit Descriptor(int number = -1) : number_(number) {}

    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }

    ~Descriptor();

    bool is_open() const { return number_ >= 0; }

    int number() const { return number_; }

private:
    int number_;
};

// Files of one directory, which `directory` is open on. Each returns what went wrong, in words;
// nothing went wrong where the text is empty. All of them wait for the disk.

/// The file holds either what it held before or all of `content`, whatever happens meanwhile, and
/// is for its owner alone.
std::string replace_file(int directory, const std::string& name, dns::ConstBytes content);

/// A file that is not there is no failure.
std::string remove_file(int directory, const std::string& name);

/// At most `largest` octets. No content and no failure: there is no such file. One that others
/// could have written is not read.
struct FileContent {
    std::optional<std::vector<std::uint8_t>> content;
    std::string failure;
};

FileContent read_file(int directory, const std::string& name, std::size_t largest);

}  // namespace dotpair::app
