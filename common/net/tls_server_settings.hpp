// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace dotpair::net {

/// What a server's TLS is made of. Files are read by TlsServerContext, and again by its reload().
struct TlsServerSettings {
    std::vector<std::string> certificate_files;  // PEM, each with its chain; none: an ephemeral one
    std::vector<std::string> key_files;   // PEM, in any order: each certificate finds its own
    std::vector<std::string> ocsp_files;  // DER, each for one of the certificates
    std::string ticket_keys_file;         // empty: random keys, renewed as policy::TicketKeys says
    std::chrono::milliseconds ticket_lifetime =
        std::chrono::hours(12);  // at most a week (RFC 8446)
    bool strict_sni = false;     // a name that no certificate has ends the handshake

    /// REQUIRES: no ticket_keys_file, which another process could hold as well.
    bool early_data = false;
    std::size_t early_data_hellos = 65536;              // remembered in each of two windows
    std::chrono::milliseconds early_data_delay{20000};  // from the start, until any is taken
};

}  // namespace dotpair::net
