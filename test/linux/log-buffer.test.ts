/** The log of Linux 3.5 to 5.9, records one behind the other in log_buf, written by hand. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { latin1Bytes } from '../../src/bytes/text.ts';
import { lastLogRecord, readLog } from '../../src/linux/log.ts';
import type { KernelLog, LogKernel } from '../../src/linux/log-record.ts';
import { AddressSpace } from '../../src/linux/memory.ts';
import { PhysicalMemory } from '../../src/linux/physical.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { HandMadeMemory } from '../support/memory.ts';

const variables = 0xffff_ffff_8200_0000n;
const bufferAt = variables + 0x1000n;
const bufferLength = 0x3000;
const headerSize = 16;

interface ToWrite {
  readonly text: string;
  readonly dictionary?: string;
}

interface Damage {
  readonly missingPage?: number;
  readonly text?: string;
  /** Offset of a variable to the value that it is given. */
  readonly variables?: ReadonlyMap<number, number>;
}

/** log_store() of printk.c. */
class LogWriter {
  readonly region = new Uint8Array(0x1000 + bufferLength);
  readonly view = new DataView(this.region.buffer);
  #first = 0;
  #next: number;
  #count = 0;

  constructor(first = 0) {
    this.#first = first;
    this.#next = first;
  }

  get next(): number {
    return this.#next;
  }

  add({ text, dictionary = '' }: ToWrite): this {
    const bytes = latin1Bytes(text + dictionary);
    const length = (headerSize + bytes.length + 3) & ~3;
    if (this.#next + length + headerSize > bufferLength) this.#next = 0;
    const at = 0x1000 + this.#next;
    this.view.setBigUint64(at, 1_000_000n * BigInt(++this.#count), true);
    this.view.setUint16(at + 8, length, true);
    this.view.setUint16(at + 10, text.length, true);
    this.view.setUint16(at + 12, dictionary.length, true);
    this.view.setUint8(at + 14, 3);
    this.view.setUint8(at + 15, (6 << 5) | 8);
    this.region.set(bytes, at + headerSize);
    this.#next += length;
    return this;
  }

  log(damage: Damage = {}): KernelLog {
    return readLog(this.kernel(damage));
  }

  kernel({ missingPage, text = vmcoreinfoText, variables: wild }: Damage = {}): LogKernel {
    this.view.setBigUint64(0, bufferAt, true);
    this.view.setUint32(8, bufferLength, true);
    this.view.setUint32(16, this.#first, true);
    this.view.setUint32(24, this.#next, true);
    for (const [at, value] of wild ?? []) this.view.setUint32(at, value, true);
    const memory = new HandMadeMemory();
    const root = memory.newTable();
    for (let page = 0; page < this.region.length / 4096; page++) {
      const physical = 0x20_0000n + BigInt(page * 4096);
      memory.map(root, 4, variables + BigInt(page * 4096), physical);
      memory.write(physical, this.region.subarray(page * 4096, (page + 1) * 4096));
      if (page === missingPage) memory.states.set(0x200 + page, 'missing');
    }
    const absent = (): never => {
      throw new DumpError('absent', 'no types');
    };
    return {
      memory: new AddressSpace(new PhysicalMemory(memory), {
        physical: root,
        levels: 4,
        encryptionMask: 0n,
      }),
      vmcoreinfo: new Vmcoreinfo(text),
      symbols: { inKernel: () => undefined },
      types: { offsetOf: absent, sizeOf: absent },
    };
  }
}

const symbols = { log_buf: 0n, log_buf_len: 8n, log_first_idx: 16n, log_next_idx: 24n };
const symbolText = Object.entries(symbols)
  .map(([name, at]) => `SYMBOL(${name})=${(variables + at).toString(16)}\n`)
  .join('');
const vmcoreinfoText =
  `${symbolText}SIZE(printk_log)=16\nOFFSET(printk_log.ts_nsec)=0\nOFFSET(printk_log.len)=8\n` +
  'OFFSET(printk_log.text_len)=10\nOFFSET(printk_log.dict_len)=12\n';

const line = (index: number): ToWrite => ({ text: `line ${index} ${'-'.repeat(index % 50)}` });
const texts = ({ records }: KernelLog): string[] => records.map(({ text }) => text);

describe('the log before 5.10', () => {
  test('records come in order with all that is known, dictionaries apart from texts', () => {
    const log = new LogWriter()
      .add({ text: 'first' })
      .add({ text: '' })
      .add({ text: 'two\nlines', dictionary: 'SUBSYSTEM=pci\0DEVICE=+pci:0000:00:01.0' })
      .log();
    expect(log).toMatchObject({ complete: true, missing: [], overwritten: 0 });
    expect(texts(log)).toEqual(['first', '', 'two\nlines']);
    expect(log.records[2]).toMatchObject({
      sequence: 2,
      timestampNs: 3_000_000n,
      level: 6,
      facility: 3,
      continued: true,
      subsystem: 'pci',
      device: '+pci:0000:00:01.0',
    });
    expect(log.records[2]!.callerId).toBeUndefined();
  });

  test('a buffer that has wrapped is read over its end', () => {
    const writer = new LogWriter(bufferLength - 100);
    for (let index = 0; index < 20; index++) writer.add(line(index));
    expect(writer.next).toBeLessThan(bufferLength - 100);
    expect(texts(writer.log())).toEqual(Array.from({ length: 20 }, (_, at) => line(at).text));
    expect(lastLogRecord(writer.kernel())?.text).toBe(line(19).text);
  });

  test('without SIZE and OFFSET the layout that all versions have serves', () => {
    const kernel = new LogWriter().add({ text: 'a' }).kernel({ text: symbolText });
    expect(texts(readLog(kernel))).toEqual(['a']);
  });

  test('a page that is not there costs its records; those behind it are found again', () => {
    const writer = new LogWriter();
    for (let index = 0; index < 200; index++) writer.add(line(index));
    const whole = writer.log();
    const log = writer.log({ missingPage: 2 });
    expect(log.complete).toBe(false);
    expect(log.missing).toMatchObject([{ what: 'gaps between records', count: 1 }]);
    expect(log.missing[0]!.why).toMatch(/not in the dump/);
    const found = new Set(texts(log));
    expect(
      texts(whole)
        .slice(-10)
        .every((text) => found.has(text)),
    ).toBe(true);
    const lost = texts(whole).filter((text) => !found.has(text)).length;
    expect(lost).toBeGreaterThan(40);
    expect(lost).toBeLessThan(110);
  });

  test('positions outside the buffer and an absurd length are corrupt', () => {
    for (const [at, value] of [
      [16, bufferLength],
      [24, bufferLength + 1],
      [8, 0],
    ] as const) {
      const writer = new LogWriter().add({ text: 'a' });
      const kernel = writer.kernel({ variables: new Map([[at, value]]) });
      expect(() => readLog(kernel)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test('any bytes at all end in records or a DumpError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 4096 }), fc.nat(4096), (noise, at) => {
        const writer = new LogWriter();
        for (let index = 0; index < 100; index++) writer.add(line(index));
        writer.region.set(noise, 0x1000 + at);
        const log = writer.log();
        expect(log.records.length).toBeLessThanOrEqual(bufferLength / headerSize);
      }),
      { numRuns: 40 },
    );
  });
});
