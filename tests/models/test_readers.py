"""Every family's file gives the float64 reference's descriptor; what is no such file is refused."""

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision import models

from place_search.models import ModelError
from place_search.models.runtimes.torch_runtime import embed_with
from place_search.models.weight_files.checkpoint import load_checkpoint
from place_search.models.weight_files.read import read_weights, supported_families
from place_search.models.weight_files.tensors import Tensors
from tests.models import families, family_files


@pytest.mark.parametrize("name", sorted(families.FAMILIES))
def test_every_family_gives_the_reference_s_descriptor(name: str, tmp_path: Path) -> None:
    family = families.FAMILIES[name]()
    path = tmp_path / name
    family.write(path)
    weights = read_weights(path)
    photo = np.random.default_rng(1).integers(0, 256, (83, 98, 3), dtype=np.uint8)
    embedding = embed_with(weights.network, photo)
    found, cells = embedding.descriptor, embedding.require_local_features()
    expected = family.descriptor(photo)
    assert found.shape == expected.shape == (family.card["dims"],)
    assert float(found.astype(float) @ expected) >= 0.99999
    assert (weights.family, weights.backbone) == (family.card["family"], family.card["backbone"])
    assert 16 * weights.network.cell_step == family.card["stride"]
    assert np.isfinite(cells).all()


def test_recalls_that_a_checkpoint_holds_are_quoted(tmp_path: Path) -> None:
    families.pytorch_netvlad().write(tmp_path / "c.pth.tar")
    (recall,) = read_weights(tmp_path / "c.pth.tar").recall
    assert (recall.kind, recall.at) == ("published", {"1": 85.2, "5": 94.8, "10": 97.0})


def test_recalls_that_are_no_shares_are_left_out(tmp_path: Path) -> None:
    recalls = {1: None, 5: 93.0, 10: float("nan"), 20: 0.9, "best": 1}
    torch.save({"state_dict": state(), "recalls": recalls}, tmp_path / "odd.pth.tar")
    assert not read_weights(tmp_path / "odd.pth.tar").recall


def test_a_run_s_archive_gives_its_best_checkpoint(tmp_path: Path) -> None:
    families.pytorch_netvlad_v2().write(tmp_path / "best")
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.writestr("run/checkpoints/checkpoint.pth.tar", b"the last one")
        archive.write(tmp_path / "best", "run/checkpoints/model_best.pth.tar")
    assert read_weights(tmp_path / "run.zip").backbone == "alexnet"


def state() -> dict[str, torch.Tensor]:
    pool = families.random_pool(256)
    return {**families.named("encoder.", families.random_alexnet()), **pool.state("pool")}


class Evil:
    """Unpickling this creates the file that it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["zip", "legacy", "bare pickle"])
def test_code_in_a_checkpoint_does_not_run(how: str, tmp_path: Path) -> None:
    trap, path = tmp_path / "ran", tmp_path / "evil.pth.tar"
    table = {"state_dict": state(), "extra": Evil(trap)}
    if how == "bare pickle":
        path.write_bytes(pickle.dumps(Evil(trap), protocol=2))
    else:
        torch.save(table, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(ModelError, match=r"evil\.pth\.tar (holds more than weights|is cut short)"):
        read_weights(path)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Evil(trap)))
    assert trap.exists(), "the trap itself works"


def test_what_a_refused_checkpoint_asked_for_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": state(), "args": Evil(tmp_path)}, tmp_path / "c.pth")
    with pytest.raises(ModelError, match=r"it asks for \w[\w.]*, .*save its state_dict"):
        read_weights(tmp_path / "c.pth")


ADDED = {
    "torch.compile": "_orig_mod.",
    "several GPUs, compiled": "module._orig_mod.",
    "Lightning": "model.",
    "Lightning, compiled": "model._orig_mod.",
    "an attribute": "net.",
}


@pytest.mark.parametrize("tool", sorted(ADDED))
def test_what_training_tools_add_to_names_is_taken_off(tool: str, tmp_path: Path) -> None:
    table = {f"{ADDED[tool]}{name}": value for name, value in state().items()}
    torch.save({"state_dict": table, "epoch": 3}, tmp_path / "c.pth")
    assert read_weights(tmp_path / "c.pth").backbone == "alexnet"


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state_dict", "network"])
def test_weights_lie_under_any_usual_key(key: str, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, key: state()}, tmp_path / "c.pth")
    assert read_weights(tmp_path / "c.pth").backbone == "alexnet"


def test_weights_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    one, other = ({"pool.centroids": torch.full((2,), value)} for value in (0.0, 1.0))
    torch.save({**one, "module.pool.centroids": torch.ones(2)}, path)
    with pytest.raises(
        ModelError, match=r"pool\.centroids twice, as pool\.centroids and module\.pool\.centroids;"
    ):
        read_weights(path)
    torch.save({"state_dict": one, "model_state_dict": other}, path)
    with pytest.raises(ModelError, match="both a state_dict and a model_state_dict"):
        read_weights(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_gives_the_same_weights(
    protocol: int, archive: bool, tmp_path: Path
) -> None:
    table: dict[str, Any] = {
        "state_dict": {name: torch.nn.Parameter(value) for name, value in state().items()},
        "recalls": {1: np.float64(0.5), 5: np.float32(0.75)},
        "again": ["state_dict", "recalls", "state_dict"],
        "numbers": [0, -1, 255, 2**31, -(2**70), 1.5, True, False, None, (), (1, 2, 3, 4)],
        "bytes": (b"\x00\xff", bytearray(b"\x80" * 300)),
        "text": ("é\n", "long " * 100),
        "arrays": [np.arange(3), np.zeros((2, 2), "f2"), np.array(["a"])],
        "scalars": [np.uint8(1), np.int16(-2), np.bool_(True), np.str_("x"), np.complex64(1j)],
        "kinds": [torch.float16, torch.Size([2]), torch.device("cpu")],
    }
    path = tmp_path / "c.pth"
    torch.save(table, path, pickle_protocol=protocol, _use_new_zipfile_serialization=archive)
    found = load_checkpoint(path)
    for key in ("recalls", "again", "numbers", "bytes", "text", "scalars", "kinds"):
        assert found[key] == table[key]
    for left, right in zip(found["arrays"], table["arrays"], strict=True):
        np.testing.assert_array_equal(left, right)
    assert list(found["state_dict"]) == list(table["state_dict"])
    assert all(torch.equal(value, found["state_dict"][name]) for name, value in state().items())
    assert read_weights(path).recall[0].at == {"1": 50.0, "5": 75.0}


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_code_does_not_run_whatever_the_protocol(
    protocol: int, archive: bool, tmp_path: Path
) -> None:
    trap, path = tmp_path / "ran", tmp_path / "c.pth"
    table = {"state_dict": state(), "extra": Evil(trap)}
    torch.save(table, path, pickle_protocol=protocol, _use_new_zipfile_serialization=archive)
    with pytest.raises(ModelError, match=r"it asks for \w[\w.]*, .*save its state_dict"):
        read_weights(path)
    assert not trap.exists()


@pytest.mark.parametrize("archive", [True, False])
def test_damage_is_called_damage_in_other_protocols_too(archive: bool, tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.save(state(), path, pickle_protocol=4, _use_new_zipfile_serialization=archive)
    data = path.read_bytes()
    for part in (0.001, 0.3, 0.999):
        path.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ModelError, match="cut short or damaged"):
            read_weights(path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_intact_files_of_other_kinds_are_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), path)
    with pytest.raises(ModelError, match=r"a program of TorchScript; save the model's state_dict"):
        read_weights(path)
    np.savez(tmp_path / "c.npz", a=np.zeros(3))
    with pytest.raises(ModelError, match="an archive without a checkpoint"):
        read_weights(tmp_path / "c.npz")
    torch.save({"state_dict": state(), "names": {"a", "b"}}, path, pickle_protocol=4)
    with pytest.raises(ModelError, match="holds more than weights"):
        read_weights(path)
    for name, start in (("c.pth", b"text"), ("c.safetensors", b"PK")):
        (tmp_path / name).write_bytes(start * 9)
        with pytest.raises(ModelError, match="is no checkpoint of torch"):
            load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("kind", ["zip", "legacy", "matlab"])
def test_a_cut_file_is_one_sentence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if kind == "matlab":
        noise = np.random.default_rng(0).normal(size=(300, 300))
        savemat(path, {"net": {"layers": noise}}, do_compression=True, appendmat=False)
    else:
        torch.save({"state_dict": state()}, path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    for part in (0.3, 0.8, 0.999):
        path.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ModelError, match="cut short") as caught:
            read_weights(path)
        assert str(caught.value).count("\n") == 0


def test_wrong_shapes_missing_and_surplus_layers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"

    def refused(table: dict[str, Any]) -> str:
        torch.save({"state_dict": table}, path)
        with pytest.raises(ModelError, match="looks like weights of pytorch-NetVlad but") as caught:
            read_weights(path)
        return str(caught.value)

    good = state()
    wrong = refused({**good, "pool.centroids": torch.zeros(3, 128)})
    assert "pool.centroids of shape 3 × 128 instead of any × 256" in wrong
    assert "lacks pool.conv.weight, 3 × 256 × 1 × 1" in refused(
        {name: value for name, value in good.items() if name != "pool.conv.weight"}
    )
    assert "encoder.* that are not those of vgg16, alexnet" in refused(
        {name: value for name, value in good.items() if name != "encoder.3.bias"}
    )
    assert "should not have (head.weight)" in refused({**good, "head.weight": torch.zeros(2, 2)})
    nan = good["pool.centroids"].clone()
    nan[0, 0] = torch.nan
    assert "no finite numbers" in refused({**good, "pool.centroids": nan})


@pytest.mark.filterwarnings("ignore:.*(quantize|CSR)")
@pytest.mark.parametrize(
    ("altered", "said"),
    [
        (torch.Tensor.to_sparse, "as a tensor that is sparse; save it as a plain tensor"),
        (torch.Tensor.to_sparse_csr, "as a tensor that is sparse; save it as a plain tensor"),
        (lambda plain: plain.to("meta"), "that is without values (on the device meta); save"),
        (lambda plain: plain.to(torch.int8), "as a tensor that is of type int8; save"),
        (lambda plain: plain.to(torch.complex64), "as a tensor that is of type complex64; save"),
        (
            lambda plain: torch.quantize_per_tensor(plain, 0.1, 0, torch.qint8),
            "as a tensor that is of type qint8; save",
        ),
        (lambda plain: plain.double() + 1e300, "that are no finite numbers in float32"),
    ],
)
def test_tensors_that_are_no_plain_ones_are_named(
    altered: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    table = {"pool.centroids": altered(torch.zeros(3, 256))}
    with pytest.raises(ModelError, match=r"c\.pth looks like .* has .*pool\.centroids") as caught:
        Tensors(Path("c.pth"), "pytorch-NetVlad", table).take("pool.centroids", (None, 256))
    assert said in str(caught.value)


def test_a_negative_variance_is_named() -> None:
    tensors = Tensors(Path("c.pth"), "GeM", {"1.running_var": torch.tensor([0.5, -0.5])})
    with pytest.raises(ModelError, match=r"has variances below 0 in 1\.running_var"):
        tensors.take("1.running_var", (2,))


def test_a_file_cannot_claim_more_numbers_than_it_stores(tmp_path: Path) -> None:
    many = torch.zeros(1, 256).expand(3_000_000, 256)
    torch.save({**state(), "pool.centroids": many}, tmp_path / "c.pth")
    with pytest.raises(ModelError, match="looks like weights of pytorch-NetVlad but") as caught:
        read_weights(tmp_path / "c.pth")
    assert "pool.centroids of shape 3000000 × 256, of which it stores 256 numbers" in str(
        caught.value
    )


def test_descriptors_longer_than_any_model_s_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    pool = {
        "pool.centroids": torch.zeros(513, 256),
        "pool.conv.weight": torch.zeros(513, 256, 1, 1),
    }
    torch.save({**state(), **pool}, path)
    with pytest.raises(ModelError, match="descriptors of 131328 numbers, and 131072 are the most"):
        read_weights(path)
    mixed = family_files.mixvpr().state
    cells = mixed["aggregator.row_proj.weight"].shape[1]
    long = {
        "aggregator.channel_proj.weight": torch.zeros(400, 256),
        "aggregator.channel_proj.bias": torch.zeros(400),
        "aggregator.row_proj.weight": torch.zeros(400, cells),
        "aggregator.row_proj.bias": torch.zeros(400),
    }
    torch.save({**mixed, **long}, path)
    with pytest.raises(ModelError, match="descriptors of 160000 numbers"):
        read_weights(path)


def test_an_unknown_family_says_what_was_found_and_what_is_supported(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.save({"blocks.0.weight": torch.zeros(2, 2)}, path)
    found = r"none of the supported families \(blocks\.0\.weight\)"
    with pytest.raises(ModelError, match=found) as caught:
        read_weights(path)
    assert all(family in str(caught.value) for family in supported_families())
    assert "export it as an ONNX graph (torch.onnx.export), as which any" in str(caught.value)
    torch.save([1, 2], path)
    with pytest.raises(ModelError, match=r"holds a list instead of a table.*as an ONNX graph"):
        read_weights(path)
    for text in (b"", b"hello world, hello world"):
        path.write_bytes(text)
        with pytest.raises(ModelError, match="neither a checkpoint of torch nor a MATLAB file"):
            read_weights(path)
    with pytest.raises(ModelError, match="is not a file"):
        read_weights(tmp_path)


def test_a_backbone_alone_asks_for_a_vocabulary(tmp_path: Path) -> None:
    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "r.pth")
    with pytest.raises(ModelError, match=r"backbone resnet18 without .*cluster PHOTOS --backbone"):
        read_weights(tmp_path / "r.pth")


def element(kind: int, data: bytes) -> bytes:
    """An element of a MATLAB 5 file: type, length, data, padding."""
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(kind: int, rows: int, columns: int, name: bytes, *content: bytes) -> bytes:
    flags = element(6, struct.pack("<II", kind, 0))
    sides = element(5, struct.pack("<ii", rows, columns))
    return element(14, flags + sides + element(1, name) + b"".join(content))


def class_object(name: bytes, kind: bytes) -> bytes:
    """An object of a MATLAB class, as MATLAB writes it: only a reference to hidden data."""
    reference = element(6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1))
    words = element(1, name) + element(1, b"MCOS") + element(1, kind)
    return element(
        14, element(6, struct.pack("<II", 17, 0)) + words + matrix(13, 6, 1, b"", reference)
    )


def test_matlab_class_files_name_the_struct_export(tmp_path: Path) -> None:
    path = tmp_path / "vd16_pitts30k_conv5_3_vlad_preL2_intra_white.mat"
    header = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + struct.pack("<H", 0x100) + b"IM"
    layers = matrix(1, 1, 35, b"", class_object(b"", b"layerVLAD") * 35)
    field = struct.pack("<HHI", 5, 4, 32) + element(1, b"layers".ljust(32, b"\0"))
    for content in (matrix(2, 1, 1, b"net", field, layers), class_object(b"net", b"dagnn.DagNN")):
        path.write_bytes(header + content)
        with pytest.raises(ModelError, match=r"objects of MATLAB classes.*Pitts30K_struct\.mat"):
            read_weights(path)


def test_other_matlab_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"dbStruct": {"utm": np.zeros((2, 3))}})
    with pytest.raises(ModelError, match=r"has no net\.layers of VGG-16"):
        read_weights(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600))
    with pytest.raises(ModelError, match=r"is in MATLAB's format 7\.3"):
        read_weights(path)
