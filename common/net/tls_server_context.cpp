// SPDX-License-Identifier: MIT
#include "common/net/ocsp_staple.hpp"
#include "common/net/tls_context.hpp"
#include "common/net/tls_credentials.hpp"
#include "common/net/tls_early_data.hpp"
#include "common/net/tls_policy.hpp"
#include "common/net/tls_server_choice.hpp"
#include "common/net/tls_tickets.hpp"
#include "common/net/tls_verifier.hpp"

#include <algorithm>
#include <ctime>
#include <mutex>
#include <utility>

namespace dotpair::net {
namespace {

using Staples = std::vector<OcspStaple>;

/// P-134: "dot" if the client offers it; a client without ALPN never gets here; any other offer
/// ends the handshake.
int select_alpn(
    SSL* /*ssl*/,
    const unsigned char** selected,
    unsigned char* size,
    const unsigned char* offered,
    unsigned offered_size,
    void* /*argument*/
) {
    unsigned char* match = nullptr;
    if (SSL_select_next_proto(
            &match, size, alpn_dot.data(), alpn_dot.size(), offered, offered_size
        ) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *selected = match;
    return SSL_TLSEXT_ERR_OK;
}

/// What the files held when they were last read. Constant, so any thread may look.
struct Loaded {
    std::shared_ptr<SharedStrikes> strikes;  // null: no early data; the same through every reload
    std::vector<Credential> credentials;
    std::vector<std::size_t> default_choice;
    std::shared_ptr<SharedTicketKeys> tickets;
    std::shared_ptr<const Staples> staples;
    std::vector<std::string> warnings;
    SslContext context;
};

std::shared_ptr<const Staples> read_staples(
    const std::vector<std::string>& files, const std::vector<Credential>& credentials
) {
    std::vector<IssuedCertificate> certificates;
    std::ranges::transform(credentials, std::back_inserter(certificates), issued);
    Staples staples;
    for (const std::string& file : files) {
        staples.push_back(read_ocsp_staple(file, certificates));
    }
    return std::make_shared<const Staples>(std::move(staples));
}

std::string stale_warning(const OcspStaple& staple) {
    return "--ocsp: " + staple.file + " is out of date and not sent: fetch a new one";
}

/// A context for the certificates in `choice`, with all that does not depend on it.
SslContext make_server_context(
    const Loaded& loaded, const TlsServerSettings& settings, const std::vector<std::size_t>& choice
) {
    SslContext context = make_context(TLS_server_method());
    SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, nullptr);
    seal_tickets(context.get(), loaded.tickets, settings.ticket_lifetime);
    staple_ocsp(context.get(), loaded.staples);
    if (loaded.strikes) {
        accept_early_data(context.get(), loaded.strikes);
    }
    for (const std::size_t index : choice) {
        use_credential(context.get(), loaded.credentials[index]);
    }
    return context;
}

/// The context of sessions that have not heard a name yet; those of all names hang on it.
void make_contexts(Loaded& loaded, const TlsServerSettings& settings) {
    std::vector<policy::CertificateFacts> facts;
    std::ranges::transform(loaded.credentials, std::back_inserter(facts), facts_of);
    policy::ServerNames names(facts);
    for (const std::size_t index : names.unused()) {
        loaded.warnings.push_back(
            "--cert: " + loaded.credentials[index].file + " is never shown: others have its names"
        );
    }
    loaded.default_choice = names.choices().front();
    loaded.context = make_server_context(loaded, settings, loaded.default_choice);
    std::vector<SslContext> others;
    for (auto choice = names.choices().begin() + 1; choice != names.choices().end(); ++choice) {
        others.push_back(make_server_context(loaded, settings, *choice));
    }
    choose_by_name(loaded.context.get(), std::move(names), std::move(others), settings.strict_sni);
}

void add_staple_warnings(Loaded& loaded) {
    for (const OcspStaple& staple : *loaded.staples) {
        if (staple.is_stale(std::time(nullptr))) {
            loaded.warnings.push_back(stale_warning(staple));
        }
        if (staple.is_revoked) {
            loaded.warnings.push_back(
                "--ocsp: " + staple.file + " says that its certificate is revoked"
            );
        }
    }
}

/// `before` is what was loaded last, whose ephemeral parts stay; null at first.
std::shared_ptr<const Loaded> load(const TlsServerSettings& settings, const Loaded* before) {
    auto loaded = std::make_shared<Loaded>();
    if (!settings.certificate_files.empty()) {
        loaded->credentials = read_credentials(settings.certificate_files, settings.key_files);
    } else if (before != nullptr) {
        loaded->credentials = before->credentials;
    } else {
        loaded->credentials.push_back(make_ephemeral_credential());
    }
    if (!settings.ticket_keys_file.empty()) {
        loaded->tickets = read_ticket_keys(settings.ticket_keys_file, loaded->warnings);
    } else if (before != nullptr) {
        loaded->tickets = before->tickets;
    } else {
        loaded->tickets = random_ticket_keys(settings.ticket_lifetime);
    }
    if (before != nullptr) {
        loaded->strikes = before->strikes;
    } else if (settings.early_data) {
        loaded->strikes =
            std::make_shared<SharedStrikes>(settings.early_data_hellos, settings.early_data_delay);
    }
    loaded->staples = read_staples(settings.ocsp_files, loaded->credentials);
    add_staple_warnings(*loaded);
    make_contexts(*loaded, settings);
    return loaded;
}

bool is_expired(X509* certificate) {
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

}  // namespace

struct TlsServerContext::State {
    explicit State(const TlsServerSettings& from) : settings(from), loaded(load(from, nullptr)) {}

    std::shared_ptr<const Loaded> current() const {
        const std::scoped_lock lock(mutex);
        return loaded;
    }

    TlsServerSettings settings;
    mutable std::mutex mutex;  // of `loaded` alone: held to copy or to replace the pointer
    std::shared_ptr<const Loaded> loaded;
    std::time_t last_kept_up = std::time(nullptr);
};

TlsServerContext::TlsServerContext(const TlsServerSettings& settings)
    : state_(std::make_unique<State>(settings)) {}

TlsServerContext::TlsServerContext(TlsServerContext&&) noexcept = default;
TlsServerContext& TlsServerContext::operator=(TlsServerContext&&) noexcept = default;
TlsServerContext::~TlsServerContext() = default;

TlsServerContext TlsServerContext::from_files(
    const std::string& certificate_file, const std::string& key_file
) {
    TlsServerSettings settings;
    settings.certificate_files = {certificate_file};
    settings.key_files = {key_file};
    return TlsServerContext(settings);
}

TlsServerContext TlsServerContext::ephemeral() {
    return TlsServerContext(TlsServerSettings{});
}

TlsSession TlsServerContext::start_session() const {
    const auto loaded = state_->current();
    SSL* const ssl = SSL_new(loaded->context.get());
    SSL_set_accept_state(ssl);
    return TlsSession(ssl, loaded->strikes != nullptr);
}

void TlsServerContext::reload() {
    auto fresh = load(state_->settings, state_->current().get());
    const std::scoped_lock lock(state_->mutex);
    state_->loaded.swap(fresh);
}

std::vector<std::string> TlsServerContext::keep_up() {
    const auto loaded = state_->current();
    loaded->tickets->advance();
    const std::time_t before = std::exchange(state_->last_kept_up, std::time(nullptr));
    std::vector<std::string> gone;
    for (const OcspStaple& staple : *loaded->staples) {
        if (staple.is_stale(state_->last_kept_up) && !staple.is_stale(before)) {
            gone.push_back(stale_warning(staple));
        }
    }
    return gone;
}

std::vector<std::string> TlsServerContext::warnings() const {
    return state_->current()->warnings;
}

std::vector<CertificateInfo> TlsServerContext::certificates() const {
    const auto loaded = state_->current();
    std::vector<CertificateInfo> infos;
    for (const Credential& credential : loaded->credentials) {
        X509* const certificate = credential.certificate.get();
        infos.push_back({credential.file, pin_of(certificate), is_expired(certificate), false});
    }
    for (const std::size_t index : loaded->default_choice) {
        infos[index].is_default = true;
    }
    return infos;
}

SpkiPin TlsServerContext::pin() const {
    return pin_of(state_->current()->credentials.front().certificate.get());
}

bool TlsServerContext::expired() const {
    return certificates().front().is_expired;
}

}  // namespace dotpair::net
