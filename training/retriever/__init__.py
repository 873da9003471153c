"""The bi-encoder: queries and products in one space, fine-tuned by contrast, published for serving."""
