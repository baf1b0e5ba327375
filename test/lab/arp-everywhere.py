"""ARP requests out of every interface of a namespace but lo, by turns: for COUNT addresses from FIRST on.

usage: arp-everywhere.py FIRST COUNT
"""
import ipaddress
import socket
import sys

first, count = int(ipaddress.ip_address(sys.argv[1])), int(sys.argv[2])
BROADCAST = b"\xff" * 6


def opened(interface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0x0806))
    return wire, wire.getsockname()[4]


wires = [opened(name) for _, name in socket.if_nameindex() if name != "lo"]
for target in range(first, first + count):
    for wire, mac in wires:
        arp = b"\0\1\x08\0\6\4\0\1" + mac + bytes([20, 0, 0, 250]) + bytes(6) + target.to_bytes(4, "big")
        wire.send(BROADCAST + mac + b"\x08\x06" + arp)
