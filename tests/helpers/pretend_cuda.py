"""Train on pretend CUDA tensors, on a machine without a GPU.

Tensors of torch's FakeTensorMode have a device and a type, but no values. Operations on these tensors follow the rules
of the device: tensors on different devices cannot be combined, and autocast casts as on a GPU. But without a GPU, the
backward pass fails, because autograd asks the driver for the streams of the device. `PretendCuda` therefore answers
"meta" when C++ code asks for the device of a pretend CUDA tensor, and "cuda:0" when Python or autocast asks.

`PretendCuda` also notices three things that FakeTensorMode does not notice: a random generator of another device, a
CPU tensor that is indexed by a CUDA tensor, and operations that make the CPU wait for the GPU. `PretendCuda` relies on
private parts of torch; `problem` says whether these parts still work.
"""

import contextlib
import traceback
from collections import Counter
from functools import cache
from pathlib import Path
from unittest import mock

import torch
from launches import count_launches
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.pretend_patches import PATCHES, Autocast, Leaves, is_cuda

CUDA, META = torch.device("cuda", 0), torch.device("meta")
HERE = Path(__file__).name
SIZE_DEPENDS_ON_VALUES = ("nonzero", "masked_select", "bincount", "_unique2")
PRODUCTS = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm")


def flatten(*values):
    """Yield all values in nested lists, tuples and dictionaries."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flatten(*value)
        elif isinstance(value, dict):
            yield from flatten(*value.values())
        else:
            yield value


def calling_line():
    """Return the innermost line of ganexp that is running, or else the innermost line outside of torch."""
    frames = [frame for frame in reversed(traceback.extract_stack()) if Path(frame.filename).name != HERE]
    ours = [frame for frame in frames if "/ganexp/" in frame.filename]
    others = [frame for frame in frames if "/torch/" not in frame.filename]
    frame = (ours or others)[0]
    return f"{Path(frame.filename).name}:{frame.lineno}"


class PretendCuda(TorchDispatchMode):
    """Carry out operations on pretend tensors, and record what a GPU would do.

    Attributes:
        waits: how often the CPU would have waited for the GPU, counted for each (kind of wait, line of the code).
        launches: the number of kernels that a GPU would have started.
        products: the number of convolutions and matrix products on the device, for each (name, data type).
        truth: the value that code reads from every boolean tensor.
    """

    def __init__(self):
        super().__init__()
        self.truth = False
        self.autocasts = []  # whether each of the entered autocasts is enabled
        self.leaves = []  # autograd's nodes of parameters; autograd must not create these nodes within an autocast
        self._just_made = set()
        self.clear()

    def clear(self):
        """Forget what was recorded."""
        self.waits, self.products, self.launches = Counter(), Counter(), 0

    def keep_leaf(self, tensor):
        """Let autograd create the node of a leaf tensor at once, as if no autocast were active."""
        self.autocasts.append(False)
        self.leaves.append(tensor.view_as(tensor).grad_fn.next_functions[0][0])
        self.autocasts.pop()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.ops.prim.device.default:
            return self._device_of(args[0])
        if kwargs.get("device") == META:  # C++ code wants a tensor on the device of a pretend CUDA tensor
            kwargs["device"] = CUDA
        name = function._schema.name.split("::")[1]
        check_generator(args, kwargs)
        on_device = any(map(is_cuda, flatten(args, kwargs)))
        if name == "_local_scalar_dense":
            return self._value_of(args[0])
        if name in SIZE_DEPENDS_ON_VALUES:
            return self._result_of_unknown_size(name, args, kwargs, on_device)
        if name in ("_to_copy", "copy_"):
            self._record_transfer(name, args, kwargs)
            if is_move_to_itself(name, args, kwargs):
                kwargs.pop("device")
                if kwargs.get("dtype", args[0].dtype) == args[0].dtype and not kwargs.get("memory_format"):
                    return args[0]
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            args = self._with_indices_of_known_size(args)
        result = function(*args, **kwargs)
        self._just_made = {id(each) for each in flatten(result)}
        if on_device or any(map(is_cuda, flatten(result))):
            self._record(function, name, args)
        return result

    def _device_of(self, tensor):
        """Return the device of a tensor. If the tensor is on "cuda:0" and autocast does not ask, return "meta".

        Autocast is assumed to ask if an enabled autocast handles the current operation, and if the tensor is not a
        result of the last operation.
        """
        wrapped = torch._C._dispatch_tls_is_dispatch_key_excluded(torch._C._dispatch_key_parse("AutocastCUDA"))
        autocast_asks = bool(self.autocasts and self.autocasts[-1]) and wrapped and id(tensor) not in self._just_made
        return META if is_cuda(tensor) and not autocast_asks else tensor.fake_device

    def _wait(self, kind):
        self.waits[kind, calling_line()] += 1

    def _value_of(self, tensor):
        if is_cuda(tensor):
            self._wait("value")
        return self.truth if tensor.dtype == torch.bool else 1.0 if tensor.dtype.is_floating_point else 1

    def _result_of_unknown_size(self, name, args, kwargs, on_device):
        """Return a result of an arbitrary size, because the true size depends on values."""
        if on_device:
            self._wait(name)
        tensor = args[0]
        if name == "bincount":
            return tensor.new_empty(kwargs.get("minlength", args[2] if len(args) > 2 else 10))
        if name == "nonzero":
            return tensor.new_empty((some_of(tensor), tensor.ndim), dtype=torch.int64)
        if name == "_unique2":
            return tensor.new_empty(2), tensor.new_empty(0), tensor.new_empty(0)
        return tensor.new_empty(some_of(tensor))

    def _record_transfer(self, name, args, kwargs):
        source, target = (args[0], kwargs.get("device")) if name == "_to_copy" else (args[1], args[0].device)
        waits_not = kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2])
        if (
            target is not None
            and isinstance(source, FakeTensor)
            and target.type != source.device.type
            and not waits_not
        ):
            self._wait(f"copy to {target.type}")

    def _with_indices_of_known_size(self, args):
        """Replace boolean indices by integer indices, so that the size of the result does not depend on values."""
        tensor, indices = args[0], []
        for index in args[1]:
            if is_cuda(index) and not is_cuda(tensor):
                raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
            if isinstance(index, FakeTensor) and is_cuda(tensor) and not is_cuda(index):
                self._wait("copy to cuda")
            if isinstance(index, FakeTensor) and index.dtype in (torch.bool, torch.uint8):
                if is_cuda(tensor):
                    self._wait("boolean index")
                indices += [index.new_empty(some_of(index), dtype=torch.int64) for _ in range(index.ndim)]
            else:
                indices.append(index)
        return (tensor, indices, *args[2:])

    def _record(self, function, name, args):
        self.launches += count_launches(function, args)
        if name in PRODUCTS:
            operand = args[1] if name == "convolution_backward" else args[-1] if name in ("mm", "addmm") else args[0]
            self.products[name, operand.dtype] += 1


def some_of(tensor):
    """Return a number of elements that a selection could take from a tensor."""
    return max(1, tensor.numel() // 2)


def is_move_to_itself(name, args, kwargs):
    """Return whether an operation moves a pretend CUDA tensor to CUDA, where it is already.

    C++ code of torch asks for such moves, because it sees the device "meta".
    """
    target = kwargs.get("device")
    return name == "_to_copy" and target is not None and target.type == "cuda" and is_cuda(args[0])


def check_generator(args, kwargs):
    """Check that a random generator belongs to the device of the result, as torch does for real tensors."""
    generator = kwargs.get("generator")
    if generator is None:
        return
    of_first = args[0].device if args and isinstance(args[0], FakeTensor) else torch.device("cpu")
    device = kwargs.get("device") or of_first
    if generator.device.type != device.type:
        raise RuntimeError(f"expected a generator on {device.type}, but found one on {generator.device.type}")


@contextlib.contextmanager
def pretend_cuda():
    """Let `device="cuda"` make pretend tensors in the `with` block; yield the `PretendCuda` that records operations.

    Read images before the `with` block. Otherwise, a cache of ganexp would keep pretend images.
    """
    recorder = PretendCuda()
    with contextlib.ExitStack() as stack:
        for owner, name, value in (*PATCHES, *Autocast(recorder).patches(), *Leaves(recorder).patches()):
            stack.enter_context(mock.patch.object(owner, name, value, create=True))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(recorder)
        yield recorder


@cache
def problem():
    """Return what no longer works with this version of torch, or "" if everything works."""
    try:
        with pretend_cuda() as recorder:
            return _self_test(recorder)
    except Exception as error:  # any part of torch may have changed
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def _self_test(recorder):
    images, kernel = torch.randn(4, 3, 8, 8, device="cuda"), torch.randn(5, 3, 3, 3, device="cuda")
    kernel.requires_grad_()
    conv2d = torch.nn.functional.conv2d
    refused = {
        "a tensor on another device": lambda: conv2d(torch.randn(4, 3, 8, 8), kernel),
        "a generator of another device": lambda: torch.empty(3, device="cuda").normal_(generator=torch.Generator()),
        "an index on another device": lambda: torch.ones(4)[torch.tensor([0], device="cuda")],
    }
    for name, call in refused.items():
        try:
            call()
        except RuntimeError:
            continue
        return f"{name} is not refused"
    waits = {
        "item": lambda: images.sum().item(),
        "bool": lambda: bool(images.sum() > 0),
        "cpu": lambda: images.cpu(),
        "cuda": lambda: torch.ones(3).to("cuda"),
        "a boolean index": lambda: images[images > 0],
    }
    for name, call in waits.items():
        recorder.clear()
        call()
        if not recorder.waits:
            return f"waiting for the device is not noticed: {name}"
    recorder.clear()
    with torch.autocast("cuda", torch.bfloat16):
        in_half = conv2d(images, kernel).dtype
    images.requires_grad_()
    (gradient,) = torch.autograd.grad(conv2d(images, kernel).square().sum(), images, create_graph=True)
    gradient.square().sum().backward()
    if in_half != torch.bfloat16 or kernel.grad is None or kernel.grad.device != CUDA or recorder.waits:
        return "autocast or the second-order gradient works differently than on a GPU"
    return ""
