"""The names that a config may give, apart from the code that needs Keras, so that a wrong one is refused at once."""

MODEL_NAMES = ("compact", "resnet50", "effb2", "effb4", "effb4-ns")
LOSS_NAMES = ("weighted_bce", "bce")
PRECISIONS = ("auto", "float32", "mixed_float16")
