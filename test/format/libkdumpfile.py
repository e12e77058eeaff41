"""Reads pages with libkdumpfile: the foreign side of libkdumpfile.test.ts.

Reads lines `file FILE` and `page PFN [SIZE]`; answers each page with the SHA-256 of its bytes, or
`error: ...`, each file with `arch pagesize`, or `error: ...`.
"""
import hashlib
import sys

import kdumpfile

context = None
page_size = 4096
for line in sys.stdin:
    word, value = line.split()
    try:
        if word == "file":
            context = kdumpfile.kdumpfile(value)
            page_size = context.attr["arch.page_size"]
            print(context.attr["arch.name"], page_size)
        else:
            data = context.read(kdumpfile.KDUMP_MACHPHYSADDR, int(value) * page_size, page_size)
            print(hashlib.sha256(bytes(data)).hexdigest())
    except Exception as error:  # Whatever it is goes to the test.
        print("error:", type(error).__name__, str(error).replace("\n", " "))
