"""Every edge of Muster: what touches the database, the network, the clock and people."""
