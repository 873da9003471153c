"""ONNX models: the store they come from, their sessions, and the batches they run in."""
