"""One router advertisement, from this namespace's eth0 to one guest: its default route for half an hour.

usage: router-advertisement.py TO
"""
import socket
import struct
import sys

wire = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
# RFC 4861: receivers drop what a router may have forwarded.
wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
wire.sendto(advertisement, (sys.argv[1], 0, 0, socket.if_nametoindex("eth0")))
