// SPDX-License-Identifier: MIT
#include "common/net/event_loop.hpp"

#include "common/net/deadlines.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/loop_thread.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

using namespace dotpair;
using namespace std::chrono_literals;

namespace {

struct Gatherer final : net::TurnEnd {
    void on_turn_end() override {
        ++ends;
        if (then) {
            then();
        }
    }

    void on_hold_end() override {
        ++holds;
        if (then) {
            then();
        }
    }

    int ends = 0;
    int holds = 0;
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

TEST_CASE("A hold ends once for all of it, after its time and in a turn", "[unit][net]") {
    net::EventLoop loop;
    const auto first = std::make_shared<Gatherer>();
    const auto second = std::make_shared<Gatherer>();
    const auto last = std::make_shared<Gatherer>();
    policy::TimePoint began;
    loop.post([&] {
        began = loop.now();
        loop.after_hold(first);
        loop.post([&] { loop.after_hold(second); });
    });
    second->then = [&] { loop.at_turn_end(last); };
    last->then = [&] { loop.stop(); };
    loop.run();
    CHECK(policy::Clock::now() - began >= net::EventLoop::hold_time);
    CHECK(first->holds == 1);
    CHECK(second->holds == 1);
    CHECK(last->ends == 1);
}

TEST_CASE("What comes while a loop holds is handled all the same", "[unit][net]") {
    net::EventLoop loop;
    const auto gatherer = std::make_shared<Gatherer>();
    int handled = 0;
    gatherer->then = [&] {
        loop.post([&] {
            ++handled;
            loop.stop();
        });
    };
    loop.post([&] { loop.after_hold(gatherer); });
    loop.run();
    CHECK(handled == 1);
    CHECK(gatherer->holds == 1);
}

TEST_CASE("A loop that batches its turns does all of its work", "[unit][net]") {
    constexpr int count = 100'000;
    net::EventLoop loop;
    loop.batch_turns();
    int handled = 0;
    std::function<void()> next = [&] {
        loop.note_messages(1);
        ++handled < count ? loop.post(next) : loop.stop();
    };
    loop.post(next);
    loop.run();
    CHECK(handled == count);
}

TEST_CASE("What a timer was set to is the least that a turn takes for the time", "[unit][net]") {
    net::EventLoop loop;
    loop.post([&] {
        const policy::TimePoint now = loop.now();
        loop.reached(now - 1s);
        CHECK(loop.now() == now);
        loop.reached(now + 1s);
        CHECK(loop.now() == now + 1s);
        loop.stop();
    });
    loop.run();
}

TEST_CASE("What a turn brings about is for the next one, whatever waits for it", "[unit][net]") {
    net::EventLoop loop;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    loop.post([&] { first = loop.turn(); });
    loop.post([&] {
        second = loop.turn();
        loop.post([&] {
            third = loop.turn();
            loop.stop();
        });
    });
    loop.run();
    CHECK(second == first);
    CHECK(third == first + 1);
}

namespace {

struct Due final : net::Timed {
    explicit Due(std::function<void()> what) : then(std::move(what)) {}

    void on_due() override { then(); }

    std::function<void()> then;
};

}  // namespace

TEST_CASE("What is due is called in order, each once", "[unit][net]") {
    net::EventLoop loop;
    std::vector<int> seen;
    std::vector<std::unique_ptr<Due>> all;
    constexpr int count = 200;  // more than a turn takes
    for (int number = 0; number < count; ++number) {
        all.push_back(std::make_unique<Due>([&seen, number] { seen.push_back(number); }));
    }
    const policy::TimePoint start = loop.now();
    for (int number = count - 1; number >= 0; --number) {
        loop.call_at(*all[static_cast<std::size_t>(number)], start + number * 10us);
    }
    Due last([&loop] { loop.stop(); });
    loop.call_at(last, start + 20ms);
    loop.run();
    REQUIRE(seen.size() == count);
    CHECK(std::ranges::is_sorted(seen));
}

TEST_CASE("What is due may destroy itself and others, and be due again", "[unit][net]") {
    net::EventLoop loop;
    int calls = 0;
    const policy::TimePoint start = loop.now();
    auto other = std::make_unique<Due>([&calls] { calls += 100; });
    auto self = std::make_unique<Due>([] {});
    self->then = [&] {
        other.reset();
        self.reset();
    };
    Due again([] {});
    again.then = [&] {
        if (++calls == 3) {
            loop.stop();
        } else {
            loop.call_at(again, loop.now() + 1ms);
        }
    };
    loop.call_at(*self, start + 1ms);
    loop.call_at(*other, start + 2ms);
    loop.call_at(again, start + 3ms);
    loop.run();
    CHECK(calls == 3);
    CHECK(self == nullptr);
}

TEST_CASE(
    "An earlier deadline moves the loop's timer, a cancelled one calls nobody", "[unit][net]"
) {
    net::EventLoop loop;
    int calls = 0;
    const policy::TimePoint start = loop.now();
    Due cancelled([&calls] { calls += 100; });
    Due moved([&] {
        ++calls;
        loop.stop();
    });
    loop.call_at(moved, start + 1h);
    loop.call_at(cancelled, start + 1ms);
    cancelled.cancel();
    loop.call_at(moved, start + 2ms);
    loop.run();
    CHECK(calls == 1);
}
