// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace dotpair::lab {

/// `result`, or std::system_error with `what` when it is negative.
template <class Integer>
Integer checked(Integer result, const std::string& what) {
    if (result < 0) {
        throw std::system_error{errno, std::generic_category(), what};
    }
    return result;
}

}  // namespace dotpair::lab
