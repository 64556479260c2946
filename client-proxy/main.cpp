// SPDX-License-Identifier: MIT
#include "client-proxy/client_proxy.hpp"
#include "client-proxy/config.hpp"
#include "common/app/logging.hpp"
#include "common/app/worker_group.hpp"
#include "common/error.hpp"
#include "common/net/tls_context.hpp"

#include <spdlog/spdlog.h>

#include <exception>
#include <iostream>

namespace {

constexpr const char* program = "dotpair-client";

int start(const dotpair::client::Config& config) {
    dotpair::app::set_up_logging(config.log_level);
    for (const std::string& warning : config.warnings) {
        spdlog::warn("config warning=\"{}\"", warning);
    }
    if (config.check_only) {
        for (const auto& upstream : config.upstreams) {
            const dotpair::net::TlsClientContext usable(
                dotpair::client::identity_of(upstream, config)
            );
        }
        std::cout << "configuration is valid\n";
        return 0;
    }
    return dotpair::client::run(config);
}

}  // namespace

int main(int argc, char** argv) {
    dotpair::app::hold_signals();
    try {
        const auto config = dotpair::client::read_config(argc, argv);
        return config ? start(*config) : 0;
    } catch (const dotpair::ConfigError& error) {
        dotpair::app::print_error(program, error.what());
        return dotpair::exit_config;
    } catch (const std::exception& error) {
        dotpair::app::print_error(program, error.what());
        return dotpair::exit_failure;
    }
}
