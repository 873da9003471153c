"""Measures the retrieval index in process, beside FAISS and Milvus Lite called directly."""
