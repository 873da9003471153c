"""The intent model's training: its data, its variations, and a network too small to be slow."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from runtime.inference.store import ModelStore
from services.intent.labels import Labels, read_labels
from services.intent.model import MODEL
from training.base_models import BaseModel
from training.demo_shop import DemoShop, Query, QuerySlot
from training.export import export_onnx
from training.finetuning import METHODS, Method
from training.intent.augmentation import VARIATIONS, varied
from training.intent.batches import Batcher
from training.intent.build import Order, labels_of
from training.intent.dataset import examples
from training.intent.example import NOUN, Example, Piece, Span
from training.intent.figures import figures
from training.intent.fit import Data, evaluate, fit
from training.intent.losses import NO_CATEGORY, Weights, multi_task_loss
from training.intent.losses import Labels as BatchLabels
from training.intent.network import OUTPUTS, IntentNetwork, Logits
from training.intent.open_world import invented
from training.intent.public import public_sets
from training.intent.reading import by_graph, by_network, feeds, understand
from training.intent.recipe import RECIPES
from training.intent.tagging import IGNORED, tag, tag_names
from training.intent.vocabulary import vocabulary
