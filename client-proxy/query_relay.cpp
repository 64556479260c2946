// SPDX-License-Identifier: MIT
#include "client-proxy/query_relay.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace dotpair::client {
namespace {

/// IPv4, no octet of the address, no scope (RFC 7871 section 6).
constexpr std::array<std::uint8_t, 4> no_client_subnet{0, 1, 0, 0};
constexpr std::size_t edit_room = dns::empty_opt_size + 3 * dns::option_header_size +
                                  no_client_subnet.size() + dns::query_padding_block;
constexpr std::size_t answer_room = dns::option_header_size + 2;  // keepalive and its value
constexpr std::size_t kept_capacity = 1024;  // of a query's memory when it serves the next
/// Of an OPT that we add: what the app takes without one, and the answer's own OPT. More would let
/// a resolver fill an answer beyond what the app can take, which it then would get cut.
constexpr std::uint16_t added_udp_size = dns::default_udp_size + dns::empty_opt_size;

}  // namespace

QueryRelay::QueryRelay(const Settings& settings)
    : settings_(settings), queries_(settings.max_queries) {}

QueryRelay::Accepted QueryRelay::accept_query(
    dns::ConstBytes message, Transport from, policy::TimePoint now, dns::Bytes scratch
) {
    const auto answered = [&](const dns::ErrorReason& reason) {
        return Accepted{
            Accepted::Kind::answered, {}, dns::make_error_answer(message, reason, scratch)};
    };
    const dns::Layout layout =
        message.size() < dns::header_size ? dns::Layout{} : dns::inspect(message);
    const policy::Intake intake = policy::classify(message, layout);
    switch (intake) {
        case policy::Intake::too_short:
            return {Accepted::Kind::too_short, {}, 0};
        case policy::Intake::not_a_query:
            return {Accepted::Kind::not_a_query, {}, 0};
        case policy::Intake::dso:
            return answered(
                {dns::Rcode::notimp, dns::extended_error::not_supported, "no DSO through a proxy"}
            );
        case policy::Intake::query:
        case policy::Intake::transfer:
            break;
    }
    if (!settings_.forward_resolver_arpa && policy::asks_resolver_arpa(message, layout)) {
        return answered({dns::Rcode::noerror, dns::extended_error::none, {}});
    }
    const auto id = queries_.add(now + settings_.query_timeout);
    if (!id) {
        return answered(
            {dns::Rcode::servfail, dns::extended_error::other, "too many queries in flight"}
        );
    }
    Query& query = queries_.at(*id);
    query.message.resize(std::min(message.size() + edit_room, dns::max_message_size));
    std::memcpy(query.message.data(), message.data(), message.size());
    dns::EditableMessage editable{query.message, message.size(), layout};
    query.question_hash = layout.question_hash;
    query.original_id = dns::header::id(message);
    query.copies.clear();
    query.writes = 0;
    query.losses = 0;
    query.spoils = 0;
    query.from = from;
    query.signature = layout.signature;
    query.opcode = dns::header::opcode(message);
    query.is_replay_safe = policy::is_replay_safe(message, layout);
    query.is_whole = layout.has_all_records;
    query.wishes = policy::read_wishes(layout);
    query.opt_added = false;
    query.opted_out = false;
    query.is_padded = false;
    if (!edit_query(query, editable, intake == policy::Intake::transfer)) {
        end(*id, query);
        return answered({dns::Rcode::formerr, dns::extended_error::none, {}});
    }
    query.message.resize(editable.size);
    return {
        intake == policy::Intake::transfer ? Accepted::Kind::transfer : Accepted::Kind::query,
        *id,
        0};
}

/// Hop-by-hop options out, ours in. False when an option has to go and cannot. A transfer's answers
/// pass as they are, so nothing is added to its query that would have to be taken out of them.
bool QueryRelay::edit_query(Query& query, dns::EditableMessage& message, bool is_transfer) const {
    if (!policy::may_edit(settings_.edns, message.layout)) {
        return true;
    }
    if (dns::remove_hop_options(message) == dns::Edit::impossible) {
        return false;
    }
    if (is_transfer) {
        return true;
    }
    const bool can_add_opt = query.opcode == dns::Opcode::query && message.layout.has_question;
    const bool pad_all = policy::pads_messages(settings_.padding);
    if ((pad_all || settings_.ecs_opt_out) && message.layout.opt_count == 0 && can_add_opt) {
        query.opt_added = dns::add_opt(message, added_udp_size) == dns::Edit::done;
    }
    if (settings_.ecs_opt_out && query.opcode == dns::Opcode::query) {
        add_opt_out(query, message);
    }
    dns::add_option(message, dns::option_code::keepalive, {});
    if (pad_all || query.wishes.padding) {
        query.is_padded =  // the last edit (P-70)
            dns::add_padding(message, dns::query_padding_block) == dns::Edit::done;
    }
    return true;
}

/// What the app says itself of its subnet stands (P-31).
void QueryRelay::add_opt_out(Query& query, dns::EditableMessage& message) {
    const bool says_subnet = message.layout.opt_count != 1 || message.layout.opt.has_client_subnet;
    query.opted_out = !says_subnet &&
                      dns::add_option(message, dns::option_code::client_subnet, no_client_subnet) ==
                          dns::Edit::done;
}

bool QueryRelay::write_query(
    QueryId id,
    policy::PendingQueries& ids,
    policy::Outbox& outbox,
    std::uint32_t connection,
    policy::Leg leg,
    policy::TimePoint now
) {
    Query& query = queries_.at(id);
    assert(query.copies.size() < max_copies);
    if (std::ranges::count(query.copies, connection, &Written::connection) > 0) {
        return false;
    }
    std::uint16_t wire_id = query.original_id;
    if (query.signature == dns::Signature::sig0) {
        if (!ids.reserve_exactly(wire_id, query.question_hash, id)) {
            return false;
        }
    } else {
        const auto reserved = ids.reserve(wire_id, query.question_hash, id);
        if (!reserved) {
            return false;
        }
        wire_id = *reserved;
    }
    const dns::Bytes frame = outbox.prepare(query.message.size());
    std::memcpy(frame.data(), query.message.data(), query.message.size());
    dns::header::set_id(frame, wire_id);
    outbox.commit(
        leg == policy::Leg::tls || !query.is_padded ? frame.size() : take_padding_off(frame)
    );
    query.copies.push_back({connection, wire_id, now});
    query.writes = static_cast<std::uint8_t>(std::min<int>(query.writes + 1, UINT8_MAX));
    queries_.dequeue(queue_of(id), id);
    return true;
}

/// Our own edits but for the padding. Returns the size that is left.
std::size_t QueryRelay::take_padding_off(dns::Bytes message) {
    dns::EditableMessage editable{message, message.size(), dns::inspect(message)};
    dns::remove_hop_options(editable);
    dns::add_option(editable, dns::option_code::keepalive, {});
    return editable.size;
}

QueryRelay::Match QueryRelay::match_answer(policy::PendingQueries& ids, dns::ConstBytes answer) {
    using Kind = Match::Kind;
    if (answer.size() < dns::header_size || !dns::header::is_answer(answer)) {
        return {Kind::malformed, {}};
    }
    matched_ = dns::inspect(answer);
    const auto [match, id] =
        ids.match(dns::header::id(answer), dns::repeated_question(answer, matched_));
    using Found = policy::PendingQueries::Match;
    if (match == Found::found && is_known(id)) {
        return {may_be_read(queries_.at(id), answer) ? Kind::answer : Kind::unreadable, id};
    }
    return {
        match == Found::mismatch  ? Kind::wrong_question
        : match == Found::unknown ? Kind::unknown
                                  : Kind::late,
        {}};
}

/// By its app, or nothing better is to be had. With TC the records need not be whole (RFC 2181
/// section 9).
bool QueryRelay::may_be_read(const Query& query, dns::ConstBytes answer) const {
    // An answer repeats what is wrong with its query.
    const bool is_hopeless = !query.is_whole || !is_repeatable(query) ||
                             query.spoils >= policy::max_spoils ||
                             query.writes >= policy::max_writes;
    return matched_.has_all_records || dns::header::is_truncated(answer) ||
           dns::is_bare_error(answer) || is_hopeless;
}

dns::Bytes QueryRelay::finish_in_place(QueryId id, dns::Bytes answer) {
    Query& query = queries_.at(id);
    dns::header::set_id(answer, query.original_id);
    dns::EditableMessage message{answer, answer.size(), matched_};
    undo_edits(query, message);
    if (query.from == Transport::udp && message.size > query.wishes.udp_size) {
        cut_signature_ = message.layout.signature != dns::Signature::none;
        dns::truncate_answer(message, query.wishes.udp_size);
    }
    end(id, query);
    return message.bytes();
}

void QueryRelay::finish_into(QueryId id, dns::ConstBytes answer, policy::Outbox& outbox) {
    Query& query = queries_.at(id);
    const std::size_t room = std::min(answer.size() + answer_room, dns::max_message_size);
    const dns::Bytes frame = outbox.prepare(room);
    std::memcpy(frame.data(), answer.data(), answer.size());
    dns::header::set_id(frame, query.original_id);
    dns::EditableMessage message{frame, answer.size(), matched_};
    undo_edits(query, message);
    outbox.commit(message.size);
    end(id, query);
}

/// What cannot be edited passes as it came: the app is told what the resolver said.
void QueryRelay::undo_edits(const Query& query, dns::EditableMessage& answer) {
    if (!policy::may_edit(settings_.edns, answer.layout) ||
        query.signature != dns::Signature::none) {
        return;
    }
    note_idle_time(answer);
    if (query.opt_added) {
        dns::remove_opt(answer);
        return;
    }
    dns::remove_hop_options(answer);
    if (query.opted_out) {
        dns::remove_client_subnet(answer);
    }
    if (query.from == Transport::tcp && query.wishes.keepalive) {
        std::array<std::uint8_t, 2> timeout{};
        dns::write_u16(timeout.data(), settings_.keepalive);
        dns::add_option(answer, dns::option_code::keepalive, timeout);
    }
}

void QueryRelay::note_idle_time(const dns::EditableMessage& answer) {
    if (answer.layout.opt_count != 1) {
        return;
    }
    if (const auto told = answer.layout.opt.keepalive_timeout) {
        idle_time_ = *told * policy::keepalive_unit;
    }
}

std::size_t QueryRelay::fail(QueryId id, const dns::ErrorReason& reason, dns::Bytes out) {
    Query& query = queries_.at(id);
    if (query.opt_added) {
        dns::EditableMessage message{
            query.message, query.message.size(), dns::inspect(query.message)};
        dns::remove_opt(message);
        query.message.resize(message.size);
    }
    const std::size_t size = dns::make_error_answer(query.message, reason, out);
    end(id, query);
    return size;
}

void QueryRelay::forget(QueryId id) {
    if (Query* const query = queries_.find(id)) {
        end(id, *query);
    }
}

void QueryRelay::end(QueryId id, Query& query) {
    if (query.message.capacity() > kept_capacity) {
        query.message = {};
    }
    queries_.remove(id);
}

}  // namespace dotpair::client
