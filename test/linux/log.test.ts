import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { latin1Bytes } from '../../src/bytes/text.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { lastLogRecord, logLine, readLog } from '../../src/linux/log.ts';
import type { LogKernel, LogRecord } from '../../src/linux/log-record.ts';
import { AddressSpace } from '../../src/linux/memory.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { crashAnswer, realDumps } from '../crash/facts.ts';
import { openFile } from '../support/fixture.ts';
import { HandMadeMemory } from '../support/memory.ts';

/** Offsets as Linux 6.1 has them. */
const offsets = {
  'printk_ringbuffer.desc_ring': 0,
  'printk_ringbuffer.text_data_ring': 48,
  'prb_desc_ring.count_bits': 0,
  'prb_desc_ring.descs': 8,
  'prb_desc_ring.infos': 16,
  'prb_desc_ring.head_id': 24,
  'prb_desc_ring.tail_id': 32,
  'prb_desc.state_var': 0,
  'prb_desc.text_blk_lpos': 8,
  'prb_data_blk_lpos.begin': 0,
  'prb_data_blk_lpos.next': 8,
  'printk_info.seq': 0,
  'printk_info.ts_nsec': 8,
  'printk_info.text_len': 16,
  'printk_info.caller_id': 20,
  'printk_info.dev_info': 24,
  'dev_printk_info.subsystem': 0,
  'dev_printk_info.device': 16,
  'prb_data_ring.size_bits': 0,
  'prb_data_ring.data': 8,
};
const sizes = { prb_desc: 24, printk_info: 88 };
const lengths = { printk_info_subsystem: 16, printk_info_device: 48 };
const pointer = 0xffffffff82000000n;
const ringAt = pointer + 64n;
const descsAt = pointer + 0x1000n;
const infosAt = pointer + 0x2000n;
const dataAt = pointer + 0x3000n;
const regionSize = 0x4000;
const countBits = 4;
const sizeBits = 9;
/** Identifiers near their end, so that they wrap. */
const firstId = (1n << 62n) - 3n;
const idMask = (1n << 62n) - 1n;

const committed = 1n;
const finalized = 2n;
const reserved = 0n;

interface Written {
  text: string;
  state?: bigint;
  lost?: true;
  empty?: true;
}

function vmcoreinfoText(): string {
  const lines = (form: string, of: object): string =>
    Object.entries(of)
      .map(([key, value]) => `${form}(${key})=${value}\n`)
      .join('');
  return (
    `SYMBOL(prb)=${pointer.toString(16)}\n` +
    lines('OFFSET', offsets) +
    lines('SIZE', sizes) +
    lines('LENGTH', lengths)
  );
}

/** A ring as printk leaves it; `begin` is the logical position of the first record's text. */
class RingWriter {
  readonly region = new Uint8Array(regionSize);
  readonly view = new DataView(this.region.buffer);
  #next: bigint;
  #count = 0;

  constructor(begin = 0n) {
    this.#next = begin;
    this.u64(pointer, ringAt);
    this.view.setUint32(Number(ringAt - pointer), countBits, true);
    this.u64(ringAt + 8n, descsAt);
    this.u64(ringAt + 16n, infosAt);
    this.u64(ringAt + 32n, firstId);
    this.view.setUint32(Number(ringAt - pointer) + 48, sizeBits, true);
    this.u64(ringAt + 56n, dataAt);
    for (let slot = 0; slot < 2 ** countBits; slot++)
      this.u64(descsAt + BigInt(slot * 24), 3n << 62n);
  }

  u64(at: bigint, value: bigint): void {
    this.view.setBigUint64(Number(at - pointer), BigInt.asUintN(64, value), true);
  }

  add({ text, state = finalized, lost, empty }: Written): this {
    const id = (firstId + BigInt(this.#count)) & idMask;
    const slot = Number(id & BigInt(2 ** countBits - 1));
    const desc = descsAt + BigInt(slot * 24);
    const info = infosAt + BigInt(slot * 88);
    const bytes = latin1Bytes(text);
    this.u64(desc, (state << 62n) | id);
    if (lost || empty) {
      this.u64(desc + 8n, lost ? 1n : 3n);
      this.u64(desc + 16n, lost ? 1n : 3n);
    } else {
      this.#block(desc, id, bytes);
    }
    this.u64(info, BigInt(100 + this.#count));
    this.u64(info + 8n, 1_234_567_890n + BigInt(this.#count));
    const at = Number(info - pointer);
    this.view.setUint16(at + 16, lost || empty ? 0 : bytes.length, true);
    this.view.setUint8(at + 18, 3);
    this.view.setUint8(at + 19, (6 << 5) | (this.#count % 2 === 0 ? 0 : 8));
    this.view.setUint32(at + 20, 0x80000001, true);
    this.region.set(latin1Bytes('pci\0'), at + 24);
    this.region.set(latin1Bytes('+pci:0000:00:01.0\0'), at + 40);
    this.u64(ringAt + 24n, id);
    this.#count++;
    return this;
  }

  /** data_alloc(): a block that would cross the ring's end is put at its beginning. */
  #block(desc: bigint, id: bigint, bytes: Uint8Array): void {
    const size = 1n << BigInt(sizeBits);
    const needed = BigInt((8 + bytes.length + 7) & ~7);
    const begin = this.#next;
    const end = begin + needed;
    const crosses = begin / size !== (end - 1n) / size;
    const next = crosses ? (end / size) * size + needed : end;
    const at = dataAt + (crosses ? 0n : begin % size);
    this.u64(at, id);
    this.region.set(bytes, Number(at - pointer) + 8);
    this.u64(desc + 8n, begin);
    this.u64(desc + 16n, next);
    this.#next = next;
  }

  kernel(text = vmcoreinfoText(), missingPage?: number): LogKernel {
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    for (let page = 0; page < regionSize / 4096; page++) {
      const physical = 0x20_0000n + BigInt(page * 4096);
      memory.map(root, 4, pointer + BigInt(page * 4096), physical);
      memory.write(physical, this.region.subarray(page * 4096, (page + 1) * 4096));
      if (page === missingPage) memory.states.set(0x200 + page, 'excluded');
    }
    const physical = new PhysicalMemory(memory);
    const root4 = { physical: root, levels: 4, encryptionMask: 0n } as const;
    const absent = (what: string) => (): never => {
      throw new DumpError('absent', what);
    };
    return {
      memory: new AddressSpace(physical, root4),
      vmcoreinfo: new Vmcoreinfo(text),
      symbols: { inKernel: () => undefined },
      types: { offsetOf: absent('no types'), sizeOf: absent('no types') },
    };
  }
}

function texts(records: readonly LogRecord[]): string[] {
  return records.map(({ text }) => text);
}

function errorOf(body: () => unknown): DumpError {
  try {
    body();
  } catch (error) {
    if (error instanceof DumpError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('the printk ring buffer', () => {
  test('records come in order, over the wrap of their identifiers, with all that is known', () => {
    const ring = new RingWriter();
    for (let index = 0; index < 6; index++) ring.add({ text: `line ${index}` });
    const log = readLog(ring.kernel());
    expect(log).toMatchObject({ complete: true, missing: [], overwritten: 100 });
    expect(texts(log.records)).toEqual([0, 1, 2, 3, 4, 5].map((index) => `line ${index}`));
    expect(log.records[1]).toMatchObject({
      sequence: 101,
      timestampNs: 1_234_567_891n,
      level: 6,
      facility: 3,
      continued: true,
      callerId: 0x80000001,
      subsystem: 'pci',
      device: '+pci:0000:00:01.0',
    });
    expect(log.records[0]!.continued).toBe(false);
  });

  test('a text that would cross the end of its ring stands at the beginning', () => {
    const ring = new RingWriter((1n << BigInt(sizeBits)) * 5n - 40n);
    ring.add({ text: 'before the end' }).add({ text: 'this one does not fit there' });
    expect(texts(readLog(ring.kernel()).records)).toEqual([
      'before the end',
      'this one does not fit there',
    ]);
  });

  test('a text that ends exactly at the end of its ring is not taken for one that crosses', () => {
    const ring = new RingWriter((1n << BigInt(sizeBits)) * 5n - 32n);
    ring.add({ text: 'exactly 24 bytes of text' }).add({ text: 'the next' });
    expect(texts(readLog(ring.kernel()).records)).toEqual(['exactly 24 bytes of text', 'the next']);
  });

  test('an empty line is a record; lost and unfinished ones are counted as missing', () => {
    const ring = new RingWriter()
      .add({ text: 'a' })
      .add({ text: '', empty: true })
      .add({ text: 'gone', lost: true })
      .add({ text: 'half', state: reserved });
    const log = readLog(ring.kernel());
    expect(texts(log.records)).toEqual(['a', '']);
    expect(log.complete).toBe(false);
    expect(log.missing).toEqual([
      {
        what: 'records without text',
        count: 1,
        why: 'the ring was full when they were written',
      },
      { what: 'unfinished records', count: 1, why: 'a CPU was still writing them' },
    ]);
  });

  test('a record that its writer may still continue is a record like a final one', () => {
    const ring = new RingWriter().add({ text: 'done' }).add({ text: 'open', state: committed });
    const log = readLog(ring.kernel());
    expect(texts(log.records)).toEqual(['done', 'open']);
    expect(log.complete).toBe(true);
  });

  test('text that newer text overwrote is missing, not somebody else’s', () => {
    const ring = new RingWriter().add({ text: 'old' }).add({ text: 'new' });
    ring.u64(dataAt, 0x1234n);
    const log = readLog(ring.kernel());
    expect(texts(log.records)).toEqual(['new']);
    expect(log.missing).toMatchObject([{ what: 'records without text', count: 1 }]);
  });

  test('a slot that holds another record is counted, not shown in the place of the first', () => {
    const ring = new RingWriter().add({ text: 'old' }).add({ text: 'new' });
    const slot = firstId & BigInt(2 ** countBits - 1);
    ring.u64(descsAt + slot * 24n, (finalized << 62n) | 5n);
    const log = readLog(ring.kernel());
    expect(texts(log.records)).toEqual(['new']);
    expect(log.missing).toMatchObject([{ what: 'overwritten records', count: 1 }]);
  });

  test('a page that is not in the dump hides its records and no others', () => {
    const ring = new RingWriter().add({ text: 'a' }).add({ text: '', empty: true });
    const log = readLog(ring.kernel(undefined, 3));
    expect(texts(log.records)).toEqual(['']);
    expect(log.missing).toMatchObject([{ what: 'unreadable records', count: 1 }]);
    expect(log.missing[0]!.why).toMatch(/left out/);
  });

  test('a wild tail is said, and the newest records are still read', () => {
    const ring = new RingWriter().add({ text: 'a' }).add({ text: 'b' });
    ring.u64(ringAt + 32n, 0x1234n);
    const log = readLog(ring.kernel());
    expect(texts(log.records)).toEqual(['a', 'b']);
    expect(log.missing).toMatchObject([{ what: 'ring', count: 1 }]);
  });

  test('a ring of absurd size is corrupt, with its address', () => {
    const ring = new RingWriter().add({ text: 'a' });
    ring.view.setUint32(Number(ringAt - pointer), 60, true);
    expect(errorOf(() => readLog(ring.kernel()))).toMatchObject({
      code: 'corrupt',
      where: { virtual: ringAt },
    });
  });

  test('members outside their structure are a corrupt note', () => {
    const text = vmcoreinfoText().replace('(printk_info.text_len)=16', '(printk_info.text_len)=-2');
    const kernel = new RingWriter().add({ text: 'a' }).kernel(text);
    expect(errorOf(() => readLog(kernel))).toMatchObject({ code: 'corrupt' });
  });

  test('what the note lacks is asked from types and symbols', () => {
    const written = new RingWriter().add({ text: 'a' });
    const text = vmcoreinfoText()
      .split('\n')
      .filter((line) => !/^SYMBOL|OFFSET\(printk_info|SIZE/.test(line))
      .join('\n');
    const kernel: LogKernel = {
      ...written.kernel(text),
      symbols: { inKernel: (name) => ({ name, address: pointer, type: 'D' }) },
      types: {
        offsetOf: (type, member) =>
          offsets[`${type.slice('struct '.length)}.${member}` as keyof typeof offsets],
        sizeOf: (type) => sizes[type.slice('struct '.length) as keyof typeof sizes],
      },
    };
    expect(texts(readLog(kernel).records)).toEqual(['a']);
  });

  test('a kernel before 3.5 is unsupported by name, one without any log is absent', () => {
    const ring = new RingWriter();
    const plain = ring.kernel('SYMBOL(logged_chars)=ffffffff82000000\n');
    expect(errorOf(() => readLog(plain))).toMatchObject({
      code: 'unsupported',
      message: /before Linux 3\.5/,
    });
    expect(errorOf(() => readLog(ring.kernel('OSRELEASE=6.1\n'))).code).toBe('absent');
  });

  test('the last record is found from the end, skipping what has no text', () => {
    const ring = new RingWriter()
      .add({ text: 'a' })
      .add({ text: 'b' })
      .add({ text: '', empty: true })
      .add({ text: 'half', state: reserved });
    expect(lastLogRecord(ring.kernel())?.text).toBe('b');
    expect(lastLogRecord(new RingWriter().add({ text: '', empty: true }).kernel())).toBeUndefined();
  });

  test('any bytes at all end in records or a DumpError', () => {
    const damage = fc.array(
      fc.record({
        at: fc.oneof(fc.nat(0x400), fc.nat(regionSize - 8)),
        value: fc.oneof(
          fc.bigInt(0n, (1n << 64n) - 1n),
          fc.constantFrom(0n, 1n, (1n << 62n) - 1n, 0x1an, 0x1fn, pointer, dataAt, 1n << 63n),
        ),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(damage, (changes) => {
        const ring = new RingWriter().add({ text: 'a' }).add({ text: 'b' }).add({ text: 'c' });
        for (const { at, value } of changes) ring.view.setBigUint64(at, value, true);
        try {
          const log = readLog(ring.kernel());
          expect(log.records.length).toBeLessThanOrEqual(1 << 16);
        } catch (error) {
          expect(error).toBeInstanceOf(DumpError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a record as crash prints it', () => {
  const record = (bytes: string): LogRecord => ({
    sequence: 1,
    timestampNs: 5_064_673_999n,
    level: 6,
    facility: 0,
    continued: false,
    callerId: 0,
    text: bytes,
    bytes: latin1Bytes(bytes),
  });

  test('further lines stand below the first', () => {
    expect(logLine(record('one\ntwo'))).toBe('[    5.064673] one\n               two');
  });

  test('bytes that are no ASCII text become dots, tabs stay', () => {
    expect(logLine(record('a\tb\x1b[1m\xe9\x7f'))).toBe('[    5.064673] a\tb.[1m..');
  });
});

describe('real dumps', () => {
  for (const image of realDumps) {
    test.skipIf(!image.isHere)(
      `${image.file}: every line of crash's log, and no other`,
      async () => {
        const kernel = openKernel(await openFile(image.path));
        const log = readLog(kernel);
        expect(log.complete).toBe(true);
        const lines = log.records.map((record) => logLine(record)).join('\n');
        expect(lines).toBe(crashAnswer(image, 'log').join('\n'));
        const last = log.records.findLast(({ text }) => text !== '');
        expect(lastLogRecord(kernel)).toEqual(last);
        kernel.dump.close();
      },
    );
  }
});
