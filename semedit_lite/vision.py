"""The one place that imports torchvision."""

import sys
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library = None  # keeps the schemas registered: they go when it is collected


def import_torchvision() -> ModuleType:
    """`import torchvision`, also where its compiled operators cannot load.

    On Linux the registry's torchvision is built against CUDA; beside a CPU-only torch its operators
    do not load and the import dies with "operator torchvision::nms does not exist". Declaring the
    missing schemas first lets it import; models, datasets, transforms.v2 and utils work, only the
    operators themselves (box NMS, RoI pooling) do not. ImportError where it is not installed.
    """
    global _library
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error) or _library is not None:
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # what the failed import left half done
        _library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            _library.define(schema)
        import torchvision
    return torchvision
