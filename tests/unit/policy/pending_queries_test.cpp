// SPDX-License-Identifier: MIT
#include "common/policy/pending_queries.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace dotpair;

using policy::PendingQueries;
using policy::SlotId;
using Match = PendingQueries::Match;

namespace {

constexpr std::uint64_t question = 42;

SlotId slot(std::uint32_t index) {
    return {index, 0};
}

/// What the table promises, as a map from ID to what it is used for.
class Model {
public:
    explicit Model(std::size_t capacity) : capacity_(capacity) {}

    bool is_full() const { return entries_.size() >= capacity_; }

    bool is_free(std::uint16_t id) const { return !is_full() && !entries_.contains(id); }

    void add(std::uint16_t id, std::uint64_t hash, SlotId query) {
        entries_[id] = {hash, query, false};
    }

    PendingQueries::Found match(std::uint16_t id, std::uint64_t hash) {
        const auto entry = entries_.find(id);
        if (entry == entries_.end()) {
            return {};
        }
        const auto [asked, query, abandoned] = entry->second;
        if (hash != 0 && asked != 0 && hash != asked) {
            return {Match::mismatch, query};
        }
        entries_.erase(entry);
        return {abandoned ? Match::abandoned : Match::found, query};
    }

    void abandon(std::uint16_t id) {
        if (const auto entry = entries_.find(id); entry != entries_.end()) {
            entry->second.abandoned = true;
        }
    }

    std::size_t count(bool abandoned) const {
        return static_cast<std::size_t>(std::ranges::count_if(entries_, [&](const auto& entry) {
            return entry.second.abandoned == abandoned;
        }));
    }

    std::set<std::uint32_t> pending() const {
        std::set<std::uint32_t> slots;
        for (const auto& [id, entry] : entries_) {
            if (!entry.abandoned) {
                slots.insert(entry.query.index);
            }
        }
        return slots;
    }

private:
    struct Entry {
        std::uint64_t hash = 0;
        SlotId query;
        bool abandoned = false;
    };

    std::size_t capacity_;
    std::map<std::uint16_t, Entry> entries_;
};

std::set<std::uint32_t> indices(const std::vector<SlotId>& slots) {
    std::set<std::uint32_t> found;
    for (const SlotId id : slots) {
        found.insert(id.index);
    }
    return found;
}

/// Few IDs make for many clashes; they lie around both ends of the range, where probing wraps.
void compare(unsigned seed, std::size_t capacity, unsigned ids) {
    std::mt19937 random(seed);
    PendingQueries table(capacity);
    Model model(capacity);
    for (std::uint32_t step = 0; step < 4000; ++step) {
        const auto id = static_cast<std::uint16_t>(random() % ids - ids / 2);
        const std::uint64_t hash = random() % 3;
        switch (random() % 5) {
            case 0:
            case 1: {
                const auto reserved = table.reserve(id, hash, slot(step));
                REQUIRE(reserved.has_value() == !model.is_full());
                if (reserved) {
                    REQUIRE(model.is_free(*reserved));
                    REQUIRE((*reserved == id || !model.is_free(id)));
                    model.add(*reserved, hash, slot(step));
                }
                break;
            }
            case 2: {
                const bool expected = model.is_free(id);
                REQUIRE(table.reserve_exactly(id, hash, slot(step)) == expected);
                if (expected) {
                    model.add(id, hash, slot(step));
                }
                break;
            }
            case 3: {
                const auto expected = model.match(id, hash);
                const auto found = table.match(id, hash);
                REQUIRE(found.match == expected.match);
                REQUIRE(found.query == expected.query);
                break;
            }
            default:
                table.abandon(id);
                model.abandon(id);
        }
        REQUIRE(table.pending_count() == model.count(false));
        REQUIRE(table.abandoned_count() == model.count(true));
        REQUIRE(table.is_full() == model.is_full());
    }
    REQUIRE(indices(table.pending()) == model.pending());
    REQUIRE(indices(table.take_all()) == model.pending());
}

}  // namespace

TEST_CASE("PendingQueries does what a map does, in any order of operations", "[unit][policy]") {
    for (unsigned seed = 0; seed < 8; ++seed) {
        compare(seed, 16, 24);
        compare(seed, 200, 400);
        compare(seed, 1000, 65536);
    }
}

TEST_CASE("PendingQueries gives the 65 537th query no ID (P-35)", "[unit][policy]") {
    std::mt19937 random(1);
    PendingQueries table(65536);
    std::vector<bool> used(65536);
    for (std::uint32_t count = 0; count < 65536; ++count) {
        const auto id = table.reserve(static_cast<std::uint16_t>(random()), question, slot(count));
        REQUIRE(id);
        REQUIRE_FALSE(used[*id]);
        used[*id] = true;
    }
    CHECK(table.is_full());
    CHECK_FALSE(table.reserve(7, question, slot(65536)));
    CHECK_FALSE(table.reserve_exactly(8, question, slot(65536)));

    table.abandon(9);
    CHECK_FALSE(table.reserve(9, question, slot(65536)));
    CHECK(table.match(9, question).match == Match::abandoned);
    CHECK(table.reserve(7, question, slot(65536)) == 9);
    for (std::uint32_t id = 0; id < 65536; ++id) {
        REQUIRE(table.match(static_cast<std::uint16_t>(id), question).match == Match::found);
    }
    CHECK(table.pending_count() == 0);
}

TEST_CASE("PendingQueries takes an ID from the wire for a key, not an index", "[unit][policy]") {
    constexpr std::uint16_t capacity = 64;
    PendingQueries table(capacity);
    for (std::uint16_t id = 0; id < capacity; ++id) {
        REQUIRE(table.reserve_exactly(id, question, slot(id)));
    }
    for (const int unasked : {64, 65, 128, 32768, 65535}) {
        CHECK(table.match(static_cast<std::uint16_t>(unasked), question).match == Match::unknown);
        table.abandon(static_cast<std::uint16_t>(unasked));
    }
    CHECK(table.pending_count() == capacity);
    CHECK(table.match(0, question).query == slot(0));
    CHECK(table.match(63, question).query == slot(63));
    CHECK(table.match(0, question).match == Match::unknown);

    CHECK(table.reserve_exactly(65535, question, slot(9)));
    const auto other = table.reserve(65535, question, slot(10));
    REQUIRE(other);
    CHECK(*other != 65535);
    CHECK(table.match(65535, question).query == slot(9));
}

TEST_CASE(
    "PendingQueries keeps an abandoned ID out of use until answered (P-35)", "[unit][policy]"
) {
    PendingQueries table(4);
    REQUIRE(table.reserve(5, question, slot(1)) == 5);
    table.abandon(5);
    table.abandon(5);

    CHECK(table.abandoned_count() == 1);
    CHECK_FALSE(table.reserve_exactly(5, question, slot(2)));
    CHECK(table.reserve(5, question, slot(2)) != 5);
    CHECK(table.match(5, question).match == Match::abandoned);
    CHECK(table.reserve_exactly(5, question, slot(3)));
    CHECK(table.match(5, question).query == slot(3));
}

TEST_CASE(
    "PendingQueries leaves a query whose answer has another question (P-8)", "[unit][policy]"
) {
    PendingQueries table(4);
    REQUIRE(table.reserve(5, question, slot(1)));

    CHECK(table.match(5, question + 1).match == Match::mismatch);
    CHECK(table.pending_count() == 1);
    CHECK(table.match(5, question).query == slot(1));

    REQUIRE(table.reserve(5, question, slot(2)));
    CHECK(table.match(5, 0).query == slot(2));  // an answer without a question to compare
    REQUIRE(table.reserve(5, 0, slot(3)));
    CHECK(table.match(5, question).query == slot(3));
}

TEST_CASE("PendingQueries hands out the pending alone when its connection goes", "[unit][policy]") {
    PendingQueries table(200);
    for (std::uint16_t id = 0; id < 200; ++id) {
        REQUIRE(table.reserve(id, question, slot(id)));
    }
    table.abandon(3);

    const auto taken = indices(table.take_all());
    CHECK(taken.size() == 199);
    CHECK_FALSE(taken.contains(3));
    CHECK(table.pending_count() + table.abandoned_count() == 0);
    CHECK(table.reserve_exactly(3, question, slot(1)));
}
