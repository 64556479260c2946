// SPDX-License-Identifier: MIT
#include "common/net/admissions.hpp"

#include <utility>

namespace dotpair::net {

struct Admissions::State {
    std::size_t most;
    SharedLimits* limits;
    std::function<void()> on_last_gone;
    std::size_t count = 0;
};

struct Admissions::Admission {
    Admission(std::shared_ptr<State> its_state, const policy::SourceAddress& its_source)
        : state(std::move(its_state)), source(its_source) {
        ++state->count;
    }

    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

    ~Admission() {
        if (state->limits != nullptr) {
            state->limits->release(source);
        }
        if (--state->count == 0 && state->on_last_gone) {
            state->on_last_gone();
        }
    }

    std::shared_ptr<State> state;
    policy::SourceAddress source;
};

Admissions::Admissions(std::size_t most, SharedLimits* limits, std::function<void()> on_last_gone)
    : state_(std::make_shared<State>(State{most, limits, std::move(on_last_gone)})) {}

Admissions::~Admissions() {
    state_->on_last_gone = nullptr;
}

Admissions::Admitted Admissions::admit(const policy::SourceAddress& source) {
    if (state_->limits != nullptr) {
        const Verdict verdict = state_->limits->admit(source);
        if (verdict != Verdict::admitted) {
            return {verdict, nullptr};
        }
    }
    if (state_->count >= state_->most) {
        if (state_->limits != nullptr) {
            state_->limits->release(source);
        }
        return {Verdict::too_many, nullptr};
    }
    return {Verdict::admitted, std::make_shared<Admission>(state_, source)};
}

std::size_t Admissions::size() const {
    return state_->count;
}

}  // namespace dotpair::net
