"""Turns a rate, a catalogue and a bound on p99 into processes, cores and memory."""
