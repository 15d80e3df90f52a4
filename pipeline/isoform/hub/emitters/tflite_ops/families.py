"""Importing this fills the table of operators: one line for each file of this folder."""

from isoform.hub.emitters.tflite_ops import activation as activation
from isoform.hub.emitters.tflite_ops import axes as axes
from isoform.hub.emitters.tflite_ops import bits as bits
from isoform.hub.emitters.tflite_ops import blocks as blocks
from isoform.hub.emitters.tflite_ops import control as control
from isoform.hub.emitters.tflite_ops import convolution as convolution
from isoform.hub.emitters.tflite_ops import convolution_transposed as convolution_transposed
from isoform.hub.emitters.tflite_ops import creation as creation
from isoform.hub.emitters.tflite_ops import elementwise as elementwise
from isoform.hub.emitters.tflite_ops import gathering as gathering
from isoform.hub.emitters.tflite_ops import integers as integers
from isoform.hub.emitters.tflite_ops import linear as linear
from isoform.hub.emitters.tflite_ops import loops as loops
from isoform.hub.emitters.tflite_ops import moving as moving
from isoform.hub.emitters.tflite_ops import normalization as normalization
from isoform.hub.emitters.tflite_ops import padding as padding
from isoform.hub.emitters.tflite_ops import pooling as pooling
from isoform.hub.emitters.tflite_ops import pooling_windows as pooling_windows
from isoform.hub.emitters.tflite_ops import recurrent as recurrent
from isoform.hub.emitters.tflite_ops import reduction as reduction
from isoform.hub.emitters.tflite_ops import resize as resize
from isoform.hub.emitters.tflite_ops import scattering as scattering
from isoform.hub.emitters.tflite_ops import selection as selection
from isoform.hub.emitters.tflite_ops import slicing as slicing
from isoform.hub.emitters.tflite_ops import transcendental as transcendental
