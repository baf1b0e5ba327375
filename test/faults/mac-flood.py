"""mac-flood.py COUNT: RARP of so many guests out of eth0, each with a MAC of its own, as fast as one core sends them."""
import socket
import sys

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for n in range(int(sys.argv[1])):
    mac = b"\x02\x95" + n.to_bytes(4, "big")
    wire.send(b"\xff" * 6 + mac + bytes.fromhex("80350001080006040003") + (mac + bytes(4)) * 2)
