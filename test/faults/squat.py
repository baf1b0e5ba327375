"""Takes the names of missd's locks as somebody without any rights would. squat.py KIND UID: `bound` or `listening`."""
import os
import socket
import sys
import time

os.setuid(int(sys.argv[2]))
sockets = []
for n in range(1, 300):
    kind = socket.SOCK_DGRAM if sys.argv[1] == "bound" else socket.SOCK_STREAM
    one = socket.socket(socket.AF_UNIX, kind)
    one.bind("\0missd/device/%d" % n)
    if sys.argv[1] == "listening":
        one.listen()
    sockets.append(one)
print("squatting", flush=True)
time.sleep(600)
