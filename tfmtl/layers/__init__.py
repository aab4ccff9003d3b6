"""Layers for multi-task models; each runs in any Keras model, on any Keras backend."""

from tfmtl.layers.cgc import CGC
from tfmtl.layers.cross_stitch import CrossStitch
from tfmtl.layers.dynamic_selector import DynamicSelector
from tfmtl.layers.experts import Experts
from tfmtl.layers.extraction_network import ExtractionNetwork
from tfmtl.layers.fused_embedding import FusedEmbedding
from tfmtl.layers.gate import Gate
from tfmtl.layers.log_round_embedding import LogRoundEmbedding
from tfmtl.layers.logit_calibration import LogitCalibration
from tfmtl.layers.meta_attention import MetaAttention
from tfmtl.layers.meta_tower import MetaTower
from tfmtl.layers.meta_unit import MetaUnit
from tfmtl.layers.mlp import MLP
from tfmtl.layers.pattern_selector import PatternSelector
from tfmtl.layers.raw_values import RawValues
from tfmtl.layers.relatedness import Relatedness
from tfmtl.layers.representation_integration import RepresentationIntegration
from tfmtl.layers.self_attention import SelfAttention
from tfmtl.layers.sequence_encoder import SequenceEncoder
from tfmtl.layers.set_attention import SetAttention
from tfmtl.layers.task_anchors import TaskAnchors
from tfmtl.layers.task_attention import TaskAttention
from tfmtl.layers.task_feature_attention import TaskFeatureAttention
from tfmtl.layers.tower import Tower

__all__ = [
    "CGC",
    "MLP",
    "CrossStitch",
    "DynamicSelector",
    "Experts",
    "ExtractionNetwork",
    "FusedEmbedding",
    "Gate",
    "LogRoundEmbedding",
    "LogitCalibration",
    "MetaAttention",
    "MetaTower",
    "MetaUnit",
    "PatternSelector",
    "RawValues",
    "Relatedness",
    "RepresentationIntegration",
    "SelfAttention",
    "SequenceEncoder",
    "SetAttention",
    "TaskAnchors",
    "TaskAttention",
    "TaskFeatureAttention",
    "Tower",
]
