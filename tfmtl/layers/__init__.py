"""Layers, one a file, each usable in any Keras model."""

from tfmtl.layers.experts import Experts
from tfmtl.layers.fused_embedding import FusedEmbedding
from tfmtl.layers.gate import Gate
from tfmtl.layers.mlp import MLP
from tfmtl.layers.tower import Tower

__all__ = ["MLP", "Experts", "FusedEmbedding", "Gate", "Tower"]
