"""Detection of intracranial hemorrhage in head CT with Keras. Research use only, not for clinical decisions."""

__version__ = "0.1.0"
