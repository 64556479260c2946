// SPDX-License-Identifier: MIT
#include "common/app/state_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace dotpair::app {

namespace {

std::string why() {
    return std::generic_category().message(errno);
}

/// False, with errno set, unless all of it was taken.
bool write_all(int file, dns::ConstBytes content) {
    while (!content.empty()) {
        const ssize_t written = ::write(file, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        content = content.subspan(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    return true;
}

/// Up to the file's end or the size of `content`, which is then cut to what was read.
bool read_all(int file, std::vector<std::uint8_t>& content) {
    std::size_t size = 0;
    while (size < content.size()) {
        const ssize_t got = ::read(file, content.data() + size, content.size() - size);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (got == 0) {
            break;
        }
        size += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    content.resize(size);
    return true;
}

}  // namespace

Descriptor::~Descriptor() {
    if (is_open()) {
        ::close(number_);
    }
}

std::string replace_file(int directory, const std::string& name, dns::ConstBytes content) {
    const std::string draft = "." + name + ".new";
    ::unlinkat(directory, draft.c_str(), 0);  // of a process that ended in the middle of this
    const Descriptor file(::openat(
        directory,
        draft.c_str(),
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
        S_IRUSR | S_IWUSR
    ));
    if (!file.is_open()) {
        return why();
    }
    // On disk before it takes the name: a crash must not leave an empty file under it.
    if (!write_all(file.number(), content) || ::fsync(file.number()) != 0 ||
        ::renameat(directory, draft.c_str(), directory, name.c_str()) != 0) {
        const std::string failure = why();
        ::unlinkat(directory, draft.c_str(), 0);
        return failure;
    }
    return ::fsync(directory) == 0 ? std::string() : why();
}

std::string remove_file(int directory, const std::string& name) {
    const bool is_gone = ::unlinkat(directory, name.c_str(), 0) == 0 && ::fsync(directory) == 0;
    return is_gone || errno == ENOENT ? std::string() : why();
}

FileContent read_file(int directory, const std::string& name, std::size_t largest) {
    const Descriptor file(
        ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    );
    if (!file.is_open()) {
        return {std::nullopt, errno == ENOENT ? std::string() : why()};
    }

    struct stat facts {};

    if (::fstat(file.number(), &facts) != 0) {
        return {std::nullopt, why()};
    }
    if (!S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid() ||
        (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return {std::nullopt, "not a file that its owner alone, this program's user, can write"};
    }
    std::vector<std::uint8_t> content(largest + 1);
    if (!read_all(file.number(), content)) {
        return {std::nullopt, why()};
    }
    if (content.size() > largest) {
        return {std::nullopt, "larger than " + std::to_string(largest) + " bytes"};
    }
    return {std::move(content), {}};
}

}  // namespace dotpair::app
