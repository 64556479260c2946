// SPDX-License-Identifier: MIT
#pragma once

// Catch2 2 has one header, 3 has many: tests include this one and run with either.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
