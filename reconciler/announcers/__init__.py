"""
Actions of a plan, carried out by the protocols: what a node says to the network.

An announcer translates between the words of the plan (`Announce`, `Withdraw`) and those of a protocol room, and keeps
the sockets and timers of that room going. It does not decide who announces what.
"""
