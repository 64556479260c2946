// SPDX-License-Identifier: MIT
#include "common/net/tls_server_choice.hpp"

#include "common/net/tls_attachment.hpp"

#include <memory>
#include <utility>

namespace dotpair::net {
namespace {

struct Choices {
    policy::ServerNames names;
    std::vector<SslContext> others;
    bool strict;
};

/// Comes twice, with the context of the first time, when the client had to say hello again.
int choose(SSL* ssl, int* alert, void* argument) {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    const auto& choices = *static_cast<const Choices*>(argument);
    const auto index = choices.names.find(name);
    if (!index) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return choices.strict ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
    }
    if (*index > 0) {
        SSL_set_SSL_CTX(ssl, choices.others[*index - 1].get());
    }
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void choose_by_name(
    SSL_CTX* context, policy::ServerNames names, std::vector<SslContext> others, bool strict
) {
    auto choices = std::make_shared<Choices>(Choices{std::move(names), std::move(others), strict});
    SSL_CTX_set_tlsext_servername_arg(context, choices.get());
    SSL_CTX_set_tlsext_servername_callback(context, choose);
    Attachment<Choices>::attach(context, std::move(choices));
}

}  // namespace dotpair::net
