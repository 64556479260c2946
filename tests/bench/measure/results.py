# SPDX-License-Identifier: MIT
"""Samples of a run, and their medians."""

import json
import statistics


class Results:
    """Samples are named by what was measured, of whom (subject) and in which case; each has several fields."""

    def __init__(self, about=None, samples=None):
        self.about = about or {}
        self._samples = {}
        for sample in samples or []:
            self.add(sample["what"], sample["subject"], sample["case"], **sample["values"])

    def add(self, what, subject, case, **values):
        self._samples.setdefault((what, subject, str(case)), []).append(values)

    def values(self, what, subject, case, field):
        """All that were sampled, the failed ones (None) left out."""
        samples = self._samples.get((what, subject, str(case)), [])
        return [sample[field] for sample in samples if sample.get(field) is not None]

    def median(self, what, subject, case, field):
        """None when there is no sample."""
        values = self.values(what, subject, case, field)
        return statistics.median(values) if values else None

    def subjects(self, what):
        return list(dict.fromkeys(subject for kind, subject, _ in self._samples if kind == what))

    def cases(self, what, subject=None):
        return list(dict.fromkeys(case for kind, one, case in self._samples
                                  if kind == what and subject in (None, one)))

    def save(self, path):
        samples = [{"what": what, "subject": subject, "case": case, "values": values}
                   for (what, subject, case), every in self._samples.items() for values in every]
        with open(path, "w", encoding="utf-8") as file:
            lines = ",\n".join("  " + json.dumps(sample) for sample in samples)
            file.write('{"about": %s,\n "samples": [\n%s\n]}\n' % (json.dumps(self.about, indent=1), lines))

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        return cls(data["about"], data["samples"])
