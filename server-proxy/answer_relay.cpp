// SPDX-License-Identifier: MIT
#include "server-proxy/answer_relay.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dotpair::server {
namespace {

constexpr std::size_t kept_capacity = 1024;  // of a query's memory when it serves the next

}  // namespace

AnswerRelay::AnswerRelay(const Settings& settings)
    : settings_(settings), queries_(settings.max_queries) {}

AnswerRelay::Accepted AnswerRelay::accept_query(
    dns::ConstBytes message,
    policy::SlotId client,
    policy::TimePoint now,
    dns::Bytes scratch,
    policy::Leg leg,
    policy::Timing timing
) {
    const dns::Layout layout = dns::inspect(message);
    const policy::HopWishes wishes = policy::read_wishes(layout);
    const auto answered = [&](const dns::ErrorReason& reason) {
        return Accepted{
            Accepted::Kind::answered,
            {},
            make_own_answer(message, reason, {layout.signature, wishes, leg}, scratch).size};
    };
    const policy::Intake intake = policy::classify(message, layout);
    switch (intake) {
        case policy::Intake::too_short:
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
    if (timing == policy::Timing::early && !policy::is_replay_safe(message, layout)) {
        return answered(
            {dns::Rcode::refused, dns::extended_error::too_early, "ask again behind the handshake"}
        );
    }
    const auto id = queries_.add(now + settings_.query_timeout);
    if (!id) {
        return answered(
            {dns::Rcode::servfail, dns::extended_error::other, "too many queries in flight"}
        );
    }
    Query& query = queries_.at(*id);
    query.message.assign(message.begin(), message.end());
    dns::EditableMessage editable{query.message, message.size(), layout};
    query.question_hash = layout.question_hash;
    query.client = client;
    query.leg = leg;
    query.routes.clear();
    query.original_id = dns::header::id(message);
    query.was_asked = false;
    query.losses = 0;
    query.signature = layout.signature;
    query.opcode = dns::header::opcode(message);
    query.wishes = wishes;
    if (policy::may_edit(settings_.edns, layout) &&
        dns::remove_hop_options(editable) == dns::Edit::impossible) {
        end(*id, query);
        return answered({dns::Rcode::formerr, dns::extended_error::none, {}});
    }
    query.message.resize(editable.size);
    return {
        intake == policy::Intake::transfer ? Accepted::Kind::transfer : Accepted::Kind::query,
        *id,
        0};
}

bool AnswerRelay::hides_size(QueryId id) {
    const Query& query = queries_.at(id);
    return query.wishes.padding || query.is_signed();
}

bool AnswerRelay::may_pad(const Terms& terms) const {
    return terms.wishes.padding && settings_.padding != policy::Padding::off &&
           terms.leg == policy::Leg::tls && terms.signature == dns::Signature::none &&
           settings_.edns == policy::EdnsMode::managed;
}

std::size_t AnswerRelay::transfer_padding(QueryId id) {
    return may_pad(queries_.at(id).terms()) ? dns::answer_padding_block : 0;
}

void AnswerRelay::add_route(QueryId id, const Route& route) {
    Query& query = queries_.at(id);
    query.was_asked = true;
    if (query.routes.size() < Routes::static_capacity) {
        query.routes.push_back(route);
    }
}

std::optional<Route> AnswerRelay::drop_route(QueryId id, const Route& route) {
    Routes& routes = queries_.at(id).routes;
    auto found = routes.end();
    for (auto it = routes.begin(); it != routes.end(); ++it) {
        if (it->is_same_place(route) && (found == routes.end() || it->wire_id == route.wire_id)) {
            found = it;
        }
    }
    if (found == routes.end()) {
        return std::nullopt;
    }
    const Route dropped = *found;
    routes.erase(found);
    return dropped;
}

bool AnswerRelay::note_loss(QueryId id) {
    return ++queries_.at(id).losses < policy::max_losses;
}

void AnswerRelay::finish_into(QueryId id, const BackendAnswer& answer, policy::Outbox& outbox) {
    Query& query = queries_.at(id);
    const std::size_t room = std::min(answer.bytes.size() + answer_room, dns::max_message_size);
    outbox.commit(write_answer(query, answer, outbox.prepare(room)).size);
    end(id, query);
}

dns::ConstBytes AnswerRelay::finish_datagram(
    QueryId id, const BackendAnswer& answer, dns::Bytes out
) {
    Query& query = queries_.at(id);
    dns::EditableMessage message = write_answer(query, answer, out);
    return cut(id, query, message);
}

dns::EditableMessage AnswerRelay::write_answer(
    const Query& query, const BackendAnswer& answer, dns::Bytes out
) const {
    std::memcpy(out.data(), answer.bytes.data(), answer.bytes.size());
    dns::header::set_id(out, query.original_id);
    dns::EditableMessage message{out, answer.bytes.size(), answer.layout};
    if (settings_.edns == policy::EdnsMode::managed && query.wishes.has_opt) {
        dns::inspect_records(message.bytes(), message.layout);
        add_options(query.terms(), message);
    }
    return message;
}

/// What the backend said of its own hop goes; what the client asked for on this hop comes (P-62,
/// P-68).
void AnswerRelay::add_options(const Terms& terms, dns::EditableMessage& answer) const {
    const bool is_signed = terms.signature != dns::Signature::none;
    if (is_signed || !policy::may_edit(settings_.edns, answer.layout) ||
        answer.layout.opt_count != 1 || dns::remove_hop_options(answer) == dns::Edit::impossible) {
        return;
    }
    if (terms.wishes.keepalive && terms.leg != policy::Leg::udp) {
        std::array<std::uint8_t, 2> timeout{};
        dns::write_u16(timeout.data(), keepalive_);
        dns::add_option(answer, dns::option_code::keepalive, timeout);
    }
    if (may_pad(terms)) {
        dns::add_padding(answer, dns::answer_padding_block);  // the last edit (P-70)
    }
}

/// Padded as any other (P-68).
dns::EditableMessage AnswerRelay::make_own_answer(
    dns::ConstBytes query, const dns::ErrorReason& reason, const Terms& terms, dns::Bytes out
) const {
    dns::EditableMessage answer{out, dns::make_error_answer(query, reason, out), {}};
    answer.layout = dns::inspect(answer.bytes());
    add_options(terms, answer);
    return answer;
}

void AnswerRelay::fail_into(QueryId id, const dns::ErrorReason& reason, policy::Outbox& outbox) {
    Query& query = queries_.at(id);
    outbox.commit(write_failure(query, reason, outbox.prepare(max_own_answer)).size);
    end(id, query);
}

dns::ConstBytes AnswerRelay::fail_datagram(
    QueryId id, const dns::ErrorReason& reason, dns::Bytes out
) {
    Query& query = queries_.at(id);
    dns::EditableMessage message = write_failure(query, reason, out);
    return cut(id, query, message);
}

dns::EditableMessage AnswerRelay::write_failure(
    Query& query, const dns::ErrorReason& reason, dns::Bytes out
) const {
    dns::header::set_id(query.message, query.original_id);
    return make_own_answer(query.message, reason, query.terms(), out);
}

/// Ends the query of a client on UDP.
dns::ConstBytes AnswerRelay::cut(QueryId id, Query& query, dns::EditableMessage& answer) {
    if (answer.size > query.wishes.udp_size) {
        answer.layout = dns::inspect(answer.bytes());
        cut_signature_ = answer.layout.signature != dns::Signature::none;
        dns::truncate_answer(answer, query.wishes.udp_size);
    }
    end(id, query);
    return answer.bytes();
}

void AnswerRelay::forget(QueryId id) {
    end(id, queries_.at(id));
}

void AnswerRelay::end(QueryId id, Query& query) {
    if (query.message.capacity() > kept_capacity) {
        query.message = {};
    }
    queries_.remove(id);
}

}  // namespace dotpair::server
