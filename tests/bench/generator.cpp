// SPDX-License-Identifier: MIT
// Asks by UDP, TCP or TLS, checks every answer, and prints one line of key=value. See usage below.
#include "tests/bench/app.hpp"

#include <sys/prctl.h>

#include <cstdio>
#include <exception>
#include <map>

namespace dotpair::bench {
namespace {

using namespace std::chrono_literals;

constexpr const char* usage =
    "use: dotpair-bench-generator --port PORT (--window COUNT | --rate PER_SECOND | --burst "
    "COUNT)\n"
    "  --window COUNT      in flight; an answer lets the next query go\n"
    "  --rate PER_SECOND   on a fixed schedule, from which latency counts\n"
    "  --burst COUNT       at once, then wait for the answers; --rounds times [10]\n"
    "  --sockets COUNT     or connections [16]    --seconds COUNT  [5]\n"
    "  --by udp|tcp|tls    [udp]                  --timeout SECONDS  [5]\n"
    "  --opt 0|1           whether queries carry an OPT record [1]\n";

class Options {
public:
    Options(int argc, char** argv) {
        for (int index = 1; index < argc; index += 2) {
            const std::string name = argv[index];
            const auto option = values_.find(name.substr(std::min<std::size_t>(2, name.size())));
            if (!name.starts_with("--") || option == values_.end() || index + 1 == argc) {
                throw std::invalid_argument{name + "\n" + usage};
            }
            option->second = argv[index + 1];
        }
        const bool has_one_way =
            (number("window") > 0) + (number("rate") > 0) + (number("burst") > 0) == 1;
        const bool has_way = by() == "udp" || by() == "tcp" || by() == "tls";
        if (!has_one_way || !has_way || number("port") == 0 || number("sockets") == 0) {
            throw std::invalid_argument{usage};
        }
    }

    unsigned number(const std::string& name) const {
        return static_cast<unsigned>(std::stoul(values_.at(name)));
    }

    /// How long to ask; a fraction is allowed.
    Clock::duration seconds() const {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{
            std::stod(values_.at("seconds"))});
    }

    const std::string& by() const { return values_.at("by"); }

private:
    std::map<std::string, std::string> values_{
        {"port", "0"},
        {"window", "0"},
        {"rate", "0"},
        {"burst", "0"},
        {"rounds", "10"},
        {"sockets", "16"},
        {"seconds", "5"},
        {"by", "udp"},
        {"timeout", "5"},
        {"opt", "1"},
    };
};

class Load {
public:
    explicit Load(const Options& options)
        : options_(options),
          form_(options.number("opt") != 0),
          timeout_(options.number("timeout") * 1s),
          tls_(options.by() == "tls" ? make_tls_client() : nullptr),
          name_(std::random_device{}() % QueryForm::name_count) {
        for (unsigned number = 0; number < options_.number("sockets"); ++number) {
            apps_.push_back(std::make_unique<App>(form_, tally_, number));
            apps_.back()->use(make_channel(*apps_.back()));
        }
        const TimePoint end = Clock::now() + timeout_;
        while (!std::all_of(apps_.begin(), apps_.end(), [](auto& app) { return app->is_up(); })) {
            if (Clock::now() > end) {
                throw std::runtime_error{"not all connections came up"};
            }
            loop_.turn(end);
        }
    }

    void run() {
        start_ = Clock::now();
        if (options_.number("window") > 0) {
            run_window(start_ + options_.seconds());
        } else if (options_.number("rate") > 0) {
            run_rate(options_.number("rate"));
        } else {
            run_bursts();
        }
        report();
    }

private:
    std::unique_ptr<Channel> make_channel(App& app) {
        const auto port = static_cast<std::uint16_t>(options_.number("port"));
        if (options_.by() == "udp") {
            return std::make_unique<UdpChannel>(loop_, app, port, input_);
        }
        return std::make_unique<StreamChannel>(loop_, app, port, tls_, input_);
    }

    std::uint32_t next_name() { return name_ = (name_ + 1) % QueryForm::name_count; }

    std::size_t waiting() const {
        std::size_t count = 0;
        for (const auto& app : apps_) {
            count += app->waiting();
        }
        return count;
    }

    void flush() {
        for (const auto& app : apps_) {
            app->flush();
        }
    }

    void send(App& app, std::size_t count) {
        const TimePoint now = Clock::now();
        for (; count > 0; --count) {
            app.queue(next_name(), now);
        }
        app.flush();
    }

    void run_window(TimePoint end) {
        const std::size_t each = std::max<std::size_t>(1, options_.number("window") / apps_.size());
        for (const auto& app : apps_) {
            send(*app, each);
        }
        for (TimePoint now = start_, checked_at = start_; now < end; now = Clock::now()) {
            loop_.turn(std::min(end, now + 100ms));
            const bool may_expire = now - checked_at > 100ms;
            checked_at = may_expire ? now : checked_at;
            for (const auto& app : apps_) {
                const std::size_t expired = may_expire ? app->expire(now - timeout_) : 0;
                if (const std::size_t count = app->take_done() + expired; count > 0) {
                    send(*app, count);
                }
            }
        }
        finish();
    }

    void run_rate(std::uint64_t rate) {
        const auto milliseconds =
            std::chrono::duration_cast<std::chrono::milliseconds>(options_.seconds());
        const std::uint64_t total = rate * static_cast<std::uint64_t>(milliseconds.count()) / 1000;
        const auto due = [&](std::uint64_t number) {
            return start_ + std::chrono::nanoseconds{number * 1'000'000'000 / rate};
        };
        for (std::uint64_t number = 0; number < total;) {
            for (const TimePoint now = Clock::now(); number < total && due(number) <= now;
                 ++number) {
                apps_[number % apps_.size()]->queue(next_name(), due(number));
            }
            flush();
            loop_.turn(due(number));
        }
        finish();
    }

    void run_bursts() {
        const unsigned burst = options_.number("burst");
        const std::size_t each = burst / apps_.size() + 1;
        for (unsigned round = 0; round < options_.number("rounds"); ++round) {
            const TimePoint begin = Clock::now();
            for (unsigned number = 0; number < burst; ++number) {
                apps_[number / each]->queue(next_name(), begin);
            }
            flush();
            drain();
            spans_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count()
            );
            loop_.turn(Clock::now() + 20ms);  // a second answer to one query would show itself
        }
        finish();
    }

    void drain() {
        const TimePoint end = Clock::now() + timeout_;
        while (waiting() > 0 && Clock::now() < end) {
            loop_.turn(end);
        }
        for (const auto& app : apps_) {
            app->expire(TimePoint::max());
        }
    }

    /// Of what was asked, not of the wait for what was lost, comes the rate.
    void finish() {
        const std::chrono::duration<double> elapsed = Clock::now() - start_;
        rate_ = static_cast<double>(tally_.answered) / elapsed.count();
        drain();
    }

    void report() {
        std::printf(
            "sent=%ju answered=%ju lost=%ju wrong=%ju failed=%ju qps=%.0f",
            std::uintmax_t{tally_.sent},
            std::uintmax_t{tally_.answered},
            std::uintmax_t{tally_.lost},
            std::uintmax_t{tally_.wrong},
            std::uintmax_t{tally_.failed},
            rate_
        );
        const std::pair<const char*, double> parts[] = {
            {"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
        for (const auto& [name, part] : parts) {
            std::printf(" %s_us=%.1f", name, tally_.latencies.percentile(part));
        }
        if (!spans_.empty()) {
            std::sort(spans_.begin(), spans_.end());
            const double median = spans_[spans_.size() / 2];
            std::printf(" burst_ms=%.2f/%.2f/%.2f", spans_.front(), median, spans_.back());
        }
        std::puts("");
    }

    const Options& options_;
    QueryForm form_;
    Clock::duration timeout_;
    SslContext tls_;
    std::uint32_t name_;
    EventLoop loop_;
    Tally tally_;
    ChannelInput input_;
    std::vector<std::unique_ptr<App>> apps_;
    TimePoint start_;
    double rate_ = 0;
    std::vector<double> spans_;  // each burst's, from its first query to its last answer
};

}  // namespace
}  // namespace dotpair::bench

int main(int argc, char** argv) {
    try {
        ::prctl(PR_SET_TIMERSLACK, 1);  // a schedule is kept to the microsecond
        const dotpair::bench::Options options{argc, argv};
        dotpair::bench::Load{options}.run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-bench-generator: %s\n", error.what());
        return 1;
    }
}
