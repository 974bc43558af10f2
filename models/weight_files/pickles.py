"""Rewrites checkpoints of any pickle protocol in protocol 2, for torch's restricted reader.

Only the opcodes change. Nothing is loaded, so that no code in a file can run.
"""

import io
import pickle
import pickletools
import zipfile
from struct import pack
from typing import IO

_PICKLE = "data.pkl"
_TEXT = frozenset(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"))
_BYTES = frozenset(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"))
_PUT = frozenset(("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"))
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))
_INTEGER = frozenset(("INT", "LONG", "LONG1", "LONG4"))
_UNREADABLE = frozenset(("ADDITEMS", "FROZENSET", "NEWOBJ_EX", "LIST", "DICT", "OBJ"))
_PICKLES_OF_OLD_FORMAT = 5
"""The number of pickles before the tensors' bytes in a checkpoint that is no archive."""


def in_protocol_2(stream: IO[bytes]) -> IO[bytes]:
    """A copy of the checkpoint in memory, with its pickles in protocol 2.

    Raises:
        pickle.UnpicklingError: the checkpoint holds objects that weights do not need, as a set.
        Exception: the checkpoint is damaged; zipfile and pickletools raise many types.
    """
    copy = io.BytesIO()
    stream.seek(0)
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as source, zipfile.ZipFile(copy, "w") as target:
            for name in source.namelist():
                data = source.read(name)
                if name.rpartition("/")[2] == _PICKLE:
                    data = _rewritten(io.BytesIO(data))
                target.writestr(name, data)
    else:
        stream.seek(0)
        for _ in range(_PICKLES_OF_OLD_FORMAT):
            copy.write(_rewritten(stream))
        copy.write(stream.read())
    copy.seek(0)
    return copy


def _rewritten(stream: IO[bytes]) -> bytes:
    """The pickle at the stream's position, rewritten; the stream is read up to the pickle's end."""
    out = bytearray(pickle.PROTO + b"\x02")
    # Texts are held back, because protocol 4 names a global by the last two texts.
    waiting: list[str] = []
    texts: dict[int, str] = {}
    memos = 0
    for opcode, argument, _ in pickletools.genops(stream):
        kind = opcode.name
        if kind in _TEXT:
            waiting.append(str(argument))
        elif kind in _GET and argument in texts:
            waiting.append(texts[argument])
        elif kind in _PUT:
            number = memos if argument is None else argument
            memos += 1
            if waiting:
                texts[number] = waiting[-1]
            else:
                texts.pop(number, None)
                out += pickle.LONG_BINPUT + pack("<I", number)
        elif kind == "STACK_GLOBAL":
            *waiting, module, name = waiting
            out += _text_opcodes(waiting) + f"c{module}\n{name}\n".encode()
            waiting = []
        elif kind not in ("PROTO", "FRAME"):
            out += _text_opcodes(waiting) + _opcode(kind, opcode.code, argument)
            waiting = []
    return bytes(out)


def _text_opcodes(texts: list[str]) -> bytes:
    parts = (text.encode("utf-8", "surrogatepass") for text in texts)
    return b"".join(pickle.BINUNICODE + pack("<I", len(part)) + part for part in parts)


def _opcode(kind: str, code: str, argument: object) -> bytes:
    match argument:
        case None if kind not in _UNREADABLE:
            return code.encode("latin-1")
        case bool():
            return pickle.NEWTRUE if argument else pickle.NEWFALSE
        case int() if kind in _INTEGER:
            data = pickle.encode_long(argument)
            return pickle.LONG1 + bytes([len(data)]) + data
        case int() if kind in _GET:
            return pickle.LONG_BINGET + pack("<I", argument)
        case int():
            return pickle.BININT + pack("<i", argument)
        case float():
            return pickle.BINFLOAT + pack(">d", argument)
        case bytes() | bytearray() if kind in _BYTES:
            call = b"c_codecs\nencode\n" + _text_opcodes([argument.decode("latin-1"), "latin-1"])
            call += pickle.TUPLE2 + pickle.REDUCE
            if kind == "BYTEARRAY8":
                return b"cbuiltins\nbytearray\n" + call + pickle.TUPLE1 + pickle.REDUCE
            return call
        case str() if kind == "SHORT_BINSTRING":
            return pickle.SHORT_BINSTRING + bytes([len(argument)]) + argument.encode("latin-1")
        case str() if kind == "GLOBAL":
            module, name = argument.split(" ", 1)
            return f"c{module}\n{name}\n".encode()
        case _:
            raise pickle.UnpicklingError(f"{kind} is no opcode of weights")
