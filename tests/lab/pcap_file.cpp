// SPDX-License-Identifier: MIT
#include "tests/lab/pcap_file.hpp"

#include "tests/lab/system_call.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <sys/uio.h>
#include <unistd.h>

namespace dotpair::lab {
namespace {

// https://www.tcpdump.org/manpages/pcap-savefile.5.html, in the byte order of this machine.
struct FileHeader {
    std::uint32_t magic = 0xa1b23c4d;  // times in nanoseconds
    std::uint16_t major = 2;
    std::uint16_t minor = 4;
    std::uint32_t time_zone = 0;
    std::uint32_t accuracy = 0;
    std::uint32_t longest_packet = 1U << 18U;
    std::uint32_t link_type = 113;  // LINUX_SLL
};

// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html, in network byte order.
struct LinkHeader {
    std::uint16_t packet_type;
    std::uint16_t device_type = htons(ARPHRD_NONE);
    std::uint16_t address_size = htons(1);
    std::array<std::uint8_t, 8> address{};
    std::uint16_t protocol;
};

struct PacketHeader {
    std::uint32_t seconds;
    std::uint32_t nanoseconds;
    std::uint32_t captured_size;
    std::uint32_t size;
    LinkHeader link;
};

static_assert(sizeof(FileHeader) == 24 && sizeof(PacketHeader) == 32);

constexpr std::uint16_t sent_by_us = 4;
constexpr std::uint16_t sent_to_us = 0;

}  // namespace

PcapFile::PcapFile(const std::string& name)
    : file_(checked(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), name)),
      epoch_of_clock_(
          std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch()
      ) {
    const FileHeader header;
    checked(::write(file_, &header, sizeof header), name);
}

PcapFile::~PcapFile() {
    ::close(file_);
}

void PcapFile::add(
    Direction direction,
    std::span<const std::uint8_t> packet,
    Clock::time_point entered,
    bool is_dropped
) {
    using namespace std::chrono;
    const auto time = epoch_of_clock_ + entered.time_since_epoch();
    const auto whole = floor<seconds>(time);
    const auto size = static_cast<std::uint32_t>(sizeof(LinkHeader) + packet.size());
    const bool is_ipv6 = !packet.empty() && packet[0] >> 4U == 6;
    PacketHeader header{
        static_cast<std::uint32_t>(whole.count()),
        static_cast<std::uint32_t>(nanoseconds{time - whole}.count()),
        size,
        size,
        {.packet_type = htons(direction == Direction::up ? sent_by_us : sent_to_us),
         .protocol = htons(is_ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP)}};
    header.link.address[0] = is_dropped ? 1 : 0;
    const std::array<iovec, 2> parts{
        iovec{&header, sizeof header},
        // The system only reads through it.
        iovec{const_cast<std::uint8_t*>(packet.data()), packet.size()}};  // NOLINT(*-const-cast)
    checked(::writev(file_, parts.data(), parts.size()), "capture");
}

}  // namespace dotpair::lab
