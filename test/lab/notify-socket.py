"""Stands in for a service manager: prints each datagram that reaches a unix socket as a line of JSON."""
import json, socket, sys

name = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("listening"), flush=True)
while True:
    print(json.dumps(manager.recv(4096).decode()), flush=True)
