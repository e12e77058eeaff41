/**
 * What a method needs of the crashed kernel, measured. That nothing else is needed, and that code
 * is, the metamorphic tests show with the same recorder; here are page tables, locks, and what the
 * measurement says of methods as they are known.
 */

import { describe, expect, test } from 'vitest';
import { methodNames } from '../../src/capture/catalogue.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import { sha256 } from '../../src/host/sha256.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import { type Needs, needsOf, recorded } from '../../src/trial/needs.ts';
import { PreparedCapture } from '../../src/trial/prepared.ts';
import { footprints, openPanic } from '../support/machines.ts';

const codecs = createCodecs(nodeZlib);
const dump = await openPanic('null-process');
const machine = { sha256, footprints };
const all = new Map<string, Needs>();
for (const method of methodNames) {
  all.set(method, await needsOf({ method, dump, machine, codecs }));
}
const of = (method: string): Needs => all.get(method)!;
const types = (method: string): string[] => of(method).structures.map(({ type }) => type);
const locks = (method: string): string[] => of(method).locks.map(({ name }) => name);

describe('what is measured', () => {
  test.each(methodNames)('%s gets to its end, and its places add up to the whole', (method) => {
    const { stopped, places, pages, code, pageTable, data } = of(method);
    expect(stopped).toBeUndefined();
    const sum = (key: 'pages' | 'code' | 'pageTable' | 'data'): number =>
      places.reduce((total, place) => total + place[key], 0);
    expect([sum('pages'), sum('code'), sum('pageTable'), sum('data')]).toEqual([
      ...[pages, code, pageTable, data],
    ]);
    const mapped = of(method).runs.reduce((total, { first, end }) => total + end - first, 0);
    expect(mapped).toBe(pages);
  });

  test('the crashed block layer is what LKCD on a disk needs, and nobody of the others', () => {
    expect(types('lkcd-disk')).toContain('struct request_queue');
    const others = methodNames.filter((method) => method !== 'lkcd-disk');
    for (const method of others) expect(types(method)).not.toContain('struct request_queue');
  });

  test('methods on the network need the card of the crashed kernel', () => {
    expect(types('netdump')).toContain('struct net_device');
    expect(types('lkcd-net')).toContain('struct net_device');
    expect(types('kexec')).not.toContain('struct net_device');
  });

  test('whose locks they are', () => {
    expect(locks('kexec')).toEqual(['__kexec_lock']);
    expect(locks('diskdump')).toContain('Scsi_Host.host_lock');
    expect(locks('lkcd-disk')).toContain('blk_mq_hw_ctx.lock');
    expect(locks('netdump')).toContain('netdev_queue._xmit_lock');
    expect(locks('hypervisor')).toEqual([]);
  });

  test('kexec reads an image, page tables that lead there, and no struct page', () => {
    expect(types('kexec')).toContain('struct kimage');
    const places = of('kexec').places.map(({ place }) => place);
    expect(places).not.toContain('page structs');
    expect(of('hypervisor').code).toBe(0);
  });
});

describe('the entries of the top page table that a method is led through', () => {
  test.each(['kexec', 'mkdump', 'diskdump', 'lkcd-disk', 'netdump'])(
    '%s does not get on without them',
    async (method) => {
      const { accesses } = await recorded({ method, dump, machine, codecs });
      const prepared = new PreparedCapture(blueprintOf(dump, machine), { method });
      const run = prepared.begin((struck) => {
        const top = Number(struck.panicCpu.root);
        const entries = Array.from({ length: 512 }, (_, entry) => top + entry * 8);
        const used = entries.filter((at) => accesses.map.has(at));
        expect(used.length).toBeGreaterThan(0);
        for (const at of used) struck.memory.write(BigInt(at), new Uint8Array(8));
        return [];
      });
      run.finish({ codecs });
      expect(run.stages.at(-1)!.result).toBe('failed');
    },
  );
});
