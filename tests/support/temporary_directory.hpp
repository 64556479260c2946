// SPDX-License-Identifier: MIT
#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace dotpair::test {

/// An empty directory, gone with what is in it at the end of its scope.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        if (::mkdtemp(path_.data()) == nullptr) {
            throw std::runtime_error("no temporary directory");
        }
    }

    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::string& path() const { return path_; }

    std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_ = "/tmp/dotpair-test-XXXXXX";
};

/// The lowest nine bits of its mode, and the three above them.
inline unsigned mode_of(const std::string& path) {
    struct stat facts {};

    if (::stat(path.c_str(), &facts) != 0) {
        throw std::runtime_error("no " + path);
    }
    return facts.st_mode & 07777U;
}

}  // namespace dotpair::test
