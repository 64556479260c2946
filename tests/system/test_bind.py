# SPDX-License-Identifier: MIT
"""What only a nameserver with updates and transfers can show: BIND behind the pair."""

import re
import subprocess
import threading
import unittest

from harness import wire, zones
from harness.exchange import ask_tcp, ask_udp, exchange_udp, receive_frame, tcp_socket
from harness.ports import LOOPBACK
from harness.processes import run
from harness.programs import Pair
from harness.resolvers import Bind
from harness.sig0 import Sig0Key

LARGE, OTHER, DYNAMIC, HOSTS = "large.test.", "other.test.", "dyn.test.", "hosts.test."
RECORDS = 50000
CHANGES = 300
KEY_NAME, KEY_ALGORITHM = "tsig.key", "hmac-sha256"
KEY_SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgb2N0ZXRzISE="
TSIG = f"{KEY_ALGORITHM}:{KEY_NAME}:{KEY_SECRET}"


def nsupdate(port, zone, changes, *options):
    """(exit status, output)"""
    script = f"server {LOOPBACK} {port}\nzone {zone}\n" + "\n".join(changes) + "\nsend\n"
    result = subprocess.run(["nsupdate", "-t", "20", *options], input=script.encode(), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=60, check=False)
    return result.returncode, result.stdout.decode()


def transfer(port, zone, kind):
    return run(["dig", f"@{LOOPBACK}", "-p", str(port), zone, kind, "+noall", "+answer", "+time=60", "+tries=1"],
               timeout=120).splitlines()


def start_bind(sig0_key):
    key = f'key "{KEY_NAME}" {{ algorithm {KEY_ALGORITHM}; secret "{KEY_SECRET}"; }};\n'
    allow = f'allow-update {{ key "{KEY_NAME}"; }}; '
    return Bind(
        {LARGE: zones.large_zone(LARGE, RECORDS), OTHER: zones.large_zone(OTHER, 10000),
         DYNAMIC: zones.head(DYNAMIC) + sig0_key.record + "\nwww A 192.0.2.1\n",
         HOSTS: zones.hosts_zone(HOSTS, 100)},
        {LARGE: allow, OTHER: allow,
         DYNAMIC: f"update-policy {{ grant {KEY_NAME} zonesub ANY; grant sig0.{DYNAMIC} zonesub ANY; }};"},
        extra=key)


class BehindThePair(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sig0_key = Sig0Key(f"sig0.{DYNAMIC}")
        cls.bind = start_bind(cls.sig0_key)
        cls.addClassCleanup(cls.bind.stop)

    def setUp(self):
        self.pair = Pair(self.bind.port)
        self.addCleanup(self.pair.stop)

    def lookup(self, name, kind="A"):
        return run(["dig", f"@{LOOPBACK}", "-p", str(self.bind.port), name, kind, "+short"]).split()


class Transfers(BehindThePair):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        changes = [f"update add new{number}.{LARGE} 300 A 192.0.2.9" for number in range(CHANGES)]
        changes += [f"update delete h{number}.{LARGE} A" for number in range(0, CHANGES, 3)]
        status, text = nsupdate(cls.bind.port, LARGE, changes, "-y", TSIG, "-v")
        assert status == 0, text

    def ask_during(self, work):
        """Runs work() while 100 queries and more go through the same client; its result."""
        result = []
        thread = threading.Thread(target=lambda: result.append(work()))
        thread.start()
        queries = [wire.query(f"n{number}.{HOSTS}", 1, number) for number in range(100)]
        rounds = 0
        while rounds < 1 or thread.is_alive():
            answers = exchange_udp(self.pair.port, queries, window=100)
            self.assertEqual(answers.missing(), [])
            for number, answer in enumerate(answers.by_index):
                self.assertIn(b"\x00\x04" + bytes([10, 0, 0, number]), answer)
            rounds += 1
        thread.join()
        self.assertEqual(len(result), 1, "the transfer failed")
        return result[0]

    def test_axfr_of_50000_records_arrives_whole_while_100_queries_run_P115_P116_P117(self):
        direct = transfer(self.bind.port, LARGE, "AXFR")
        self.assertGreaterEqual(len(direct), RECORDS)
        through = self.ask_during(lambda: transfer(self.pair.port, LARGE, "AXFR"))
        self.assertEqual(len(through), len(direct))
        self.assertTrue(through == direct, "the same number of records, but not the same records")

    def test_ixfr_brings_the_differences_while_100_queries_run_P115(self):
        direct = transfer(self.bind.port, LARGE, "IXFR=1")
        self.assertTrue(CHANGES < len(direct) < 2 * CHANGES, len(direct))
        through = self.ask_during(lambda: transfer(self.pair.port, LARGE, "IXFR=1"))
        self.assertEqual(through, direct)

    def test_ixfr_that_is_up_to_date_ends_with_its_single_soa_P115(self):
        serial = self.lookup(LARGE, "SOA")[2]
        self.assertEqual(transfer(self.pair.port, LARGE, f"IXFR={serial}"), transfer(self.bind.port, LARGE, f"IXFR={serial}"))

    def test_tsig_signed_axfr_verifies_to_its_end_P107_P108(self):
        text = run(["dig", f"@{LOOPBACK}", "-p", str(self.pair.port), OTHER, "AXFR", "-y", TSIG, "+time=60"], timeout=90)
        self.assertNotRegex(text, "(?i)transfer failed|verify failure|couldn't verify")
        self.assertRegex(text, r"TSIG\s+hmac-sha256")
        self.assertRegex(text, r"XFR size: 1\d{4} records")

    def test_two_transfers_at_once_on_one_connection_of_an_app_do_not_mix_P118(self):
        wanted = {1: wire.name(LARGE), 2: wire.name(OTHER)}
        with tcp_socket(self.pair.port, 60) as end:
            for number, zone in wanted.items():
                end.sendall(wire.frame(wire.query(zone, wire.TYPE["AXFR"], number, flags=0)))
            counts = self.read_transfers(end, {number: 2 for number in wanted})
        self.assertGreaterEqual(counts[1], RECORDS)
        self.assertGreaterEqual(counts[2], 10000)

    def read_transfers(self, end, soa_left):
        """Records per ID, until each transfer has brought its second SOA."""
        counts = dict.fromkeys(soa_left, 0)
        while any(soa_left.values()):
            answer = receive_frame(end)
            self.assertIsNotNone(answer, "closed in the middle of a transfer")
            number = wire.identifier(answer)
            self.assertEqual(wire.rcode(answer), wire.NOERROR)
            self.assertGreater(soa_left[number], 0, "a message behind the end of its transfer")
            kinds = [kind for section, _, kind, *_ in wire.records(answer) if section == 1]
            counts[number] += len(kinds)
            soa_left[number] -= kinds.count(wire.TYPE["SOA"])
        return counts

    def test_a_refused_transfer_ends_with_its_rcode_P115(self):
        query = wire.query("nowhere.test.", wire.TYPE["AXFR"], 7, flags=0)
        answer = ask_tcp(self.pair.port, query)
        self.assertEqual(answer, ask_tcp(self.bind.port, query))

    def test_axfr_asked_over_udp_is_cut_or_refused_and_never_streamed_P120(self):
        answer = ask_udp(self.pair.port, wire.query(OTHER, wire.TYPE["AXFR"], 7, flags=0))
        self.assertLessEqual(len(answer), 512)
        self.assertTrue(wire.is_truncated(answer) or wire.rcode(answer) != wire.NOERROR, answer.hex())


class Updates(BehindThePair):
    def check_update(self, label, *options):
        status, text = nsupdate(self.pair.port, DYNAMIC, [f"update add {label}.{DYNAMIC} 60 A 192.0.2.77"], *options)
        self.assertEqual(status, 0, text)
        self.assertEqual(self.lookup(f"{label}.{DYNAMIC}"), ["192.0.2.77"])

    def test_tsig_signed_update_over_udp_is_accepted_P107_P113(self):
        self.check_update("udp", "-y", TSIG)

    def test_tsig_signed_update_over_tcp_is_accepted_P107_P113(self):
        self.check_update("tcp", "-y", TSIG, "-v")

    def test_a_large_update_of_500_records_is_accepted_P113(self):
        changes = [f"update add big{number}.{DYNAMIC} 60 A 192.0.2.78" for number in range(500)]
        status, text = nsupdate(self.pair.port, DYNAMIC, changes, "-y", TSIG, "-v")
        self.assertEqual(status, 0, text)
        self.assertEqual(self.lookup(f"big499.{DYNAMIC}"), ["192.0.2.78"])

    def test_an_update_with_a_wrong_key_is_refused_by_bind_itself_P107(self):
        wrong = TSIG.replace("c2Vj", "AAAA")
        change = [f"update add wrong.{DYNAMIC} 60 A 192.0.2.79"]
        direct, through = (nsupdate(port, DYNAMIC, change, "-y", wrong) for port in (self.bind.port, self.pair.port))
        self.assertNotEqual(direct[0], 0)
        self.assertEqual(through, direct)
        self.assertEqual(self.lookup(f"wrong.{DYNAMIC}"), [])

    def test_an_unsigned_update_gets_binds_own_refusal_P84(self):
        change = [f"update add plain.{DYNAMIC} 60 A 192.0.2.79"]
        direct, through = (nsupdate(port, DYNAMIC, change) for port in (self.bind.port, self.pair.port))
        self.assertIn("REFUSED", direct[1])
        self.assertEqual(through, direct)

    def test_tsig_signed_query_verifies_over_udp_and_tcp_P107_P108(self):
        for options in (["+notcp"], ["+tcp"], ["+notcp", "+bufsize=4096", "+dnssec"]):
            text = run(["dig", f"@{LOOPBACK}", "-p", str(self.pair.port), f"www.{DYNAMIC}", "A", "-y", TSIG, *options])
            self.assertIn("192.0.2.1", text)
            self.assertIn("TSIG PSEUDOSECTION", text)
            self.assertNotRegex(text, "(?i)couldn't verify|verify failure|BADSIG|BADKEY")

    def test_sig0_signed_update_gets_binds_own_answer_P110(self):
        # BIND since 9.18.28 refuses SIG(0) whatever it says; that its signature stays whole on the
        # way is shown in test_signed.py.
        change = [f"update add sig0-new.{DYNAMIC} 60 A 192.0.2.80"]
        for option in ([], ["-v"]):
            direct, through = (nsupdate(port, DYNAMIC, change, "-k", self.sig0_key.private_file, *option)
                               for port in (self.bind.port, self.pair.port))
            self.assertEqual(through, direct)

    def test_notify_gets_binds_own_answer_P114(self):
        for zone in (LARGE, "nowhere.test."):
            for flags in (0, wire.AA):
                notify = wire.query(zone, wire.TYPE["SOA"], 99, flags=flags, opcode=4)
                for ask in (ask_udp, ask_tcp):
                    self.assertEqual(ask(self.pair.port, notify), ask(self.bind.port, notify))

    def test_tkey_gets_binds_own_answer_P84(self):
        text = [run(["dig", f"@{LOOPBACK}", "-p", str(port), "some.key.", "TKEY", "+qid=5", "+nocookie", "+nocmd", "+nostats"],
                    check=False) for port in (self.bind.port, self.pair.port)]
        self.assertRegex(text[0], "status: ")
        self.assertEqual(*(re.sub(r"\d+\.\d+\.\d+\.\d+#\d+", "", one) for one in text))


if __name__ == "__main__":
    unittest.main()
