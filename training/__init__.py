"""From data to published ONNX models; the only place that imports torch."""
