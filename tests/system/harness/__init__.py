# SPDX-License-Identifier: MIT
"""What the system tests stand on: processes, ports, zones, servers, raw messages."""
