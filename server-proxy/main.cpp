// SPDX-License-Identifier: MIT
#include "common/app/logging.hpp"
#include "common/app/worker_group.hpp"
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "server-proxy/config.hpp"
#include "server-proxy/server_proxy.hpp"

#include <spdlog/spdlog.h>

#include <exception>
#include <iostream>

namespace {

constexpr const char* program = "dotpair-server";

int start(const dotpair::server::Config& config) {
    dotpair::app::set_up_logging(config.log_level);
    for (const std::string& warning : config.warnings) {
        spdlog::warn("config warning=\"{}\"", warning);
    }
    if (config.check_only) {
        const dotpair::net::TlsServerContext usable(config.tls);
        for (const std::string& warning : usable.warnings()) {
            spdlog::warn("tls warning=\"{}\"", warning);
        }
        std::cout << "configuration is valid\n";
        return 0;
    }
    return dotpair::server::run(config);
}

}  // namespace

int main(int argc, char** argv) {
    dotpair::app::hold_signals();
    try {
        const auto config = dotpair::server::read_config(argc, argv);
        return config ? start(*config) : 0;
    } catch (const dotpair::ConfigError& error) {
        dotpair::app::print_error(program, error.what());
        return dotpair::exit_config;
    } catch (const std::exception& error) {
        dotpair::app::print_error(program, error.what());
        return dotpair::exit_failure;
    }
}
