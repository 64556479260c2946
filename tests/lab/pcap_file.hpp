// SPDX-License-Identifier: MIT
#pragma once

#include "tests/lab/path.hpp"

#include <string>

namespace dotpair::lab {

/// A pcap file that tcpdump and Wireshark read: nanoseconds, link type LINUX_SLL. What that header
/// can say is used so: packet type 4 (sent by us) is up and 0 (sent to us) is down; the link
/// address is one octet, 1 for a packet that the path dropped, else 0.
///
/// A packet is in the file when add() returns. All throw std::system_error.
class PcapFile {
public:
    explicit PcapFile(const std::string& name);

    PcapFile(const PcapFile&) = delete;
    PcapFile& operator=(const PcapFile&) = delete;
    ~PcapFile();

    /// `entered`: when the packet entered the path.
    void add(
        Direction direction,
        std::span<const std::uint8_t> packet,
        Clock::time_point entered,
        bool is_dropped
    );

private:
    int file_;
    // Of one reading of both clocks, so that a clock that is set cannot tear the times apart.
    std::chrono::nanoseconds epoch_of_clock_;
};

}  // namespace dotpair::lab
