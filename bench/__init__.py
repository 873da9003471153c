"""The benchmark: an open-loop load on a gateway, and latencies that hide no queueing. A client, no more."""
