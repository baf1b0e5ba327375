"""guest.py: a guest that can be at several places, as a virtual machine that is moved; runs in the namespace of one of them.

Lines of standard input, each answered by `done`:
  take MAC ADDRESS/LENGTH arp|rarp|nothing   the guest is here from now on, and is announced so
  drop MAC                                   it is not here any more; the port goes on with another MAC
  send FRAME COUNT PAUSE                     a frame in hexadecimal, so many times, s apart
"""
import socket
import subprocess
import sys
import time

DEVICE = "eth0"
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((DEVICE, 0))


def ip(*commands):
    subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(commands) + "\n", text=True, stderr=subprocess.DEVNULL)


def announcement(mac, address, how):
    lladdr = bytes.fromhex(mac.replace(":", ""))
    if how == "rarp":
        return b"\xff" * 6 + lladdr + bytes.fromhex("80350001080006040003") + (lladdr + bytes(4)) * 2
    sender = socket.inet_aton(address)
    return b"\xff" * 6 + lladdr + bytes.fromhex("08060001080006040001") + lladdr + sender + bytes(6) + sender


for line in sys.stdin:
    what, *words = line.split()
    if what == "take":
        mac, address, how = words
        ip(f"link set {DEVICE} address {mac}", f"addr add {address} dev {DEVICE}")
        # QEMU's rhythm (net/announce.c) is 50 ms and more from one to the next.
        for pause in (0, 0.05, 0.1) if how != "nothing" else ():
            time.sleep(pause)
            wire.send(announcement(mac, address.split("/")[0], how))
            if pause == 0:
                print("announced", flush=True)
    elif what == "drop":
        ip(f"addr flush dev {DEVICE}", f"link set {DEVICE} address {words[0]}")
    elif what == "send":
        frame, count, pause = bytes.fromhex(words[0]), int(words[1]), float(words[2])
        for _ in range(count):
            wire.send(frame)
            time.sleep(pause)
    print("done", flush=True)
