"""Where two graphs of one model first differ, or a graph and the runtime that runs it.

traced.py reads a file as steps, values.py evaluates it tensor by tensor, pairs.py finds which tensors of two graphs are
the same, meaning.py and execution.py find the first step that differs, cause.py says what may be wrong with it, and
cut.py and repro.py leave the part of the file that shows it. file.py says what a file offers whose runtime is asked;
hub_file.py, script_file.py and saved_model_file.py are such, and location.py finds in the last two what differs in the
graph that was read back of them. Not aware of artifacts' folders.
"""
