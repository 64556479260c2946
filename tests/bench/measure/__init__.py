# SPDX-License-Identifier: MIT
"""What tests/bench/run measures, and how."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))  # for the harness of the system tests
