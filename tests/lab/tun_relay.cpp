// SPDX-License-Identifier: MIT
// Joins two network namespaces by a link of known delay and known faults. See usage below.
#include "tests/lab/commands.hpp"
#include "tests/lab/pcap_file.hpp"
#include "tests/lab/system_call.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

namespace dotpair::lab {
namespace {

using namespace std::chrono_literals;

constexpr const char* usage =
    "use: dotpair-tun-relay CLIENT_NAMESPACE SERVER_NAMESPACE [--delay COUNTus] [--pcap FILE]\n"
    "Makes a TUN device lab0 in both (names as ip-netns has them) and passes IP packets between\n"
    "them, `up` towards the server, until its input ends. Says ready; then a line for each "
    "command:\n"
    "  delay COUNTus                 one way [17500us]\n"
    "  loss RATE SEED                drops this part of the packets; 0 0 ends it\n"
    "  blackhole on|off|up|down      drops all, in both directions or one\n"
    "  host ADDRESS gone|back        drops all that comes from this address or goes to it\n"
    "  syndata drop|pass             drops each SYN that carries data\n"
    "  forget                        drops all of the TCP connections there are, not of new ones\n"
    "  reset both|up|down            ends the TCP connections there are by RST, in both directions "
    "or\n"
    "                                one\n"
    "  stats                         key=value, counted since the start\n";

constexpr const char* device = "lab0";
constexpr std::size_t largest_packet = 65536;
constexpr int packets_at_once = 64;

/// The device lives as long as the descriptor that is returned. The calling thread stays in `name`.
int open_tun(const std::string& name) {
    const std::string path = "/run/netns/" + name;
    const int space = checked(::open(path.c_str(), O_RDONLY | O_CLOEXEC), path);
    checked(::setns(space, CLONE_NEWNET), "setns " + path);
    ::close(space);
    const int tun =
        checked(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
    checked(::ioctl(tun, TUNSETIFF, &request), "TUNSETIFF in " + name);
    return tun;
}

struct Settings {
    std::array<std::string, 2> namespaces;  // by Direction: `up` comes from the first
    std::chrono::microseconds delay{17500};
    std::string pcap;
};

class Relay {
public:
    explicit Relay(const Settings& settings)
        : path_(settings.delay),
          tuns_{open_tun(settings.namespaces[0]), open_tun(settings.namespaces[1])},
          timer_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd")),
          epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll")) {
        if (!settings.pcap.empty()) {
            pcap_.emplace(settings.pcap);
        }
        for (const int descriptor : {tuns_[0], tuns_[1], timer_, STDIN_FILENO}) {
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.fd = descriptor;
            checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
        }
    }

    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    ~Relay() {
        for (const int descriptor : {tuns_[0], tuns_[1], timer_, epoll_}) {
            ::close(descriptor);
        }
    }

    /// Until the input ends.
    void run() {
        std::array<epoll_event, 4> events{};
        for (bool has_input = true; has_input;) {
            const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
            for (int index = 0; index < count; ++index) {
                const int descriptor = events[static_cast<std::size_t>(index)].data.fd;
                if (descriptor == STDIN_FILENO) {
                    has_input = read_commands();
                } else if (descriptor != timer_) {
                    read_packets(descriptor == tuns_[0] ? Direction::up : Direction::down);
                }
            }
            deliver();
            set_timer();
        }
    }

private:
    int tun_from(Direction direction) const { return tuns_[static_cast<std::size_t>(direction)]; }

    int tun_to(Direction direction) const { return tuns_[1 - static_cast<std::size_t>(direction)]; }

    void read_packets(Direction direction) {
        for (int turn = 0; turn < packets_at_once; ++turn) {
            const auto size = ::read(tun_from(direction), buffer_.data(), buffer_.size());
            if (size <= 0) {
                return;
            }
            const auto packet = std::span{buffer_}.first(static_cast<std::size_t>(size));
            const auto now = Clock::now();
            const bool is_accepted = path_.accept(direction, packet, now);
            if (pcap_) {
                pcap_->add(direction, packet, now, !is_accepted);
            }
        }
    }

    void deliver() {
        while (const auto arrival = path_.take_due(Clock::now())) {
            // EIO: that end of the link is down. The packet is lost, as it would be on a cable.
            const auto& packet = arrival->packet;
            if (::write(tun_to(arrival->direction), packet.data(), packet.size()) < 0 &&
                errno != EIO) {
                throw std::system_error{errno, std::generic_category(), "write to a device"};
            }
        }
    }

    /// Also takes back what the timer has to report: a new time does.
    void set_timer() {
        const auto due = path_.next_due();
        if (due == timer_set_to_) {
            return;
        }
        timer_set_to_ = due;
        itimerspec at{};
        if (due) {
            const auto time = std::chrono::nanoseconds{due->time_since_epoch()};
            at.it_value.tv_sec = time / 1s;
            at.it_value.tv_nsec = (time % 1s).count();
        }
        checked(::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr), "timerfd_settime");
    }

    bool read_commands() {
        std::array<char, 4096> text{};
        const auto size = ::read(STDIN_FILENO, text.data(), text.size());
        if (size <= 0) {
            return false;
        }
        input_.append(text.data(), static_cast<std::size_t>(size));
        for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
            std::puts(run_command(input_.substr(0, end), path_, Clock::now()).c_str());
            input_.erase(0, end + 1);
        }
        std::fflush(stdout);
        return true;
    }

    Path path_;
    std::array<int, 2> tuns_;
    int timer_;
    int epoll_;
    std::optional<PcapFile> pcap_;
    std::optional<Clock::time_point> timer_set_to_;
    std::string input_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(largest_packet);
};

std::optional<Settings> parse(std::span<char*> arguments) {
    Settings settings;
    if (arguments.size() < 3 || arguments.size() % 2 == 0) {
        return std::nullopt;
    }
    settings.namespaces = {arguments[1], arguments[2]};
    for (std::size_t index = 3; index < arguments.size(); index += 2) {
        const std::string_view name = arguments[index];
        const std::string value = arguments[index + 1];
        const auto delay = parse_delay(value);
        if (name == "--pcap") {
            settings.pcap = value;
        } else if (name == "--delay" && delay) {
            settings.delay = *delay;
        } else {
            return std::nullopt;
        }
    }
    return settings;
}

}  // namespace
}  // namespace dotpair::lab

int main(int count, char** arguments) {
    try {
        const auto settings = dotpair::lab::parse({arguments, static_cast<std::size_t>(count)});
        if (!settings) {
            std::fputs(dotpair::lab::usage, stderr);
            return 2;
        }
        dotpair::lab::Relay relay{*settings};
        std::puts("ready");
        std::fflush(stdout);
        relay.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-tun-relay: %s\n", error.what());
        return 1;
    }
}
