"""send-frames.py DEVICE HEX [COUNT]: sends a frame; the last 4 bytes of its ARP sender, at 28, count up with COUNT."""
import socket
import sys

device, text = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 1
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind((device, 0))
frame = bytearray.fromhex(text)
first = int.from_bytes(frame[28:32], 'big')
for n in range(count):
    if count > 1:
        frame[28:32] = (first + n).to_bytes(4, 'big')
    sock.send(frame)
