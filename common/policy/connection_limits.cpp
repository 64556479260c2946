// SPDX-License-Identifier: MIT
#include "common/policy/connection_limits.hpp"

#include <cassert>
#include <functional>
#include <string_view>

namespace dotpair::policy {

std::size_t ConnectionLimits::Hash::operator()(const SourceAddress& source) const {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(source.data()), source.size()}
    );
}

ConnectionLimits::Verdict ConnectionLimits::admit(const SourceAddress& source) {
    const auto entry = per_address_.find(source);
    if (entry != per_address_.end() && entry->second >= max_per_address_) {
        return Verdict::too_many_from_address;
    }
    if (total_ >= max_total_) {
        return Verdict::too_many;
    }
    ++per_address_[source];
    ++total_;
    return Verdict::admitted;
}

void ConnectionLimits::release(const SourceAddress& source) {
    const auto entry = per_address_.find(source);
    assert(entry != per_address_.end() && total_ > 0);
    --total_;
    if (--entry->second == 0) {
        per_address_.erase(entry);
    }
}

}  // namespace dotpair::policy
