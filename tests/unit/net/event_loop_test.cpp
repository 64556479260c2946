// SPDX-License-Identifier: MIT
#include "common/net/event_loop.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/loop_thread.hpp"

using namespace dotpair;

namespace {

struct Gatherer final : net::TurnEnd {
    void on_turn_end() override {
        ++ends;
        if (then) {
            then();
        }
    }

    int ends = 0;
    std::function<void()> then;
};

}  // namespace

TEST_CASE("A turn's end comes once a turn, after what the turn did", "[unit][net]") {
    net::EventLoop loop;
    const auto gatherer = std::make_shared<Gatherer>();
    int added = 0;
    std::vector<int> seen;
    gatherer->then = [&] {
        seen.push_back(added);
        if (seen.size() == 2) {
            loop.stop();
        } else {
            loop.post([&] {
                ++added;
                loop.at_turn_end(gatherer);
            });
        }
    };
    loop.post([&] { loop.at_turn_end(gatherer); });
    for (int count = 0; count < 10; ++count) {
        loop.post([&] { ++added; });
    }
    loop.run();
    CHECK(seen == std::vector<int>{10, 11});
}

TEST_CASE("What is asked for at a turn's end still belongs to that turn", "[unit][net]") {
    net::EventLoop loop;
    const auto first = std::make_shared<Gatherer>();
    const auto second = std::make_shared<Gatherer>();
    first->then = [&] { loop.at_turn_end(second); };
    std::uint64_t turn = 0;
    loop.post([&] {
        turn = loop.turn();
        loop.at_turn_end(first);
        loop.stop();
    });
    second->then = [&] { CHECK(loop.turn() == turn); };
    loop.run();
    CHECK(first->ends == 1);
    CHECK(second->ends == 1);
}

TEST_CASE("The time stands still within a turn and goes on with the next", "[unit][net]") {
    net::EventLoop loop;
    policy::TimePoint first;
    policy::TimePoint next;
    const auto gatherer = std::make_shared<Gatherer>();
    gatherer->then = [&] {
        while (policy::Clock::now() <= first) {
        }
        CHECK(loop.now() == first);
        loop.post([&] {
            next = loop.now();
            loop.stop();
        });
    };
    loop.post([&] {
        first = loop.now();
        loop.at_turn_end(gatherer);
    });
    loop.run();
    CHECK(next > first);
}

TEST_CASE("The first turn has a time of its own, whatever was asked before", "[unit][net]") {
    net::EventLoop loop;
    const policy::TimePoint before = loop.now();
    while (policy::Clock::now() <= before) {
    }
    policy::TimePoint first;
    loop.post([&] {
        first = loop.now();
        loop.stop();
    });
    loop.run();
    CHECK(first > before);
}

TEST_CASE("What is to be destroyed later outlives the call that gives it away", "[unit][net]") {
    net::EventLoop loop;
    std::weak_ptr<int> left;
    bool outlived = false;
    loop.post([&] {
        auto it = std::make_shared<int>(1);
        left = it;
        loop.destroy_later(std::move(it));
        outlived = !left.expired();
        loop.stop();
    });
    loop.run();
    CHECK(outlived);
    CHECK(left.expired());
}

TEST_CASE("What is destroyed with the loop may still use its buffers", "[unit][net]") {
    struct User {
        explicit User(net::EventLoop& its_loop) : loop(its_loop) {}

        ~User() {
            loop.send_buffer().assign(1000, 1);
            loop.receive_buffer()[0] = 1;
            loop.plain_buffer()[0] = 1;
            loop.datagrams().buffer(0)[0] = 1;
            loop.random_id();
        }

        net::EventLoop& loop;
    };

    auto loop = std::make_unique<net::EventLoop>();
    std::weak_ptr<User> left;
    {
        auto user = std::make_shared<User>(*loop);
        left = user;
        loop->destroy_later(std::move(user));
    }
    REQUIRE_FALSE(left.expired());
    loop.reset();
    CHECK(left.expired());
}
