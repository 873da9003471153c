"""gRPC servers and channels that keep deadlines, report typed errors and drain."""
