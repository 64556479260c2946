# SPDX-License-Identifier: MIT
"""Every answer through the pair is the resolver's own, octet for octet, but for the listed edits."""

import unittest

from harness import contract, query_plan, wire, zones
from harness.exchange import ask_udp, exchange_tcp, exchange_udp
from harness.programs import Pair
from harness.resolvers import Knot, Nsd

SEED = 1
QUERY_TIMEOUT = "2500ms"
PAIR_TIMEOUT = 8.0
DIRECT_TIMEOUT = 1.0
ODD_RATE = 80  # a second: NSD drops what would be its 101st error answer in one second
SAMPLE = 700
UNKNOWN_TO_KNOT = ("X25", "ISDN", "RT", "PX", "DLV")


def ask_both_ways(port, cases, timeout):
    """Answers over UDP and over TCP. The odd ones apart and slowly."""
    answers = {}
    for odd, window, rate in ((False, 64, None), (True, 500, ODD_RATE)):
        part = [case for case in cases if case.odd == odd]
        queries = [case.data for case in part]
        udp = exchange_udp(port, queries, window, timeout, rate)
        tcp = exchange_tcp(port, queries, window, timeout, rate)
        for index, case in enumerate(part):
            answers[case] = contract.Direct(udp.by_index[index], tcp.by_index[index])
        if udp.strays or tcp.strays:
            raise AssertionError(f"answers that nobody waited for: {udp.strays[:3]} {tcp.strays[:3]}")
    return answers


def find_differences(cases, direct, through, **mode):
    found = []
    for case in cases:
        for transport in ("udp", "tcp"):
            problem = contract.difference(case, direct[case], getattr(through[case], transport), transport, **mode)
            if problem:
                found.append(f"{case.label}\n      query {case.data[:120].hex()}\n    {problem}")
    return found


class Differential:
    """Asks a nameserver directly once, then through pairs of several modes."""

    unsupported = ()

    @classmethod
    def setUpClass(cls):
        cls.cases = query_plan.make_plan(SEED)
        text = zones.varied_zone(unsupported=cls.unsupported)
        cls.backend = cls.make_backend({"t.example.": zones.sign("t.example.", text)})
        cls.addClassCleanup(cls.backend.stop)
        cls.direct = ask_both_ways(cls.backend.port, cls.cases, DIRECT_TIMEOUT)

    def start_pair(self, client_options=None, server_options=None):
        pair = Pair(self.backend.port, {"query_timeout": QUERY_TIMEOUT, **(client_options or {})}, server_options)
        self.addCleanup(pair.stop)
        return pair

    def check(self, pair, cases, **mode):
        through = ask_both_ways(pair.port, cases, PAIR_TIMEOUT)
        found = find_differences(cases, self.direct, through, **mode)
        self.assertEqual(len(found), 0, f"{len(found)} differences in {2 * len(cases)} answers; the first:\n"
                         + "\n".join(found[:12]))

    def test_the_plan_asks_enough_and_the_nameserver_answers(self):
        well_formed = [case for case in self.cases if not case.malformed]
        self.assertGreaterEqual(len(well_formed), 3000)
        silent = [case.label for case in well_formed
                  if self.direct[case].udp is None or self.direct[case].tcp is None]
        self.assertEqual(silent, [])
        sizes = [len(self.direct[case].tcp) for case in well_formed]
        self.assertGreater(max(sizes), 60000)

    def test_answers_through_the_pair_equal_the_nameservers_own_P46_P76_P77_P78_P79_P82_P94_P95(self):
        self.check(self.start_pair(), self.cases)

    def test_answers_in_verbatim_mode_equal_the_nameservers_own_P88(self):
        pair = self.start_pair({"edns": "verbatim"}, {"edns": "verbatim"})
        self.check(pair, query_plan.sample(self.cases, SAMPLE), managed=False)

    def test_answers_with_a_tcp_backend_equal_the_nameservers_own_P81(self):
        pair = self.start_pair(server_options={"backend_transport": "tcp"})
        self.check(pair, query_plan.sample(self.cases, SAMPLE), backend_transport="tcp")

    def test_answers_to_padded_queries_equal_the_nameservers_own_P91(self):
        """The zone's plain queries get an OPT on the way, which nobody may notice."""
        cases = [case for case in self.cases if contract.gets_added_opt(case) and not case.odd]
        self.assertGreater(len(cases), 500)
        asked = [query_plan.Case(case.label, contract.with_added_opt(case.data)) for case in cases]
        answers = ask_both_ways(self.backend.port, asked, DIRECT_TIMEOUT)
        direct = {case: contract.Direct(*map(contract.without_added_opt, (answers[one].udp, answers[one].tcp)))
                  for case, one in zip(cases, asked)}
        through = ask_both_ways(self.start_pair({"padding": "edns"}).port, cases, PAIR_TIMEOUT)
        found = find_differences(cases, direct, through)
        self.assertEqual(found[:12], [], f"{len(found)} differences")

    def test_a_message_that_is_no_query_gets_no_answer_and_harms_none(self):
        pair = self.start_pair()
        whole = self.cases[0].data
        response = whole[:2] + bytes([whole[2] | 0x80]) + whole[3:]
        for data in [whole[:size] for size in range(0, 12)] + [response]:
            self.assertIsNone(ask_udp(pair.port, data, timeout=0.1), data.hex())
        self.assertEqual(wire.rcode(ask_udp(pair.port, whole)), wire.NOERROR)


class NsdTransparency(Differential, unittest.TestCase):
    make_backend = Nsd


class KnotTransparency(Differential, unittest.TestCase):
    unsupported = UNKNOWN_TO_KNOT
    make_backend = Knot


if __name__ == "__main__":
    unittest.main()
