"""arp-probe.py DEVICE MAC ADDRESS: duplicate address detection of IPv4 (RFC 5227), as `arping -D` does it. Says who answers."""
import socket
import sys
import time

device, mac, address = sys.argv[1:]
lladdr = bytes.fromhex(mac.replace(":", ""))
target = socket.inet_aton(address)
probe = b"\xff" * 6 + lladdr + bytes.fromhex("08060001080006040001") + lladdr + bytes(4) + bytes(6) + target
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind((device, 0))
for _ in range(3):
    wire.send(probe)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        wire.settimeout(max(0.001, end - time.monotonic()))
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            break
        if frame[20:22] == b"\0\2" and frame[28:32] == target:
            print("taken by", frame[22:28].hex(":"))
            sys.exit(1)
print("free")
