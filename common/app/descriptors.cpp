// SPDX-License-Identifier: MIT
#include "common/app/descriptors.hpp"

#include <spdlog/spdlog.h>

#include <sys/resource.h>

namespace dotpair::app {

void raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < wanted) {
        spdlog::warn(
            "descriptors limit={} wanted={}; raise LimitNOFILE, or lower the limits on connections",
            limit.rlim_max,
            wanted
        );
    }
}

}  // namespace dotpair::app
