// SPDX-License-Identifier: MIT
#include "common/net/tls_session.hpp"

#include "common/dns/frame_reader.hpp"
#include "common/net/tls_early_data.hpp"
#include "common/net/tls_errors.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace dotpair::net {

/// What the BIO reads from and writes to; both belong to the worker.
struct TlsSession::State {
    SSL* ssl = nullptr;
    dns::ConstBytes input;
    std::vector<std::uint8_t>* output = nullptr;
    std::string error;
    bool close_sent = false;
    std::size_t padding_block = 0;
    bool may_be_early = false;
    bool is_reading_early = false;  // a server's
    bool writes_early = false;      // a server's that answers early data
};

namespace {

using State = TlsSession::State;

constexpr std::size_t record_overhead = 1 + 16;  // of TLS 1.3: content type and AEAD tag

int read_fed(BIO* bio, char* out, std::size_t size, std::size_t* read) {
    auto& state = *static_cast<State*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (state.input.empty()) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *read = std::min(size, state.input.size());
    std::memcpy(out, state.input.data(), *read);
    state.input = state.input.subspan(*read);
    return 1;
}

int append_output(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
    const auto& state = *static_cast<State*>(BIO_get_data(bio));
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes);
    state.output->insert(state.output->end(), begin, begin + size);
    *written = size;
    return 1;
}

long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// `size` is that of the content and its type: to it the padding adds. What counts as the message
/// is all behind the first length field.
std::size_t padding_of_record(SSL* /*ssl*/, int type, std::size_t size, void* state) {
    constexpr std::size_t around_message = 1 + dns::frame_header_size;
    if (type != SSL3_RT_APPLICATION_DATA || size <= around_message) {
        return 0;
    }
    const std::size_t block = static_cast<const State*>(state)->padding_block;
    return (block - (size - around_message) % block) % block;
}

/// Made once and never freed: sessions of every thread use it.
const BIO_METHOD* lending_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lent memory");
        BIO_meth_set_read_ex(made, read_fed);
        BIO_meth_set_write_ex(made, append_output);
        BIO_meth_set_ctrl(made, control);
        return made;
    }();
    return method;
}

/// Of this thread's errors, as OpenSSL wants it before each call whose failure is to be explained.
/// There hardly ever is any, and to clear them costs more than to look.
void clear_errors() {
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

}  // namespace

TlsSession::TlsSession(SSL* ssl, bool may_be_early) : state_(std::make_unique<State>()) {
    state_->ssl = ssl;
    state_->may_be_early = may_be_early;
    state_->is_reading_early = may_be_early && SSL_is_server(ssl) == 1;
    BIO* const bio = BIO_new(lending_method());
    BIO_set_data(bio, state_.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
}

TlsSession::TlsSession(TlsSession&&) noexcept = default;

TlsSession& TlsSession::operator=(TlsSession&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

TlsSession::~TlsSession() {
    if (state_) {
        // OpenSSL takes a session that ends without close_notify for spoilt and would waste its
        // last ticket. A lost connection is what tickets are for; those that fatal alerts spoil are
        // gone already.
        SSL_set_shutdown(state_->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(state_->ssl);
    }
}

void TlsSession::feed(dns::ConstBytes ciphertext) {
    state_->input = ciphertext;
}

dns::ConstBytes TlsSession::unread() const {
    return state_->input;
}

void TlsSession::write_to(std::vector<std::uint8_t>& output) {
    state_->output = &output;
}

TlsSession::Progress TlsSession::progress_of(int result) {
    const int error = SSL_get_error(state_->ssl, result);
    switch (error) {
        case SSL_ERROR_NONE:
            return Progress::done;
        case SSL_ERROR_WANT_READ:
            return Progress::needs_input;
        case SSL_ERROR_ZERO_RETURN:
            return Progress::closed;
        default:
            state_->error = describe_tls_failure(state_->ssl);
            return Progress::failed;
    }
}

TlsSession::Progress TlsSession::handshake() {
    clear_errors();
    const Progress progress = progress_of(SSL_do_handshake(state_->ssl));
    state_->writes_early = state_->writes_early && progress != Progress::done;
    return progress;
}

/// A server that throws it away counts what it sees of it: all of the record.
std::size_t TlsSession::early_room() const {
    SSL_SESSION* const ticket = SSL_get0_session(state_->ssl);
    if (!state_->may_be_early || ticket == nullptr) {
        return 0;
    }
    const std::size_t allowed =
        std::min<std::size_t>(SSL_SESSION_get_max_early_data(ticket), most_early_data);
    return allowed - std::min(allowed, early_overhead());
}

std::size_t TlsSession::early_overhead() const {
    return record_overhead + state_->padding_block;
}

bool TlsSession::write_early(dns::ConstBytes plain) {
    clear_errors();
    std::size_t written = 0;
    if (SSL_write_early_data(state_->ssl, plain.data(), plain.size(), &written) == 1) {
        return true;
    }
    state_->error = describe_tls_failure(state_->ssl);
    return false;
}

bool TlsSession::is_reading_early() const {
    return state_->is_reading_early;
}

TlsSession::ReadResult TlsSession::read_early(dns::Bytes plain) {
    clear_errors();
    std::size_t size = 0;
    const int result = SSL_read_early_data(state_->ssl, plain.data(), plain.size(), &size);
    if (result == SSL_READ_EARLY_DATA_ERROR) {
        return {progress_of(0), 0};
    }
    state_->is_reading_early = result != SSL_READ_EARLY_DATA_FINISH;
    state_->writes_early = state_->writes_early || size > 0;
    return {Progress::done, size};
}

EarlyData TlsSession::early_data() const {
    switch (SSL_get_early_data_status(state_->ssl)) {
        case SSL_EARLY_DATA_ACCEPTED:
            return EarlyData::accepted;
        case SSL_EARLY_DATA_REJECTED:
            return EarlyData::rejected;
        default:
            return EarlyData::none;
    }
}

TlsSession::ReadResult TlsSession::read(dns::Bytes plain) {
    clear_errors();
    std::size_t size = 0;
    const int result = SSL_read_ex(state_->ssl, plain.data(), plain.size(), &size);
    return {progress_of(result), size};
}

bool TlsSession::has_more() const {
    return !state_->input.empty() || SSL_has_pending(state_->ssl) == 1;
}

void TlsSession::pad_records(std::size_t block) {
    if (state_->padding_block == 0) {
        SSL_set_record_padding_callback_arg(state_->ssl, state_.get());
        SSL_set_record_padding_callback(state_->ssl, padding_of_record);
    }
    state_->padding_block = block;
}

bool TlsSession::write(dns::ConstBytes plain) {
    clear_errors();
    const auto send = state_->writes_early ? SSL_write_early_data : SSL_write_ex;
    std::size_t written = 0;
    if (plain.empty() || send(state_->ssl, plain.data(), plain.size(), &written) == 1) {
        return true;
    }
    state_->error = describe_tls_failure(state_->ssl);
    return false;
}

void TlsSession::close() {
    if (!state_->close_sent && SSL_is_init_finished(state_->ssl) == 1) {
        state_->close_sent = true;
        clear_errors();
        SSL_shutdown(state_->ssl);
        clear_errors();
    }
}

TlsFacts TlsSession::facts() const {
    TlsFacts facts;
    facts.version = SSL_get_version(state_->ssl);
    facts.cipher = SSL_get_cipher_name(state_->ssl);
    facts.resumed = SSL_session_reused(state_->ssl) == 1;
    facts.early_data = early_data();
    facts.verify_failure = verify_failure(state_->ssl);
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(state_->ssl, &name, &size);
    facts.alpn.assign(reinterpret_cast<const char*>(name), size);
    return facts;
}

std::string TlsSession::error_text() const {
    return state_->error;
}

}  // namespace dotpair::net
