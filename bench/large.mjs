/**
 * A dump with the memory of another and much more above it, written by our own writer: 256 MB of
 * pages that do not compress and 4 GB of zero pages, so that the file has twenty times the bytes
 * and a hundred times the page descriptors.
 */

import { createCodecs } from '../dist/codec/codecs.js';
import { writeKdump } from '../dist/dump/kdump/write.js';
import { openDump } from '../dist/dump/open.js';
import { fileSink } from '../dist/host/file-sink.js';
import { fileSource } from '../dist/host/file-source.js';
import { nodeZlib } from '../dist/host/zlib.js';

/** Page frame numbers: far above any RAM of the fixtures. */
const noise = { first: 0x10_0000, end: 0x11_0000 };
const zeros = { first: 0x20_0000, end: 0x30_0000 };

export async function makeLarge(from, to) {
  const codecs = createCodecs(nodeZlib);
  const dump = await openDump(fileSource(from), { codecs });
  await codecs.prepare('zlib');
  const sink = fileSink(to, { overwrite: true });
  const content = {
    image: above(dump),
    uts: dump.uts,
    time: dump.time ?? 0,
    notes: dump.notes,
    vmcoreinfo: dump.vmcoreinfo,
    physBase: BigInt(/^NUMBER\(phys_base\)=(-?\d+)$/m.exec(dump.vmcoreinfo)?.[1] ?? 0),
    cpus: [],
  };
  writeKdump(sink, content, { compression: 'zlib', level: 1, codecs });
  sink.finish();
  dump.close();
}

/** The image with noise and zeros above it. */
function above(image) {
  const isWithin = (range, pfn) => pfn >= range.first && pfn < range.end;
  const zero = { state: 'zero', bytes: new Uint8Array(image.pageSize) };
  return {
    name: image.name,
    pageSize: image.pageSize,
    endPfn: zeros.end,
    state(pfn) {
      if (isWithin(noise, pfn)) return 'stored';
      if (isWithin(zeros, pfn)) return 'zero';
      return pfn < image.endPfn ? image.state(pfn) : 'missing';
    },
    readPage(pfn) {
      if (isWithin(noise, pfn)) return { state: 'stored', bytes: noisePage(pfn, image.pageSize) };
      if (isWithin(zeros, pfn)) return zero;
      return pfn < image.endPfn ? image.readPage(pfn) : { state: 'missing', bytes: undefined };
    },
    *runs() {
      yield* image.runs();
      yield { first: image.endPfn, end: noise.first, state: 'missing' };
      yield { ...noise, state: 'stored' };
      yield { first: noise.end, end: zeros.first, state: 'missing' };
      yield { ...zeros, state: 'zero' };
    },
  };
}

/** Numerical Recipes' 32-bit linear congruential generator, one seed a page. */
function noisePage(pfn, pageSize) {
  const words = new Uint32Array(pageSize / 4);
  let value = pfn;
  for (let index = 0; index < words.length; index++) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    words[index] = value;
  }
  return new Uint8Array(words.buffer);
}
