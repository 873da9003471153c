"""Search by Milvus itself, for catalogues that one process cannot hold."""
