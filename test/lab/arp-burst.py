"""ARP requests for many addresses, as fast as one core sends them: each raises an L3 miss of its own.

arp-burst.py DEVICE MAC SOURCE FIRST COUNT DISTINCT     after DISTINCT addresses it begins anew
"""
import socket
import struct
import sys

device, mac, source, first, count, distinct = sys.argv[1:]
lladdr = bytes.fromhex(mac.replace(":", ""))
head = b"\xff" * 6 + lladdr + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
asking = head + lladdr + socket.inet_aton(source) + bytes(6)
target = struct.unpack(">I", socket.inet_aton(first))[0]

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((device, 0))
for i in range(int(count)):
    wire.send(asking + struct.pack(">I", target + i % int(distinct)))
