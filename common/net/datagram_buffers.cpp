// SPDX-License-Identifier: MIT
#include "common/net/datagram_buffers.hpp"

#include <array>
#include <cstring>

namespace dotpair::net {
namespace {

template <typename Info>
void write_control(
    msghdr& header, DatagramControl& control, int level, int type, const Info& info
) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = level;
    item->cmsg_type = type;
    item->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(item), &info, sizeof info);
}

}  // namespace

/// The arguments of recvmmsg, set once: after a call only what the kernel wrote is set again.
struct DatagramBuffers::Headers {
    std::array<mmsghdr, batch> messages{};
    std::array<iovec, batch> vectors{};
    std::array<ReturnPath::Address, batch> peers{};
    std::array<DatagramControl, batch> controls{};
    std::size_t used = 0;

    void reset(std::size_t index) {
        msghdr& header = messages[index].msg_hdr;
        header.msg_namelen = sizeof peers[index];
        header.msg_controllen = controls[index].bytes.size();
    }
};

DatagramBuffers::DatagramBuffers()
    : headers_(std::make_unique<Headers>()),
      storage_(std::make_unique_for_overwrite<std::uint8_t[]>(batch * stride)
      ) {  // NOLINT(modernize-avoid-c-arrays)
    for (std::size_t index = 0; index < batch; ++index) {
        const dns::Bytes room = buffer(index);
        headers_->vectors[index] = {room.data(), room.size()};
        msghdr& header = headers_->messages[index].msg_hdr;
        header.msg_iov = &headers_->vectors[index];
        header.msg_iovlen = 1;
        header.msg_name = &headers_->peers[index];
        header.msg_control = headers_->controls[index].bytes.data();
        headers_->reset(index);
    }
}

DatagramBuffers::~DatagramBuffers() = default;

int DatagramBuffers::receive(int socket) {
    for (std::size_t index = 0; index < headers_->used; ++index) {
        headers_->reset(index);
    }
    const int received =
        ::recvmmsg(socket, headers_->messages.data(), batch, MSG_DONTWAIT, nullptr);
    headers_->used = received > 0 ? static_cast<std::size_t>(received) : 0;
    return received;
}

bool DatagramBuffers::is_cut(std::size_t index) const {
    return (headers_->messages[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

dns::Bytes DatagramBuffers::message(std::size_t index) {
    return buffer(index).first(headers_->messages[index].msg_len);
}

ReturnPath DatagramBuffers::return_path(std::size_t index) {
    msghdr& header = headers_->messages[index].msg_hdr;
    ReturnPath path;
    path.peer = headers_->peers[index];
    path.peer_size = header.msg_namelen;
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
         item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(item), sizeof info);
            path.has_local = true;
            // Not the destination itself: nothing can be sent from a broadcast address.
            std::memcpy(&path.local, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(item), sizeof info);
            path.has_local = true;
            path.local = info.ipi6_addr;
            path.interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
        }
    }
    return path;
}

void write_return_path(msghdr& header, DatagramControl& control, const ReturnPath& path) {
    header.msg_name = const_cast<ReturnPath::Address*>(&path.peer);  // NOLINT: sendmmsg only reads
    header.msg_namelen = path.peer_size;
    if (!path.has_local) {
        return;
    }
    if (path.peer.v4.sin_family == AF_INET) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, &path.local, sizeof info.ipi_spec_dst);
        write_control(header, control, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        const in6_pktinfo info{path.local, path.interface};
        write_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

}  // namespace dotpair::net
