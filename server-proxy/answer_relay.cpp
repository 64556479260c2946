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
    const policy::HopWishes wishes = policy::read_wishes(message, layout);
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
    query.routes = {};
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

dns::Bytes AnswerRelay::message(QueryId id) {
    return queries_.at(id).message;
}

std::uint64_t AnswerRelay::question_hash(QueryId id) {
    return queries_.at(id).question_hash;
}

policy::SlotId AnswerRelay::client(QueryId id) {
    return queries_.at(id).client;
}

policy::Leg AnswerRelay::leg(QueryId id) {
    return queries_.at(id).leg;
}

std::size_t AnswerRelay::udp_size(QueryId id) {
    return queries_.at(id).wishes.udp_size;
}

policy::TimePoint AnswerRelay::accepted_at(QueryId id) const {
    return queries_.deadline(id) - settings_.query_timeout;
}

bool AnswerRelay::keeps_id(QueryId id) {
    return queries_.at(id).signature == dns::Signature::sig0;
}

bool AnswerRelay::hides_size(QueryId id) {
    const Query& query = queries_.at(id);
    return query.wishes.padding || query.signature != dns::Signature::none;
}

bool AnswerRelay::is_signed(QueryId id) {
    return queries_.at(id).signature != dns::Signature::none;
}

bool AnswerRelay::may_pad(const Terms& terms) const {
    return terms.wishes.padding && settings_.padding != policy::Padding::off &&
           terms.leg == policy::Leg::tls && terms.signature == dns::Signature::none &&
           settings_.edns == policy::EdnsMode::managed;
}

std::size_t AnswerRelay::transfer_padding(QueryId id) {
    return may_pad(queries_.at(id).terms()) ? dns::answer_padding_block : 0;
}

bool AnswerRelay::may_repeat(QueryId id) {
    return queries_.at(id).opcode == dns::Opcode::query;
}

policy::Company AnswerRelay::company(QueryId id) {
    return keeps_id(id) || !may_repeat(id) ? policy::Company::alone
                                           : policy::company_after(queries_.at(id).losses);
}

void AnswerRelay::add_route(QueryId id, const Route& route) {
    Query& query = queries_.at(id);
    query.was_asked = true;
    for (Route& it : query.routes) {
        if (it.kind == Route::Kind::none) {
            it = route;
            return;
        }
    }
}

std::optional<Route> AnswerRelay::drop_route(QueryId id, const Route& route) {
    auto& routes = queries_.at(id).routes;
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
    std::copy(found + 1, routes.end(), found);
    routes.back() = {};
    return dropped;
}

const std::array<Route, AnswerRelay::max_routes>& AnswerRelay::routes(QueryId id) {
    return queries_.at(id).routes;
}

bool AnswerRelay::was_asked(QueryId id) {
    return queries_.at(id).was_asked;
}

bool AnswerRelay::note_loss(QueryId id) {
    return ++queries_.at(id).losses < policy::max_losses;
}

void AnswerRelay::finish_into(QueryId id, dns::ConstBytes answer, policy::Outbox& outbox) {
    Query& query = queries_.at(id);
    const std::size_t room = std::min(answer.size() + answer_room, dns::max_message_size);
    outbox.commit(write_answer(query, answer, outbox.prepare(room)).size);
    end(id, query);
}

dns::ConstBytes AnswerRelay::finish_datagram(QueryId id, dns::ConstBytes answer, dns::Bytes out) {
    Query& query = queries_.at(id);
    dns::EditableMessage message = write_answer(query, answer, out);
    return cut(id, query, message);
}

dns::EditableMessage AnswerRelay::write_answer(
    const Query& query, dns::ConstBytes answer, dns::Bytes out
) const {
    std::memcpy(out.data(), answer.data(), answer.size());
    dns::header::set_id(out, query.original_id);
    dns::EditableMessage message{out, answer.size(), {}};
    if (settings_.edns == policy::EdnsMode::managed && query.wishes.has_opt) {
        message.layout = dns::inspect(message.bytes());
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
