"""Importing this fills the table of operators: one line for each file of this folder."""

from isoform.hub.importers.tflite_ops import arithmetic as arithmetic
from isoform.hub.importers.tflite_ops import bits as bits
from isoform.hub.importers.tflite_ops import blocks as blocks
from isoform.hub.importers.tflite_ops import control as control
from isoform.hub.importers.tflite_ops import convolution as convolution
from isoform.hub.importers.tflite_ops import creation as creation
from isoform.hub.importers.tflite_ops import elementwise as elementwise
from isoform.hub.importers.tflite_ops import fourier as fourier
from isoform.hub.importers.tflite_ops import linear as linear
from isoform.hub.importers.tflite_ops import moving as moving
from isoform.hub.importers.tflite_ops import normalization as normalization
from isoform.hub.importers.tflite_ops import padding as padding
from isoform.hub.importers.tflite_ops import pooling as pooling
from isoform.hub.importers.tflite_ops import quantization as quantization
from isoform.hub.importers.tflite_ops import recurrent as recurrent
from isoform.hub.importers.tflite_ops import reduction as reduction
from isoform.hub.importers.tflite_ops import resize as resize
from isoform.hub.importers.tflite_ops import selection as selection
from isoform.hub.importers.tflite_ops import slicing as slicing
from isoform.hub.importers.tflite_ops import stablehlo as stablehlo
