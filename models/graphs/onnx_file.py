"""Reads an ONNX file's metadata and checks the file before its graph is run.

An ONNX file names the files of its weights; files outside its own folder are never opened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, checker
from onnx import load as load_onnx

from place_search.models.errors import ModelError

MAX_BYTES = 2 << 30
"""The largest size of a graph with all its weights, in bytes: ONNX's own limit for a file."""
_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The metadata of an ONNX file; `custom` are operators that ONNX does not define."""

    path: Path
    metadata: Mapping[str, str]
    custom: tuple[str, ...]


def is_onnx(path: Path) -> bool:
    """Whether a file has the name of an ONNX graph, or begins like one."""
    if path.suffix.lower() == ".onnx":
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        # The version of the format, then the key of the next field: the producer, or the graph.
        return stream.read(3)[::2] in (b"\x08\x12", b"\x08\x3a")


def read_onnx(path: Path) -> OnnxFile:
    """Read a file's metadata, and make sure that the file may be opened.

    Raises:
        ModelError: it is missing, too large or no ONNX graph, has no output or operators that ONNX
            does not allow, or names weights that are missing or outside its folder.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not a file; name an ONNX graph.")
    _check_size(path, path.stat().st_size)
    try:
        model = load_onnx(str(path), load_external_data=False)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); check its permissions."
        ) from None
    except Exception:  # the type of error depends on the damage
        raise no_graph(path) from None
    if not model.ir_version or not model.graph.node:
        raise no_graph(path)
    if not model.graph.output:
        raise ModelError(f"{path} has no output; export the graph with the descriptor as one.")
    _check_weights(path, model)
    _check_operators(path, model)
    return OnnxFile(
        path,
        {entry.key: entry.value for entry in model.metadata_props},
        tuple(sorted(_custom(model))),
    )


def no_graph(path: Path) -> ModelError:
    """The error for a file that is no ONNX graph, or a damaged one."""
    return ModelError(f"{path} is no ONNX graph, or is cut short; export it again.")


def _check_size(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise ModelError(
            f"{path} takes {size / 1e9:.1f} GB with its weights, and {MAX_BYTES / 1e9:.1f} GB is "
            "the limit; export a smaller model, or one in half precision."
        )


def _check_weights(path: Path, model: ModelProto) -> None:
    """Make sure that weights in other files exist, in the folder of the graph."""
    folder = path.parent.resolve()
    names: set[str] = set()
    for tensor in _tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        name = entries.get("location", "")
        target = folder / name
        if (
            not name
            or "\\" in name
            or PurePosixPath(name).is_absolute()
            or ".." in PurePosixPath(name).parts
            or not target.resolve().is_relative_to(folder)
        ):
            raise ModelError(
                f"{path} keeps weights in '{name}', which is outside its folder and is never "
                "opened; export the graph with its weights inside or beside it."
            )
        if not target.is_file():
            raise ModelError(
                f"{path} keeps weights in '{name}', which is not there; put that file beside it."
            )
        try:
            end = int(entries.get("offset", 0)) + int(entries.get("length", 0))
        except ValueError:
            raise no_graph(path) from None
        if end > target.stat().st_size:
            raise ModelError(f"{path} needs more of '{name}' than there is; get that file again.")
        names.add(name)
    sizes = (path.stat().st_size, *((folder / name).stat().st_size for name in names))
    _check_size(path, sum(sizes))


def _check_operators(path: Path, model: ModelProto) -> None:
    """Make sure that the operators are as ONNX defines them; on some others OpenVINO crashes."""
    context = checker.C.CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {entry.domain: entry.version for entry in model.opset_import}
    for graph in _graphs(model):
        for node in graph.node:
            if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
                continue  # a nested graph may use names that only the outer graph defines
            try:
                checker.check_node(node, context)
            except checker.ValidationError as error:
                fault = str(error).partition("\n")[0].strip(" .")
                raise ModelError(f"{path} is not valid ONNX ({fault}); export it again.") from None
            except UnicodeDecodeError:  # the text of an error quotes a damaged name
                raise no_graph(path) from None


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in _graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for attribute in _attributes(model):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The graph and all nested graphs."""
    yield model.graph
    for attribute in _attributes(model):
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _attributes(model: ModelProto) -> Iterator[AttributeProto]:
    """The attributes of all operators, those of nested graphs too."""
    waiting = [model.graph.node, *(function.node for function in model.functions)]
    while waiting:
        for node in waiting.pop():
            for attribute in node.attribute:
                yield attribute
                if attribute.HasField("g"):
                    waiting.append(attribute.g.node)
                waiting.extend(graph.node for graph in attribute.graphs)


def _custom(model: ModelProto) -> set[str]:
    defined = {(function.domain, function.name) for function in model.functions}
    return {
        f"{node.domain}.{node.op_type}"
        for graph in _graphs(model)
        for node in graph.node
        if node.domain not in _STANDARD and (node.domain, node.op_type) not in defined
    }
