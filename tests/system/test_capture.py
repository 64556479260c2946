# SPDX-License-Identifier: MIT
"""What the lab's capture says about connections that a test made itself."""

import socket
import ssl
import struct
import threading
import unittest

from harness import tls_records
from harness.certificates import SERVER_NAME, Authority
from harness.lab_cases import WithLab
from harness.processes import wait_until

FAST_OPEN = 3  # both ends of it, see tcp_fastopen in the kernel's ip-sysctl
OCTETS = bytes(range(256)) * 800


def client_hello():
    """A ClientHello as OpenSSL writes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=SERVER_NAME).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def no_delay(end):
    """Else a small write waits for the ACK of the one before, and round trips are counted for that."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end


def read_all(end):
    return b"".join(iter(lambda: end.recv(1 << 16), b""))


class Packets(WithLab):
    def test_a_packet_to_port_53_of_anybody_is_seen(self):
        targets = [(self.udp(self.lab.client), "192.0.2.53"),
                   (self.udp(self.lab.client, socket.AF_INET6), "2001:db8:5::3")]
        for end, address in targets:
            end.sendto(b"query", (address, 53))
        self.wait_for_packets("up", 2)
        seen = self.lab.capture().to_port(53)
        self.assertEqual([packet.target for packet in seen], [(address, 53) for _, address in targets])
        self.assertEqual([packet.payload for packet in seen], [b"query"] * 2)

    def test_a_packet_that_was_dropped_is_seen_and_marked(self):
        near, _ = self.udp_pair()
        with self.lab.blackhole():
            near.send(b"1")
            self.wait_for_packets("up", 1)
        near.send(b"2")
        self.wait_for_packets("up", 2)
        self.assertEqual([packet.dropped for packet in self.lab.capture().packets], [True, False])


class Connections(WithLab):
    def last_stream(self):
        return self.lab.capture().streams[-1]

    def test_octets_are_put_together_in_spite_of_loss(self):
        listener = self.listener()
        near, far = self.tcp_pair(listener)
        self.lab.set_loss(0.1, 5)
        sender = threading.Thread(target=lambda: (near.sendall(OCTETS), near.shutdown(socket.SHUT_WR)))
        sender.start()
        received = read_all(far)
        sender.join()
        self.assertEqual(received, OCTETS)
        stream = self.last_stream()
        self.assertGreater(self.lab.stats()["up_lost"], 0)
        self.assertEqual(bytes(stream.up.octets), OCTETS)
        self.assertEqual(stream.down.octets, b"")

    def test_fin_and_rst_are_told_apart(self):
        listener = self.listener()
        for by_reset in (False, True):
            near, far = self.tcp_pair(listener)
            self.assertFalse(self.last_stream().is_closed())
            if by_reset:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            far.close()
            wait_until(lambda: self.last_stream().is_closed(), "the end of the connection")
            stream = self.last_stream()
            self.assertEqual((stream.up.fin is not None, stream.up.rst is not None), (not by_reset, by_reset))

    def test_a_client_hello_in_the_syn_is_seen(self):
        for end in (self.lab.client, self.lab.server):
            end.set_option("ipv4/tcp_fastopen", FAST_OPEN)
        listener = self.listener()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        text = client_hello()
        for _ in range(2):  # the first one fetches the cookie
            with self.lab.client.entered():
                near = self.enterContext(socket.socket())
            near.sendto(text, socket.MSG_FASTOPEN, listener.getsockname())
            with listener.accept()[0] as far:
                near.close()
                self.assertEqual(read_all(far), text)
        first, second = self.lab.capture().streams
        self.assertEqual(first.syn_data, b"")
        self.assertTrue(tls_records.is_client_hello(second.syn_data))
        for stream in (first, second):
            self.assertEqual(stream.up.octets, text)
            self.assertEqual(tls_records.hello(stream.up).kind, tls_records.CLIENT_HELLO)


class Tls(WithLab):
    """Against Python's ssl, so that the reading of records hangs on no program of ours."""

    def exchange(self, listener, server, client, session):
        """One octet each way. The session to resume."""
        def serve():
            with server.wrap_socket(no_delay(listener.accept()[0]), server_side=True) as far:
                far.sendall(far.recv(1))
                far.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        with self.lab.client.entered():
            end = socket.create_connection(listener.getsockname(), 10)
        with client.wrap_socket(no_delay(end), server_hostname=SERVER_NAME, session=session) as near:
            near.sendall(b"x")
            near.recv(1)
            session = near.session
            near.unwrap()
        thread.join(10)
        return session

    def test_records_and_resumption_are_seen(self):
        certificate = Authority().issue()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate.file, certificate.key)
        client = ssl.create_default_context(cafile=certificate.authority)
        listener, session = self.listener(), None
        for _ in range(2):
            session = self.exchange(listener, server, client, session)
        streams = self.lab.capture().streams
        self.assertEqual([tls_records.is_resumed(stream) for stream in streams], [False, True])
        for stream in streams:
            query = tls_records.application_records(stream.up, 1 + tls_records.TLS13_OVERHEAD)[0]
            answer = tls_records.application_records(stream.down, 1 + tls_records.TLS13_OVERHEAD)[0]
            self.assertEqual(stream.round_trips(stream.syn, answer.packet, self.lab.one_way), 3)
            self.assertEqual(stream.round_trips(query.packet, answer.packet, self.lab.one_way), 1)
            self.assertGreaterEqual(answer.time - stream.syn.time, 2.5 * 2 * self.lab.one_way)
            self.assertEqual(tls_records.records(stream.up)[0].kind, tls_records.HANDSHAKE)


if __name__ == "__main__":
    unittest.main()
