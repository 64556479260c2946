// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <utility>

namespace dotpair::net {

/// Hangs an object on an SSL_CTX for its callbacks; it goes when the last of those who hold it
/// goes. A session may outlive whoever made its context, so a plain pointer would not do.
template <typename T>
class Attachment {
public:
    static void attach(SSL_CTX* context, std::shared_ptr<T> object) {
        SSL_CTX_set_ex_data(context, slot(), new std::shared_ptr<T>(std::move(object)));
    }

    /// Of the context that `ssl` uses now. REQUIRES: attach() was called for it.
    static T& of(SSL* ssl) {
        return **static_cast<std::shared_ptr<T>*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot())
        );
    }

private:
    static void release(
        void* /*parent*/,
        void* object,
        CRYPTO_EX_DATA* /*data*/,
        int /*index*/,
        long /*number*/,
        void* /*pointer*/
    ) {
        delete static_cast<std::shared_ptr<T>*>(object);
    }

    static int slot() {
        static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, release);
        return index;
    }
};

}  // namespace dotpair::net
