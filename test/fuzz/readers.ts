/** Everything that reads bytes of others: what to start from, and what it must stand. */

import { existsSync, readFileSync } from 'node:fs';
import { DumpError } from '../../src/bytes/errors.ts';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource, type Source } from '../../src/bytes/source.ts';
import { latin1Bytes } from '../../src/bytes/text.ts';
import type { Codecs, CompressionName } from '../../src/codec/types.ts';
import { flattened } from '../../src/dump/flattened/write.ts';
import { cpuStatesOf, panicTaskOf, parseNotes, vmcoreinfoOf } from '../../src/dump/notes.ts';
import { openDump, openSplit } from '../../src/dump/open.ts';
import { iomemText, parseIomem } from '../../src/dump/raw/layout.ts';
import type { MemoryImage } from '../../src/dump/types.ts';
import { writeDump, writeParts, writers } from '../../src/dump/writers.ts';
import { fileOf, recipesOf } from '../recipes/recipes.ts';
import { contentOf, vmcoreinfo } from '../support/vmcore-content.ts';
import type { Base } from './damage.ts';
import { exercise, type Outcome, readVmcoreinfo } from './exercise.ts';
import { placesOf } from './places.ts';

export interface Reader {
  readonly name: string;
  /** Undamaged input of each kind. */
  bases(): Promise<readonly Base[]>;
  /** Throws where something is broken. */
  run(input: Uint8Array): Promise<Outcome>;
}

/** Written by makedumpfile on real machines; larger ones would be copied all the time. */
const realDump = 'test/dumps/linux-4.15.kdump';
const formats = ['kdump', 'elf', 'lkcd', 'diskdump', 'flattened', 'mkdump', 'lime'] as const;
const compressions = ['zlib', 'lzo', 'snappy', 'zstd', 'rle'] as const;
const pageSize = 4096;

/** All readers, by name. `codecs`: all of them loaded. */
export function readersWith(codecs: Codecs): ReadonlyMap<string, Reader> {
  const readers = [
    ...formats.map((format) => formatReader(format, codecs)),
    splitReader(codecs),
    rawReader(codecs),
    notesReader(codecs),
    textReader('vmcoreinfo', vmcoreinfo, readVmcoreinfo),
    textReader('iomem', iomem, (text) => void parseIomem(text, 'fuzz')),
    ...compressions.map((name) => codecReader(name, codecs)),
  ];
  return new Map(readers.map((reader) => [reader.name, reader]));
}

function formatReader(format: (typeof formats)[number], codecs: Codecs): Reader {
  const open = (source: Source) => openDump(source, { codecs });
  return {
    name: format,
    async bases() {
      const files: Omit<Base, 'places'>[] = [
        ...recipesOf(format).map((recipe) => ({
          name: recipe.name,
          recipe: recipe.text.trimEnd(),
          bytes: fileOf(recipe, codecs),
        })),
        ...(await written(format, codecs)),
      ];
      if (format === 'kdump' && existsSync(realDump)) {
        files.push({ name: realDump, bytes: new Uint8Array(readFileSync(realDump)) });
      }
      return files.map((file) => ({ ...file, places: placesOf(format, file.bytes) }));
    },
    run: (input) => exercise(input, open),
  };
}

/** What our own writers make. */
async function written(format: string, codecs: Codecs): Promise<Omit<Base, 'places'>[]> {
  const image = await sample(codecs);
  const files: Omit<Base, 'places'>[] = [];
  const write = async (name: string, compression: CompressionName): Promise<void> => {
    const options = { compression, level: 1, codecs };
    const sink = new MemorySink();
    await writeDump(name, sink, contentOf(image), options);
    files.push({ name: `written: ${name} ${compression}`, bytes: sink.bytes() });
  };
  for (const { name, compressions: packings } of writers) {
    if (name.split('-')[0] !== format) continue;
    for (const compression of packings) await write(name, compression);
  }
  if (format === 'flattened') {
    const pieces: Uint8Array[] = [];
    const sink = flattened({
      name: 'pipe',
      append: (bytes) => void pieces.push(bytes.slice()),
      finish: () => {},
      abort: () => {},
    });
    await writeDump('kdump', sink, contentOf(image), { compression: 'zlib', level: 1, codecs });
    sink.finish();
    files.push({ name: 'written: flattened kdump', bytes: joined(pieces) });
  }
  return files;
}

/** Pages of every state. */
async function sample(codecs: Codecs): Promise<MemoryImage> {
  const [recipe] = recipesOf('mkdump');
  return openDump(memorySource('sample', fileOf(recipe!, codecs)), { codecs });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

/** Input: the length of the first of two parts in 4 bytes, the first, the second. */
function splitReader(codecs: Codecs): Reader {
  const open = (source: Source) => {
    const all = source.read(0, source.size);
    const length = new DataView(all.buffer, all.byteOffset).getUint32(0, true);
    const parts = [all.subarray(4, 4 + length), all.subarray(4 + length)];
    return openSplit(
      parts.map((part, index) => memorySource(`part${index + 1}`, part)),
      { codecs },
    );
  };
  return {
    name: 'split',
    async bases() {
      const image = await sample(codecs);
      const sinks = [new MemorySink(), new MemorySink()];
      await writeParts(sinks, contentOf(image), { compression: 'zlib', level: 1, codecs });
      const [first, second] = sinks.map((sink) => sink.bytes());
      const length = Uint8Array.of(...new Uint8Array(Uint32Array.of(first!.length).buffer));
      const places = [first!, second!].flatMap((part, index) =>
        placesOf('kdump', part).map((place) => ({
          ...place,
          at: place.at + 4 + index * first!.length,
        })),
      );
      return [{ name: 'written: split', bytes: joined([length, first!, second!]), places }];
    },
    run: async (input) => (input.length < 4 ? 'refused' : exercise(input, open)),
  };
}

const iomem = iomemText([
  { start: 0x1000n, end: 0x3000n },
  { start: 0x10000n, end: 0x14000n },
]);

/** Input: /proc/iomem's text, a NUL, memory. */
function rawReader(codecs: Codecs): Reader {
  const baseOf = (name: string, text: string, pages: number): Base => {
    const memory = new Uint8Array(pages * pageSize).fill(0x41);
    const bytes = joined([latin1Bytes(`${text}\0`), memory]);
    return { name, bytes, places: placesOf('raw', bytes.subarray(0, text.length)) };
  };
  return {
    name: 'raw',
    bases: async () => [
      baseOf('without ranges', '', 3),
      baseOf('concatenated', iomem, 6),
      baseOf('padded', iomem, 20),
      baseOf('edges within a page', '00001080-000027ff : System RAM\n', 2),
    ],
    async run(input) {
      const end = input.indexOf(0);
      const text = asText(input.subarray(0, Math.max(0, end)));
      return exercise(input.slice(end + 1), async (source) => {
        const ranges = text === '' ? undefined : parseIomem(text, 'fuzz');
        return openDump(source, { codecs, format: 'raw', ranges });
      });
    },
  };
}

/** Input: the notes of an ELF file. */
function notesReader(codecs: Codecs): Reader {
  return {
    name: 'notes',
    async bases() {
      const file = fileOf(recipesOf('kdump')[0]!, codecs);
      const bytes = file.slice(pageSize + 104, 3 * pageSize);
      const places = placesOf('kdump', file)
        .map((place) => ({ ...place, at: place.at - pageSize - 104 }))
        .filter(({ at, size }) => at >= 0 && at + size <= bytes.length);
      return [{ name: 'notes of a recipe', bytes, places }];
    },
    async run(input) {
      const { notes, problem } = parseNotes(input);
      for (const architecture of ['x86_64', 'i386'] as const) {
        cpuStatesOf(notes, architecture);
        panicTaskOf(notes, architecture);
      }
      readVmcoreinfo(vmcoreinfoOf(notes) ?? '');
      return problem === undefined ? 'opened' : 'refused';
    },
  };
}

function textReader(name: string, text: string, read: (text: string) => void): Reader {
  const bytes = latin1Bytes(text);
  return {
    name,
    bases: async () => [{ name, bytes, places: placesOf(name, bytes) }],
    run: async (input) => refusing(() => read(asText(input))),
  };
}

/** Input: a packed page. */
function codecReader(name: CompressionName, codecs: Codecs): Reader {
  const page = Uint8Array.from({ length: pageSize }, (_, at) =>
    at < 1500 ? Math.imul(at * at, 0x9e3779b1) >>> (at % 3 === 0 ? 24 : 29) : (at >> 7) & 0xff,
  );
  const pages = { mixed: page, zeros: new Uint8Array(pageSize), ramp: page.map((_, at) => at) };
  return {
    name,
    bases: async () =>
      Object.entries(pages).flatMap(([kind, each]) => {
        const bytes = codecs.get(name).compress(each);
        return bytes === undefined ? [] : [{ name: kind, bytes, places: placesOf(name, bytes) }];
      }),
    run: async (input) =>
      refusing(() => {
        const { length } = codecs.get(name).decompress(input, pageSize);
        if (length !== pageSize) throw new Error(`a page of ${length} bytes`);
      }),
  };
}

/** One character a byte, however many there are. */
function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function refusing(read: () => void): Outcome {
  try {
    read();
    return 'opened';
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    return 'refused';
  }
}
