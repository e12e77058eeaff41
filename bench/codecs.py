"""How fast the C libraries pack and unpack pages: the peer of codecs.mjs.

Arguments: a file of pages, and their size. One line for each library that is here: codec, MB/s per
second of CPU time packed and unpacked (best of three rounds), bytes packed. makedumpfile makes
these calls: lzo1x_1, zlib and zstd at level 1, snappy.
"""
import ctypes
import sys
import time

path, page_size = sys.argv[1], int(sys.argv[2])
with open(path, "rb") as file:
    data = file.read()
pages = [data[at : at + page_size] for at in range(0, len(data), page_size)]
room = 2 * page_size
pointer, size_t, ulong = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_ulong
packed, page = ctypes.create_string_buffer(room), ctypes.create_string_buffer(page_size)
length, word = size_t(0), ulong(0)
length_at, word_at = ctypes.byref(length), ctypes.byref(word)


def lzo(library):
    work = ctypes.create_string_buffer(1 << 20)

    def pack(bytes):
        word.value = room
        library.lzo1x_1_compress(bytes, ulong(page_size), packed, word_at, work)
        return word.value

    def unpack(bytes):
        word.value = page_size
        return library.lzo1x_decompress_safe(bytes, ulong(len(bytes)), page, word_at, None) == 0

    return pack, unpack


def zlib(library):
    def pack(bytes):
        word.value = room
        library.compress2(packed, word_at, bytes, ulong(page_size), 1)
        return word.value

    def unpack(bytes):
        word.value = page_size
        return library.uncompress(page, word_at, bytes, ulong(len(bytes))) == 0

    return pack, unpack


def snappy(library):
    def pack(bytes):
        length.value = room
        library.snappy_compress(bytes, size_t(page_size), packed, length_at)
        return length.value

    def unpack(bytes):
        length.value = page_size
        return library.snappy_uncompress(bytes, size_t(len(bytes)), page, length_at) == 0

    return pack, unpack


def zstd(library):
    for name in "ZSTD_createCCtx", "ZSTD_createDCtx":
        getattr(library, name).restype = pointer
    for name in "ZSTD_compressCCtx", "ZSTD_decompressDCtx":
        getattr(library, name).restype = size_t
    writer, reader = pointer(library.ZSTD_createCCtx()), pointer(library.ZSTD_createDCtx())

    def pack(bytes):
        return library.ZSTD_compressCCtx(
            writer, packed, size_t(room), bytes, size_t(page_size), 1)

    def unpack(bytes):
        return library.ZSTD_decompressDCtx(
            reader, page, size_t(page_size), bytes, size_t(len(bytes))) == page_size

    return pack, unpack


def rate(work, items):
    best = None
    for _ in range(3):
        start = time.process_time()
        for item in items:
            work(item)
        spent = time.process_time() - start
        best = spent if best is None else min(best, spent)
    return len(data) / 1e6 / best


for name, file, make in (
    ("zlib", "libz.so.1", zlib),
    ("lzo", "liblzo2.so.2", lzo),
    ("snappy", "libsnappy.so.1", snappy),
    ("zstd", "libzstd.so.1", zstd),
):
    try:
        pack, unpack = make(ctypes.CDLL(file))
    except OSError:
        continue
    streams = []
    for each in pages:
        size = pack(each)
        streams.append(packed.raw[:size])
        assert unpack(streams[-1]) and page.raw == each, name
    bytes_packed = sum(min(len(stream), page_size) for stream in streams)
    print(name, rate(pack, pages), rate(unpack, streams), bytes_packed)
