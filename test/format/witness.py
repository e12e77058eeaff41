"""Packs and unpacks pages with the C libraries: the foreign side of witness.test.ts.

Reads lines `codec direction hex [size]`, writes hex or `error`; `missing CODEC` where the library
is not installed.
"""
import ctypes
import sys
import zlib


def load(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


lzo, snappy, zstd = load("liblzo2.so.2"), load("libsnappy.so.1"), load("libzstd.so.1")


def run_lzo(direction, data, size):
    if direction == "pack":
        out = ctypes.create_string_buffer(len(data) * 2 + 1024)
        length = ctypes.c_ulong(len(out))
        work = ctypes.create_string_buffer(1 << 20)
        code = lzo.lzo1x_1_compress(data, ctypes.c_ulong(len(data)), out, ctypes.byref(length), work)
    else:
        out = ctypes.create_string_buffer(size)
        length = ctypes.c_ulong(size)
        code = lzo.lzo1x_decompress_safe(
            data, ctypes.c_ulong(len(data)), out, ctypes.byref(length), None)
    return None if code else out.raw[: length.value]


def run_snappy(direction, data, size):
    out = ctypes.create_string_buffer(len(data) * 2 + 1024 + size)
    length = ctypes.c_size_t(len(out))
    call = snappy.snappy_compress if direction == "pack" else snappy.snappy_uncompress
    code = call(data, ctypes.c_size_t(len(data)), out, ctypes.byref(length))
    return None if code else out.raw[: length.value]


def run_zstd(direction, data, size):
    out = ctypes.create_string_buffer(len(data) * 2 + 1024 + size)
    zstd.ZSTD_compress.restype = zstd.ZSTD_decompress.restype = ctypes.c_size_t
    room, length = ctypes.c_size_t(len(out)), ctypes.c_size_t(len(data))
    if direction == "pack":
        done = zstd.ZSTD_compress(out, room, data, length, 3)
    else:
        done = zstd.ZSTD_decompress(out, room, data, length)
    return None if done > len(out) else out.raw[:done]


def run_zlib(direction, data, size):
    try:
        return zlib.compress(data) if direction == "pack" else zlib.decompress(data)
    except zlib.error:
        return None


codecs = {
    "lzo": (lzo, run_lzo),
    "snappy": (snappy, run_snappy),
    "zstd": (zstd, run_zstd),
    "zlib": (zlib, run_zlib),
}
for line in sys.stdin:
    name, direction, data, size = line.split()
    library, run = codecs[name]
    if library is None:
        print("missing", name)
        continue
    result = run(direction, bytes.fromhex(data), int(size))
    print("error" if result is None else result.hex())
