"""Reads the page of /metrics on standard input as Prometheus' own parser does, holds it to the naming
rules, and prints every figure as JSON: [[name, {label: value}, figure], …].
"""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

UNITS = ("_seconds", "_bytes", "_info", "_total", "_per_second")

figures, names = [], set()
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in names, f"{family.name} comes twice"
    names.add(family.name)
    assert family.documentation, f"{family.name} says nothing of itself"
    assert family.type in ("counter", "gauge", "histogram"), (family.name, family.type)
    assert family.samples, f"{family.name} has no figures"
    seen = set()
    for sample in family.samples:
        # The parser takes `_total` off the family, not off its samples.
        if family.type == "counter":
            assert sample.name == family.name + "_total", sample
            assert sample.value >= 0, sample
        for wrong in ("_ms", "_millis", "_milliseconds", "_micros", "_kib", "_mib", "_percent"):
            assert wrong not in sample.name, sample
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, f"{key} comes twice"
        seen.add(key)
        figures.append([sample.name, sample.labels, sample.value])
    if family.type == "histogram":
        assert family.name.endswith("_seconds"), family.name
        rows = {}
        for sample in family.samples:
            labels = dict(sample.labels)
            bound = labels.pop("le", None)
            row = rows.setdefault(tuple(sorted(labels.items())), {"buckets": []})
            if bound is None:
                row[sample.name.rsplit("_", 1)[1]] = sample.value
            else:
                row["buckets"].append((float(bound), sample.value))
        for labels, row in rows.items():
            bounds = [bound for bound, _ in row["buckets"]]
            counts = [count for _, count in row["buckets"]]
            assert bounds == sorted(bounds) and bounds[-1] == float("inf"), (labels, bounds)
            assert counts == sorted(counts) and counts[-1] == row["count"], (labels, counts)
            assert row["sum"] >= 0 and (row["count"] > 0 or row["sum"] == 0), labels

print(json.dumps(figures))
