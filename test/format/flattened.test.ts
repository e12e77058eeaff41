/** Flattened files of our own: any format into a pipe, record by record as it comes. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySink, type Pipe } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { flattened } from '../../src/dump/flattened/write.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Dump, MemoryImage } from '../../src/dump/types.ts';
import { writeDump } from '../../src/dump/writers.ts';
import { preparedCodecs } from '../recipes/recipes.ts';
import { expectEqual, heldImageArbitrary, imageOf, type PageToHold } from '../support/pages.ts';
import { contentOf } from '../support/vmcore-content.ts';

const codecs = await preparedCodecs();
const options = { compression: 'none', level: 0, codecs } as const;

class MemoryPipe implements Pipe {
  readonly name = 'pipe';
  readonly pieces: Uint8Array[] = [];
  state: 'open' | 'finished' | 'aborted' = 'open';

  append(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
  }

  finish(): void {
    this.state = 'finished';
  }

  abort(): void {
    this.state = 'aborted';
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.pieces));
  }
}

async function flatOf(format: string, image: MemoryImage): Promise<Uint8Array> {
  const pipe = new MemoryPipe();
  const sink = flattened(pipe);
  await writeDump(format, sink, contentOf(image), options);
  sink.finish();
  expect(pipe.state).toBe('finished');
  return pipe.bytes();
}

function open(bytes: Uint8Array): Promise<Dump> {
  return openDump(memorySource('flat', bytes), { codecs });
}

/** What `makedumpfile -R` does: every record to its place, one after another. */
function rearranged(flat: Uint8Array): Uint8Array {
  const view = new DataView(flat.buffer, flat.byteOffset, flat.byteLength);
  const sink = new MemorySink();
  for (let at = 4096; ; ) {
    const [offset, size] = [view.getBigInt64(at), view.getBigInt64(at + 8)];
    if (offset === -1n && size === -1n) {
      expect(at + 16).toBe(flat.length);
      return sink.bytes();
    }
    sink.write(Number(offset), flat.subarray(at + 16, at + 16 + Number(size)));
    at += 16 + Number(size);
  }
}

describe.each(['elf', 'kdump', 'lime', 'lkcd', 'mkdump'])('%s into a pipe', (format) => {
  test('any image: rearranged, it is the file itself; as it is, it reads the same', async () => {
    await fc.assert(
      fc.asyncProperty(heldImageArbitrary, async ({ pages: drawn }) => {
        // One page at least: there is no ELF core without memory.
        const pages = new Map<number, PageToHold>(drawn).set(50, { state: 'zero' });
        const image = imageOf(pages, Math.max(...pages.keys()) + 1);
        const sink = new MemorySink();
        await writeDump(format, sink, contentOf(image), options);
        const flat = await flatOf(format, image);
        expectEqual(rearranged(flat), sink.bytes());
        const [plain, dump] = [
          await openDump(memorySource('x', sink.bytes()), { codecs }),
          await open(flat),
        ];
        expect(dump.description).toBe(`${plain.description}, flattened`);
        expect(dump.incomplete).toBeUndefined();
        expect([...dump.runs()]).toEqual([...plain.runs()]);
        for (const pfn of pages.keys()) {
          const page = plain.readPage(pfn);
          if (page.bytes === undefined) expect(dump.readPage(pfn).bytes).toBeUndefined();
          else expectEqual(dump.readPage(pfn).bytes, page.bytes);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('headers that are written again at the end are the ones that count', async () => {
    const stored = { state: 'stored' as const, bytes: new Uint8Array(4096).fill(7) };
    const image = imageOf(new Map([1, 2, 3].map((pfn) => [pfn, stored])), 4);
    const broken: MemoryImage = {
      ...image,
      readPage: (pfn) => (pfn === 2 ? { state: 'damaged', bytes: undefined } : image.readPage(pfn)),
    };
    const dump = await open(await flatOf(format, broken));
    expect([1, 2, 3].map((pfn) => dump.readPage(pfn).bytes?.[0])).toEqual([7, undefined, 7]);
    if (format !== 'lime') expect(dump.incomplete).toBeDefined();
  });

  test('memory goes into the pipe as it is read: nothing is gathered', async () => {
    const count = 3000;
    const stored = { state: 'stored' as const, bytes: new Uint8Array(4096).fill(7) };
    const image = imageOf(new Map(Array.from({ length: count }, (_, pfn) => [pfn, stored])), count);
    let held = 0;
    let most = 0;
    const counting: MemoryImage = {
      ...image,
      readPage: (pfn) => {
        held += 4096;
        most = Math.max(most, held);
        return image.readPage(pfn);
      },
    };
    const pipe: Pipe = {
      name: 'pipe',
      append: (bytes) => {
        held = Math.max(0, held - bytes.length);
      },
      finish: () => {},
      abort: () => {},
    };
    const sink = flattened(pipe);
    await writeDump(format, sink, contentOf(counting), options);
    sink.finish();
    expect(most).toBeLessThan(2 * 1024 * 1024);
  });
});

test('an empty dump still has its header and its end', () => {
  const pipe = new MemoryPipe();
  flattened(pipe).finish();
  expect(pipe.bytes().length).toBe(4096 + 16);
});

test('giving up ends the pipe without an end record', () => {
  const pipe = new MemoryPipe();
  const sink = flattened(pipe);
  sink.write(0, new Uint8Array(0));
  expect(pipe.pieces).toHaveLength(0);
  sink.write(5, Uint8Array.of(1));
  sink.abort();
  expect(pipe.state).toBe('aborted');
  expect(pipe.bytes().length).toBe(4096 + 16 + 1);
  expect(() => sink.write(9, Uint8Array.of(1))).toThrow('after its end');
});
