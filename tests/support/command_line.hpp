// SPDX-License-Identifier: MIT
#pragma once

#include "common/error.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::test {

using Words = std::vector<std::string>;

/// Calls `read_config` with `words` behind the program's name.
template <typename ReadConfig>
auto read_words(ReadConfig read_config, const Words& words) {
    std::vector<const char*> argv{"program"};
    for (const std::string& word : words) {
        argv.push_back(word.c_str());
    }
    argv.push_back(nullptr);
    return read_config(static_cast<int>(argv.size()) - 1, argv.data());
}

/// What the ConfigError says that `words` cause; empty when there is none.
template <typename ReadConfig>
std::string refusal_of(ReadConfig read_config, const Words& words) {
    try {
        read_words(read_config, words);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

/// Everything that `action` writes to standard output.
template <typename Action>
std::string printed_by(Action action) {
    std::ostringstream text;
    std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
    action();
    std::cout.rdbuf(before);
    return text.str();
}

/// The names of the options that `help` lists, without dashes.
inline std::set<std::string> options_in(const std::string& help) {
    std::set<std::string> names;
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("  --")) {
            names.insert(line.substr(4, line.find_first_of(" ,", 4) - 4));
        }
    }
    return names;
}

/// A file with some text, gone at the end of its scope.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view text) {
        const int file = ::mkstemp(path_.data());
        if (file < 0) {
            throw std::runtime_error("no temporary file");
        }
        ::close(file);
        std::ofstream(path_, std::ios::binary) << text;
    }

    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    ~TemporaryFile() { ::unlink(path_.c_str()); }

    const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/dotpair-test-XXXXXX";
};

}  // namespace dotpair::test
