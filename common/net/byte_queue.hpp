// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dotpair::net {

/// Octets that wait for their turn. While there are none, which is nearly always, it is no larger
/// than a pointer.
class ByteQueue {
public:
    bool empty() const { return waiting_ == nullptr; }

    std::size_t size() const { return empty() ? 0 : waiting_->octets.size() - waiting_->taken; }

    /// Valid until the next call.
    dns::ConstBytes octets() const {
        return empty() ? dns::ConstBytes{}
                       : dns::ConstBytes(waiting_->octets).subspan(waiting_->taken);
    }

    void append(dns::ConstBytes more) {
        if (more.empty()) {
            return;
        }
        if (empty()) {
            waiting_ = std::make_unique<Waiting>();
        }
        waiting_->octets.insert(waiting_->octets.end(), more.begin(), more.end());
    }

    /// The first `size` octets are done with. What is left is moved at most as often as that much
    /// was taken. REQUIRES: size <= this->size().
    void take(std::size_t size) {
        if (size == this->size()) {
            clear();
            return;
        }
        waiting_->taken += size;
        if (waiting_->taken > this->size()) {
            const auto begin = waiting_->octets.begin();
            waiting_->octets.erase(begin, begin + static_cast<std::ptrdiff_t>(waiting_->taken));
            waiting_->taken = 0;
        }
    }

    void clear() { waiting_.reset(); }

private:
    struct Waiting {
        std::vector<std::uint8_t> octets;
        std::size_t taken = 0;
    };

    std::unique_ptr<Waiting> waiting_;
};

}  // namespace dotpair::net
