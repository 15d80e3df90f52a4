"""ONNX' own backend tests through each emitter, on the format's own runtime.

    make conformance                                    # every target against the tables in docs/conformance
    make conformance TARGETS=torch FILTER=attention     # one target, the cases with a word in their name
    make conformance TARGETS=torch FILTER=Resize LIST=1 # the cases of an operator; every one that is not right
    make conformance UPDATE=1                           # write the tables anew
    echo node/test_abs | PYTHONPATH=tests .venv/bin/python -m conformance.worker torch

A case is right, refused (isoform says so before anything runs), wrong, crashed, or left out (the runtime cannot be
given such a value). What counts are the cases that ONNX Runtime itself passes.
"""
