// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace dotpair {

/// The operator's input cannot work. Thrown only before the event loop starts; what() is one line
/// that names option and value. The program prints it and exits with exit_config.
class ConfigError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The machine does not let us start: a port in use, a missing permission. what() is one line that
/// says what to do about it. The program prints it and exits with exit_failure.
class StartError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline constexpr int exit_failure = 1;
inline constexpr int exit_config = 78;  // EX_CONFIG of sysexits.h

}  // namespace dotpair
