"""Importing this fills the table of operators: one line for each file of this folder."""

from isoform.hub.emitters.torch_ops import activation as activation
from isoform.hub.emitters.torch_ops import control as control
from isoform.hub.emitters.torch_ops import convolution as convolution
from isoform.hub.emitters.torch_ops import creation as creation
from isoform.hub.emitters.torch_ops import deformable as deformable
from isoform.hub.emitters.torch_ops import elementwise as elementwise
from isoform.hub.emitters.torch_ops import fused as fused
from isoform.hub.emitters.torch_ops import gru as gru
from isoform.hub.emitters.torch_ops import linear as linear
from isoform.hub.emitters.torch_ops import moving as moving
from isoform.hub.emitters.torch_ops import normalization as normalization
from isoform.hub.emitters.torch_ops import pooling as pooling
from isoform.hub.emitters.torch_ops import quantization as quantization
from isoform.hub.emitters.torch_ops import recurrent as recurrent
from isoform.hub.emitters.torch_ops import reduction as reduction
from isoform.hub.emitters.torch_ops import resize as resize
from isoform.hub.emitters.torch_ops import selection as selection
from isoform.hub.emitters.torch_ops import sequence as sequence
from isoform.hub.emitters.torch_ops import signal as signal
from isoform.hub.emitters.torch_ops import traditional as traditional
from isoform.hub.emitters.torch_ops import trees as trees
