// SPDX-License-Identifier: MIT
#include "common/policy/lost_answers.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;

using policy::LostAnswers;

TEST_CASE("LostAnswers takes nothing for lost before anything was", "[unit][policy]") {
    LostAnswers lost;
    CHECK_FALSE(lost.are_likely());
    lost.copy_was_in_vain();
    CHECK_FALSE(lost.are_likely());
}

TEST_CASE("LostAnswers goes on as long as copies are answered first", "[unit][policy]") {
    LostAnswers lost;
    for (int loss = 0; loss < 100; ++loss) {
        lost.copy_was_first();
        CHECK(lost.are_likely());
    }
    lost.copy_was_in_vain();
    CHECK(lost.are_likely());  // once is no reason
    lost.copy_was_in_vain();
    lost.copy_was_in_vain();
    CHECK_FALSE(lost.are_likely());  // and what was long ago does not count
}

TEST_CASE("LostAnswers stops where names are slow as often as answers get lost", "[unit][policy]") {
    LostAnswers lost;
    for (int round = 0; round < 10; ++round) {
        lost.copy_was_first();
        lost.copy_was_in_vain();
    }
    CHECK_FALSE(lost.are_likely());

    // What is known to be lost tells when that is over.
    for (int loss = 0; loss < 7; ++loss) {
        lost.copy_was_first();
    }
    CHECK(lost.are_likely());
}
