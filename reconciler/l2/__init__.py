"""
ARP and NDP for addresses that no interface of this node holds.

Codecs and machines without I/O, the links of this node, and the packet sockets. Services, pools and elections are
unknown here: an address is its octets in network order, 4 or 16 of them, and somebody else decides that it is ours.
"""
