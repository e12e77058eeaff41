/** A run that is saved between two stages goes on in another process as if nothing had happened. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serialize } from 'node:v8';
import { afterAll, expect, test } from 'vitest';
import { MemorySink } from '../../src/bytes/sink.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { nodeWorld } from '../../src/host/world.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import { parseFault } from '../../src/trial/faults/fault.ts';
import { numbered, strike } from '../../src/trial/faults/strike.ts';
import { PreparedCapture } from '../../src/trial/prepared.ts';
import type { CaptureRun } from '../../src/trial/run.ts';
import { root } from '../support/cli.ts';
import { dumpPath, openFixture } from '../support/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-resume-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const world = nodeWorld();
const dump = await openFixture();
const blueprint = blueprintOf(dump, world);
const faults = numbered(
  ['memory:by=dma,region=slab,writes=20,when=run', 'disk-busy', 'cpu-deaf'].map(parseFault),
);

/** Plain JavaScript over the built program, as another process would have it. */
const script = `
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
const [root, dumpPath, saved] = process.argv.slice(2);
const part = (path) => import(root + '/dist/' + path);
const { openDump } = await part('index.js');
const { nodeWorld } = await part('host/world.js');
const { CaptureRun } = await part('trial/run.js');
const { MemorySink } = await part('bytes/sink.js');
const { memorySource } = await part('bytes/source.js');
const world = nodeWorld();
const request = { dump: await openDump(dumpPath), machine: world };
const run = CaptureRun.resume(request, deserialize(readFileSync(saved)));
await world.codecs.prepare(run.options.compression);
run.finish(world);
const sink = new MemorySink();
const report = await run.conclude({ sink, open: () => memorySource('dump', sink.bytes()) }, world);
const hash = Buffer.from(world.sha256(sink.bytes())).toString('hex');
process.stdout.write(JSON.stringify({ report, hash }));
`;

async function concluded(run: CaptureRun): Promise<unknown> {
  await world.codecs.prepare(run.options.compression);
  run.finish(world);
  const sink = new MemorySink();
  const target = { sink, open: () => memorySource('dump', sink.bytes()) };
  const report = await run.conclude(target, world);
  const hash = Buffer.from(world.sha256(sink.bytes())).toString('hex');
  return JSON.parse(JSON.stringify({ report, hash }));
}

test.each([
  ['mkdump', 2],
  ['mkdump', 8],
  ['kexec', 5],
  ['kexec', 9],
])('%s, saved after %i stages', async (method, stages) => {
  const prepared = new PreparedCapture(blueprint, { method, level: 31 });
  const run = prepared.begin((machine, targets) => strike(machine, targets, faults, 3));
  await world.codecs.prepare('zlib');
  for (let stage = 0; stage < stages; stage++) run.step(world);
  const saved = join(folder, `${method}-${stages}.run`);
  writeFileSync(saved, serialize(run.save()));
  const program = join(folder, 'resume.mjs');
  writeFileSync(program, script);
  const words = [program, pathToFileURL(root).href, dumpPath('sysrq.kdump'), saved];
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  const there = JSON.parse(execFileSync(process.execPath, words, options)) as unknown;
  expect(there).toEqual(await concluded(run));
});
