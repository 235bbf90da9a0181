"""Names in the state folder of a worker."""

#: Where the pilot can be reached.
ADDRESS_FILE = "pilot.json"

#: Lock of the only pilot, see :class:`towline.on_worker.gate.Gate`.
GATE_FILE = "pilot.lock"
