"""Which members are alive, and which of them leads: rules over records and time. Not where the records are kept."""
