// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/profile.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::net {

/// SHA-256 of a certificate's DER SubjectPublicKeyInfo (RFC 7858 section 4.2).
using SpkiPin = std::array<std::uint8_t, 32>;

/// Reads the 44 characters of base64 behind "sha256/"; nothing when they are not a pin.
std::optional<SpkiPin> parse_pin(std::string_view base64);
/// "sha256/BASE64", as `--upstream ...,pin=` takes it.
std::string format_pin(const SpkiPin& pin);

/// What a TLSA record says of a server's key or authority (RFC 6698 section 2.1).
struct TlsaRecord {
    std::uint8_t usage = 0;     // 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE
    std::uint8_t selector = 0;  // 0 the certificate, 1 its SubjectPublicKeyInfo
    std::uint8_t matching = 0;  // 0 all of it, 1 its SHA-256, 2 its SHA-512
    std::vector<std::uint8_t> data;

    bool operator==(const TlsaRecord&) const = default;

    /// Whether the chain has to end at an authority of the trust store as well.
    bool needs_trust_store() const { return usage <= 1; }

    /// The key alone counts; neither names nor dates of its certificate do (RFC 7671 section 5.1).
    bool is_key_alone() const { return usage == 3; }
};

/// Reads "USAGE/SELECTOR/MATCHING/HEX", the record's fields with slashes between; nothing when no
/// verifier could use it.
std::optional<TlsaRecord> parse_tlsa(std::string_view text);
std::string format_tlsa(const TlsaRecord& record);

/// Whom a client expects at the other end. All that is given has to hold (P-24): the name, one of
/// the pins, one of the records.
struct TlsIdentity {
    /// A DNS name or an IP address, matched against the SAN alone: the subject is never looked at
    /// (RFC 8310 section 8.1). A DNS name is also sent as SNI. A DANE-EE record that matches
    /// stands in for the name.
    std::string name;
    /// Any of them has to match a key in the chain that was validated. Without name and records, a
    /// pinned key is itself the trust anchor.
    std::vector<SpkiPin> pins;
    /// Empty: no DANE. Only the strongest digest of each usage and selector counts (RFC 7671
    /// section 9).
    std::vector<TlsaRecord> tlsa{};
    std::string ca_file;  // empty: the system's trust store
    policy::Profile profile = policy::Profile::strict;

    /// There is something to prove.
    bool is_known() const { return !name.empty() || !pins.empty() || !tlsa.empty(); }
};

}  // namespace dotpair::net
