"""Broadcasts of an Ethertype for experiments, one device after the other, as fast as one core sends them.

broadcast-flood.py COUNT DEVICE...      COUNT 0: without end
"""
import itertools
import socket
import sys

count, devices = int(sys.argv[1]), sys.argv[2:]
wires = []
for device in devices:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((device, 0))
    lladdr = wire.getsockname()[4]
    wires.append((wire, b"\xff" * 6 + lladdr + b"\x88\xb5" + bytes(46)))
for i in itertools.count() if count == 0 else range(count):
    wire, frame = wires[i % len(wires)]
    wire.send(frame)
