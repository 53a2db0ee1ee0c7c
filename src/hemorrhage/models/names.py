"""The names that a config may give, apart from the code that needs Keras, so that a wrong one is refused at once."""

MODEL_NAMES = (
    "compact",
    "resnet18",
    "resnet34",
    "resnet50",
    "effb0",
    "effb2",
    "effb4",
    "effb4-ns",
    "effv2s",
    "densenet121",
    "densenet169",
    "convnext-t",
    "xception",
    "vgg16",
    "mobilenetv3",
    "mobilenetv3-small",
)
LOSS_NAMES = ("weighted_bce", "bce")
PRECISIONS = ("auto", "float32", "mixed_float16")
