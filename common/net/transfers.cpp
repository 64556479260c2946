// SPDX-License-Identifier: MIT
#include "common/net/transfers.hpp"

#include "common/dns/error_answer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace dotpair::net {
namespace {

/// What the resolver said of its own hop goes, the padding of this one comes.
void append_padded(policy::Outbox& outbox, dns::ConstBytes message, std::size_t block) {
    const std::size_t room = message.size() + dns::option_header_size + block;
    const dns::Bytes frame = outbox.prepare(std::min(room, dns::max_message_size));
    std::ranges::copy(message, frame.begin());
    dns::EditableMessage padded{frame, message.size(), dns::inspect(message)};
    if (dns::remove_hop_options(padded) != dns::Edit::impossible) {
        dns::add_padding(padded, block);
    }
    outbox.commit(padded.size);
}

}  // namespace

Transfers::Transfers(
    EventLoop& loop, Handler& handler, std::size_t max_transfers, const ConnectionSettings& settings
)
    : loop_(loop), handler_(handler), max_transfers_(max_transfers), settings_(settings) {}

bool Transfers::start(dns::ConstBytes query, const TransferClient& client) {
    if (transfers_.size() == max_transfers_) {
        return false;
    }
    Transfer& transfer = transfers_.emplace_back();
    transfer.query.assign(query.begin(), query.end());
    transfer.client = client;
    if (ClientConnection* const connection =
            client.udp ? nullptr : handler_.find_client(client.stream)) {
        connection->query_begun();
    }
    if (!try_next(transfer)) {
        give_up(transfer, "no upstream to ask");
        finish(std::prev(transfers_.end()));
    }
    return true;
}

bool Transfers::try_next(Transfer& transfer) {
    auto target = handler_.transfer_target(transfer.attempt++);
    if (!target) {
        return false;
    }
    transfer.peer = target->peer;
    transfer.asked = to_string(target->endpoint);
    TransferStream::Sink& sink = *this;
    transfer.stream = std::make_unique<TransferStream>(loop_, sink, settings_, transfer.query);
    transfer.stream->connect(target->endpoint, std::move(target->security), target->xot_only);
    return true;
}

Transfers::Iterator Transfers::find(const TransferStream& stream) {
    return std::ranges::find_if(transfers_, [&stream](const Transfer& transfer) {
        return transfer.stream.get() == &stream;
    });
}

void Transfers::on_transfer_message(TransferStream& stream, dns::Bytes message, bool is_last) {
    const Iterator transfer = find(stream);
    if (transfer != transfers_.end() && !transfer->is_over) {
        deliver(*transfer, message, is_last);
        transfer->is_over = is_last || transfer->client.udp;
    }
}

void Transfers::deliver(Transfer& transfer, dns::Bytes message, bool is_last) {
    if (transfer.client.udp) {
        dns::EditableMessage answer{message, message.size(), dns::inspect(message)};
        dns::truncate_answer(answer, transfer.client.udp_size);
        if (!is_last) {
            answer.storage[2] |= dns::header::tc_bit;  // also where the first message fits
        }
        transfer.client.udp->queue(answer.bytes(), transfer.client.path);
        transfer.client.udp->flush();
        return;
    }
    ClientConnection* const client = handler_.find_client(transfer.client.stream);
    if (client == nullptr) {
        return;  // client_gone() is on its way
    }
    if (transfer.client.padding_block > 0) {
        append_padded(client->outbox(), message, transfer.client.padding_block);
    } else {
        client->outbox().append(message);
    }
    client->answers_added();
    if (client->outbox_is_full() && !is_last && !transfer.is_paused) {
        transfer.is_paused = true;
        transfer.stream->pause();
    }
}

void Transfers::on_transfer_batch_end(TransferStream& stream) {
    const Iterator transfer = find(stream);
    if (transfer != transfers_.end() && transfer->is_over) {
        finish(transfer);
    }
}

void Transfers::on_transfer_failed(TransferStream& stream, const std::string& reason) {
    const Iterator transfer = find(stream);
    if (transfer == transfers_.end()) {
        return;
    }
    if (!stream.has_begun()) {
        if (!stream.is_unfit()) {
            handler_.transfer_target_failed(transfer->peer, reason);
        }
        stream.close();
        loop_.destroy_later(std::move(transfer->stream));
        if (try_next(*transfer)) {
            return;
        }
    }
    if (!transfer->is_over) {
        give_up(*transfer, transfer->asked + ": " + reason);
    }
    finish(transfer);
}

/// Also in the middle of a transfer: an error code is what its reader takes for a failure, and
/// other queries on the client's connection go on.
void Transfers::give_up(Transfer& transfer, const std::string& reason) {
    std::array<std::uint8_t, dns::max_error_answer> answer{};
    const dns::ErrorReason why{dns::Rcode::servfail, dns::extended_error::network_error, reason};
    const std::size_t size = dns::make_error_answer(transfer.query, why, answer);
    deliver(transfer, dns::Bytes(answer).first(size), true);
}

void Transfers::finish(Iterator transfer) {
    if (transfer->stream) {
        // A datagram's client got its one message; the rest is not for anybody.
        transfer->stream->close();
        loop_.destroy_later(std::move(transfer->stream));
    }
    const TransferClient client = transfer->client;
    transfers_.erase(transfer);
    if (ClientConnection* const connection =
            client.udp ? nullptr : handler_.find_client(client.stream)) {
        connection->query_ended();
    }
    if (transfers_.empty()) {
        handler_.on_last_transfer_ended();
    }
}

void Transfers::client_drained(policy::SlotId client) {
    for (Transfer& transfer : transfers_) {
        if (!transfer.client.udp && transfer.client.stream == client && transfer.is_paused) {
            transfer.is_paused = false;
            transfer.stream->resume();
        }
    }
}

void Transfers::client_gone(policy::SlotId client) {
    const std::size_t ended = transfers_.remove_if([client](const Transfer& transfer) {
        return !transfer.client.udp && transfer.client.stream == client;
    });
    if (ended > 0 && transfers_.empty()) {
        handler_.on_last_transfer_ended();
    }
}

}  // namespace dotpair::net
