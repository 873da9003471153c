"""The pretrained encoders that fine-tuning starts from."""

from training.base_models.base import BaseModel
from training.base_models.minilm import english
from training.base_models.multilingual_e5 import bilingual

__all__ = ["BaseModel", "bilingual", "english"]
