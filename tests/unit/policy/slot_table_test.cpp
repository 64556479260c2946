// SPDX-License-Identifier: MIT
#include "common/policy/slot_table.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <utility>
#include <vector>

using namespace dotpair;

using policy::SlotId;
using policy::SlotTable;
using policy::TimePoint;
using std::chrono::seconds;

namespace {

constexpr TimePoint start{seconds(100)};

/// The same promises kept the simple way: lists that are searched.
struct Model {
    struct Entry {
        SlotId id;
        int value = 0;
        TimePoint deadline;
    };

    std::vector<Entry> entries;  // in the order of adding
    std::array<std::deque<SlotId>, 2> queues;
    std::vector<SlotId> removed;

    void remove(SlotId id) {
        std::erase_if(entries, [id](const Entry& entry) { return entry.id == id; });
        for (auto& queue : queues) {
            std::erase(queue, id);
        }
        removed.push_back(id);
    }

    void enqueue(std::size_t queue, SlotId id) {
        if (std::ranges::find(queues[queue], id) == queues[queue].end()) {
            queues[queue].push_back(id);
        }
    }

    void enqueue_first(std::size_t queue, SlotId id) {
        if (std::ranges::find(queues[queue], id) == queues[queue].end()) {
            queues[queue].push_front(id);
        }
    }
};

using Table = SlotTable<int, 2>;

std::vector<SlotId> contents(const Table& table, std::size_t queue) {
    std::vector<SlotId> ids;
    for (auto id = table.front(queue); id; id = table.behind(queue, *id)) {
        ids.push_back(*id);
    }
    return ids;
}

void check_same(Table& table, const Model& model) {
    REQUIRE(table.size() == model.entries.size());
    for (const auto& entry : model.entries) {
        REQUIRE(table.find(entry.id) != nullptr);
        REQUIRE(table.at(entry.id) == entry.value);
        REQUIRE(table.deadline(entry.id) == entry.deadline);
    }
    for (const SlotId id : model.removed) {
        REQUIRE(table.find(id) == nullptr);
    }
    for (std::size_t queue = 0; queue < 2; ++queue) {
        const auto ids = contents(table, queue);
        REQUIRE(std::equal(
            ids.begin(), ids.end(), model.queues[queue].begin(), model.queues[queue].end()
        ));
    }
    const auto next = table.next_deadline();
    REQUIRE(next.has_value() == !model.entries.empty());
    if (next) {
        REQUIRE(*next == model.entries.front().deadline);
        REQUIRE(table.expired(*next) == model.entries.front().id);
        REQUIRE_FALSE(table.expired(*next - seconds(1)));
    }
}

}  // namespace

TEST_CASE("SlotTable does what lists do, in any order of operations", "[unit][policy]") {
    constexpr std::size_t capacity = 24;
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        Table table(capacity);
        Model model;
        TimePoint now = start;
        for (int step = 0; step < 300; ++step) {
            const auto any = [&] { return model.entries[random() % model.entries.size()].id; };
            const std::size_t queue = random() % 2;
            const auto operation = random() % 9;
            if (operation < 3 || model.entries.empty()) {
                now += seconds(random() % 2);
                const auto id = table.add(now);
                REQUIRE(id.has_value() == (model.entries.size() < capacity));
                if (id) {
                    table.at(*id) = step;
                    model.entries.push_back({*id, step, now});
                }
            } else if (operation < 5) {
                const SlotId id = any();
                table.remove(id);
                model.remove(id);
            } else if (operation < 7) {
                const SlotId id = any();
                table.enqueue(queue, id);
                model.enqueue(queue, id);
            } else if (operation < 8) {
                const SlotId id = any();
                table.enqueue_first(queue, id);
                model.enqueue_first(queue, id);
            } else {
                const SlotId id = any();
                table.dequeue(queue, id);
                std::erase(model.queues[queue], id);
            }
            check_same(table, model);
        }
    }
}

TEST_CASE("SlotTable finds nothing under the ID of an earlier occupant", "[unit][policy]") {
    SlotTable<int> table(1);
    const SlotId first = *table.add(start);
    table.remove(first);
    const SlotId second = *table.add(start);

    CHECK(first.index == second.index);
    CHECK(table.find(first) == nullptr);
    CHECK(table.find(second) != nullptr);
    CHECK(table.find(SlotId{}) == nullptr);
    CHECK(table.find(SlotId{7, 0}) == nullptr);
}

TEST_CASE("SlotTable hands a removed value's memory to the next", "[unit][policy]") {
    SlotTable<std::vector<int>> table(1);
    const SlotId first = *table.add(start);
    table.at(first).assign(1000, 1);
    const int* const memory = table.at(first).data();
    table.remove(first);

    const SlotId second = *table.add(start);
    CHECK(table.at(second).data() == memory);
    CHECK(table.at(second).size() == 1000);
}

TEST_CASE("SlotTable never moves a value while it is there", "[unit][policy]") {
    SlotTable<int> table(5000);
    const int* const place = &table.at(*table.add(start));
    for (int count = 1; count < 5000; ++count) {
        REQUIRE(table.add(start));
    }
    CHECK_FALSE(table.add(start));
    CHECK(table.find(SlotId{0, 0}) == place);
}

TEST_CASE("SlotTable expires values in the order in which they came", "[unit][policy]") {
    SlotTable<int> table(3);
    const SlotId a = *table.add(start);
    const SlotId b = *table.add(start);
    const SlotId c = *table.add(start + seconds(1));
    table.remove(a);

    CHECK(table.expired(start) == b);
    table.remove(b);
    CHECK_FALSE(table.expired(start));
    CHECK(table.next_deadline() == start + seconds(1));
    CHECK(table.expired(start + seconds(2)) == c);
    table.remove(c);
    CHECK_FALSE(table.next_deadline());
}
