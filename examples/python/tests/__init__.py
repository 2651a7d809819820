"""Natively, without WebAssembly: `python3 -m unittest`. `tidegate plugin test` runs the fixtures in the sandbox."""

import sys
from pathlib import Path

# The component brings its own `wit_world` along; here it is what componentize-py made for editors and tests.
for folder in ("src", "bindings"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
