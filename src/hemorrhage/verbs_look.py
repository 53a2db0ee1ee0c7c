"""What the verbs that show what a run sees are called with."""

import argparse

from hemorrhage.terminal import load_keras_quietly, open_console


def call_explain(options: argparse.Namespace) -> int:
    """Draws where a run's networks saw what they answer of one slice."""
    load_keras_quietly()
    from hemorrhage.report.explaining import write_explanation

    said = write_explanation(
        options.run, options.slice, options.input, options.label, options.method, options.out, open_console()
    )
    print(f"{said}\nwrote {options.out}. Research use only, not for clinical decisions.")
    return 0
