"""Evaluation protocols, one module a protocol: `tokyo_12.py` is the protocol `tokyo-12`.

A part defines `PROTOCOL`, a subclass of `place_search.evaluation.protocol.EvaluationProtocol`.
"""
