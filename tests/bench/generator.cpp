// SPDX-License-Identifier: MIT
// Asks by UDP, checks every answer, and prints one line of key=value. See usage below.
#include "tests/bench/load_socket.hpp"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <cstdio>
#include <exception>
#include <map>
#include <memory>

namespace dotpair::bench {
namespace {

using namespace std::chrono_literals;

constexpr const char* usage =
    "use: dotpair-bench-generator --port PORT (--window COUNT | --rate PER_SECOND | --burst "
    "COUNT)\n"
    "  --window COUNT      in flight; an answer lets the next query go\n"
    "  --rate PER_SECOND   on a fixed schedule, from which latency counts\n"
    "  --burst COUNT       at once, then wait for the answers; --rounds times [10]\n"
    "  --sockets COUNT     [16]    --seconds COUNT  [5]\n"
    "  --timeout SECONDS   [5]     --names COUNT    n0000.example.test and so on [1000]\n"
    "  --opt 0|1           whether queries carry an OPT record [1]\n";

class Load {
public:
    explicit Load(std::map<std::string, unsigned> options)
        : options_(std::move(options)),
          form_(options_["opt"] != 0),
          timeout_(options_["timeout"] * 1s),
          epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll")) {
        for (unsigned number = 0; number < options_["sockets"]; ++number) {
            const auto port = static_cast<std::uint16_t>(options_["port"]);
            sockets_.push_back(std::make_unique<LoadSocket>(port, form_, tally_));
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.u32 = number;
            const int descriptor = sockets_.back()->descriptor();
            checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
        }
    }

    void run() {
        const TimePoint start = Clock::now();
        if (options_["window"] > 0) {
            run_window(start + options_["seconds"] * 1s);
        } else if (options_["rate"] > 0) {
            run_rate(start);
        } else {
            run_bursts();
        }
        report(std::chrono::duration<double>(Clock::now() - start).count());
    }

private:
    std::uint16_t next_name() {
        name_ = (name_ + 1) % options_["names"];
        return static_cast<std::uint16_t>(name_);
    }

    std::size_t waiting() const {
        std::size_t count = 0;
        for (const auto& socket : sockets_) {
            count += socket->waiting();
        }
        return count;
    }

    void flush() {
        for (const auto& socket : sockets_) {
            socket->flush();
        }
    }

    /// Waits for answers until `end` at most; with `refill`, each lets a new query go.
    void receive(TimePoint end, bool refill) {
        const auto left = std::max<Clock::duration>(end - Clock::now(), 0ns).count();
        const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
        std::array<epoll_event, 64> events{};
        const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &wait, nullptr);
        for (int index = 0; index < count; ++index) {
            LoadSocket& socket = *sockets_[events[static_cast<std::size_t>(index)].data.u32];
            const std::size_t done = socket.receive(input_);
            if (refill) {
                send(socket, done);
            }
        }
    }

    void send(LoadSocket& socket, std::size_t count) {
        const TimePoint now = Clock::now();
        for (; count > 0; --count) {
            socket.queue(next_name(), now);
        }
        socket.flush();
    }

    void run_window(TimePoint end) {
        const TimePoint start = Clock::now();
        const std::size_t each = std::max<std::size_t>(1, options_["window"] / sockets_.size());
        for (const auto& socket : sockets_) {
            send(*socket, each);
        }
        for (TimePoint now = start, checked_at = start; now < end; now = Clock::now()) {
            receive(std::min(end, now + 100ms), true);
            if (now - checked_at > 100ms) {
                checked_at = now;
                for (const auto& socket : sockets_) {
                    send(*socket, socket->expire(now - timeout_));
                }
            }
        }
        rate_ = per_second(start);
        drain();
    }

    void run_rate(TimePoint start) {
        const std::uint64_t total = std::uint64_t{options_["rate"]} * options_["seconds"];
        const auto due = [&](std::uint64_t number) {
            return start + std::chrono::nanoseconds{number * 1'000'000'000 / options_["rate"]};
        };
        for (std::uint64_t number = 0; number < total;) {
            for (const TimePoint now = Clock::now(); number < total && due(number) <= now;
                 ++number) {
                sockets_[number % sockets_.size()]->queue(next_name(), due(number));
            }
            flush();
            receive(due(number), false);
        }
        rate_ = per_second(start);
        drain();
    }

    void run_bursts() {
        const TimePoint start = Clock::now();
        for (unsigned round = 0; round < options_["rounds"]; ++round) {
            const TimePoint begin = Clock::now();
            for (unsigned number = 0; number < options_["burst"]; ++number) {
                const std::size_t each = options_["burst"] / sockets_.size() + 1;
                sockets_[number / each]->queue(next_name(), begin);
            }
            flush();
            drain();
            spans_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count()
            );
            receive(Clock::now() + 20ms, false);  // a second answer to one query would show itself
        }
        rate_ = per_second(start);
    }

    void drain() {
        const TimePoint end = Clock::now() + timeout_;
        while (waiting() > 0 && Clock::now() < end) {
            receive(end, false);
        }
        for (const auto& socket : sockets_) {
            socket->expire(TimePoint::max());
        }
    }

    double per_second(TimePoint start) const {
        const std::chrono::duration<double> elapsed = Clock::now() - start;
        return static_cast<double>(tally_.answered) / elapsed.count();
    }

    void report(double seconds) {
        auto& times = tally_.latencies;
        std::sort(times.begin(), times.end());
        const auto microseconds = [&times](double part) {
            const auto at = static_cast<std::size_t>(part * static_cast<double>(times.size()));
            return times.empty() ? 0.0 : times[std::min(at, times.size() - 1)] / 10.0;
        };
        std::printf(
            "sent=%ju answered=%ju lost=%ju wrong=%ju failed=%ju seconds=%.3f qps=%.0f "
            "p50_us=%.1f p95_us=%.1f p99_us=%.1f p999_us=%.1f",
            std::uintmax_t{tally_.sent},
            std::uintmax_t{tally_.answered},
            std::uintmax_t{tally_.lost},
            std::uintmax_t{tally_.wrong},
            std::uintmax_t{tally_.failed},
            seconds,
            rate_,
            microseconds(0.5),
            microseconds(0.95),
            microseconds(0.99),
            microseconds(0.999)
        );
        if (!spans_.empty()) {
            std::sort(spans_.begin(), spans_.end());
            const double median = spans_[spans_.size() / 2];
            std::printf(" burst_ms=%.2f/%.2f/%.2f", spans_.front(), median, spans_.back());
        }
        std::puts("");
    }

    std::map<std::string, unsigned> options_;
    QueryForm form_;
    Clock::duration timeout_;
    int epoll_;
    Tally tally_;
    Input input_{false};
    std::vector<std::unique_ptr<LoadSocket>> sockets_;
    unsigned name_ = 0;
    double rate_ = 0;
    std::vector<double> spans_;  // each burst's, from its first query to its last answer
};

std::map<std::string, unsigned> parse(int argc, char** argv) {
    std::map<std::string, unsigned> options{
        {"port", 0},
        {"window", 0},
        {"rate", 0},
        {"burst", 0},
        {"rounds", 10},
        {"sockets", 16},
        {"seconds", 5},
        {"timeout", 5},
        {"names", 1000},
        {"opt", 1},
    };
    for (int index = 1; index < argc; index += 2) {
        const std::string name = argv[index];
        const auto option = options.find(name.substr(std::min<std::size_t>(2, name.size())));
        if (!name.starts_with("--") || option == options.end() || index + 1 == argc) {
            throw std::invalid_argument{name + "\n" + usage};
        }
        option->second = static_cast<unsigned>(std::stoul(argv[index + 1]));
    }
    const bool has_one_way =
        (options["window"] > 0) + (options["rate"] > 0) + (options["burst"] > 0) == 1;
    if (!has_one_way || options["port"] == 0 || options["sockets"] == 0 || options["names"] == 0 ||
        options["names"] > most_names) {
        throw std::invalid_argument{usage};
    }
    return options;
}

}  // namespace
}  // namespace dotpair::bench

int main(int argc, char** argv) {
    try {
        ::prctl(PR_SET_TIMERSLACK, 1);  // a schedule is kept to the microsecond
        dotpair::bench::Load{dotpair::bench::parse(argc, argv)}.run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-bench-generator: %s\n", error.what());
        return 1;
    }
}
